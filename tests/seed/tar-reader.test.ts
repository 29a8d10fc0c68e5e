import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stream } from '../../src/base/process.ts';
import { bytesReader, readTar } from '../../src/seed/tar-reader.ts';

const long = `${'deep/'.repeat(30)}file-with-a-name-that-does-not-fit-into-a-hundred-bytes-of-a-header.txt`;
const longLink = `${'x'.repeat(150)}`;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-tar-'));
  await mkdir(join(dir, 'deep/'.repeat(30)), { recursive: true });
  await writeFile(join(dir, long), 'long', { mode: 0o640 });
  await writeFile(join(dir, 'a'), 'x'.repeat(1000));
  await writeFile(join(dir, 'ünï'), '');
  await symlink('a', join(dir, 'short'));
  await symlink(longLink, join(dir, 'long-link'));
});
afterAll(() => rm(dir, { recursive: true }));

async function pack(...options: string[]): Promise<Buffer> {
  const tar = stream(['tar', '-c', '--sort=name', '--mtime=@1700000000', '-C', dir, ...options, '.']);
  const chunks: Buffer[] = [];
  for await (const chunk of tar.stdout) chunks.push(chunk as Buffer);
  expect(await tar.done).toBe(0);
  return Buffer.concat(chunks);
}

describe.each(['gnu', 'posix', 'ustar'])('the %s format', (format) => {
  it('is read as tar wrote it', async () => {
    // ustar cannot hold the long link
    const archive = await pack(`--format=${format}`, ...(format === 'ustar' ? ['--exclude=long-link'] : []));
    const read = bytesReader(archive);
    const members = new Map([...readTar(read)].map((member) => [member.path, member]));
    expect(members.get('')).toMatchObject({ kind: 'directory' });
    const a = members.get('a')!;
    expect(a).toMatchObject({ kind: 'file', size: 1000, mtime: 1_700_000_000 });
    expect(read(a.offset, a.size).toString()).toBe('x'.repeat(1000));
    const far = members.get(long)!;
    expect(far).toMatchObject({ kind: 'file', size: 4, mode: 0o640 });
    expect(read(far.offset, far.size).toString()).toBe('long');
    expect(members.get('ünï')).toMatchObject({ kind: 'file', size: 0 });
    expect(members.get('short')).toMatchObject({ kind: 'symlink', target: 'a' });
    if (format !== 'ustar') expect(members.get('long-link')).toMatchObject({ kind: 'symlink', target: longLink });
  });
});

describe('a damaged archive', () => {
  it('is refused where a header is wrong or cut', async () => {
    const archive = await pack();
    const wrong = Buffer.from(archive);
    wrong[0] = wrong[0]! ^ 1;
    expect(() => [...readTar(bytesReader(wrong))]).toThrow(/checksum/);
    expect(() => [...readTar(bytesReader(archive.subarray(0, 700)))]).toThrow(/ends within/);
  });

  it('may be empty', () => {
    expect([...readTar(bytesReader(Buffer.alloc(1024)))]).toEqual([]);
    expect([...readTar(bytesReader(Buffer.alloc(0)))]).toEqual([]);
  });
});
