import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { exists } from '../../src/base/files.ts';
import type { RunResult } from '../../src/base/process.ts';
import type { Edits } from './project-copy.ts';
import { exitOf, expectError, filesBelow, newFolder, projectWith, shared, startWeir, weir } from './weir.ts';

const less = 'distro/components/less/less.toml';
const lineOf = (text: string, part: string): number => text.split('\n').findIndex((line) => line.includes(part)) + 1;

/** Builds an edited project into an output folder of its own. */
async function buildWith(
  edits: Edits,
  words: readonly string[] = ['--no-images'],
): Promise<RunResult & { out: string; project: string }> {
  const project = await projectWith(edits);
  const out = join(await newFolder('fault'), 'out');
  return { ...(await weir(['-C', project, 'build', '--out', out, ...words])), out, project };
}

describe('invalid configuration is reported with file and line, exit 2, and nothing is written', () => {
  test('an unknown key', async () => {
    const result = await buildWith({
      [less]: (text) => text.replace('[components.less]', '[components.less]\nrelease.calculatoin = "auto"'),
    });
    expectError(result, { exit: 2, says: /less\.toml:2:\d+.*calculatoin/, hint: /calculation/ });
    expect(await exists(result.out)).toBe(false);
  });

  test('invalid TOML', async () => {
    const result = await buildWith({ [less]: (text) => text.replace('[components.less]', '[components.less') });
    expectError(result, { exit: 2, says: /less\.toml:1:\d+/ });
    expect(await exists(result.out)).toBe(false);
  });

  test('an overlay without a description', async () => {
    const result = await buildWith({ [less]: (text) => text.replace(/^description = .*\n/m, '') });
    expectError(result, { exit: 2, says: /less\.toml:\d+.*description/ });
    expect(await exists(result.out)).toBe(false);
  });

  test('an overlay that matches nothing', async () => {
    const file = 'distro/components/logrotate/logrotate.toml';
    const result = await buildWith({ [file]: (text) => text.replace("'--with-state-file-path='", "'--with-state='") });
    const line = lineOf(await readFile(join(result.project, '..', file), 'utf8'), "'--with-state='");
    expectError(result, { exit: 2, says: /logrotate\.toml:\d+.*component logrotate/ });
    const said = Number(/logrotate\.toml:(\d+)/.exec(result.stderr)?.[1]);
    expect(Math.abs(said - line), 'the line is one of the overlay').toBeLessThan(6);
    expect(await filesBelow(result.out)).toEqual([]);
  });

  test('a package missing from all repositories', async () => {
    const edit = (text: string): string => text.replace('"bash", "bzip2"', '"bash", "bzipp2"');
    const result = await buildWith({ 'distro/images/container-base.toml': edit }, ['--image', 'container-base']);
    expect(result.stderr).toMatch(/^error: .*bzipp2.*container-base/m);
    expectError(result, { exit: result.code as 1 | 2, says: /bzipp2/, hint: /did you mean bzip2\?/ });
    expect([1, 2]).toContain(result.code);
    expect(await exists(join(result.out, 'images'))).toBe(false);
  });
});

describe('a failed build exits with 1 and leaves no partial image or snapshot', () => {
  test('a tarball with the wrong hash', async () => {
    const changed = (text: string): string => text.replace(/6527741a/, '00000000');
    const result = await buildWith({ 'seed/dist-git/less/sources': changed, 'seed/lookaside.toml': changed });
    expectError(result, { exit: 1, says: /less.*(hash|SHA)/i, hint: /./, details: /6527741a/ });
    expect(await filesBelow(result.out)).toEqual([]);
  });

  test('a spec that fails to build: shows the end and the path of its log', async () => {
    const overlay = `
[[components.hostname.overlays]]
type = "spec-prepend-lines"
description = "A test breaks the build"
section = "%build"
lines = ["echo the reason of the failure", "false"]
`;
    const result = await buildWith({ 'distro/components/hostname/hostname.toml': (text) => text + overlay });
    expectError(result, {
      exit: 1,
      says: /component hostname.*exit code/,
      details: /the reason of the failure/,
      hint: /full log: /,
    });
    const log = /full log: (\S+)/.exec(result.stderr)![1]!;
    expect(await readFile(log, 'utf8')).toContain('the reason of the failure');
    expect(await filesBelow(result.out)).toEqual([]);
  });

  test('a spec that rpm cannot parse', async () => {
    const edit = (text: string): string => text.replace(/^%description$/m, '%if 1\n%description');
    const result = await buildWith({ 'seed/dist-git/hostname/hostname.spec': edit });
    expectError(result, { exit: 1, says: /component hostname/ });
  });

  test('a missing build requirement', async () => {
    const edit = (text: string): string => text.replace(/^(License:.*)$/m, '$1\nBuildRequires: no-such-tool');
    const result = await buildWith({ 'seed/dist-git/hostname/hostname.spec': edit });
    expectError(result, { exit: 1, says: /no-such-tool.*hostname/ });
  });

  test('two packages with the same file', async () => {
    const spec = (name: string): string => `Name: ${name}
Version: 1
Release: 1
Summary: A package of a test
License: MIT
BuildArch: noarch

%description
It has a file that another package has too.

%install
mkdir -p %{buildroot}%{_sysconfdir}
echo %{name} >%{buildroot}%{_sysconfdir}/clash

%files
%{_sysconfdir}/clash
`;
    const component = (name: string): string =>
      `[components.${name}]\nspec = { type = "local", path = "${name}.spec" }\nrelease.calculation = "static"\n`;
    const folder = (name: string): Edits => ({
      [`distro/components/${name}/${name}.spec`]: () => spec(name),
      [`distro/components/${name}/${name}.toml`]: () => component(name),
    });
    const image = 'distro/images/container-base.toml';
    const edits = {
      ...folder('clash-one'),
      ...folder('clash-two'),
      [image]: (text: string) => text.replace('"bash",', '"bash", "clash-one", "clash-two",'),
    };
    const result = await buildWith(edits, ['--image', 'container-base']);
    expectError(result, { exit: 1, says: /\/etc\/clash.*clash-one.*clash-two/, hint: /./ });
    // What was done before stands: a whole repository, which is not the latest one before its release is whole, and no image.
    const [snapshot, ...others] = await readdir(join(result.out, 'repo/4.0'));
    expect(others).toEqual([]);
    expect(await exists(join(result.out, 'repo/4.0', snapshot!, 'RPM-GPG-KEY'))).toBe(true);
    expect(await filesBelow(join(result.out, 'images'))).toEqual([]);
  });
});

describe('usage errors', () => {
  test.each([
    [['build', '--image', 'container-bas'], /container-bas/, 2],
    [['build', '--imag', 'x'], /imag/, 2],
    [['biuld'], /biuld/, 2],
    [['boot', 'no-such-image'], /no-such-image/, 2],
  ] as const)('weir %j', async (words, says, exit) => {
    const out = join(await newFolder('use'), 'out');
    const own = words[0] === 'biuld' ? [] : ['--out', out];
    const result = await weir(['-C', shared.project, ...words, ...own]);
    expectError(result, { exit, says });
    expect(await filesBelow(join(out, 'images'))).toEqual([]);
  });

  test('no project in the named folder', async () => {
    const empty = await newFolder('empty');
    expectError(await weir(['-C', empty, 'build']), { exit: 2, says: /weir\.toml/ });
    expect(await readdir(empty)).toEqual([]);
  });
});

describe('two builds into one folder', () => {
  let out: string;
  beforeAll(async () => {
    out = join(await newFolder('two'), 'out');
    await mkdir(out);
  });

  test('the second one fails, and the first continues', async () => {
    const first = startWeir(['-C', shared.project, 'build', '--no-images', '--out', out], {});
    first.stdout!.resume();
    first.stderr!.resume();
    while (!(await exists(join(out, '.lock')))) await new Promise((done) => setTimeout(done, 5));
    // Stopped while it holds the lock: with everything cached it could be done before the second looks.
    first.kill('SIGSTOP');
    const second = await weir(['-C', shared.project, 'build', '--no-images', '--out', out]);
    expectError(second, { exit: 1, says: new RegExp(`another weir \\(process ${first.pid}\\)`), hint: /--out/ });
    first.kill('SIGCONT');
    expect(await exitOf(first)).toBe(0);
    expect((await stat(join(out, 'repo/4.0/latest/RPM-GPG-KEY'))).size).toBeGreaterThan(0);
  });
});
