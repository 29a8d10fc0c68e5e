import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadProject } from '../../src/project/load.ts';
import type { WeirImage } from '../../src/project/model/image.ts';
import { distros, failure, folder, load } from './fixture.ts';

describe('finding the project', () => {
  it('walks up, and prefers weir.toml', async () => {
    const dir = folder({ 'azldev.toml': '', 'weir.toml': '', 'a/b/c': '', 'in/azldev.toml': '', 'in/d/e': '' });
    expect((await loadProject(join(dir, 'a/b'))).file).toBe(join(dir, 'weir.toml'));
    const inner = await loadProject(join(dir, 'in/d'));
    expect([inner.file, inner.root]).toEqual([join(dir, 'in/azldev.toml'), join(dir, 'in')]);
  });

  it('reports that there is none', async () => {
    await expect(loadProject(folder({ 'a/b': '' }))).rejects.toMatchObject({ code: 'no-project', exit: 2 });
    await expect(loadProject('/proc/no/such/folder')).rejects.toMatchObject({ code: 'no-project' });
  });

  it('loads an empty project', async () => {
    const project = await load('');
    expect(project.components.size).toBe(0);
    expect(project.release).toBeUndefined();
    expect(project.toolbox).toEqual({ suite: 'forky', allowExpired: false, limits: {} });
    expect(project.signing).toEqual({});
    expect([...project.resources.rpmRepoSetTemplates.keys()]).toEqual(['azl-standard', 'koji-dist-repo']);
  });

  it('reads a file that begins with a byte order mark', async () => {
    expect((await load('\uFEFF[project]\ndescription = "d"\n')).project.description).toBe('d');
  });
});

describe('includes', () => {
  const names = async (files: Record<string, string>): Promise<string[]> => {
    const project = await load(files);
    return project.files.map((file) => file.slice(project.root.length + 1));
  };

  it('are read depth first, a file before what it includes, sorted by name', async () => {
    const files = {
      'weir.toml': 'includes = ["b.toml", "parts/**/*.part.toml", "none/*.toml"]',
      'b.toml': 'includes = ["deep/c.toml"]',
      'deep/c.toml': '',
      'parts/z.part.toml': '',
      'parts/a/x.part.toml': '',
      'parts/a/.hidden.part.toml': '',
      'parts/y.toml': '',
    };
    expect(await names(files)).toEqual([
      'weir.toml',
      'b.toml',
      'deep/c.toml',
      'parts/z.part.toml',
      'parts/a/.hidden.part.toml',
      'parts/a/x.part.toml',
    ]);
  });

  it('do not loop through links to folders', async () => {
    const dir = folder({ 'weir.toml': 'includes = ["**/*.part.toml"]', 'sub/a.part.toml': '' });
    symlinkSync(dir, join(dir, 'sub/up'));
    expect((await loadProject(dir)).files).toHaveLength(2);
  });

  it('skip folders that a glob matches', async () => {
    const dir = folder({ 'weir.toml': 'includes = ["*.toml.d"]' });
    mkdirSync(join(dir, 'x.toml.d'));
    expect((await loadProject(dir)).files).toHaveLength(1);
  });

  it('override the file that includes them', async () => {
    const project = await load({
      'weir.toml': 'includes = ["a.toml"]\n[project]\ndescription = "root"\noutput-dir = "out"\n',
      'a.toml': '[project]\ndescription = "included"\noutput-dir = ""\n',
    });
    expect(project.project).toMatchObject({ description: 'included', outputDir: join(project.root, 'out') });
  });

  it('of a missing name are an error, of a glob without a match not', async () => {
    expect((await load('includes = ["*.x.toml"]')).files).toHaveLength(1);
    const error = await failure('includes = ["a*.toml", "x.toml"]');
    expect([error.code, error.where?.line, error.where?.column]).toEqual(['include-not-found', 1, 24]);
  });

  it.each([
    ['itself', { 'weir.toml': 'includes = ["weir.toml"]' }, 'weir.toml', /includes itself/],
    [
      'a circle',
      { 'weir.toml': 'includes = ["a.toml"]', 'a.toml': 'includes = ["weir.toml"]' },
      'a.toml',
      /second time/,
    ],
    ['twice', { 'weir.toml': 'includes = ["a.toml", "*.toml"]', 'a.toml': '' }, 'weir.toml', /second time/],
    [
      'a diamond',
      {
        'weir.toml': 'includes = ["a.toml", "b.toml"]',
        'a.toml': 'includes = ["c.toml"]',
        'b.toml': 'includes = ["c.toml"]',
        'c.toml': '',
      },
      'b.toml',
      /second time/,
    ],
  ])('the same file again is an error: %s', async (_name, files, file, message) => {
    const error = await failure(files);
    expect(error.code).toBe('circular-include');
    expect(error.where?.file?.endsWith(`/${file}`)).toBe(true);
    expect(error.message).toMatch(message);
  });

  it('come before files named on the command line', async () => {
    const dir = folder({
      'weir.toml': '[project]\ndescription = "a"\n',
      'extra/x.toml': 'includes = ["y.toml"]',
      'extra/y.toml': '[project]\ndescription = "b"\n',
    });
    const project = await loadProject(dir, { configFiles: [join(dir, 'extra/x.toml')] });
    expect(project.project.description).toBe('b');
    await expect(loadProject(dir, { configFiles: [join(dir, 'gone.toml')] })).rejects.toMatchObject({
      code: 'no-file',
    });
  });
});

describe('tables of several files', () => {
  it.each(['component-groups', 'images', 'package-groups', 'test-suites'])(
    'a name twice in %s is an error that names both places',
    async (table) => {
      const content = `\n[${table}.x]\n${table === 'test-suites' ? 'type = "lisa"\n' : ''}`;
      const error = await failure({ 'weir.toml': `includes = ["a.toml"]${content}`, 'a.toml': content });
      expect([error.code, error.where?.line]).toEqual(['duplicate-name', 2]);
      expect(error.where?.file).toMatch(/a\.toml$/);
      expect(error.details[0]).toMatch(/weir\.toml:2$/);
    },
  );

  it('distros override by key, versions are replaced whole', async () => {
    const project = await load({
      'weir.toml':
        'includes = ["a.toml"]\n[distros.d]\ndescription = "one"\ndefault-version = "1"\nrepos = [{ base-uri = "a" }, { base-uri = "b" }]\ndisable-origins = true\n' +
        '[distros.d.versions.1]\nrelease-ver = "1"\ndist-git-branch = "f1"\n[distros.d.versions.2]\n',
      'a.toml':
        '[distros.d]\ndefault-version = "2"\nrepos = [{ base-uri = "c" }]\ndisable-origins = false\n[distros.d.versions.1]\ndescription = "new"\n',
    });
    const distro = project.distros.get('d');
    expect(distro).toMatchObject({ description: 'one', defaultVersion: '2', repos: ['c'], disableOrigins: true });
    expect([...(distro?.versions.keys() ?? [])]).toEqual(['1', '2']);
    expect(distro?.versions.get('1')).toEqual({
      name: '1',
      description: 'new',
      inputs: { rpmBuild: [], imageBuild: [] },
    });
  });

  it('an entry of resources is replaced whole', async () => {
    const project = await load({
      'weir.toml':
        'includes = ["a.toml"]\n[resources.rpm-repos.r]\nbase-uri = "https://a/"\ngpg-key = "keys/k"\narches = ["x86_64"]\n',
      'a.toml': '[resources.rpm-repos.r]\nmetalink = "https://m/"\ndisable-gpg-check = true\n',
    });
    expect(project.resources.rpmRepos.get('r')).toEqual({ metalink: 'https://m/', disableGpgCheck: true, arches: [] });
  });

  it('the defaults of components append, those of packages override', async () => {
    const project = await load({
      'weir.toml':
        'includes = ["a.toml"]\n[default-component-config.build]\nwith = ["a"]\n[default-package-config.publish]\nrpm-channel = "x"\ndebuginfo-channel = "d"\n[components.c]\n',
      'a.toml': '[default-component-config.build]\nwith = ["b"]\n[default-package-config.publish]\nrpm-channel = "y"\n',
    });
    expect(project.components.get('c')?.build.with).toEqual(['a', 'b']);
    expect(project.defaultPublish).toEqual({ rpmChannel: 'y', debuginfoChannel: 'd' });
  });

  it('paths are relative to the file that names them', async () => {
    const project = await load({
      'weir.toml': 'includes = ["sub/a.toml"]',
      'sub/a.toml': `
[project]
output-dir = "../out"
log-dir = "/var/log/x"
[distros.d]
dist-git-base-uri = "../seed/$pkg"
lookaside-base-uri = "https://example.org/$pkg"
[distros.d.versions.1]
mock-config = "m.cfg"
inputs = { rpm-build = [{ repo = "r" }], image-build = [{ set = "s" }] }
[resources.rpm-repos.r]
base-uri = "https://a/"
gpg-key = "key.asc"
[resources.rpm-repo-sets.s]
template = "azl-standard"
base-uri = "https://a/"
gpg-key = "file:///k"
[components.c]
spec = { type = "local", path = "c.spec" }
[[components.c.overlays]]
type = "patch-add"
description = "why"
source = "fix.patch"
[images.i]
definition = { type = "kiwi", path = "i.kiwi", profile = "core" }
[seed]
mappings = ["*.map"]
dist-git = "dg"
[toolbox]
root = "tools"
`,
      'sub/z.map': '',
      'sub/b.map': '',
    });
    const sub = join(project.root, 'sub');
    const distro = project.distros.get('d');
    expect(project.project).toMatchObject({ outputDir: join(project.root, 'out'), logDir: '/var/log/x' });
    expect(distro?.distGitBaseUri).toBe(join(project.root, 'seed/$pkg'));
    expect(distro?.lookasideBaseUri).toBe('https://example.org/$pkg');
    expect(distro?.versions.get('1')?.mockConfig).toBe(join(sub, 'm.cfg'));
    expect(distro?.versions.get('1')?.inputs).toEqual({ rpmBuild: [{ repo: 'r' }], imageBuild: [{ set: 's' }] });
    expect(project.resources.rpmRepos.get('r')?.gpgKey).toBe(join(sub, 'key.asc'));
    expect(project.resources.rpmRepoSets.get('s')?.gpgKey).toBe('file:///k');
    expect(project.components.get('c')).toMatchObject({
      spec: { type: 'local', path: join(sub, 'c.spec') },
      overlays: [
        { source: join(sub, 'fix.patch'), file: 'fix.patch', origin: { file: join(sub, 'a.toml'), line: 20 } },
      ],
      origin: { file: join(sub, 'a.toml'), line: 18 },
    });
    expect(project.images.get('i')?.definition).toEqual({ type: 'kiwi', path: join(sub, 'i.kiwi'), profile: 'core' });
    expect(project.seed?.mappings).toEqual([join(sub, 'b.map'), join(sub, 'z.map')]);
    expect(project.seed?.distGit).toBe(join(sub, 'dg'));
    expect(project.toolbox.root).toBe(join(sub, 'tools'));
  });
});

describe('what a component inherits', () => {
  it('comes from the distro version, the defaults, its groups by name, itself', async () => {
    const layer = (table: string, word: string): string =>
      `[${table}.build]\nwith = ["${word}"]\nwithout = ["no-${word}"]\nundefines = ["${word}"]\ndefines = { ${word} = "1", last = "${word}" }\n` +
      `[[${table}.overlays]]\ntype = "spec-remove-section"\nsection = "%${word}"\ndescription = "${word}"\n` +
      `[[${table}.source-files]]\nfilename = "${word}"\norigin = { type = "download", uri = "https://a/${word}" }\n` +
      `[${table}.packages.p.publish]\n${word === 'own' ? 'rpm-channel = "own"' : `rpm-channel = "${word}"\ndebuginfo-channel = "${word}"`}\n` +
      `[${table}.publish]\nrpm-channel = "${word}"\n${word === 'version' ? 'srpm-channel = "version"\n' : ''}`;
    const project = await load(
      layer('components.c', 'own') +
        layer('component-groups.z.default-component-config', 'zz') +
        '[component-groups.z]\ncomponents = ["c"]\n[component-groups.a]\ncomponents = ["c"]\n' +
        layer('component-groups.a.default-component-config', 'aa') +
        layer('component-groups.other.default-component-config', 'other') +
        layer('default-component-config', 'default') +
        layer('distros.ours.versions.1.default-component-config', 'version') +
        layer('distros.fedora.versions.43.default-component-config', 'fedora') +
        distros.replaceAll(/\[distros\.\w+\.versions\.(1\.default-component-config|43)\]\n(spec.*\n)?/g, ''),
    );
    const order = ['version', 'default', 'aa', 'zz', 'own'];
    const component = project.components.get('c');
    expect(component?.groups).toEqual(['a', 'z']);
    expect(component?.build).toMatchObject({
      with: order,
      without: order.map((word) => `no-${word}`),
      undefines: order,
    });
    expect(component?.build.defines).toEqual({ ...Object.fromEntries(order.map((word) => [word, '1'])), last: 'own' });
    expect(component?.overlays.map((overlay) => overlay.description)).toEqual(order);
    expect(component?.sourceFiles.map((file) => file.filename)).toEqual(order);
    expect(component?.packages).toEqual({ p: { rpmChannel: 'own' } });
    expect(component?.publish).toEqual({ rpmChannel: 'own', srpmChannel: 'version' });
    expect(project.groups.get('a')).toMatchObject({ components: ['c'], origin: { line: expect.any(Number) } });
  });

  it('the spec is inherited key by key', async () => {
    const project = await load(
      `${distros}[components.plain]\n[components.other.spec]\ntype = "upstream"\nupstream-name = "gtk+"\nupstream-commit = "abcdef1"\nupstream-distro = { version = "44" }\n` +
        '[components.local]\nspec = { type = "local", path = "l.spec" }\n',
    );
    const snapshot = '2026-01-02T00:00:00Z';
    expect(project.components.get('plain')?.spec).toEqual({
      type: 'upstream',
      name: 'plain',
      distro: { name: 'fedora', version: '43', snapshot },
    });
    expect(project.components.get('other')?.spec).toEqual({
      type: 'upstream',
      name: 'gtk+',
      commit: 'abcdef1',
      distro: { name: 'fedora', version: '44', snapshot },
    });
    expect(project.components.get('local')?.spec).toEqual({ type: 'local', path: join(project.root, 'l.spec') });
  });

  it('a set value can be changed but not unset', async () => {
    const project = await load(
      '[default-component-config]\nrelease.calculation = "manual"\nrender.skip-file-filter = true\n' +
        '[default-component-config.build]\ncheck = { skip = true, skip_reason = "r" }\nemit-upstream-provenance = true\nhints.expensive = true\ndefines = { a = "1" }\n' +
        '[components.c]\nrelease.calculation = ""\nrender.skip-file-filter = false\n' +
        '[components.c.build]\ncheck = { skip = false, skip_reason = "" }\nemit-upstream-provenance = false\nhints.expensive = false\ndefines = { a = "" }\n',
    );
    expect(project.components.get('c')).toMatchObject({
      release: { calculation: 'manual' },
      render: { skipFileFilter: true },
      build: {
        check: { skip: true, skipReason: 'r' },
        emitUpstreamProvenance: true,
        expensive: true,
        defines: { a: '' },
      },
    });
  });

  it('specs of a group are components', async () => {
    const project = await load({
      'weir.toml':
        '[component-groups.g]\nspecs = ["specs/**/*.spec"]\nexcluded-paths = ["specs/old/**"]\ndefault-component-config.build.with = ["w"]\n[components.b.build]\nwith = ["own"]\n',
      'specs/a/a.spec': '',
      'specs/b.spec': '',
      'specs/old/c.spec': '',
    });
    expect([...project.components.keys()].sort()).toEqual(['a', 'b']);
    expect(project.components.get('a')).toMatchObject({
      spec: { type: 'local', path: join(project.root, 'specs/a/a.spec') },
      groups: ['g'],
      build: { with: ['w'] },
      origin: { line: 1 },
    });
    expect(project.components.get('b')?.build.with).toEqual(['w', 'own']);
    expect(project.groups.get('g')?.components).toEqual(['a', 'b']);
  });

  it('two specs for one component are an error', async () => {
    const group = '[component-groups.g]\nspecs = ["*/*.spec"]\n';
    const twice = await failure({ 'weir.toml': group, 'a/x.spec': '', 'b/x.spec': '' });
    expect([twice.code, twice.where?.line, twice.where?.component]).toEqual(['duplicate-name', 2, 'x']);
    const claimed = await failure({
      'weir.toml': `[components.x]\nspec = { type = "local", path = "x.spec" }\n${group}`,
      'a/x.spec': '',
    });
    expect([claimed.code, claimed.where?.line]).toEqual(['invalid-spec-source', 2]);
  });
});

describe('overlay files', () => {
  const file = (word: string): string =>
    `[metadata]\ncategory = "weir-pruning"\nupstream-status = "inapplicable"\nbugs = [{ url = "https://example.org/${word}" }]\n` +
    `[[overlays]]\ntype = "patch-add"\ndescription = "${word}"\nsource = "${word}.patch"\n`;

  it('come after inline overlays, by base name, each with the metadata of its file', async () => {
    const project = await load({
      'weir.toml': 'includes = ["c/c.toml"]\n[default-component-config]\noverlay-files = ["gone.toml"]\n',
      'c/c.toml':
        '[components.c]\noverlay-files = ["o/**/*.toml", "o/b.toml"]\n[[components.c.overlays]]\ntype = "patch-add"\ndescription = "inline"\nsource = "i.patch"\n[components.off]\noverlay-files = []\n',
      'c/o/b.toml': file('b'),
      'c/o/z/a.toml': file('a'),
      'c/o/c.toml': file('c'),
    });
    const overlays = project.components.get('c')?.overlays ?? [];
    expect(overlays.map((overlay) => overlay.description)).toEqual(['inline', 'a', 'b', 'c']);
    expect(overlays[1]).toEqual({
      type: 'patch-add',
      description: 'a',
      source: join(project.root, 'c/o/z/a.patch'),
      file: 'a.patch',
      origin: { file: join(project.root, 'c/o/z/a.toml'), line: 5 },
      metadata: {
        category: 'weir-pruning',
        upstreamStatus: 'inapplicable',
        commits: [],
        bugs: ['https://example.org/a'],
      },
    });
    expect(project.components.get('off')?.overlays).toEqual([]);
  });

  it('can be anywhere, and a pattern without a match does not stop the next', async () => {
    const dir = folder({ 'else/where.toml': file('w') });
    const project = await load({
      'weir.toml': `[components.c]\noverlay-files = ["none/*.toml", "${dir}/**/*.toml", "o/?.toml"]\n`,
      'o/a.toml': file('a'),
      'o/ab.toml': file('ab'),
    });
    const overlays = project.components.get('c')?.overlays ?? [];
    expect(overlays.map((overlay) => ('source' in overlay ? overlay.source : ''))).toEqual([
      join(dir, 'else/w.patch'),
      join(project.root, 'o/a.patch'),
    ]);
  });

  it('of a group can change an archive that the component replaces', async () => {
    const source =
      '[[components.c.source-files]]\nfilename = "a.tar.gz"\norigin = { type = "overlay" }\nreplace-upstream = true\nreplace-reason = "r"\n';
    const group =
      '[component-groups.g]\ncomponents = ["c"]\n[[component-groups.g.default-component-config.overlays]]\ntype = "file-remove"\narchive = "a.tar.gz"\nfile = "vendor/**"\ndescription = "d"\n';
    const project = await load(group + source);
    expect(project.components.get('c')?.overlays).toMatchObject([{ type: 'file-remove', archive: 'a.tar.gz' }]);
    expect((await failure(`${group}[components.c]\n`)).code).toBe('overlay-archive');
  });

  it.each([
    ['no metadata', file('a').slice(file('a').indexOf('[[overlays]]')), 'missing-key'],
    ['no overlays', file('a').replace(/\[\[overlays\]\][\s\S]*/, ''), 'missing-key'],
    [
      'metadata of its own',
      `${file('a')}metadata = { category = "azl-pruning", upstream-status = "unknown" }\n`,
      'overlay-metadata',
    ],
    ['no description', file('a').replace('description = "a"\n', ''), 'overlay-without-description'],
    ['an unknown key', `x = 1\n${file('a')}`, 'unknown-key'],
  ])('%s is an error', async (_name, content, code) => {
    const error = await failure({ 'weir.toml': '[components.c]\noverlay-files = ["*.o.toml"]\n', 'a.o.toml': content });
    expect([error.code, error.exit]).toEqual([code, 2]);
    expect(error.where?.file).toMatch(/a\.o\.toml$/);
  });
});

it('test suites have all settings of their tools', async () => {
  const commit = 'ABCDEF0123456789ABCDEF0123456789ABCDEF01';
  const project = await load(`
[test-suites.p]
type = "pytest"
description = "P"
pytest = { working-dir = "tests", test-paths = ["a", "b*"], extra-args = ["-x"], install = "pyproject" }
[test-suites.q]
type = "pytest"
pytest = {}
[test-suites.l]
type = "lisa"
[test-suites.l.lisa]
framework = { git-url = "https://example.org/lisa", ref = "${commit}" }
test-cases = ["t"]
pip-pre-install = ["x"]
pip-extras = ["azure"]
extra-args = ["-v"]
`);
  expect(project.testSuites.get('p')).toEqual({
    name: 'p',
    description: 'P',
    type: 'pytest',
    pytest: {
      workingDir: join(project.root, 'tests'),
      testPaths: ['a', 'b*'],
      extraArgs: ['-x'],
      install: 'pyproject',
    },
    origin: { file: project.file, line: 2 },
  });
  expect(project.testSuites.get('q')?.pytest).toEqual({ testPaths: [], extraArgs: [], install: 'none' });
  expect(project.testSuites.get('l')?.lisa).toEqual({
    gitUrl: 'https://example.org/lisa',
    ref: commit.toLowerCase(),
    testCases: ['t'],
    pipPreInstall: ['x'],
    pipExtras: ['azure'],
    extraArgs: ['-v'],
  });
});

it('azldev projects load without descriptions', async () => {
  const toml = '[[components.c.overlays]]\ntype = "file-remove"\nfile = "x"\n';
  const project = await load({ 'azldev.toml': toml });
  expect(project.components.get('c')?.overlays[0]?.description).toBe('');
  await expect(load({ 'azldev.toml': toml }, { reasons: 'required' })).rejects.toMatchObject({
    code: 'overlay-without-description',
    where: { component: 'c', line: 1 },
  });
});

describe("Weir's own tables", () => {
  it('images have defaults by kind', async () => {
    const project = await load(
      '[images.c]\ndefinition = { type = "weir", kind = "container", packages = ["bash"] }\n' +
        '[images.d]\ndefinition = { type = "weir", kind = "disk", packages = ["bash"] }\n' +
        '[images.w]\ndefinition = { type = "weir", kind = "wsl", packages = ["bash"] }\n',
    );
    const common = { type: 'weir', packages: ['bash'], excludePackages: [], enabledServices: [], disabledServices: [] };
    expect(project.images.get('c')).toMatchObject({ capabilities: { container: true, machineBootable: false } });
    expect(project.images.get('c')?.definition).toEqual({
      ...common,
      kind: 'container',
      formats: ['oci'],
      selinux: 'disabled',
      container: { entrypoint: [], cmd: [], env: {}, labels: {} },
    });
    expect(project.images.get('d')?.capabilities).toEqual({ container: false, machineBootable: true, systemd: true });
    expect(project.images.get('d')?.definition).toEqual({
      ...common,
      kind: 'disk',
      formats: ['raw'],
      selinux: 'enforcing',
      platforms: [],
      disk: { size: 2 ** 31, espSize: 200 * 2 ** 20, rootFs: 'ext4', rootLabel: 'root' },
      kernel: { commandLine: [] },
    });
    expect(project.images.get('w')?.capabilities).toEqual({
      ...{ container: false, machineBootable: false, systemd: true, wsl: true },
    });
    const wsl = { kind: 'wsl', formats: ['wsl'], selinux: 'disabled', wsl: {} };
    expect(project.images.get('w')?.definition).toEqual({ ...common, ...wsl });
  });

  it('a WSL image extends another, with its own URL', async () => {
    const project = await load(`
[images.base.definition]
type = "weir"
kind = "wsl"
max-size = "1GiB"
packages = ["bash", "vim"]
wsl.url = "https://x.example/weir/"
[images.more.definition]
type = "weir"
kind = "wsl"
extends = "base"
packages = ["git"]
exclude-packages = ["vim"]
`);
    const { maxSize, ...base } = project.images.get('base')!.definition as WeirImage;
    expect(maxSize).toBe(2 ** 30);
    expect(base).toMatchObject({ wsl: { url: 'https://x.example/weir/' } });
    const more = { ...base, packages: ['bash', 'git'], excludePackages: ['vim'] };
    expect(project.images.get('more')?.definition).toEqual(more);
  });

  it('images take every key', async () => {
    const project = await load(`
[images.base]
description = "Base"
capabilities = { runtime-package-management = true, systemd = false }
publish.channels = ["base"]
tests.test-suites = [{ name = "smoke" }]
[images.base.definition]
type = "weir"
kind = "container"
packages = ["bash", "coreutils"]
exclude-packages = ["systemd"]
format = ["oci"]
hostname = "base"
[images.base.definition.container]
entrypoint = ["/bin/sh", "-c"]
cmd = ["bash"]
env = { PATH = "/usr/bin" }
labels = { "org.opencontainers.image.title" = "Base" }
user = "65532"
workdir = "/root"
[images.vm.definition]
type = "weir"
kind = "disk"
packages = ["kernel"]
format = ["vhd", "qcow2"]
enabled-services = ["sshd.service"]
disabled-services = ["systemd-resolved.service"]
disk = { size = "5 GiB", esp-size = "0.5GiB", root-fs = "ext4", root-label = "weir" }
kernel.command-line = ["console=ttyS0", "quiet"]
[test-suites.smoke]
type = "pytest"
pytest.working-dir = "tests"
`);
    expect(project.images.get('base')).toMatchObject({
      description: 'Base',
      testSuites: ['smoke'],
      channels: ['base'],
      capabilities: { runtimePackageManagement: true, systemd: false },
      definition: {
        excludePackages: ['systemd'],
        hostname: 'base',
        container: {
          entrypoint: ['/bin/sh', '-c'],
          cmd: ['bash'],
          env: { PATH: '/usr/bin' },
          labels: { 'org.opencontainers.image.title': 'Base' },
          user: '65532',
          workdir: '/root',
        },
      },
    });
    expect(project.images.get('vm')?.definition).toMatchObject({
      formats: ['vhd', 'qcow2'],
      enabledServices: ['sshd.service'],
      disabledServices: ['systemd-resolved.service'],
      disk: { size: 5 * 2 ** 30, espSize: 2 ** 29, rootFs: 'ext4', rootLabel: 'weir' },
      kernel: { commandLine: ['console=ttyS0', 'quiet'] },
    });
  });

  it('an image adds to the one that it extends', async () => {
    const project = await load({
      'weir.toml': `
includes = ["base.toml"]
[images.node.definition]
type = "weir"
kind = "disk"
extends = "azure"
packages = ["containerd", "vim"]
disabled-services = ["cloud.service"]
kernel.command-line = ["console=ttyS0"]
[images.azure.definition]
type = "weir"
kind = "disk"
extends = "vm"
format = ["vhd"]
for = ["azure-gen2"]
packages = ["cloud-init", "bash"]
exclude-packages = ["vim"]
enabled-services = ["cloud.service"]
disk = { size = "8GiB" }
`,
      'base.toml': `
[images.vm.definition]
type = "weir"
kind = "disk"
format = ["raw", "qcow2"]
hostname = "vm"
max-size = "1GiB"
selinux = "permissive"
packages = ["bash", "vim", "kernel"]
enabled-services = ["sshd.service"]
disk = { size = "5GiB", root-label = "weir" }
kernel.command-line = ["console=tty0", "console=ttyS0"]
`,
    });
    const azure = project.images.get('azure')?.definition;
    expect(azure).toEqual({
      type: 'weir',
      kind: 'disk',
      formats: ['vhd'],
      selinux: 'permissive',
      platforms: ['azure-gen2'],
      packages: ['bash', 'kernel', 'cloud-init'],
      excludePackages: ['vim'],
      enabledServices: ['sshd.service', 'cloud.service'],
      disabledServices: [],
      disk: { size: 8 * 2 ** 30, espSize: 200 * 2 ** 20, rootFs: 'ext4', rootLabel: 'weir' },
      kernel: { commandLine: ['console=tty0', 'console=ttyS0'] },
    });
    expect(project.images.get('node')?.definition).toEqual({
      ...azure,
      packages: ['bash', 'kernel', 'cloud-init', 'containerd', 'vim'],
      excludePackages: [],
      enabledServices: ['sshd.service'],
      disabledServices: ['cloud.service'],
      kernel: { commandLine: ['console=tty0', 'console=ttyS0', 'console=ttyS0'] },
    });
  });

  it('an empty value removes what an image inherits', async () => {
    const project = await load({
      'weir.toml': `
[images.base.definition]
type = "weir"
kind = "container"
packages = ["bash"]
format = ["oci"]
[images.base.definition.container]
entrypoint = ["/bin/sh", "-c"]
cmd = ["bash"]
env = { PATH = "/usr/bin", LANG = "C.UTF-8" }
user = "65532"
workdir = "/root"
[images.none.definition]
type = "weir"
kind = "container"
extends = "base"
packages = []
format = []
container = { entrypoint = [], cmd = [], env = { LANG = "" }, user = "", workdir = "" }
[images.program.definition]
type = "weir"
kind = "container"
extends = "base"
container.entrypoint = ["/usr/bin/node"]
[images.both.definition]
type = "weir"
kind = "container"
extends = "program"
container = { entrypoint = ["/usr/bin/node"], cmd = ["app.js"] }
[images.other-cmd.definition]
type = "weir"
kind = "container"
extends = "both"
container.cmd = ["other.js"]
[images.vm.definition]
type = "weir"
kind = "disk"
packages = ["kernel"]
for = ["azure-gen2"]
kernel.command-line = ["quiet"]
[images.any.definition]
type = "weir"
kind = "disk"
extends = "vm"
for = []
kernel.command-line = []
`,
    });
    const container = (name: string) =>
      (project.images.get(name)!.definition as WeirImage & { kind: 'container' }).container;
    const base = container('base');
    expect(project.images.get('none')?.definition).toMatchObject({ packages: ['bash'], formats: ['oci'] });
    expect(container('none')).toEqual({ entrypoint: [], cmd: [], env: { PATH: '/usr/bin', LANG: '' }, labels: {} });
    // What was meant for another program is no argument of this one.
    expect(container('program')).toEqual({ ...base, entrypoint: ['/usr/bin/node'], cmd: [] });
    expect(container('both')).toEqual({ ...base, entrypoint: ['/usr/bin/node'], cmd: ['app.js'] });
    expect(container('other-cmd')).toEqual({ ...base, entrypoint: ['/usr/bin/node'], cmd: ['other.js'] });
    expect(project.images.get('any')?.definition).toMatchObject({ platforms: [], kernel: { commandLine: ['quiet'] } });
  });

  it('the release, its lifecycle, the seed, the toolbox and the key', async () => {
    const project = await load({
      'weir.toml': `
includes = ["snapshot.toml"]
[release]
version = "4.0"
snapshot = "2026-10-01"
channels = [{ name = "base", description = "The system" }, { name = "sdk" }]
arches = ["x86_64", "aarch64"]
build-root = ["bash", "gcc"]
[lifecycle]
id = "weirlinux"
name = "Weir Linux"
release-date = "2026-11-01"
full-support-end = "2027-11-30"
support-end = "2028-11-30"
lts = true
exceptions = [
  { channel = "sdk", support-end = "2027-01-31", reason = "upstream ends then" },
  { package = "nodejs*", support-end = "2029-01-31", reason = "customers" },
]
[seed]
allow-expired = true
[toolbox]
mirror = "https://example.org/debian"
limits = { processes = 100, memory = "1GiB", seconds = 60 }
allow-expired = true
[signing]
key = "0123456789abcdef0123456789abcdef01234567"
[default-package-config.publish]
rpm-channel = "base"
debuginfo-channel = "none"
`,
      'snapshot.toml': '[release]\nsnapshot = "2026-11-21T12:00:00+02:00"\n[seed]\nsuite = "sid"\n',
    });
    expect(project.release).toEqual({
      version: '4.0',
      snapshot: '2026-11-21T12:00:00+02:00',
      epoch: 1795255200,
      channels: [{ name: 'base', description: 'The system' }, { name: 'sdk' }],
      architectures: ['x86_64', 'aarch64'],
      buildRoot: ['bash', 'gcc'],
    });
    expect(project.lifecycle).toEqual({
      id: 'weirlinux',
      name: 'Weir Linux',
      version: '4.0',
      releaseDate: '2026-11-01',
      fullSupportEnd: '2027-11-30',
      supportEnd: '2028-11-30',
      lts: true,
      exceptions: [
        { of: { channel: 'sdk' }, supportEnd: '2027-01-31', reason: 'upstream ends then' },
        { of: { package: 'nodejs*' }, supportEnd: '2029-01-31', reason: 'customers' },
      ],
    });
    expect(project.seed).toEqual({
      suite: 'sid',
      sourceSuite: 'trixie',
      allowExpired: true,
      mappings: [],
    });
    expect(project.toolbox).toEqual({
      suite: 'forky',
      mirror: 'https://example.org/debian',
      allowExpired: true,
      limits: { processes: 100, memory: 2 ** 30, seconds: 60 },
    });
    expect(project.signing).toEqual({ key: '0123456789ABCDEF0123456789ABCDEF01234567' });
  });

  it('a date is midnight in UTC', async () => {
    const project = await load('[release]\nversion = "1"\nsnapshot = "2026-11-21"\n');
    expect([project.release?.epoch, project.release?.architectures]).toEqual([1795219200, ['x86_64']]);
    const small = await load('[release]\nversion = "1"\nsnapshot = "2026-11-21t00:00:00z"\n');
    expect(small.release?.epoch).toBe(1795219200);
  });
});

describe('a file that is not regular', () => {
  it('is an error, and is not read', async () => {
    const looping = folder({ 'a.toml': '' });
    symlinkSync('weir.toml', join(looping, 'weir.toml'));
    const directory = folder({ 'weir.toml/x': '' });
    const device = folder({ 'weir.toml': 'includes = ["zero.toml"]\n' });
    symlinkSync('/dev/zero', join(device, 'zero.toml'));
    await expect(loadProject(looping)).rejects.toMatchObject({ code: 'no-file', exit: 2 });
    await expect(loadProject(directory)).rejects.toMatchObject({ message: 'this is a folder' });
    await expect(loadProject(device)).rejects.toMatchObject({ exit: 2 });
    const plain = folder({ 'weir.toml': '' });
    await expect(loadProject(plain, { configFiles: ['/dev/zero'] })).rejects.toMatchObject({
      message: 'this is not a regular file',
    });
  });
});
