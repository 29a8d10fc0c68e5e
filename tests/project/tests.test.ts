import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failure, load } from './fixture.ts';

const commit = 'A'.repeat(40);
const source = `source = { git-url = "https://example.org/x.git", ref = "${commit}" }`;

describe('tests as of azldev 0.4', () => {
  it('are read with their groups, and named by images and components', async () => {
    const project = await load(`
[tests.smoke]
type = "pytest"
description = "d"
kind = "performance"
long-running = true
metrics-enabled = true
required-capabilities = ["systemd", "cvm"]
pytest = { working-dir = "t", test-paths = ["*.py"], extra-args = ["--image={image-path}"], install = "pyproject" }
[tests.one]
type = "lisa"
lisa = { testcase-name = "boot", ${source} }
[tests.several]
type = "lisa"
[[tests.several.lisa.criteria]]
area = "core"
priority = 1
[[tests.several.lisa.criteria]]
priority = [0, 2]
tags = ["net"]
[tests.plan]
type = "tmt"
tmt = { plan = "/plans/x", ${source} }
[test-groups.g]
description = "all"
tests = [{ name = "smoke" }, { name = "one" }]
[sku-groups.small]
arch = "arm64"
vm-sizes = ["Standard_D2"]
[vm-skus.Standard_D2]
vcpus = 2
[images.i]
architectures = ["aarch64"]
tests.tests = [{ group = "g" }, { name = "several", sku-groups = ["small"] }]
capabilities = { wsl = true, installer-media = false, fips-enabled = true, cvm = false }
properties = { openssl-fips-provider = "upstream" }
[default-component-config]
tests.tests = [{ name = "smoke" }]
[components.c]
spec = { type = "local", path = "c.spec" }
tests.tests = [{ name = "plan" }]
`);
    const { tests, testGroups, skuGroups, images, components } = project;
    const git = { gitUrl: 'https://example.org/x.git', ref: 'a'.repeat(40) };
    expect(tests.get('smoke')).toMatchObject({
      ...{ type: 'pytest', kind: 'performance', longRunning: true, metricsEnabled: true },
      requiredCapabilities: ['systemd', 'cvm'],
      pytest: { workingDir: join(project.root, 't'), testPaths: ['*.py'], install: 'pyproject' },
    });
    expect(tests.get('one')?.lisa).toMatchObject({ testcaseNames: ['boot'], source: git, criteria: [] });
    expect(tests.get('several')?.lisa?.criteria).toEqual([
      { area: 'core', priority: [1], tags: [] },
      { priority: [0, 2], tags: ['net'] },
    ]);
    expect(tests.get('plan')?.tmt).toEqual({ plan: '/plans/x', source: git });
    expect(testGroups.get('g')).toMatchObject({ description: 'all', tests: ['smoke', 'one'] });
    expect(skuGroups.get('small')).toMatchObject({ arch: 'arm64', vmSizes: ['Standard_D2'] });
    expect(images.get('i')).toMatchObject({
      architectures: ['aarch64'],
      tests: [{ group: 'g' }, { name: 'several', skuGroups: ['small'] }],
      capabilities: { wsl: true, installerMedia: false, fipsEnabled: true, cvm: false },
      properties: { 'openssl-fips-provider': 'upstream' },
    });
    expect(components.get('c')?.tests).toEqual([{ name: 'smoke' }, { name: 'plan' }]);
  });

  it('a component may be pinned by a file of its own, and inherit the rest', async () => {
    const { components } = await load({
      'azldev.toml': `includes = ["pins/*.toml"]
[distros.f]
dist-git-base-uri = "https://example.org/$pkg"
default-version = "1"
[distros.f.versions.1]
release-ver = "1"
dist-git-branch = "main"
kiwi-config-override = "kiwi.yml"
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "f" } }
[components.bash]
`,
      'pins/bash.toml': `# generated\n[components.bash.spec]\nupstream-commit = "${'b'.repeat(40)}"\n`,
    });
    expect(components.get('bash')?.spec).toMatchObject({ type: 'upstream', commit: 'b'.repeat(40) });
  });

  it.each([
    ['a test without its table', '[tests.t]\ntype = "lisa"\n', 'invalid-test', '1:8'],
    ['a test with another table', '[tests.t]\ntype = "tmt"\npytest = {}\n', 'invalid-test', '3:1'],
    ['LISA without test cases', '[tests.t]\ntype = "lisa"\nlisa = { pip-extras = ["azure"] }\n', 'invalid-test', '3:1'],
    [
      'LISA with two choices',
      '[tests.t]\ntype = "lisa"\nlisa = { name = "a", testcase-names = ["b"] }\n',
      'invalid-test',
      '3:1',
    ],
    [
      'a priority that does not exist',
      '[tests.t.lisa.criteria]\npriority = 5\n[tests.t]\ntype = "lisa"\n',
      'invalid-value',
      undefined,
    ],
    [
      'a short commit',
      '[tests.t]\ntype = "tmt"\ntmt = { plan = "/x", source = { git-url = "u", ref = "abc" } }\n',
      'invalid-value',
      undefined,
    ],
    ['an unknown test in a group', '[test-groups.g]\ntests = [{ name = "x" }]\n', 'unknown-test', '2:12'],
    ['an unknown test of an image', '[images.i]\ntests.tests = [{ name = "x" }]\n', 'unknown-test', '2:18'],
    ['an unknown group', '[images.i]\ntests.tests = [{ group = "x" }]\n', 'unknown-test-group', '2:18'],
    ['neither test nor group', '[images.i]\ntests.tests = [{}]\n', 'invalid-test', '2:16'],
    ['test and group', '[components.c]\ntests.tests = [{ name = "a", group = "b" }]\n', 'invalid-test', '2:16'],
    [
      'an unknown SKU group',
      '[tests.t]\ntype = "lisa"\nlisa.name = "x"\n[images.i]\ntests.tests = [{ name = "t", sku-groups = ["s"] }]\n',
      'unknown-sku-group',
      '5:44',
    ],
  ])('%s', async (_, toml, code, at) => {
    const error = await failure(toml);
    expect(error.code).toBe(code);
    if (at !== undefined) expect(`${error.where?.line}:${error.where?.column}`).toBe(at);
  });
});
