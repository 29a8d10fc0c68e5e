import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { outputFiles } from '../../src/engine/outputs.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-outputs-'));
  await mkdir(join(dir, 'RPMS/noarch'), { recursive: true });
  await writeFile(join(dir, 'RPMS/noarch/a.rpm'), 'a');
  await writeFile(join(dir, 'RPMS/noarch/notes'), 'n');
});
afterEach(() => rm(dir, { recursive: true }));

test('files with the ending are found', () => {
  expect(outputFiles([join(dir, 'RPMS')], '.rpm')).toEqual([join(dir, 'RPMS/noarch/a.rpm')]);
});

test('a link in place of a package is refused: it would be read from the host', async () => {
  await symlink('/etc/passwd', join(dir, 'RPMS/b.rpm'));
  expect(() => outputFiles([join(dir, 'RPMS')], '.rpm')).toThrow(/b\.rpm, which is neither a file nor a folder/);
});

test('a link in place of the folder is refused', async () => {
  await symlink('/etc', join(dir, 'SRPMS'));
  expect(() => outputFiles([join(dir, 'SRPMS')], '.rpm')).toThrow(/replaced its output folder/);
});
