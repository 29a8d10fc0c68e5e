import { describe, expect, test } from 'vitest';
import { isKept, readRepomd } from '../../src/inputs/repomd.ts';

const digest = 'a'.repeat(64);

function data(type: string, more: { href?: string; checksum?: string } = {}): string {
  const { href = `repodata/${digest}-${type}.xml.zst`, checksum = `<checksum type="sha256">${digest}</checksum>` } =
    more;
  return `<data type="${type}">${checksum}<location href="${href}"/><size>12</size></data>`;
}

function repomd(...parts: string[]): string {
  return `<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>17</revision>${parts.join('')}</repomd>`;
}

describe('reading repomd.xml', () => {
  test('lists each file with its digest and size', () => {
    const read = readRepomd(repomd(data('primary'), data('filelists')), 'fedora');
    expect(read.revision).toBe('17');
    expect(read.files.map(({ type, size }) => [type, size])).toEqual([
      ['primary', 12],
      ['filelists', 12],
    ]);
    expect(read.files[0]!.sha256).toBe(digest);
  });

  test.each([
    ['a page of a captive portal', '<html></html>', 'no element "repomd"'],
    ['a truncated file', repomd(data('primary')).slice(0, -20), 'truncated'],
    ['no package list', repomd(data('filelists')), 'lists no "primary"'],
    [
      'a path out of the repository',
      repomd(data('primary', { href: 'repodata/../../etc/passwd' })),
      'outside repodata/',
    ],
    ['a path elsewhere', repomd(data('primary', { href: '/etc/passwd' })), 'outside repodata/'],
    [
      'a weak checksum',
      repomd(data('primary', { checksum: `<checksum type="sha">${'a'.repeat(40)}</checksum>` })),
      'must be sha256',
    ],
    ['no checksum', repomd(data('primary', { checksum: '' })), 'missing, but must be sha256'],
  ])('refuses %s', (_, text, message) => {
    expect(() => readRepomd(text, 'fedora')).toThrow(message);
  });

  test('a weak checksum of a file that is not kept does not matter', () => {
    const weak = data('other', { checksum: `<checksum type="sha">${'a'.repeat(40)}</checksum>` });
    expect(readRepomd(repomd(data('primary'), weak), 'fedora').files.map(({ type }) => type)).toEqual(['primary']);
  });

  test('only metadata that resolving needs is kept', () => {
    const types = [
      'primary',
      'filelists',
      'group',
      'group_gz',
      'modules',
      'other',
      'updateinfo',
      'primary_zck',
      'primary_db',
    ];
    expect(types.filter(isKept)).toEqual(['primary', 'filelists', 'group', 'group_gz', 'modules']);
  });
});
