import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import type { ResolvedComponent } from '../../src/project/model/component.ts';
import type { Distro } from '../../src/project/model/distro.ts';
import {
  type ComponentLock,
  formatLock,
  hasLocks,
  type LockedProject,
  lockNames,
  lockPath,
  lockProblem,
  parseLock,
  readLock,
  readLocks,
  removeLock,
  resolutionInputHash,
  sameCommit,
  writeLock,
} from '../../src/sources/component-lock.ts';
import { failure } from '../base/failure.ts';
import { component } from '../overlay/fixture.ts';

const commitA = 'a'.repeat(40);
const hashA = `sha256:${'1'.repeat(64)}`;
const full = `# Managed by azldev component update. Do not edit manually.
version = 1
import-commit = '${'b'.repeat(40)}'
upstream-commit = '${commitA}'
manual-bump = 2
input-fingerprint = '${hashA}'
resolution-input-hash = '${hashA}'
`;

async function locksIn(files: Readonly<Record<string, string>>): Promise<LockedProject> {
  const root = await mkdtemp(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(root));
  await mkdir(join(root, 'locks'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, 'locks', name), text);
  return { root, project: {} };
}

it('reads and writes the format of azldev, byte for byte', () => {
  const lock = parseLock(full, 'a.lock');
  expect(lock).toEqual({
    importCommit: 'b'.repeat(40),
    upstreamCommit: commitA,
    manualBump: 2,
    inputFingerprint: hashA,
    resolutionInputHash: hashA,
  });
  expect(formatLock(lock)).toBe(full);
  const local = `# Managed by azldev component update. Do not edit manually.\nversion = 1\n`;
  expect(parseLock(local, 'a.lock')).toEqual({ manualBump: 0 });
  expect(formatLock({ manualBump: 0 })).toBe(local);
});

it('reads what it writes', () => {
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
  const digest = hex(64).map((text) => `sha256:${text}`);
  const lock = fc.record(
    {
      importCommit: hex(64),
      upstreamCommit: hex(40),
      inputFingerprint: digest,
      resolutionInputHash: digest,
      manualBump: fc.nat(),
    },
    { requiredKeys: ['manualBump'] },
  );
  fc.assert(
    fc.property(lock, (each) => {
      expect(parseLock(formatLock(each), 'x')).toEqual(each);
    }),
  );
});

it('returns a lock or throws a WeirError for any text', () => {
  const line = fc.oneof(fc.string(), fc.constantFrom(...full.split('\n'), "upstream-commit = 'zz'", 'version = 2'));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      try {
        parseLock(lines.join('\n'), 'x');
      } catch (error) {
        expect(error).toBeInstanceOf(WeirError);
      }
    }),
  );
});

it.each([
  ['version = 2\n', 'lock-version', 1],
  ["upstream-commit = 'abcdefa'\n", 'missing-key', undefined],
  [full.replace('manual-bump', 'manual-bumps'), 'unknown-key', 5],
  [full.replace(`'${commitA}'`, "'main'"), 'invalid-value', 4],
  [full.replace('= 2', '= -2'), 'invalid-value', 5],
  [full.replace('= 2', "= '2'"), 'wrong-type', 5],
  [full.replace('sha256:', 'sha1:'), 'invalid-value', 6],
  ['version = \n', 'toml-syntax', 1],
])('refuses %j: %s', async (text, code, line) => {
  const project = await locksIn({ 'x.lock': text });
  const error = await failure(readLock(project, 'x'));
  expect(error).toMatchObject({ code, exit: 2, where: { file: lockPath(project, 'x') } });
  if (line !== undefined) expect(error.where?.line).toBe(line);
});

it('manages a folder of locks: reads, writes only changes, removes', async () => {
  const project = await locksIn({ 'b.lock': full, '.hidden.lock': 'x', README: 'x' });
  expect(await lockNames(project)).toEqual(['b']);
  expect(await readLock(project, 'a')).toBeUndefined();
  const lock: ComponentLock = { manualBump: 1, upstreamCommit: commitA };
  expect(await writeLock(project, 'a', lock)).toBe(true);
  expect(await writeLock(project, 'a', lock)).toBe(false);
  expect(await hasLocks(project)).toBe(true);
  expect(await hasLocks(await locksIn({ 'Cargo.lock': '[[package]]\n' }))).toBe(false);
  await writeFile(lockPath(project, 'Cargo'), '[[package]]\n');
  expect([...(await readLocks(project)).keys()]).toEqual(['a', 'b']);
  expect(await readFile(lockPath(project, 'a'), 'utf8')).toBe(formatLock(lock));
  await removeLock(project, 'b');
  expect((await readdir(join(project.root, 'locks'))).sort()).toEqual([
    '.hidden.lock',
    'Cargo.lock',
    'README',
    'a.lock',
  ]);
  expect(await lockNames({ root: join(project.root, 'none'), project: {} })).toEqual([]);
  expect(lockPath({ root: '/p', project: { lockDir: '/l' } }, 'a')).toBe('/l/a.lock');
});

it('ignores the locks of a project with pins', async () => {
  const { root } = await locksIn({ 'a.lock': full });
  const project = { root, project: { pinFolder: join(root, 'pins') } };
  expect(await lockNames({ root, project: {} })).toEqual(['a']);
  expect([await lockNames(project), await readLock(project, 'a'), await hasLocks(project)]).toEqual([
    [],
    undefined,
    false,
  ]);
});

it('reports a file in place of the folder', async () => {
  const { root } = await locksIn({});
  await writeFile(join(root, 'file'), '');
  const project = { root, project: { lockDir: join(root, 'file') } };
  for (const read of [() => readLock(project, 'a'), () => lockNames(project)]) {
    expect(await failure(read())).toMatchObject({ code: 'not-a-folder', exit: 2, where: { file: join(root, 'file') } });
  }
});

describe('a lock is checked against the configuration', () => {
  const upstream = (commit?: string): ResolvedComponent =>
    component({
      spec: { type: 'upstream', name: 'demo', distro: { name: 'up' }, ...(commit === undefined ? {} : { commit }) },
    });
  const lock: ComponentLock = { manualBump: 0, upstreamCommit: commitA };

  it.each([
    ['none needed for a local spec', component({ spec: { type: 'local', path: '/x' } }), undefined, undefined],
    ['none', upstream(), undefined, 'no-lock'],
    ['one without a commit', upstream(), { manualBump: 1 }, 'no-lock'],
    ['one that fits', upstream(), lock, undefined],
    ['one that fits the pin', upstream(commitA), lock, undefined],
    ['one that fits a short pin', upstream('AAAAAAA'), lock, undefined],
    ['one for another pin', upstream('b'.repeat(40)), lock, 'stale-lock'],
  ])('%s', (_what, one, its, code) => {
    const error = lockProblem(one, its);
    expect(error?.code).toBe(code);
    if (code === undefined) return;
    expect(error).toMatchObject({ exit: 2, where: { component: 'demo' } });
    expect(error?.hint).toContain('weir component update demo');
  });

  it('commits are equal if one is a prefix of the other', () => {
    expect(sameCommit('abcdef0', 'ABCDEF0123')).toBe(true);
    expect(sameCommit('abcdef0123', 'abcdef0')).toBe(true);
    expect(sameCommit('abcdef1', 'abcdef0123')).toBe(false);
  });
});

describe('the resolution hash', () => {
  const distro: Distro = {
    name: 'fedora',
    defaultVersion: '43',
    distGitBaseUri: 'https://src.fedoraproject.org/rpms/$pkg.git',
    repos: [],
    disableOrigins: false,
    versions: new Map([['43', { name: '43', distGitBranch: 'f43', inputs: { rpmBuild: [], imageBuild: [] } }]]),
  };
  const project = { distros: new Map([['fedora', distro]]) };
  const cgal = (spec: object = {}, snapshot = '2026-08-28T00:00:00+00:00'): ResolvedComponent =>
    component({
      name: 'CGAL',
      spec: { type: 'upstream', name: 'CGAL', distro: { name: 'fedora', version: '43', snapshot }, ...spec },
    });

  it("equals azldev's in a real lock", () => {
    expect(resolutionInputHash(cgal(), project)).toBe(
      'sha256:2f28ab3acf76be3f204b5af6296868e6365fcd5554d51c959e59c14de0a10e87',
    );
  });

  it('changes with each of its inputs, and is undefined without an upstream', () => {
    const others = [
      cgal(),
      cgal({}, '2026-08-29T00:00:00+00:00'),
      cgal({ commit: commitA }),
      cgal({ name: 'cgal' }),
      cgal({ distro: { name: 'fedora', snapshot: '2026-08-28T00:00:00+00:00' } }),
    ].map((one) => resolutionInputHash(one, project));
    const elsewhere = { distros: new Map([['fedora', { ...distro, distGitBaseUri: 'https://e.example/$pkg' }]]) };
    const branch = { distros: new Map([['fedora', { ...distro, versions: new Map() }]]) };
    others.push(resolutionInputHash(cgal(), elsewhere), resolutionInputHash(cgal(), branch));
    expect(new Set(others).size).toBe(others.length);
    expect(resolutionInputHash(component({ spec: { type: 'local', path: '/x' } }), project)).toBeUndefined();
    expect(resolutionInputHash(cgal({ distro: { name: 'debian' } }), project)).toBeUndefined();
  });
});
