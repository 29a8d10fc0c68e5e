import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { run } from '../../src/base/process.ts';
import { unifiedDiff } from '../../src/overlay/unified-diff.ts';
import { folder } from './fixture.ts';

const labels = ['a/x', 'b/x'] as const;

/** Applies a unified diff strictly: every line of context and every removed line has to be where it says. */
function patched(before: string, diff: string): string {
  const lines = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const out: string[] = [];
  let at = 0;
  const body = diff.split('\n').slice(2, -1);
  for (const [index, line] of body.entries()) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@$/.exec(line);
    if (hunk !== null) {
      const start = Number(hunk[1]) - (hunk[2] === '0' ? 0 : 1);
      while (at < start) out.push(lines[at++]!);
      expect(out.length).toBe(Number(hunk[3]) - (hunk[4] === '0' ? 0 : 1));
      continue;
    }
    if (line.startsWith('\\')) continue;
    const text = line.slice(1) + (body[index + 1]?.startsWith('\\') === true ? '' : '\n');
    if (line[0] !== '+') expect(lines[at++]).toBe(text);
    if (line[0] !== '-') out.push(text);
  }
  return [...out, ...lines.slice(at)].join('');
}

it.each<[what: string, before: string, after: string, hunks: string]>([
  ['nothing', 'a\n', 'a\n', ''],
  [
    'a line in the middle',
    '1\n2\n3\n4\n5\n6\n7\n8\n9\n',
    '1\n2\n3\n4\nx\n6\n7\n8\n9\n',
    '@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n',
  ],
  ['an empty file that gets a line', '', 'a\n', '@@ -0,0 +1 @@\n+a\n'],
  ['the last line gone', 'a\n', '', '@@ -1 +0,0 @@\n-a\n'],
  ['a line end at the end', 'a', 'a\n', '@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n'],
  ['line ends of Windows', 'a\r\nb\r\n', 'a\r\nb\n', '@@ -1,2 +1,2 @@\n a\r\n-b\r\n+b\n'],
])('%s', (_what, before, after, hunks) => {
  expect(unifiedDiff(before, after, labels)).toBe(hunks === '' ? '' : `--- a/x\n+++ b/x\n${hunks}`);
});

it('distant changes are separate hunks, near ones are one', () => {
  const lines = Array.from({ length: 40 }, (_, index) => `${index}\n`);
  const count = (...changed: number[]): number =>
    unifiedDiff(lines.join(''), lines.map((line, index) => (changed.includes(index) ? 'x\n' : line)).join(''), labels)
      .split('\n')
      .filter((line) => line.startsWith('@@')).length;
  expect([count(5, 12), count(5, 13), count(1, 20, 38)]).toEqual([1, 2, 3]);
});

const text = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', 'c', '', 'd\r'), { maxLength: 30 }), fc.boolean())
  .map(([lines, ended]) => lines.join('\n') + (ended && lines.length > 0 ? '\n' : ''));

it('turns one text into the other, and is as short as that of diff', { timeout: 60_000 }, async () => {
  const dir = await folder({ a: '', b: '' });
  await fc.assert(
    fc.asyncProperty(text, text, async (before, after) => {
      const diff = unifiedDiff(before, after, labels);
      expect(patched(before, diff)).toBe(after);
      await writeFile(join(dir, 'a'), before);
      await writeFile(join(dir, 'b'), after);
      const real = await run(['diff', '-d', '-U3', join(dir, 'a'), join(dir, 'b')]);
      const changed = (of: string): number =>
        of
          .split('\n')
          .slice(2)
          .filter((line) => /^[-+]/.test(line)).length;
      expect(changed(diff)).toBe(changed(real.stdout));
    }),
    { numRuns: 150 },
  );
});

it('is correct for texts that have nothing in common', () => {
  const before = Array.from({ length: 4000 }, (_, index) => `a${index}\n`).join('');
  const after = Array.from({ length: 4000 }, (_, index) => `b${index}\n`).join('');
  expect(patched(before, unifiedDiff(before, after, labels))).toBe(after);
});

it('can be applied by patch', async () => {
  const before = await readFile(import.meta.filename, 'utf8');
  const after = before.replaceAll('fc.', 'check.').replace(/^it\(/m, '// here\nit(');
  const dir = await folder({ x: before });
  await run(['git', 'init', '-q', dir]);
  await writeFile(join(dir, 'd.patch'), unifiedDiff(before, after, labels));
  expect((await run(['git', 'apply', 'd.patch'], { cwd: dir })).stderr).toBe('');
  expect(await readFile(join(dir, 'x'), 'utf8')).toBe(after);
});
