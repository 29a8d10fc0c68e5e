import { relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contradictionsOf } from '../../src/project/dialect.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import { specificationDifferences } from '../../src/project/specification.ts';
import { distros, failure, folder, load } from './fixture.ts';

const root = 'spec-version = "0.1"\n';

describe('a project that follows the specification', () => {
  it('lets the last value win, be it false or empty, and appends only overlays', async () => {
    const overlay = (value: string): string =>
      `overlays = [{ type = "spec-add-tag", description = "d", tag = "A", value = "${value}" }]`;
    const project = await load({
      'azldev.toml': `${root}includes = ["c.toml"]
[default-component-config]
${overlay('1')}
build = { with = ["a"], without = ["w"], undefines = ["u"], check = { skip = true, skip-reason = "r" }, defines.x = "1" }
source-files = [{ filename = "f", origin = { type = "download", uri = "https://example.org/f" } }]
`,
      'c.toml': `[components.c]
spec = { type = "local", path = "c.spec" }
${overlay('2')}
build = { with = ["b"], without = [], check.skip = false, defines = { y = "2" } }
source-files = []
`,
    });
    const component = project.components.get('c')!;
    expect(component.build).toMatchObject({
      with: ['b'],
      without: [],
      undefines: ['u'],
      check: { skip: false, skipReason: 'r' },
      defines: { x: '1', y: '2' },
    });
    expect(component.sourceFiles).toEqual([]);
    expect(component.overlays.map((each) => 'value' in each && each.value)).toEqual(['1', '2']);
    expect(component.specified).toBe(true);
  });

  it('may reach a file twice, but not in a circle', async () => {
    const diamond = {
      'azldev.toml': `${root}includes = ["a.toml", "b.toml"]\n`,
      'a.toml': 'includes = ["c.toml"]\n',
      'b.toml': 'includes = ["c.toml"]\n[project]\ndescription = "b"\n',
      'c.toml': '[project]\ndescription = "c"\n',
    };
    expect((await load(diamond)).project.description).toBe('b');
    expect((await failure({ ...diamond, 'azldev.toml': 'includes = ["a.toml", "b.toml"]\n' })).code).toBe(
      'circular-include',
    );
    expect((await failure({ ...diamond, 'c.toml': 'includes = ["a.toml"]\n' })).code).toBe('circular-include');
    expect((await failure({ 'azldev.toml': `${root}includes = ["azldev.toml"]\n` })).code).toBe('circular-include');
  });

  it('has overlay files that are lists, with the metadata of each overlay', async () => {
    const files = {
      'c.toml': '[components.c]\nspec = { type = "local", path = "c.spec" }\noverlay-files = ["o.toml"]\n',
      'o.toml': `[[overlays]]
type = "spec-remove-tag"
description = "d"
tag = "A"
metadata = { category = "azl-pruning", upstream-status = "unknown" }
`,
    };
    const project = await load({ 'azldev.toml': `${root}includes = ["c.toml"]\n`, ...files });
    expect(project.components.get('c')?.overlays[0]?.metadata?.category).toBe('azl-pruning');
    const error = await failure({ 'azldev.toml': 'includes = ["c.toml"]\n', ...files });
    expect([error.code, error.message]).toEqual(['missing-key', '"metadata" is missing']);
  });

  it('has $name in the addresses of a distro', async () => {
    const text =
      '[distros.d]\ndist-git-base-uri = "https://e.example/$name"\nlookaside-base-uri = "https://e.example/$name/$filename"\n';
    const uris = async (first: string): Promise<unknown> => {
      const distro = (await load({ 'azldev.toml': first + text })).distros.get('d');
      return [distro?.distGitBaseUri, distro?.lookasideBaseUri];
    };
    expect(await uris(root)).toEqual(['https://e.example/$pkg', 'https://e.example/$pkg/$filename']);
    expect(await uris('')).toEqual(['https://e.example/$name', 'https://e.example/$name/$filename']);
  });

  it('alone may write skip-reason', async () => {
    const build =
      '[components.c]\nspec = { type = "local", path = "c" }\nbuild.check = { skip = true, skip-reason = "r" }\n';
    expect((await load({ 'azldev.toml': root + build })).components.get('c')?.build.check.skipReason).toBe('r');
    expect(await failure({ 'azldev.toml': build })).toMatchObject({
      code: 'unknown-key',
      hint: 'did you mean skip_reason?',
    });
  });
});

/** The differences of a project as `file:line:column code message`. */
async function differences(files: Readonly<Record<string, string>>): Promise<string[]> {
  const dir = folder(files);
  const found = specificationDifferences(await loadConfiguration(dir, { env: {} }));
  return found.map(({ code, message, where }) => {
    return `${relative(dir, where?.file ?? '')}:${where?.line}:${where?.column} ${code} ${message}`;
  });
}

describe('the differences from the specification', () => {
  it('are none in a project that has none', async () => {
    const files = {
      'azldev.toml': `${root}includes = ["*/c.toml"]
[distros.d]
default-version = "1"
dist-git-base-uri = "https://example.org/$name"
[distros.d.versions.1]
mock-config-x86_64 = "m.cfg"
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "d" } }
[images.i]
architectures = ["x86_64"]
[tests.t]
type = "pytest"
pytest = {}
`,
      'a/c.toml': `[components.c]
spec.upstream-commit = "0123456789012345678901234567890123456789"
build.check = { skip = true, skip-reason = "r" }
overlay-files = ["o.toml"]
`,
      'a/o.toml': '[[overlays]]\ntype = "patch-add"\ndescription = "d"\nsource = "p.patch"\n',
    };
    expect(await differences(files)).toEqual([]);
  });

  it.each<[string, string]>([
    ['"$schema" = "x"', '1:1 foreign-key the specification has no "$schema"'],
    ['[tools]', '1:2 foreign-key the specification has no [tools]'],
    ['[test-suites]', '1:2 foreign-key the specification has no [test-suites]'],
    ['[project]\nlog-dir = "l"', '2:1 foreign-key the specification has no "log-dir" in project'],
    ['[project]\nlock-dir = "l"', '2:1 foreign-key the specification has no "lock-dir" in project'],
    ['[images.i.tests]\ntest-suites = []', '2:1 foreign-key the specification has no "test-suites" in images.i.tests'],
    ['[images.i]\narchitectures = []', '2:1 architectures "architectures" is empty'],
    [
      '[distros.d]\ndist-git-base-uri = "https://e/$pkg"',
      '2:1 template the name of a component in "dist-git-base-uri" is $name, not $pkg',
    ],
    ['[distros.d]\nlookaside-base-uri = "http://e/$name"', '2:1 template "lookaside-base-uri" must be an https URL'],
    [
      '[distros.d.versions.1]\nmock-config = "m"\nmock-config-x86_64 = "n"',
      '3:1 mock-config both "mock-config" and "mock-config-x86_64" are set',
    ],
    [
      '[default-package-config.publish]\nchannel = "a"\nrpm-channel = "b"',
      '2:1 publish "channel" is the old name of "rpm-channel", and both are set',
    ],
    [
      '[package-groups.g.default-package-config.publish]\nchannel = "a"\nrpm-channel = "b"',
      '2:1 publish "channel" is the old name of "rpm-channel", and both are set',
    ],
    [
      '[default-component-config]\nrender = {}',
      '2:1 foreign-key the specification has no "render" in default-component-config',
    ],
    [
      '[component-groups.g.default-component-config.build]\nhints.expensive = true',
      '2:1 foreign-key the specification has no "hints" in component-groups.g.default-component-config.build',
    ],
    [
      '[distros.d.versions.1.default-component-config.build]\nfailure.expected = false',
      '2:1 foreign-key the specification has no "failure" in distros.d.versions.1.default-component-config.build',
    ],
    [
      '[default-component-config.build.check]\nskip_reason = "r"',
      '2:1 foreign-key the specification has no "skip_reason" in default-component-config.build.check',
    ],
    [
      '[[default-component-config.overlays]]\ntype = "patch-add"\nsource = "p.diff"',
      '3:1 patch the name of a patch ends in .patch: "p.diff"',
    ],
    [
      '[[default-component-config.overlays]]\ntype = "patch-add"\nsource = "p.patch"\nfile = "p"',
      '4:1 patch the name of a patch ends in .patch: "p"',
    ],
  ])('include %j', async (text, difference) => {
    expect(await differences({ 'azldev.toml': `${text}\n` })).toContain(`azldev.toml:${difference}`);
  });

  it('include a missing version, double stars and short pins', async () => {
    const own = `includes = ["**/c.toml"]\n${distros}`;
    expect(
      await differences({
        'azldev.toml': own.replace('https://example.org/rpms/$pkg.git', 'https://example.org/$name'),
        'a/c.toml': '[components.c]\nspec.upstream-commit = "ABCDEF0"\n',
      }),
    ).toEqual([
      'a/c.toml:2:6 commit "ABCDEF0" is not a whole commit',
      'azldev.toml:1:1 spec-version "spec-version" is missing in the root file',
      'azldev.toml:1:13 includes "**" is not allowed in includes',
    ]);
  });

  it('include archives without a hash', async () => {
    const found = await differences({
      'azldev.toml': `${root}[components.c]
spec = { type = "local", path = "c" }
source-files = [{ filename = "a.tar", origin.type = "overlay", replace-upstream = true, replace-reason = "r" }]
overlays = [{ type = "file-remove", archive = "a.tar", file = "x" }]
`,
    });
    expect(found).toEqual(['azldev.toml:4:17 archive a.tar is changed by overlays and has no hash']);
  });

  it('include the metadata of overlay files, once for all components', async () => {
    const files = {
      'azldev.toml': `${root}includes = ["a/c.toml"]\n`,
      'a/c.toml':
        '[components.c]\nspec = { type = "local", path = "c" }\noverlay-files = ["o.toml"]\n[components.d]\nspec = { type = "local", path = "c" }\noverlay-files = ["o.toml"]\n',
      'a/o.toml':
        '[metadata]\ncategory = "azl-pruning"\nupstream-status = "unknown"\n[[overlays]]\ntype = "spec-remove-tag"\ntag = "A"\n',
    };
    expect(await differences(files)).toEqual(['a/o.toml:1:2 overlay-file an overlay file has no key but "overlays"']);
  });

  it('include values that merge differently', async () => {
    const files = {
      'azldev.toml': `${root}includes = ["c.toml"]
[default-component-config]
build = { with = ["a"], check = { skip = true, skip-reason = "r" }, defines = { m = "1" } }
`,
      'c.toml': `[components.c]
spec = { type = "local", path = "c" }
build = { with = ["b"], check.skip = false, defines = { m = "" } }
[components.d]
spec = { type = "local", path = "c" }
build = { without = ["x"], check = { skip = true, skip-reason = "s" } }
`,
    };
    expect(await differences(files)).toEqual([
      'c.toml:3:11 merging build.with replaces the list of azldev.toml:4 in the specification; here it is appended',
      'c.toml:3:31 merging build.check.skip overrides the value of azldev.toml:4 in the specification; here an empty one does not',
    ]);
  });

  it('include a key that two groups of a component set', async () => {
    const group = (name: string, more: string): string =>
      `[component-groups.${name}]\ncomponents = ["c"]\n[component-groups.${name}.default-component-config]\n${more}\n`;
    const found = await differences({
      'azldev.toml': `${root}[components.c]\nspec = { type = "local", path = "c" }\n${group('a', 'build.defines = { x = "1", y = "1" }')}${group('b', 'build.defines.x = "1"')}`,
    });
    expect(found).toEqual([
      'azldev.toml:11:15 groups build.defines.x is set by the group a too, and both groups have a component in common',
    ]);
  });
});

describe('the merging of tables that are not about components', () => {
  it('differs where a later value is empty', async () => {
    const dir = folder({
      'azldev.toml': `includes = ["b.toml"]
[distros.d]
description = "one"
default-version = "1"
[distros.d.versions.1]
release-ver = "1"
`,
      'b.toml': '[distros.d]\ndescription = ""\n',
    });
    const found = specificationDifferences(await loadConfiguration(dir, { env: {} }));
    expect(found.filter(({ code }) => code === 'merging')).toMatchObject([
      { where: { line: 2 }, message: expect.stringContaining('d.description overrides the value of azldev.toml:3') },
    ]);
  });
});

describe('the pin of the tool', () => {
  it('contradicts keys that its version does not know', async () => {
    const files = { 'azldev.toml': '[tests.t]\ntype = "pytest"\npytest = { working-dir = "t" }\n', 't/x': '' };
    const contradictions = async (pin: string) =>
      contradictionsOf(await loadConfiguration(folder({ ...files, '.azldev-version': pin }), { env: {} }));
    expect(await contradictions('0.3.1\n')).toMatchObject([
      { code: 'dialects', message: expect.stringMatching(/^tests is of .*, but \.azldev-version pins 0\.3$/) },
    ]);
    expect(await contradictions('1.0.0\n')).toEqual([]);
  });
});
