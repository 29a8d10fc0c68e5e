import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { removeTree } from '../../src/engine/scratch.ts';
import { readLock } from '../../src/toolbox/toolbox-lock.ts';
import { failure } from '../base/failure.ts';

async function lockOf(text: string | Uint8Array): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(dir));
  const path = join(dir, 'toolbox.lock');
  await writeFile(path, text);
  return path;
}

const sha256 = 'ab'.repeat(32);
const bash = `bash 5.3-4 amd64 1581708 ${sha256} pool/main/b/bash/bash_5.3-4_amd64.deb`;
const set = (lines: string): string => `version = 1\n\n[rpm]\nroots = ["bash"]\npackages = [\n${lines}]\n`;

it('reads the requested set', async () => {
  const path = await lockOf(set(`  "${bash}",\n`));
  expect(await readLock(path, 'rpm')).toEqual({
    roots: ['bash'],
    packages: [
      {
        name: 'bash',
        version: '5.3-4',
        arch: 'amd64',
        size: 1581708,
        sha256,
        path: 'pool/main/b/bash/bash_5.3-4_amd64.deb',
      },
    ],
  });
  expect(await readLock(path, 'boot')).toBeUndefined();
  expect(await readLock(`${path}.none`, 'rpm')).toBeUndefined();
});

it.each([
  ['is not TOML', '<<<<<<< HEAD\nversion = 1\n', 1],
  ['is truncated', set('').slice(0, -3), 5],
  ['is not text', new Uint8Array([0xff, 0, 0xfe]), 1],
  ['has a number instead of a list', 'version = 1\n[rpm]\nroots = 1\npackages = []\n', undefined],
  ['has a value instead of a set', 'version = 1\nrpm = "x"\n', undefined],
  ['has a list of non-strings', 'version = 1\n[rpm]\nroots = []\npackages = [1]\n', undefined],
  ['has another version', 'version = 2\n', undefined],
  ['is empty', '', undefined],
  ['has an entry with missing fields', set(`  "${bash}",\n  "dash 1 amd64",\n`), 7],
  ['has an invalid size', set(`  "${bash.replace('1581708', '-1')}",\n`), 6],
  ['has an invalid digest', set(`  "${bash.replace('ab', 'xy')}",\n`), 6],
  ['leads out of the pool', set(`  "${bash.replace('pool/main', 'pool/../..')}",\n`), 6],
])('a lock that %s is an error with its place', async (_, text, line) => {
  const path = await lockOf(text);
  const error = await failure(readLock(path, 'rpm'));
  expect(error).toMatchObject({ code: 'bad-lock', exit: 2, where: { file: path }, hint: expect.any(String) });
  expect(error.where?.line).toBe(line);
});
