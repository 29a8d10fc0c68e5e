import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { folder, weir } from './weir.ts';

const spec = `Name: demo
Version: 1
Release: 3%{?dist}
URL: https://demo.example
Source0: demo-1.tar.gz

%description
Demo.

%prep
%autosetup
`;
const fix = `Fix the answer

--- a/demo.c
+++ b/demo.c
@@ -1,2 +1,2 @@
 int main(void)
-{ return 1; }
+{ return 0; }
`;

function git(dir: string, time: string, ...args: readonly string[]): string {
  const env = { ...process.env, GIT_AUTHOR_DATE: time, GIT_COMMITTER_DATE: time };
  const identity = ['-c', 'user.name=A', '-c', 'user.email=a@b.example', '-c', 'commit.gpgsign=false'];
  const { status, stdout, stderr } = spawnSync('git', ['-C', dir, ...identity, ...args], { encoding: 'utf8', env });
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trim();
}

/** A dist-git of one package with two commits, and a project that changes it; both in git. */
function projectWithDistGit(overlays: (picked: string) => string): string {
  const distGit = folder({ 'demo/demo.spec': spec, 'demo/demo.conf': 'one\n' });
  const demo = join(distGit, 'demo');
  git(demo, '2025-01-01T00:00:00Z', 'init', '-q', '-b', 'main');
  git(demo, '2025-01-01T00:00:00Z', 'add', '-A');
  git(demo, '2025-01-01T00:00:00Z', 'commit', '-q', '-m', 'First');
  writeFileSync(join(demo, 'demo.conf'), 'one\ntwo\n');
  git(demo, '2025-06-01T00:00:00Z', 'commit', '-q', '-a', '-m', 'Second');
  const picked = git(demo, '', 'rev-parse', 'HEAD');
  const dir = folder({
    'fix.patch': fix,
    'weir.toml': `[project]
default-distro = { name = "up", version = "1" }
[distros.up]
dist-git-base-uri = "${distGit}/$pkg"
default-version = "1"
[distros.up.versions."1"]
dist-git-branch = "main"
[distros.up.versions."1".default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }

${overlays(picked)}`,
  });
  git(dir, '2025-09-01T00:00:00Z', 'init', '-q');
  git(dir, '2025-09-01T00:00:00Z', 'add', '-A');
  git(dir, '2025-09-01T00:00:00Z', 'commit', '-q', '-m', 'Project');
  return dir;
}

const metadata = 'metadata = { category = "weir-pruning", upstream-status = "inapplicable" }';

it.each([
  ['overlay-explain', ['overlay', 'explain', '--help']],
  ['overlay-check', ['help', 'overlay', 'check']],
])('help of %s', async (name, argv) => {
  const { code, stdout, stderr } = weir(argv);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  await expect(stdout).toMatchFileSnapshot(join('golden', `help-${name}.txt`));
});

describe('weir overlay explain', () => {
  const dir = projectWithDistGit(
    () => `[[default-component-config.overlays]]
type = "spec-remove-tag"
description = "Ours is another"
tag = "URL"
${metadata}

[[components.demo.overlays]]
type = "file-search-replace"
description = "Three is better"
file = "demo.conf"
regex = "two"
replacement = "three"

[[components.demo.overlays]]
type = "spec-update-tag"
description = "Misspelt"
tag = "Vershun"
value = "2"
`,
  );

  it('shows reason, place, origin and diff, and the error of a failed overlay', () => {
    const { code, stdout, stderr } = weir(['-q', '-C', dir, 'overlay', 'explain', 'demo']);
    expect(
      stdout
        .split('\n')
        .map((line) => line.trimEnd())
        .join('\n'),
    ).toBe(`1. spec-remove-tag: Ours is another
   weir-pruning, inapplicable, from the project's default-component-config, weir.toml:11
   --- a/demo.spec
   +++ b/demo.spec
   @@ -1,7 +1,6 @@
    Name: demo
    Version: 1
    Release: 3%{?dist}
   -URL: https://demo.example
    Source0: demo-1.tar.gz

    %description

2. file-search-replace: Three is better
   weir.toml:17
   --- a/demo.conf
   +++ b/demo.conf
   @@ -1,2 +1,2 @@
    one
   -two
   +three
`);
    expect(code).toBe(2);
    expect(stderr).toContain(`weir.toml:24, component demo, overlay 3 (spec-update-tag: Misspelt): `);
    expect(stderr).toContain('closest: line 2: Version: 1');
  });

  it('prints the same as JSON', () => {
    const { code, stdout } = weir(['-C', dir, 'overlay', 'explain', 'demo', '--json']);
    const told = JSON.parse(stdout) as Record<string, unknown>;
    expect(code).toBe(2);
    expect(told).toMatchObject({
      component: 'demo',
      steps: [
        {
          kind: 'overlay',
          number: 1,
          type: 'spec-remove-tag',
          place: 'weir.toml:11',
          inheritedFrom: "the project's default-component-config",
          metadata: { category: 'weir-pruning', upstreamStatus: 'inapplicable' },
          changes: [{ path: 'demo.spec', change: 'changed' }],
        },
        { number: 2, changes: [{ path: 'demo.conf', diff: expect.stringContaining('+three\n') }] },
      ],
      error: { code: 'overlay-no-match' },
    });
  });

  it('takes the sources from a folder', () => {
    const sources = folder({ 'd/demo/demo.spec': `${spec}\n%build\n`, 'd/demo/demo.conf': 'two\n' });
    const { stdout } = weir(['-q', '-C', dir, 'overlay', 'explain', 'demo', '--sources', sources]);
    expect(stdout).toContain('-two\n   +three');
    const none = weir(['-q', '-C', dir, 'overlay', 'explain', 'demo', '--sources', folder({})]);
    expect(none).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('no spec of demo in') });
  });
});

describe('weir overlay check', () => {
  const dir = projectWithDistGit(
    (picked) => `[components.demo]
source-files = []
[[components.demo.overlays]]
type = "patch-add"
description = "In the archive already"
source = "fix.patch"
${metadata}
[[components.demo.overlays]]
type = "file-search-replace"
description = "In dist-git already"
file = "demo.conf"
regex = "one"
replacement = "one"
[components.demo.overlays.metadata]
category = "upstream-backport"
upstream-status = "upstreamed"
commits = [{ url = "https://src.example/rpms/demo/c/${picked}" }]
[[components.demo.overlays]]
type = "spec-remove-tag"
description = "Pruned"
tag = "URL"
${metadata}
[[components.demo.overlays]]
type = "spec-set-tag"
description = "Not merged anywhere"
tag = "Epoch"
value = "1"
[components.demo.overlays.metadata]
category = "upstream-backport"
upstream-status = "upstreamable"
commits = [{ url = "https://src.example/rpms/demo/c/${'e'.repeat(40)}" }]
`,
  );

  interface Report {
    readonly findings: readonly { kind: string; overlay: number; place: string; message: string }[];
  }

  it('finds backports that the dist-git history contains, and old ones', () => {
    const argv = ['-q', '-C', dir, 'overlay', 'check', '--older-than', '1w', '--json'];
    const { findings } = JSON.parse(weir(argv).stdout) as Report;
    expect(findings.map(({ kind, overlay, place }) => [kind, overlay, place])).toEqual([
      ['old-backport', 2, 'weir.toml:18'],
      ['taken-in', 2, 'weir.toml:18'],
      ['old-backport', 4, 'weir.toml:33'],
    ]);
    expect(findings[1]!.message).toMatch(/^commit [0-9a-f]{12} is [0-9a-f]{12} of the dist-git, from 2025-06-01$/);
  });

  it('finds changes that archives beside the spec already contain', () => {
    const work = folder({ 'demo-1/demo.c': 'int main(void)\n{ return 0; }\n' });
    mkdirSync(join(work, 'demo'));
    writeFileSync(join(work, 'demo/demo.spec'), spec);
    writeFileSync(join(work, 'demo/demo.conf'), 'one\n');
    const { stdout } = spawnSync('tar', ['-C', work, '-cf', '-', 'demo-1']);
    writeFileSync(join(work, 'demo/demo-1.tar.gz'), gzipSync(stdout));
    const sha = spawnSync('sha512sum', [join(work, 'demo/demo-1.tar.gz')], { encoding: 'utf8' }).stdout.split(' ')[0];
    writeFileSync(join(work, 'demo/sources'), `SHA512 (demo-1.tar.gz) = ${sha}\n`);
    const argv = ['-q', '-C', dir, 'overlay', 'check', '--sources', work, '--json'];
    const { findings } = JSON.parse(weir(argv).stdout) as Report;
    expect(findings.find(({ overlay }) => overlay === 1)).toMatchObject({
      kind: 'taken-in',
      message: "demo-1.tar.gz already has the patch's changes",
    });
  });

  it('fails on selected kinds, and rejects unknown ones', () => {
    const check = ['-q', '-C', dir, 'overlay', 'check'];
    expect(weir([...check, '--fail-on', 'fails,no-description'])).toMatchObject({ code: 0, stderr: '' });
    const failed = weir([...check, '--fail-on', 'fails,taken-in']);
    expect(failed).toMatchObject({ code: 1, stderr: 'error: 1 finding matching --fail-on: taken-in\n' });
    expect(failed.stdout).toMatch(/^taken-in +demo +2 +weir\.toml:18 +commit .*: remove the overlay$/m);
    expect(weir([...check, '--fail-on', 'takenin'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean taken-in?'),
    });
    expect(weir([...check, '--older-than', 'long'])).toMatchObject({ code: 2, stdout: '' });
  });

  it('continues without sources if they are unavailable or disabled', () => {
    const lonely = folder({
      'weir.toml': `[components.a]
spec = { type = "local", path = "none.spec" }
[[components.a.overlays]]
type = "spec-remove-tag"
description = "x"
tag = "URL"
`,
    });
    const kinds = (...argv: string[]): string[] =>
      (JSON.parse(weir(['-q', '-C', lonely, 'overlay', 'check', '--json', ...argv]).stdout) as Report).findings.map(
        ({ kind }) => kind,
      );
    expect(kinds()).toEqual(['no-metadata', 'unchecked']);
    expect(kinds('--no-sources')).toEqual(['no-metadata']);
    expect(weir(['-q', '-C', lonely, 'overlay', 'check', '--no-sources', '--older-than', '1y']).stderr).toMatch(
      /^warning: the age of one overlay is unknown: /,
    );
  });
});
