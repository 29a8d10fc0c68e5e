import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatError, type WeirError } from '../../src/base/errors.ts';
import { type LoadOptions, loadProject } from '../../src/project/load.ts';
import type { Project } from '../../src/project/model/project.ts';
import { distros, failure, folder, load } from './fixture.ts';

const described = (text: string): string => `[project]\ndescription = "${text}"\n`;

describe('the order of files', () => {
  const files = {
    'azldev.toml': `includes = ["in.toml"]\n${described('root')}`,
    'in.toml': described('included'),
    'xdg/azldev/config.toml': `includes = ["more.toml"]\n${described("azldev's")}`,
    'xdg/azldev/more.toml': described("azldev's, included"),
    'xdg/weir/config.toml': described("weir's"),
    'home/.config/weir/config.toml': described('home'),
    '1.toml': described('first'),
    '2.toml': described('second'),
  };
  const told = async (options: (dir: string) => LoadOptions, without: readonly string[] = []): Promise<string[]> => {
    const kept = Object.fromEntries(Object.entries(files).filter(([name]) => !without.includes(name)));
    const dir = folder(kept);
    const project = await loadProject(dir, options(dir));
    const read = project.configFiles.map(({ path, from }) => `${path.slice(dir.length + 1)} ${from}`);
    return [project.project.description ?? '', ...read];
  };

  it("is the project, azldev's user configuration, Weir's, then the named files", async () => {
    const all = await told((dir) => ({
      env: { XDG_CONFIG_HOME: join(dir, 'xdg') },
      configFiles: [join(dir, '1.toml'), join(dir, '2.toml')],
    }));
    expect(all).toEqual([
      'second',
      'azldev.toml root',
      'in.toml include',
      'xdg/azldev/config.toml user',
      'xdg/azldev/more.toml include',
      'xdg/weir/config.toml user',
      '1.toml option',
      '2.toml option',
    ]);
  });

  it('each wins over those before it', async () => {
    const xdg = (dir: string): LoadOptions => ({ env: { XDG_CONFIG_HOME: join(dir, 'xdg') } });
    expect((await told(xdg))[0]).toBe("weir's");
    expect((await told(xdg, ['xdg/weir/config.toml']))[0]).toBe("azldev's, included");
    expect((await told(() => ({ env: {} })))[0]).toBe('included');
  });

  it("the user's configuration is below HOME where XDG_CONFIG_HOME is not an absolute path", async () => {
    for (const config of [undefined, '', 'xdg']) {
      const [text] = await told((dir) => ({ env: { HOME: join(dir, 'home'), XDG_CONFIG_HOME: config } }));
      expect(text).toBe('home');
    }
    expect((await told(() => ({ env: { HOME: 'home' } })))[0]).toBe('included');
  });

  it("a project of Weir's does not read azldev's", async () => {
    const dir = folder({ ...files, 'weir.toml': '' });
    const project = await loadProject(dir, { env: { XDG_CONFIG_HOME: join(dir, 'xdg') } });
    expect(project.files).toEqual([join(dir, 'weir.toml'), join(dir, 'xdg/weir/config.toml')]);
  });

  it('a file can be read once for the project and once by name', async () => {
    const dir = folder(files);
    const project = await loadProject(dir, { env: {}, configFiles: [join(dir, 'in.toml')] });
    expect(project.files).toHaveLength(3);
  });
});

describe('built-in values', () => {
  const folders = ({ root, project }: Project): Record<string, string> =>
    Object.fromEntries(
      Object.entries(project)
        .filter(([key]) => key.endsWith('Dir'))
        .map(([key, path]) => [key, (path as string).slice(root.length + 1)]),
    );

  it("are azldev's default folders and layouts", async () => {
    const project = await load({ 'azldev.toml': '' });
    expect(folders(project)).toEqual({
      renderedSpecsDir: 'specs',
      lockDir: 'locks',
      logDir: 'build/logs',
      workDir: 'build/work',
      outputDir: 'out',
    });
    expect(project.project.defaultAuthorEmail).toBe('azurelinux@microsoft.com');
    expect(project.tools.imageCustomizer?.containerTag).toMatch(/^mcr\.microsoft\.com\//);
  });

  it("are fewer in Weir's projects", async () => {
    const project = await load('');
    expect(folders(project)).toEqual({ renderedSpecsDir: 'specs', lockDir: 'locks' });
    expect([project.project.defaultAuthorEmail, project.tools]).toEqual([undefined, {}]);
  });

  it('are overridden by a file, relative to that file', async () => {
    const project = await load({
      'azldev.toml': 'includes = ["base/project.toml"]\n',
      'base/project.toml': '[project]\nrendered-specs-dir = "../specs-of-ours"\nlock-dir = "pins"\nlog-dir = ""\n',
    });
    expect(folders(project)).toMatchObject({
      renderedSpecsDir: 'specs-of-ours',
      lockDir: 'base/pins',
      logDir: 'build/logs',
    });
  });
});

describe('dialects', () => {
  const twice = {
    'a.toml':
      '[components.c]\nspec = { type = "local", path = "a.spec" }\nbuild = { with = ["a"], check.skip = false }\n',
    'b.toml': '[components.c]\nbuild = { with = ["b"], defines = { x = "1" } }\n',
  };
  const root = 'includes = ["a.toml", "b.toml"]\n';

  it.each<[string, Record<string, string>, Project['dialect']['name']]>([
    ["a project of Weir's", { 'weir.toml': '[test-suites]\n[sku-groups]\n' }, 'weir'],
    ['with test suites', { 'azldev.toml': '[test-suites]\n' }, 'azldev 0.2 to 0.4'],
    ['with test suites of an image', { 'azldev.toml': '[images.i.tests]\ntest-suites = []\n' }, 'azldev 0.2 to 0.4'],
    ['with tests', { 'azldev.toml': '[tests]\n' }, 'azldev 0.4'],
    ['with test groups', { 'azldev.toml': '[test-groups]\n' }, 'azldev 0.4'],
    ['with both forms of tests', { 'azldev.toml': '[tests]\n[test-suites]\n' }, 'azldev 0.4'],
    ['with tests of an image', { 'azldev.toml': '[images.i.tests]\ntests = []\n' }, 'azldev 0.4'],
    ['with tests of a component', { 'azldev.toml': '[components.c.tests]\n' }, 'azldev 0.4'],
    [
      'with a configuration of kiwi',
      { 'azldev.toml': '[distros.d.versions.1]\nkiwi-config-override = "k.yml"\n' },
      'azldev 0.4',
    ],
    ['with a component in two files', { 'azldev.toml': root, ...twice }, 'azldev 0.4'],
    ['with architectures', { 'azldev.toml': '[images.i]\narchitectures = []\n' }, 'azldev 1.0'],
    ['with pins', { 'azldev.toml': 'includes = ["base/upstream-commits/*.toml"]\n' }, 'azldev 1.0'],
    ['with properties', { 'azldev.toml': '[images.i.properties]\n' }, 'azldev after 1.0'],
    ['with SKU groups', { 'azldev.toml': '[sku-groups]\n[test-groups]\n' }, 'azldev after 1.0'],
    ['with VM SKUs', { 'azldev.toml': '[vm-skus]\n' }, 'azldev after 1.0'],
    ['of the specification', { 'azldev.toml': 'spec-version = "0.1"\n' }, 'distro-toml 0.1'],
    ['of the specification, in a project of Weir', { 'weir.toml': 'spec-version = "0.1"\n' }, 'distro-toml 0.1'],
    ["a project of azldev's", { 'azldev.toml': '' }, 'azldev 1.0'],
    ['with locks, which 1.0 keeps too', { 'azldev.toml': '', 'locks/a.lock': '' }, 'azldev 1.0'],
    ['with an old version', { 'azldev.toml': '', '.azldev-version': 'v0.3.1\n' }, 'azldev 0.3'],
    ['with 0.4', { 'azldev.toml': '', '.azldev-version': '0.4' }, 'azldev 0.4'],
    [
      'with a newer version, and locks',
      { 'azldev.toml': '', '.azldev-version': 'v1.1.0', 'locks/a.lock': '' },
      'azldev after 1.0',
    ],
    [
      'with a commit',
      { 'azldev.toml': '', '.azldev-version': '96965977c1c5ddb734e5ea9afa05f5cd507b345a' },
      'azldev 1.0',
    ],
  ])('%s', async (_what, files, name) => {
    expect((await load(files)).dialect.name).toBe(name);
  });

  it('are told by keys, each with its first place', async () => {
    const project = await load({
      'azldev.toml': 'includes = ["*/*.toml"]\n',
      'a/i.toml': '\n[images.i]\narchitectures = ["x86_64"]\n[images.j]\narchitectures = ["x86_64"]\n',
      'b/t.toml': '[tests.t]\ntype = "pytest"\npytest = {}\n',
    });
    expect(project.dialect).toEqual({
      name: 'azldev 1.0',
      because: 'images.*.architectures in i.toml:3, tests in t.toml:1',
      signs: [
        {
          key: 'images.*.architectures',
          versions: 'azldev 1.0 or later',
          file: join(project.root, 'a/i.toml'),
          line: 3,
        },
        { key: 'tests', versions: 'azldev 0.4 or later', file: join(project.root, 'b/t.toml'), line: 1 },
      ],
    });
  });

  it.each([
    ['the root file', {}, 'spec-version = "0.2"\n', 'can\'t be "0.2"'],
    ['another file', { 'a.toml': 'spec-version = "0.1"\n' }, 'includes = ["a.toml"]\n', 'belongs in the root file'],
  ])('a wrong spec-version in %s is an error', async (_where, files, root, says) => {
    expect((await failure({ 'azldev.toml': root, ...files })).message).toContain(says);
  });

  it.each(['weir.toml', 'azldev.toml'])('components of several files merge in %s', async (file) => {
    const project = await load({ [file]: root, ...twice });
    expect(project.components.get('c')).toMatchObject({
      spec: { type: 'local', path: join(project.root, 'a.spec') },
      build: { with: ['a', 'b'], defines: { x: '1' } },
      origin: { file: join(project.root, 'b.toml'), line: 1 },
    });
  });

  it('a component in two files is an error for an older azldev', async () => {
    const error = await failure({ 'azldev.toml': root, ...twice, '.azldev-version': 'v0.3.0' });
    expect([error.code, error.where?.line, error.where?.component]).toEqual(['duplicate-name', 1, 'c']);
    expect(error.details[0]).toMatch(/a\.toml:1$/);
    await expect(load({ 'weir.toml': root, ...twice }, { dialect: 'azldev 0.3' })).rejects.toThrow('already defined');
  });

  it('may be local although it inherits the commit of an upstream', async () => {
    const project = await load({
      'azldev.toml': `[default-component-config.spec]\ntype = "upstream"\nupstream-commit = "1234567"\n[components.c]\nspec = { type = "local", path = "c.spec" }\n`,
    });
    expect(project.components.get('c')?.spec).toEqual({ type: 'local', path: join(project.root, 'c.spec') });
  });

  it('is checked when all of its files are merged', async () => {
    const parts = {
      'a.toml': '[components.c]\nspec = { path = "a.spec" }\nbuild.check.skip = true\n',
      'b.toml': '[components.c]\nspec = { type = "local" }\nbuild.check.skip_reason = "r"\n',
    };
    expect((await load({ 'azldev.toml': root, ...parts })).components.get('c')).toMatchObject({
      spec: { type: 'local' },
      build: { check: { skip: true, skipReason: 'r' } },
    });
    const error = await failure({ 'azldev.toml': root, ...parts, 'b.toml': '[components.c]\n' });
    const all = [error, ...error.others].map(({ message, where }) => [message, where?.file?.slice(-6), where?.line]);
    expect(all).toEqual([
      ['"path" is only valid for local specs', 'a.toml', 2],
      ['check.skip needs a reason', 'a.toml', 3],
    ]);
  });

  it("each file's overlay files are found from that file", async () => {
    const file = (word: string): string =>
      `[metadata]\ncategory = "azl-pruning"\nupstream-status = "unknown"\n[[overlays]]\ntype = "patch-add"\ndescription = "${word}"\nsource = "x"\n`;
    const project = await load({
      'weir.toml': 'includes = ["a/a.toml", "b/b.toml"]\n[default-component-config]\noverlay-files = ["of/*.toml"]\n',
      'a/a.toml': '[components.c]\noverlay-files = ["own/*.toml"]\n[components.d]\n',
      'b/b.toml': '[components.c]\nbuild.with = ["x"]\n[components.d]\n',
      'a/own/1.toml': file('a'),
      'b/own/1.toml': file('b'),
      'a/of/1.toml': file('inherited, a'),
      'b/of/1.toml': file('inherited, b'),
    });
    const overlays = (name: string): string[] =>
      (project.components.get(name)?.overlays ?? []).map(({ description }) => description);
    expect([overlays('c'), overlays('d')]).toEqual([['a'], ['inherited, b']]);
  });
});

describe('all errors of a load', () => {
  const all = (error: WeirError): string[] =>
    [error, ...error.others].map(({ code, where }) => `${where?.file?.split('/').pop()}:${where?.line} ${code}`);

  it('are reported together, by file and line', async () => {
    const error = await failure({
      'weir.toml':
        'includes = ["b.toml", "gone.toml", "a.toml"]\n[componets]\n[components.x]\nspek = 1\nbuild.with = 3\n',
      'a.toml': 'a = [\n',
      'b.toml':
        'includes = ["c.toml", "a.toml"]\n[components.b]\nspec = { path = "x" }\n[[components.b.overlays]]\ntype = "patch-add"\n[[components.b.overlays]]\ntype = "file-remove"\nfile = "/x"\ndescription = "d"\n',
      'c.toml': '[[components.c.source-files]]\nfilename = "a"\norigin = { type = "download" }\n[images.i]\nname = 1\n',
    });
    expect(all(error)).toEqual([
      'weir.toml:1 include-not-found',
      'weir.toml:1 circular-include',
      'weir.toml:2 unknown-key',
      'weir.toml:4 unknown-key',
      'weir.toml:5 wrong-type',
      'c.toml:5 unknown-key',
      'a.toml:2 toml-syntax',
      'b.toml:3 invalid-spec-source',
      'b.toml:4 overlay-without-description',
      'b.toml:8 overlay-path',
    ]);
    expect(
      formatError(error)
        .split('\n')
        .filter((line) => line.startsWith('error: ')),
    ).toHaveLength(10);
  });

  it('are reported together for references, too', async () => {
    const error = await failure(
      `${distros}[components.a]\n[components.b]\nspec.upstream-distro = { name = "fedra" }\n[components.c]\nspec.upstream-distro = { version = "9" }\n[component-groups.g]\ncomponents = ["x", "a", "y"]\n[images.i.tests]\ntest-suites = [{ name = "s" }]\n[package-groups.p]\npackages = ["p", "p"]\n[resources.rpm-repos.r]\n`,
    );
    expect(all(error)).toEqual([
      'weir.toml:15 unknown-distro',
      'weir.toml:17 unknown-version',
      'weir.toml:19 unknown-component',
      'weir.toml:19 unknown-component',
      'weir.toml:21 unknown-test-suite',
      'weir.toml:23 duplicate-package',
      'weir.toml:24 invalid-repository',
    ]);
  });

  it('are one if thousands inherit it', async () => {
    const many = Array.from({ length: 2000 }, (_, index) => `[components.c${index}]\n`).join('');
    const error = await failure(`${distros.replace('name = "fedora"', 'name = "fedra"')}${many}`);
    expect([error.code, error.where?.line, error.where?.component, error.others]).toEqual([
      'unknown-distro',
      7,
      undefined,
      [],
    ]);
    expect(error.hint).toBe('did you mean fedora?');
  });

  it('stop after twenty, with the number of the others', async () => {
    const many = Array.from({ length: 50 }, (_, index) => `[components.c${index}]\nspek = 1\n`).join('');
    const error = await failure(many);
    expect(error.others).toHaveLength(20);
    expect(error.others.at(-1)?.message).toBe('and 30 more in the same configuration');
  });

  it('show the line of a TOML syntax error', async () => {
    const error = await failure(`# ok\n[components.a]\n\tbuild = { with = ["a" "b"] }\n`);
    expect(error.details).toEqual(['3 |  build = { with = ["a" "b"] }', `  | ${' '.repeat(23)}^`]);
    const long = await failure(`x = "${'a'.repeat(500)}" y\n`);
    expect(long.details[0]).toMatch(/^1 \| …a+" y$/);
    expect(long.details[0]?.[long.details[1]!.indexOf('^')]).toBe('y');
  });
});

describe('a permissive load', () => {
  const permissive = { permissive: true };
  const said = (project: Project): string[] =>
    project.warnings.map(({ code, where }) => `${where?.file?.split('/').pop()}:${where?.line} ${code}`);

  it('warns of unknown keys in every file, and keeps the rest', async () => {
    const project = await load(
      {
        'weir.toml': 'includes = ["a.toml"]\nbogus = 1\n[project]\ndescription = "d"\ndescripton = "e"\n',
        'a.toml':
          '[components.c]\noverlay-files = ["o/*.toml"]\n[[components.c.overlays]]\ntype = "patch-add"\ndescription = "x"\nsource = "s"\nsorce = "t"\n[components.c.build]\nwiht = []\nwith = ["w"]\n',
        'o/o.toml':
          'x = 1\n[metadata]\ncategory = "upstream-backport"\nupstream-status = "upstreamed"\n[[overlays]]\ntype = "file-remove"\ndescription = "y"\nfile = "f"\n',
      },
      permissive,
    );
    expect(said(project)).toEqual([
      'weir.toml:2 unknown-key',
      'weir.toml:5 unknown-key',
      'a.toml:7 unknown-key',
      'a.toml:9 unknown-key',
      'o.toml:1 unknown-key',
      'o.toml:2 overlay-metadata',
    ]);
    const component = project.components.get('c');
    expect([project.project.description, component?.build.with]).toEqual(['d', ['w']]);
    expect(component?.overlays.map(({ description, metadata }) => [description, metadata])).toEqual([
      ['x', undefined],
      ['y', undefined],
    ]);
  });

  it('ignores undefined names', async () => {
    const toml =
      '[component-groups.g]\ncomponents = ["x", "c"]\n[components.c]\n[images.i.tests]\ntest-suites = [{ name = "s" }]\n[package-groups.p]\npackages = ["a", "a"]\n[resources.rpm-repos.r]\n[distros.d.versions.1.inputs]\nrpm-build = [{ repo = "r" }]\n';
    await expect(load(toml)).rejects.toMatchObject({ exit: 2 });
    const project = await load(toml, permissive);
    expect(said(project)).toEqual([
      'weir.toml:2 unknown-component',
      'weir.toml:5 unknown-test-suite',
      'weir.toml:7 duplicate-package',
      'weir.toml:8 invalid-repository',
    ]);
    expect([...project.components.keys()]).toEqual(['c']);
    expect(project.groups.get('g')?.components).toEqual(['c']);
    expect(project.packageGroups.get('p')?.packages).toEqual(['a']);
  });

  it('rejects wrong types and invalid TOML', async () => {
    const wrong = await failure('x = 1\n[project]\ndescription = 1\n', permissive);
    expect([wrong.code, wrong.others]).toEqual(['wrong-type', []]);
    expect((await failure('x = \n', permissive)).code).toBe('toml-syntax');
  });
});
