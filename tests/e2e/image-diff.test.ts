import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { runOk } from '../../src/base/process.ts';
import type { ImageDiff, ReleaseDiff } from '../../src/release/image/image-diff.ts';
import { treeFile } from '../../src/release/image/stage.ts';
import { contentBytes, parseListing } from '../../src/tree/listing.ts';
import { expectError, imageRecord, newFolder, shared, weir } from './weir.ts';

async function diff<T>(...args: readonly string[]): Promise<T> {
  const result = await weir(['-C', shared.project, 'image', 'diff', ...args, '--out', shared.out, '--json']);
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as T;
}

test.each(['container-base', 'vm-base'])('the tree file of %s matches the image', async (name) => {
  const file = join(shared.out, 'images', name, treeFile);
  const entries = parseListing(gunzipSync(await readFile(file)).toString(), file);
  const record = await imageRecord(name);
  expect(entries[0]).toMatchObject({ path: '/', kind: 'directory' });
  expect(entries.map(({ path }) => path)).toEqual([...new Set(entries.map(({ path }) => path))].sort());
  const installed = new Set(record.packages.map((pkg) => pkg.name));
  for (const owner of new Set(entries.flatMap((entry) => entry.packages))) expect(installed).toContain(owner);
  expect(entries.reduce((sum, entry) => sum + contentBytes(entry), 0)).toBe(record.installedSize);
  expect(record.files.map(({ path }) => path)).toContain(treeFile);
});

test('an image does not differ from itself', async () => {
  expect(await diff<ImageDiff>('container-base', join(shared.out, 'images', 'container-base'))).toMatchObject({
    packages: [],
    files: { listed: [], byPackage: [] },
    sizes: [],
  });
});

test('a container and a VM of one release: packages are added, no version differs, the kernel is the largest part', async () => {
  const { packages, files, sizes } = await diff<ImageDiff>('container-base', 'vm-base');
  expect([...new Set(packages.map(({ change }) => change))].filter((change) => change !== 'removed')).toEqual([
    'added',
  ]);
  expect(packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['kernel', 'systemd', 'openssh-server']));
  expect(files?.labelled).toBe('b');
  const listed = new Map(files!.listed.map((file) => [file.path, file]));
  expect(listed.get('/usr/lib/os-release')).toMatchObject({
    reason: 'unchanged-package',
    aspects: ['content', 'size'],
  });
  expect(listed.get('/usr/bin/sudo')).toMatchObject({ change: 'added', reason: 'privilege', after: { mode: '4755' } });
  expect(listed.get('/etc/hostname')).toMatchObject({ change: 'added', reason: 'no-package' });
  expect(listed.has('/usr/lib/systemd/systemd')).toBe(false);
  expect(files!.byPackage.find((each) => each.package === 'systemd')?.added).toBeGreaterThan(100);
  expect(sizes![0]).toMatchObject({ package: 'kernel', before: 0 });
});

test('a release does not differ from itself', async () => {
  const same = await diff<ReleaseDiff>(shared.out, join(shared.out, 'release.json'));
  expect(same.channels.map(({ packages }) => packages)).toEqual([[], []]);
  expect(same.images).toMatchObject({ added: [], removed: [] });
  expect(same.images.compared.map(({ a, packages, files }) => [a.name, packages, files?.listed])).toEqual(
    expect.arrayContaining([
      ['container-base', [], []],
      ['vm-base', [], []],
    ]),
  );
});

test('a missing image is one error', async () => {
  const result = await weir(['-C', shared.project, 'image', 'diff', 'container-bas', 'vm-base', '--out', shared.out]);
  expectError(result, { exit: 2, says: /no image container-bas/, hint: /container-base/ });
});

test('a release with different package versions fails and keeps the last record', async () => {
  const out = join(await newFolder('lockstep'), 'out');
  await runOk(['cp', '-al', shared.out, out]);
  // Another test file may be building in the shared folder.
  await rm(join(out, '.lock'), { force: true });
  const before = await readFile(join(out, 'release.json'), 'utf8');
  // As if the machine had been made from a repository with two versions of bash in it.
  const file = join(out, 'images', 'vm-base', 'image.json');
  const record = await imageRecord('vm-base');
  const packages = record.packages.map((pkg) => (pkg.name === 'bash' ? { ...pkg, release: '99' } : pkg));
  await rm(file);
  await writeFile(file, JSON.stringify({ ...record, packages }));
  const result = await weir(['-C', shared.project, 'build', '--image', 'container-base', '--out', out]);
  expectError(result, {
    exit: 1,
    says: /hold different versions of bash$/,
    details: /^ {2}bash: \S+-\d+ in container-base(, \S+)*; \S+-99 in vm-base$/m,
    hint: /without a version/,
  });
  expect(await readFile(join(out, 'release.json'), 'utf8')).toBe(before);
});
