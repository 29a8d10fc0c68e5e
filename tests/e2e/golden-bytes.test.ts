import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { fileDigest, sha256 } from '../../src/base/digest.ts';
import { openStore } from '../../src/engine/store.ts';
import { makeSparse } from '../../src/image/disk.ts';
import { makeExt4 } from '../../src/image/ext4.ts';
import { gzipBy } from '../../src/image/gzip.ts';
import { addOciImage } from '../../src/image/oci.ts';
import { zstdOf } from '../../src/toolbox/zstd.ts';
import { epoch, goldenPackage, goldenTree, words } from '../golden-inputs.ts';
import { writeRpm } from '../rpm/write-rpm.ts';
import { newFolder, tools } from './weir.ts';

// As tests/golden-bytes.test.ts, for what the toolbox's tools write: they change with toolbox.lock, and with nothing else.

test('a gzipped stream in any chunks, and an OCI image', async () => {
  const gzip = gzipBy(await tools());
  const dir = await newFolder('golden');
  const text = words(3_000_000);
  for (const size of [text.length, 65_537, 1_000_003]) {
    const parts: Buffer[] = [];
    for (let at = 0; at < text.length; at += size) parts.push(text.subarray(at, at + size));
    await gzip(Readable.from(parts), join(dir, 'words.gz'));
    expect(await fileDigest(join(dir, 'words.gz'))).toBe(
      '8577ef3f297c988b61bdcc73a4f3dd4144fd8a50e61dda01f15b75b37975b6c0',
    );
  }
  const store = await openStore(join(dir, 'store'));
  const { manifest } = await addOciImage(store, join(dir, 'oci'), await goldenTree(store), {
    architecture: 'amd64',
    settings: { entrypoint: [], cmd: ['/bin/sh'], env: {}, labels: {} },
    annotations: {},
    sourceOf: (name) => name,
    epoch,
    gzip,
  });
  expect(manifest.digest).toBe('sha256:49c60759aa51723e0ab0a6261008a4ec3c136f60e95a5a38c7698fa984a797a7');
});

test('a package of the seed', async () => {
  const dir = await newFolder('golden');
  const file = join(dir, 'golden.rpm');
  await writeRpm(file, goldenPackage, join(dir, 'payload'), zstdOf(await tools()));
  expect(await fileDigest(file)).toBe('a1fc96888bd3d04e736b947ac9d1775a3f0cc4257dc3c16dbaba12d146e75267');
});

test('an ext4 with owners, labels and capabilities', async () => {
  const dir = await newFolder('golden');
  const store = await openStore(join(dir, 'store'));
  const tree = await goldenTree(store);
  const label = 'system_u:object_r:bin_t:s0';
  const labelled = { ...tree, entries: tree.entries.map((entry) => ({ ...entry, label })) };
  const size = 160 << 20;
  const file = join(dir, 'root.ext4');
  await makeSparse(file, size);
  await makeExt4(await tools(), store, labelled, { file, offset: 0, size }, join(dir, 'work'), {
    label: 'root',
    uuid: 'b4a9a9c0-0000-4000-8000-000000000001',
    uuidSeed: sha256('golden'),
    epoch,
    selinux: true,
  });
  expect(await fileDigest(file)).toBe('0ea41da43f0d465343cd895836ea011ae6496b72b98888745abf5d058cfd83ea');
});
