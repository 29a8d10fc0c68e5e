import { describe, expect, it } from 'vitest';
import { repositoriesBelow, repositoriesOf } from '../../src/project/repositories.ts';
import { load } from './fixture.ts';

const resources = `
[resources.rpm-repos.fedora]
metalink = "https://mirrors.example.org/metalink?repo=fedora"
gpg-key = "https://example.org/key"
arches = ["x86_64"]
[resources.rpm-repos.open]
base-uri = "https://example.org/open/$basearch/"
disable-gpg-check = true
gpg-key = "https://example.org/not-used"
[resources.rpm-repo-set-templates.two]
subrepos = [{ name = "bin", subpath = "b/$basearch" }, { name = "src", subpath = "s", kind = "source" }]
[resources.rpm-repo-sets.prod]
template = "two"
base-uri = "https://example.org/prod/"
name-prefix = "prod-"
gpg-key = "https://example.org/key"
[resources.rpm-repo-sets.some]
template = "azl-standard"
base-uri = "https://example.org/some"
disable-gpg-check = true
subrepos = ["sdk", "base-src"]
`;

describe('the repositories of inputs', () => {
  it('are the named ones and those that a set expands to', async () => {
    const project = await load(resources);
    expect(repositoriesOf(project, [{ repo: 'fedora' }, { set: 'prod' }])).toEqual([
      {
        id: 'fedora',
        address: { metalink: 'https://mirrors.example.org/metalink?repo=fedora' },
        kind: 'binary',
        gpgKey: 'https://example.org/key',
        arches: ['x86_64'],
      },
      {
        id: 'prod-bin',
        address: { baseUri: 'https://example.org/prod/b/$basearch' },
        kind: 'binary',
        gpgKey: 'https://example.org/key',
        arches: [],
      },
      {
        id: 'prod-src',
        address: { baseUri: 'https://example.org/prod/s' },
        kind: 'source',
        gpgKey: 'https://example.org/key',
        arches: [],
      },
    ]);
  });

  it('have no key if signatures are not checked', async () => {
    expect(repositoriesOf(await load(resources), [{ repo: 'open' }])[0]?.gpgKey).toBeUndefined();
  });

  it('are those of the template that the set takes, in the order of the template', async () => {
    const found = repositoriesOf(await load(resources), [{ set: 'some' }]);
    expect(found.map(({ id }) => id)).toEqual(['base-src', 'sdk']);
  });

  it('are listed once', async () => {
    expect(repositoriesOf(await load(resources), [{ set: 'prod' }, { set: 'prod' }])).toHaveLength(2);
  });
});

describe('the repositories below an address', () => {
  it('follow the template', async () => {
    const found = repositoriesBelow(await load(''), 'koji-dist-repo', 'https://example.org/x/');
    expect(found.map(({ id, address }) => [id, 'baseUri' in address && address.baseUri])).toEqual([
      ['binary', 'https://example.org/x/$basearch'],
      ['debug', 'https://example.org/x/$basearch/debug'],
      ['src', 'https://example.org/x/src'],
    ]);
  });

  it('need an existing template', async () => {
    const project = await load('');
    expect(() => repositoriesBelow(project, 'azl-standart', 'https://example.org')).toThrow(
      expect.objectContaining({ code: 'unknown-template', exit: 2, hint: 'did you mean azl-standard?' }),
    );
  });
});
