import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../../src/base/process.ts';
import { lineTimes } from '../../src/history/line-times.ts';
import { repository } from '../audit/repository.ts';

async function timesOf(dir: string, name: string): Promise<readonly unknown[] | undefined> {
  const file = join(dir, name);
  return (await lineTimes(dir, [file])).get(file);
}

describe('the times of lines', () => {
  it('are those of the commits that added them', async () => {
    const { dir, commit } = await repository();
    await commit(100, { 'a.toml': 'a\nb\nc\n', 'other.toml': 'x\n' });
    await commit(200, { 'a.toml': 'a\nB\nc\nd\n' });
    await commit(300, { 'other.toml': 'y\n' });
    await commit(400, { 'a.toml': '0\na\nB\nd\n' });
    expect(await timesOf(dir, 'a.toml')).toEqual([400, 100, 200, 200]);
    expect(await timesOf(dir, 'other.toml')).toEqual([300]);
  });

  it('cover uncommitted changes, but not a file that git does not have', async () => {
    const { dir, commit, write } = await repository();
    await commit(100, { 'a.toml': 'a\nb' });
    await write({ 'a.toml': 'a\nnew\nb', 'b.toml': 'b\n' });
    expect(await timesOf(dir, 'a.toml')).toEqual([100, 'uncommitted', 100]);
    expect(await timesOf(dir, 'b.toml')).toBeUndefined();
  });

  it('do not depend on settings of git', async () => {
    const { dir, commit, git } = await repository();
    for (const [key, value] of [
      ['diff.interHunkContext', '9'],
      ['diff.mnemonicPrefix', 'true'],
      ['diff.context', '5'],
      ['diff.renames', 'copies'],
      ['log.follow', 'true'],
      ['log.showSignature', 'true'],
      ['log.diffMerges', 'off'],
      ['color.ui', 'always'],
      ['core.quotePath', 'true'],
    ]) {
      await git('config', key!, value!);
    }
    await commit(100, { 'é.toml': 'a\nb\nc\nd\n' });
    await commit(200, { 'é.toml': 'A\nb\nc\nD\n' });
    expect(await timesOf(dir, 'é.toml')).toEqual([200, 100, 100, 200]);
  });

  it('start again for a file that was deleted and added', async () => {
    const { dir, commit } = await repository();
    await commit(100, { 'a.toml': 'a\nb\n' });
    await commit(200, { 'a.toml': undefined });
    await commit(300, { 'a.toml': 'b\n' });
    expect(await timesOf(dir, 'a.toml')).toEqual([300]);
  });

  it('are those of the merge for a merged branch', async () => {
    const { dir, commit, git } = await repository();
    await commit(100, { 'a.toml': 'a\n' });
    await git('checkout', '-q', '-b', 'side');
    await commit(200, { 'a.toml': 'a\nside\n' });
    await git('checkout', '-q', 'main');
    await commit(300, { 'b.toml': 'b\n' });
    await git('merge', '-q', '--no-ff', '-m', 'merged', 'side');
    // The merge was made at 0, by the clock that the test gave it.
    expect(await timesOf(dir, 'a.toml')).toEqual([100, 0]);
  });

  it('are found for names with blanks and brackets, in a project below the top, through a link', async () => {
    const { dir, commit } = await repository();
    await commit(100, { 'sub dir/a [b].toml': 'a\n', 'over/é.toml': 'x\n' });
    expect(await timesOf(join(dir, 'sub dir'), 'a [b].toml')).toEqual([100]);
    expect(await timesOf(join(dir, 'sub dir'), '../over/é.toml')).toEqual([100]);
    const link = join(await mkdtemp(join(tmpdir(), 'weir-git-')), 'link');
    onTestFinished(() => rm(dirname(link), { recursive: true }));
    await symlink(join(dir, 'sub dir'), link);
    expect(await timesOf(link, 'a [b].toml')).toEqual([100]);
  });

  it('are not confused by lines that look like parts of a diff', async () => {
    const { dir, commit } = await repository();
    const odd = ['--- a', '+++ b', '@@ -1,2 +3,4 @@', 'diff --git a b', '\x01123 4', '\\ No newline at end of file'];
    await commit(100, { 'a.toml': odd.map((line) => `${line}\n`).join('') });
    await commit(200, { 'a.toml': odd.toReversed().slice(1).join('\n') });
    const times = await timesOf(dir, 'a.toml');
    expect(times).toHaveLength(5);
    expect(new Set(times)).toEqual(new Set([100, 200]));
  });

  it('are unknown beyond a shallow clone, without git, and before the first commit', async () => {
    const { dir, commit } = await repository();
    expect(await timesOf(dir, 'a.toml')).toBeUndefined();
    await commit(100, { 'a.toml': 'a\n' });
    await commit(200, { 'a.toml': 'a\nb\n' });
    await commit(300, { 'a.toml': 'a\nb\nc\n' });
    const clone = join(await mkdtemp(join(tmpdir(), 'weir-git-')), 'clone');
    onTestFinished(() => rm(dirname(clone), { recursive: true }));
    await run(['git', 'clone', '-q', '--depth', '2', `file://${dir}`, clone]);
    expect(await timesOf(clone, 'a.toml')).toEqual([undefined, undefined, 300]);
    expect(await timesOf(dirname(clone), 'none.toml')).toBeUndefined();
  });

  it('follow any edits', { timeout: 60_000 }, async () => {
    const edit = fc.record({ at: fc.nat(20), remove: fc.nat(3), add: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(edit, { maxLength: 3 }), { minLength: 1, maxLength: 6 }), async (commits) => {
        const { dir, commit } = await repository();
        let lines: { readonly text: string; readonly time: number }[] = [];
        let next = 0;
        for (const [index, edits] of commits.entries()) {
          const time = 100 * (index + 1);
          lines = [...lines];
          for (const { at, remove, add } of edits) {
            // Every line is another, so that there is only one way to tell which came when.
            const fresh = Array.from({ length: add }, () => ({ text: `line ${next++}`, time }));
            lines.splice(Math.min(at, lines.length), remove, ...fresh);
          }
          await commit(time, { 'a.toml': lines.map((line) => `${line.text}\n`).join('') });
        }
        expect((await timesOf(dir, 'a.toml')) ?? []).toEqual(lines.map((line) => line.time));
      }),
      { numRuns: 12 },
    );
  });
});
