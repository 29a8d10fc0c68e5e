import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
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
  expect(outputFiles([join(dir, 'RPMS')], '.rpm', 1000)).toEqual([join(dir, 'RPMS/noarch/a.rpm')]);
});

test('a link in place of a package is rejected: it would be read from the host', async () => {
  await symlink('/etc/passwd', join(dir, 'RPMS/b.rpm'));
  expect(() => outputFiles([join(dir, 'RPMS')], '.rpm', 1000)).toThrow(/b\.rpm, which is neither a file nor a folder/);
});

test('a link in place of the folder is rejected', async () => {
  await symlink('/etc', join(dir, 'SRPMS'));
  expect(() => outputFiles([join(dir, 'SRPMS')], '.rpm', 1000)).toThrow(/replaced its output folder/);
});

test('two packages with the same name are rejected as ambiguous', async () => {
  await writeFile(join(dir, 'RPMS/a.rpm'), 'another');
  expect(() => outputFiles([join(dir, 'RPMS')], '.rpm', 1000)).toThrow(/two files called a\.rpm/);
});

test('a sparse file counts with its full size', async () => {
  await truncate(join(dir, 'RPMS/noarch/a.rpm'), 1001);
  expect(() => outputFiles([join(dir, 'RPMS')], '.rpm', 1000)).toThrow(/more than 1000 bytes/);
});
