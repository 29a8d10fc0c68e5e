import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Project } from '../../src/project/model/project.ts';
import { repositoriesOf } from '../../src/project/repositories.ts';
import { failure, load } from './fixture.ts';

const template = `[resources.rpm-repo-set-templates.t]
subrepos = [
  { name = "binary", subpath = "main/$basearch" },
  { name = "debug", subpath = "main/debug/$basearch", kind = "debug" },
  { name = "src", subpath = "src", kind = "source" },
]
`;
const set = (name: string, fields: string): string =>
  `[resources.rpm-repo-sets.${name}]\ntemplate = "t"\nbase-uri = "https://x/${name}//"\n${fields}\n`;

describe('repository sets', () => {
  it('are expanded by their template', async () => {
    const project = await load(
      `${template}${set('s', 'name-prefix = "s-"\ngpg-key = "k.asc"\narches = ["x86_64"]\ndescription = "All"')}`,
    );
    const { repositories } = project.resources;
    expect([...repositories.keys()]).toEqual(['s-binary', 's-debug', 's-src']);
    expect(repositories.get('s-debug')).toEqual({
      name: 's-debug',
      set: 's',
      kind: 'debug',
      description: 'All (debug)',
      baseUri: 'https://x/s/main/debug/$basearch',
      disableGpgCheck: false,
      gpgKey: join(project.root, 'k.asc'),
      arches: ['x86_64'],
    });
  });

  it('take the subrepos that they name, in the order of the template', async () => {
    const project = await load(`${template}${set('s', 'disable-gpg-check = true\nsubrepos = ["src", "binary"]')}`);
    expect([...project.resources.repositories.keys()]).toEqual(['binary', 'src']);
  });

  it('expand the built-in layouts', async () => {
    const project = await load(
      '[resources.rpm-repo-sets.a]\ntemplate = "azl-standard"\nbase-uri = "https://x"\ndisable-gpg-check = true\nname-prefix = "a-"\n' +
        '[resources.rpm-repo-sets.k]\ntemplate = "koji-dist-repo"\nbase-uri = "https://y"\ndisable-gpg-check = true\nname-prefix = "k-"\n',
    );
    const uris = [...project.resources.repositories.values()].map(({ name, baseUri, kind }) => [name, baseUri, kind]);
    expect(uris).toEqual([
      ['a-base', 'https://x/base/$basearch', 'binary'],
      ['a-base-debug', 'https://x/base/debuginfo/$basearch', 'debug'],
      ['a-base-src', 'https://x/base/srpms', 'source'],
      ['a-sdk', 'https://x/sdk/$basearch', 'binary'],
      ['a-sdk-debug', 'https://x/sdk/debuginfo/$basearch', 'debug'],
      ['a-sdk-src', 'https://x/sdk/srpms', 'source'],
      ['k-binary', 'https://y/$basearch', 'binary'],
      ['k-debug', 'https://y/$basearch/debug', 'debug'],
      ['k-src', 'https://y/src', 'source'],
    ]);
  });

  it('are replaced as a whole by a later file', async () => {
    const project = await load({
      'weir.toml': `includes = ["a.toml"]\n${template}${set('s', 'disable-gpg-check = true\nname-prefix = "s-"')}[resources.rpm-repos.r]\nbase-uri = "https://r/"\ndisable-gpg-check = true\ndescription = "old"\n`,
      'a.toml': `[resources.rpm-repo-set-templates.t]\nsubrepos = [{ name = "all", subpath = "all" }]\n${set('s', 'gpg-key = "https://k/"')}[resources.rpm-repos.r]\nmetalink = "https://m/"\ngpg-key = "https://k/"\n`,
    });
    expect([...project.resources.repositories.values()]).toEqual([
      { name: 'r', kind: 'binary', metalink: 'https://m/', disableGpgCheck: false, gpgKey: 'https://k/', arches: [] },
      {
        name: 'all',
        set: 's',
        kind: 'binary',
        baseUri: 'https://x/s/all',
        disableGpgCheck: false,
        gpgKey: 'https://k/',
        arches: [],
      },
    ]);
  });
});

describe('inputs of a version', () => {
  const named = (project: Project, use: 'rpmBuild' | 'imageBuild'): string[] =>
    repositoriesOf(project, project.distros.get('d')!.versions.get('1')!.inputs[use]).map(({ id }) => id);
  const inputs = (list: string): string =>
    `${template}${set('s', 'disable-gpg-check = true\nname-prefix = "s-"')}[resources.rpm-repos.r]\nbase-uri = "https://r/"\ndisable-gpg-check = true\n[distros.d.versions.1.inputs]\nrpm-build = ${list}\nimage-build = [{ set = "s" }]\n`;

  it('are repositories and sets, in their order', async () => {
    const project = await load(inputs('[{ repo = "r" }, { set = "s" }]'));
    expect(named(project, 'rpmBuild')).toEqual(['r', 's-binary', 's-debug', 's-src']);
    expect(named(project, 'imageBuild')).toEqual(['s-binary', 's-debug', 's-src']);
  });

  it('can name a repository of a set', async () => {
    expect(named(await load(inputs('[{ repo = "s-src" }]')), 'rpmBuild')).toEqual(['s-src']);
  });

  it('are no errors if the repository itself is invalid, which is the only error', async () => {
    const repo = '[resources.rpm-repos.base]\nbase-uri = "https://r/"\n';
    const version = (name: string) => `[distros.d.versions.1]\ninputs.rpm-build = [{ repo = "${name}" }]\n`;
    const codes = async (text: string) => {
      const { code, others } = await failure(text);
      return [code, ...others.map((other) => other.code)];
    };
    expect(await codes(repo + version('base'))).toEqual(['invalid-repository']);
    const ofSet = template + set('s', 'name-prefix = "s-"');
    expect(await codes(ofSet + version('s-src'))).toEqual(['invalid-repository']);
    expect(await codes(ofSet + version('t-src'))).toEqual(['invalid-repository', 'unknown-repository']);
  });

  it.each([
    ['[{ repo = "x" }]', 'unknown-repository'],
    ['[{ set = "r" }]', 'unknown-repository'],
    ['[{}]', 'invalid-value'],
    ['[{ repo = "r", set = "s" }]', 'invalid-value'],
    ['[{ repo = "r" }, { repo = "r" }]', 'duplicate-name'],
    ['[{ set = "s" }, { repo = "s-src" }]', 'duplicate-name'],
  ])('%s is an error', async (list, code) => {
    const error = await failure(inputs(list));
    expect([error.code, error.where?.line]).toEqual([code, 16]);
  });
});
