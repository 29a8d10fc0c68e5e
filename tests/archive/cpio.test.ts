import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isCpio, readCpio } from '../../src/archive/cpio.ts';

interface HandMade {
  readonly name?: string;
  readonly content?: string;
  readonly mode?: number;
  /** Values that override header fields, by field number. */
  readonly fields?: Readonly<Record<number, string>>;
}

function cpio(...members: readonly HandMade[]): Buffer {
  const parts: Buffer[] = [];
  for (const { name = 'a', content = '', mode = 0o100644, fields = {} } of [...members, { name: 'TRAILER!!!' }]) {
    const numbers = [1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = numbers.map((number, index) => fields[index] ?? number.toString(16).padStart(8, '0')).join('');
    for (const part of [`070701${head}${name}\0`, content]) {
      parts.push(Buffer.from(part, 'latin1'));
      const size = parts.reduce((sum, each) => sum + each.length, 0);
      parts.push(Buffer.alloc(-size & 3));
    }
  }
  return Buffer.concat(parts);
}

function failure(bytes: Buffer): string {
  try {
    for (const _ of readCpio(bytes));
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('expected an error');
}

describe('a cpio archive', () => {
  const isHere = spawnSync('cpio', ['--version']).status === 0;
  it.skipIf(!isHere)('reads what cpio wrote', () => {
    const dir = mkdtempSync(join(tmpdir(), 'weir-cpio-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    mkdirSync(join(dir, 'd'));
    writeFileSync(join(dir, 'd/file'), 'content');
    const { stdout } = spawnSync('cpio', ['-o', '-H', 'newc'], { cwd: dir, input: 'd\nd/file\n' });
    expect(isCpio(stdout)).toBe(true);
    const found = [...readCpio(stdout)].map(({ name, mode, start, end }) => [
      name,
      mode >> 12,
      stdout.toString('utf8', start, end),
    ]);
    expect(found).toEqual([
      ['d', 0o04, ''],
      ['d/file', 0o10, 'content'],
    ]);
  });

  it('returns the offset after the archive', () => {
    const bytes = Buffer.concat([cpio({ content: 'abc' }), Buffer.from('more')]);
    const members = readCpio(bytes);
    expect(members.next().value).toMatchObject({ name: 'a' });
    expect(members.next()).toEqual({ done: true, value: bytes.length - 4 });
  });

  it.each<[string, Buffer, RegExp]>([
    ['no header', Buffer.alloc(200), /missing header at byte 0/],
    ['half a header', cpio({}).subarray(0, 50), /truncated header at byte 0/],
    ['no trailer', cpio({}).subarray(0, 112), /truncated header at byte 112/],
    ['a negative size', cpio({}, { fields: { 6: '-0000100' } }), /invalid number in the header at byte 112/],
    ['an invalid size', cpio({ fields: { 6: '0000zzzz' } }), /invalid number in the header/],
    ['a size beyond the end', cpio({ fields: { 6: 'ffffffff' } }), /truncated member of 4294967295 bytes/],
    ['an empty name', cpio({ fields: { 11: '00000000' } }), /invalid name length 0/],
    ['a name that is too long', cpio({ fields: { 11: '00010000' } }), /invalid name length 65536/],
  ])('with %s is rejected', (_what, bytes, message) => {
    expect(failure(bytes)).toMatch(message);
  });
});
