import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { runOk } from '../../src/base/process.ts';
import { verifyRepository } from '../../src/repo/verify.ts';
import type { Toolbox } from '../../src/toolbox/tool.ts';
import { unprivileged } from '../unprivileged.ts';

// Unreadable files never reach a tool.
const toolbox = {} as Toolbox;
const repomd = 'repodata/repomd.xml';
const bash = 'Packages/b/bash-5.3-4.x86_64.rpm';
/** What repomd.xml lists is only known if its signature is valid. */
const unchecked = 'wrong repodata: not checked whether its files are complete: repomd.xml has no valid signature';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-repository-'));
  await mkdir(join(dir, 'repodata'));
  await mkdir(join(dir, 'Packages/b'), { recursive: true });
  for (const path of [repomd, `${repomd}.asc`, bash]) await writeFile(join(dir, path), 'bash');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function said(): Promise<string[]> {
  const packages = new Map([[bash, sha256('bash')]]);
  const { faults } = await verifyRepository(toolbox, dir, { dir, publicKey: '', packages });
  return faults.map(({ path, fault, message }) => `${fault} ${path}: ${message}`).sort();
}

test.each([
  ['it is not a file', (path: string) => mkdir(path)],
  ['it is not a file', (path: string) => runOk(['mkfifo', path])],
  ['it is a symbolic link', (path: string) => symlink('/dev/zero', path)],
])('a file of the repository is not read if %s', async (message, make) => {
  for (const path of [repomd, bash]) {
    await rm(join(dir, path));
    await make(join(dir, path));
  }
  expect(await said()).toEqual([`wrong ${bash}: ${message}`, `wrong ${repomd}: ${message}`, unchecked]);
});

test('a file in place of a folder is reported, and the files missing below it', async () => {
  await rm(join(dir, repomd));
  await rm(join(dir, 'Packages'), { recursive: true });
  await writeFile(join(dir, 'Packages'), '');
  expect(await said()).toEqual([
    'extra Packages: the repository does not refer to it',
    `missing ${bash}: it is missing`,
    `missing ${repomd}: it is missing`,
    unchecked,
  ]);
});

test('unreadable files are reported, and the rest is checked', async () => {
  await chmod(dir, 0o755);
  await chmod(join(dir, repomd), 0);
  await chmod(join(dir, 'Packages/b'), 0);
  await writeFile(join(dir, 'repodata/more.xml'), '');
  await unprivileged(async () => {
    expect(await said()).toEqual([
      `wrong ${bash}: it cannot be read`,
      'wrong Packages/b: it cannot be read',
      `wrong ${repomd}: it cannot be read`,
      unchecked,
    ]);
  });
});
