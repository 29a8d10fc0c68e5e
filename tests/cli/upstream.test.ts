import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { momentOption } from '../../src/cli/moment.ts';
import { repositoryAt } from '../sources/git-repository.ts';
import { folder, weir } from './weir.ts';

const spec = (version: string, option: string): string => `Name: a
Version: ${version}
Release: 1%{?dist}
Summary: A
License: MIT
%global option ${option}
%description
%files
%changelog
* Mon Jan 06 2020 Ann <ann@example.org> - ${version}-1
- version ${version}, for CVE-2020-000${version}
`;

const toml = `
[project]
description = "p"
default-distro = { name = "up", version = "1" }
[distros.up]
dist-git-base-uri = "../git/$pkg"
[distros.up.versions.1]
dist-git-branch = "f1"
default-component-config = { spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } } }
[components.a]
[[components.a.overlays]]
type = "spec-search-replace"
description = "No debug option"
regex = "--debug"
replacement = "--quiet"
metadata = { category = "weir-compatibility", upstream-status = "upstreamable" }
`;

/** A component that is pinned to version 1 of 2, with an overlay. */
function made(newOption = '--debug') {
  const root = folder({ 'project/weir.toml': toml });
  const git = repositoryAt(join(root, 'git/a'));
  const first = git.commit({ 'a.spec': spec('1', '--debug') }, 'Import');
  const env = { XDG_CACHE_HOME: join(root, 'cache') };
  const run = (...argv: string[]) => weir(['-C', join(root, 'project'), '-q', ...argv], { cwd: root, env });
  expect(run('component', 'update', '-a').code).toBe(0);
  const second = git.commit({ 'a.spec': spec('2', newOption) }, 'Update to 2');
  return { root, first, second, run };
}

describe('help', () => {
  it.each([
    ['upstream', ['upstream', '--help']],
    ['upstream-status', ['help', 'upstream', 'status']],
    ['upstream-update', ['help', 'upstream', 'update']],
    ['upstream-give-back', ['help', 'upstream', 'give-back']],
  ])('of %s lists everything, with examples', async (name, argv) => {
    const { code, stdout, stderr } = weir(argv);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Examples:');
    await expect(stdout).toMatchFileSnapshot(join('golden', `help-${name}.txt`));
  });
});

describe('upstream status', () => {
  it('prints a table, details, or JSON', () => {
    const { run, first, second } = made('--other');
    const short = (id: string): string => id.slice(0, 12);
    expect(run('upstream', 'status')).toEqual({
      code: 0,
      stdout: `COMPONENT  STATE   PINNED        NEWEST        COMMITS  VERSION  CHANGES  OVERLAYS  CVE
a          behind  ${short(first)}  ${short(second)}  1        1 → 2    1 macro  fails     CVE-2020-0002
`,
      stderr: '',
    });
    expect(
      run('upstream', 'status', 'a', '--details').stdout,
    ).toBe(`a: behind, ${short(first)} (2020-09-13) → ${short(second)} (2020-09-14)
  version  1 → 2
  macros   %global option --debug → %global option --other
  files    changed a.spec
  CVE      CVE-2020-0002 (changelog)
  overlays fails: overlay 1 (spec-search-replace, weir.toml:11): nothing changes in the spec by replacing /--debug/: upstream may have changed: compare the overlay with the upstream spec, and change or remove it
  commits  ${short(second)} 2020-09-14 Update to 2
`);
    const { components } = JSON.parse(run('upstream', 'status', '--json').stdout);
    expect(components).toMatchObject([{ component: 'a', state: 'behind', overlays: [{ kind: 'fails' }] }]);
    expect(run('upstream', 'status', '--to', '2020-09-13').stdout).toBe(
      'all components use the newest commit of their branch\n',
    );
  });

  it('takes days and moments that exist', () => {
    expect(momentOption('2026-08-01')).toBe('2026-08-01T23:59:59Z');
    expect(momentOption('2026-08-01T12:00:00+02:00')).toBe('2026-08-01T10:00:00Z');
    expect(momentOption(undefined)).toBeUndefined();
    for (const text of ['yesterday', '2026-02-30', '2026-13-01', '2026-01-01T25:00:00Z', '', '1700000000']) {
      expect(() => momentOption(text)).toThrow(`invalid date ${JSON.stringify(text)}`);
    }
  });
});

describe('upstream update', () => {
  it('prints the report, or writes it and prints a table', () => {
    const { run, root, first, second } = made();
    const missing = run('upstream', 'update');
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('no component selected') });
    const { code, stdout } = run('upstream', 'update', '-a', '--report', 'update.md');
    expect(code).toBe(0);
    expect(stdout).toContain(`a          moved  1 → 2    ${first.slice(0, 12)} → ${second.slice(0, 12)}\n`);
    expect(readFileSync(join(root, 'update.md'), 'utf8')).toContain('# Update from upstream\n');
    expect(readFileSync(join(root, 'project/locks/a.lock'), 'utf8')).toContain(`upstream-commit = '${second}'`);
    expect(readFileSync(join(root, 'project/specs/a/a/a.spec'), 'utf8')).toContain('%global option --quiet');
    expect(run('upstream', 'update', '-a').stdout).toContain('0 components moved to newer commits of upstream.');
  });
});

describe('a report that cannot be written', () => {
  it('stops the update before it moves anything', () => {
    const { run, root, first } = made();
    for (const report of ['project/weir.toml/x.md', '/proc/nope/x.md', 'project']) {
      const { code, stderr } = run('upstream', 'update', '-a', '--report', report);
      expect(stderr, report).toMatch(/^error: .*: (?:this is not a folder|cannot write here|the report cannot)/);
      expect(code).toBeGreaterThan(0);
    }
    expect(readFileSync(join(root, 'project/locks/a.lock'), 'utf8')).toContain(`upstream-commit = '${first}'`);
  });

  it('has exit code 1 if upstream could not be read', () => {
    const { run } = made();
    const { code, stdout, stderr } = run('upstream', 'update', '-a', '--to', '2001-01-01');
    expect(code).toBe(1);
    expect(stdout).toContain('1 component could not be compared with upstream.');
    expect(stderr).toContain('error: ');
  });
});

describe('upstream give-back', () => {
  it('writes patches, and says what they are', () => {
    const { run, root, second } = made();
    const { code, stdout, stderr } = run('upstream', 'give-back', 'a', '--author', 'Ann <ann@example.org>');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(`a-patches/0001-No-debug-option.patch  overlay 1 (spec-search-replace)
1 patch for ${second.slice(0, 12)}, the newest commit of f1; git am applies them
upstream with them, and without these overlays, gives the same sources as today
`);
    expect(readFileSync(join(root, 'a-patches/0001-No-debug-option.patch'), 'utf8')).toContain(
      '-%global option --debug\n+%global option --quiet\n',
    );
    expect(run('upstream', 'give-back', 'a', '--author', 'Ann')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('invalid author "Ann"'),
    });
    expect(run('upstream', 'give-back', 'b')).toMatchObject({ code: 2 });
  });

  it('completes names of components', () => {
    const { run } = made();
    expect(run('completion', 'candidates', '--', 'upstream', 'give-back', '').stdout).toBe('a\t\n');
  });
});
