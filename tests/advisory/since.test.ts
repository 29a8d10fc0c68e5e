import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadAdvisories } from '../../src/advisory/load.ts';
import type { AdvisoryEvent } from '../../src/advisory/record.ts';
import { rewrittenSince } from '../../src/advisory/since.ts';
import { createRecord, recordText } from '../../src/advisory/write.ts';
import { event, header, recordFolder } from './records.ts';

const first = event('detected', { component: 'bash' });
const second = event('affected', { component: 'bash', last: '5.2-1' });

async function committed(project = '') {
  const root = recordFolder();
  writeFileSync(join(root, 'weir.toml'), project);
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, '-c', 'user.name=x', '-c', 'user.email=x@x', ...args]);
  const folder = join(root, 'advisories');
  const path = await createRecord(folder, header(), [first, second]);
  await createRecord(folder, header('CVE-2026-0005'));
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'records');
  const rewrite = (events: readonly AdvisoryEvent[]) =>
    writeFileSync(path, recordText(header('CVE-2026-1234', { severity: 'low' }), events));
  const check = async (ref = 'HEAD', now = folder) => {
    const { compared, problems } = await rewrittenSince(root, await loadAdvisories(now), ref);
    return { compared, problems: problems.map(({ code, where }) => `${code}:${where?.line ?? 0}`) };
  };
  return { root, folder, git, rewrite, check };
}

test('added events and a changed severity are allowed', async () => {
  const { rewrite, check } = await committed();
  rewrite([first, second, event('triaged', {})]);
  expect(await check()).toEqual({ compared: 2, problems: [] });
});

test.each<[string, readonly AdvisoryEvent[], string]>([
  ['changed', [first, { ...second, last: '5.1-1' } as AdvisoryEvent, event('triaged', {})], 'history-rewritten:12'],
  ['removed', [first], 'history-rewritten:6'],
  ['put before another', [event('triaged', {}), first, second], 'history-rewritten:6'],
])('an event that was %s is found', async (_, events, problem) => {
  const { rewrite, check } = await committed();
  rewrite(events);
  expect((await check()).problems).toEqual([problem]);
});

test('a changed date of publication is found', async () => {
  const { folder, check } = await committed();
  writeFileSync(
    join(folder, 'CVE-2026-0005.toml'),
    recordText(header('CVE-2026-0005', { published: '2026-11-05T00:00:00Z' }), []),
  );
  expect((await check()).problems).toEqual(['history-rewritten:4']);
});

test.each([
  ['is valid', ''],
  ['does not load at that commit', 'x = 1\n'],
])('records whose folder has moved are compared, in a project that %s', async (_, project) => {
  const { root, folder, check } = await committed(project);
  const moved = join(root, 'moved');
  renameSync(folder, moved);
  expect(await check('HEAD', moved)).toEqual({ compared: 2, problems: [] });
  writeFileSync(join(moved, 'CVE-2026-1234.toml'), recordText(header(), [first]));
  expect((await check('HEAD', moved)).problems).toEqual(['history-rewritten:6']);
});

test('records outside of the folder of the project are not its own', async () => {
  const { root, git, check } = await committed();
  writeFileSync(join(root, 'CVE-2026-0009.toml'), recordText(header('CVE-2026-0009'), []));
  git('add', '.');
  git('commit', '-qm', 'example');
  expect(await check()).toEqual({ compared: 2, problems: [] });
});

test('a record that was a symbolic link is compared by its target', async () => {
  const { root, folder, git, rewrite, check } = await committed();
  const file = join(folder, 'CVE-2026-1234.toml');
  renameSync(file, join(root, 'target.toml'));
  symlinkSync('../target.toml', file);
  git('add', '.');
  git('commit', '-qm', 'link');
  rmSync(file);
  rewrite([first]);
  expect(await check()).toEqual({ compared: 2, problems: ['history-rewritten:6'] });
});

test('every removed record is reported', async () => {
  const { folder, check } = await committed();
  rmSync(join(folder, 'CVE-2026-0005.toml'));
  expect((await check()).problems).toEqual(['record-removed:0']);
  rmSync(folder, { recursive: true });
  expect((await check()).problems).toHaveLength(2);
});

test('an unknown commit, and no repository, are errors', async () => {
  const { check } = await committed();
  await expect(check('nowhere')).rejects.toMatchObject({ code: 'unknown-ref' });
  const root = recordFolder();
  await expect(rewrittenSince(root, [], 'HEAD')).rejects.toMatchObject({ code: 'no-repository' });
});
