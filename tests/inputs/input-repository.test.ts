import { describe, expect, test } from 'vitest';
import {
  addressOf,
  asUrl,
  commandLineRepositories,
  inputRepositories,
  withVariables,
} from '../../src/inputs/input-repository.ts';
import { metalinkMirrors, mirrorlistMirrors } from '../../src/inputs/metadata.ts';

const variables = { releasever: '4.0', arch: 'x86_64' } as const;

describe('addresses of input repositories', () => {
  test('variables are replaced as dnf does', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dnf's syntax
    const text = 'https://example.org/$releasever/${basearch}/$arch/$releasever_major/$releasever_minor';
    expect(withVariables(text, variables)).toBe('https://example.org/4.0/x86_64/x86_64/4/0');
    expect(() => withVariables('https://example.org/$relversion', variables)).toThrow('unknown variable $relversion');
  });

  test('a path is a URL too', () => {
    expect(asUrl('/srv/a b/')).toBe('file:///srv/a%20b');
    expect(asUrl('https://example.org/x//')).toBe('https://example.org/x');
  });

  test('only binary repositories of the architecture are inputs', () => {
    const common = { address: { baseUri: 'https://example.org/$basearch' }, gpgKey: undefined, arches: [] } as const;
    const repositories = inputRepositories(
      [
        { ...common, id: 'base', kind: 'binary' },
        { ...common, id: 'debug', kind: 'debug' },
        { ...common, id: 'arm', kind: 'binary', arches: ['aarch64'] },
        { ...common, id: 'signed', kind: 'binary', address: { metalink: 'https://example.org/m' }, gpgKey: '/keys/a' },
      ],
      variables,
    );
    expect(repositories.map(({ id, checksSignatures }) => [id, checksSignatures])).toEqual([
      ['base', false],
      ['signed', true],
    ]);
    expect(repositories.map(addressOf)).toEqual([
      'baseurl https://example.org/x86_64',
      'metalink https://example.org/m',
    ]);
    expect(repositories[1]!.keys).toEqual(['file:///keys/a']);
  });

  test('the command line names repositories with or without id', () => {
    const [named, bare] = commandLineRepositories(['mine=https://example.org/$basearch', '/srv/repo'], variables);
    expect(named).toMatchObject({ id: 'mine', address: { urls: ['https://example.org/x86_64'] } });
    expect(bare).toMatchObject({ id: 'repo-2', address: { urls: ['file:///srv/repo'] } });
    expect(() => commandLineRepositories([''], variables)).toThrow('requires a URL');
    expect(() => commandLineRepositories(['main=/srv/repo'], variables)).toThrow("reserved for dnf's own options");
    expect(() => commandLineRepositories(['built=/srv/repo'], variables)).toThrow(
      'reserved for the repository of built',
    );
  });
});

test('the mirrors of a metalink come by preference, without rsync', () => {
  const url = (protocol: string, preference: number, host: string): string =>
    `<url protocol="${protocol}" preference="${preference}">${protocol}://${host}/repodata/repomd.xml</url>`;
  const text = [
    url('https', 90, 'b.example.org'),
    url('rsync', 100, 'c.example.org'),
    url('http', 95, 'a.example.org'),
  ];
  expect(metalinkMirrors(text.join('\n'))).toEqual(['http://a.example.org', 'https://b.example.org']);
});

test('a mirror list has comments and one URL in each line', () => {
  expect(mirrorlistMirrors('# repo = x\nhttps://a.example.org/x/\n\nftp://b.example.org\n')).toEqual([
    'https://a.example.org/x',
  ]);
});
