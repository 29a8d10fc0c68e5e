import { describe, expect, it } from 'vitest';
import type { SourceTree } from '../../src/overlay/files.ts';
import { isPatched } from '../../src/overlay/patched.ts';
import { unifiedDiff } from '../../src/overlay/unified-diff.ts';
import { folder } from './fixture.ts';

const lines = Array.from({ length: 30 }, (_, index) => `line ${index}\n`);
const before = lines.join('');
const after = lines.map((line, index) => (index === 15 ? 'changed\n' : line)).join('');

function tree(files: Readonly<Record<string, string>>): SourceTree {
  return new Map(
    Object.entries(files).map(([name, text]) => [name, { kind: 'bytes', bytes: Buffer.from(text), executable: false }]),
  );
}

function patch(name: string, from = before, to = after, strip = 'a/'): string {
  return `A fix\n\n${unifiedDiff(from, to, [`${strip}${name}`, `${strip.replace('a', 'b')}${name}`])}`;
}

describe('a patch is in the sources', () => {
  it.each<[what: string, files: Readonly<Record<string, string>>, patch: string, is: boolean]>([
    ['where they have its change', { 'src/a.c': after }, patch('src/a.c'), true],
    ['not where they are as before', { 'src/a.c': before }, patch('src/a.c'), false],
    ['where lines moved', { 'src/a.c': `new\nlines\n${after}` }, patch('src/a.c'), true],
    ['not where the context differs', { 'src/a.c': after.replace('line 14', 'line X') }, patch('src/a.c'), false],
    ['without a leading folder in its names', { 'src/a.c': after }, patch('src/a.c', before, after, ''), true],
    ['with two', { 'a.c': after }, patch('src/a.c'), true],
    ['not where the file is not', { 'b.c': after }, patch('src/a.c'), false],
    ['where the file that it adds is', { n: 'x\n' }, unifiedDiff('', 'x\n', ['/dev/null', 'b/n']), true],
    ['not where that has grown', { n: 'x\ny\n' }, unifiedDiff('', 'x\n', ['/dev/null', 'b/n']), false],
    ['not where only a part of it is', { a: after, b: before }, patch('a') + patch('b').slice(7), false],
    ['not if it is no patch', { a: after }, 'nothing\n', false],
    ['not if it is empty', { a: after }, '', false],
  ])('%s', async (_what, files, text, is) => {
    expect(await isPatched(tree(files), Buffer.from(text), await folder({}))).toBe(is);
  });

  it('leaves the files unchanged and follows no name out of the folder', async () => {
    const files = tree({ a: after });
    const scratch = await folder({ 'x/keep': after });
    expect(await isPatched(files, Buffer.from(patch('../x/keep')), `${scratch}`)).toBe(false);
  });
});
