import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileDigest, sha256 } from '../src/base/digest.ts';
import { openStore, type Store } from '../src/engine/store.ts';
import { addOciImage } from '../src/image/oci.ts';
import { treeTar } from '../src/tree/tar.ts';
import { epoch, goldenPackage, goldenStatement, goldenTree } from './golden-inputs.ts';
import { storedGzip } from './image/stored-gzip.ts';
import { writeRpm } from './rpm/write-rpm.ts';

// Bytes that must be the same on every Node, processor and host. Where one of these changes although nobody meant it to, all that
// was published is about to change. Where it was meant, the new digest is written here and CHANGELOG.md says so. What the
// toolbox's tools write is in e2e/golden-bytes.test.ts.

let dir: string;
let store: Store;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-golden-'));
  store = await openStore(join(dir, 'store'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('the tar of a tree', async () => {
  const tree = await goldenTree(store);
  const options = { epoch, xattrs: { capabilities: true } };
  expect(sha256(await buffer(treeTar(store, tree, options)))).toBe(
    '8e7b1fdceeb06c0957cf5c8b0180bee0a948d87f6be58120a41cc2877d9118ec',
  );
});

test('an OCI image, its layer stored and not compressed', async () => {
  const layout = join(dir, 'oci');
  const { manifest, config } = await addOciImage(store, layout, await goldenTree(store), {
    architecture: 'amd64',
    settings: { entrypoint: ['/usr/bin/ping'], cmd: [], env: { LANG: 'C' }, labels: { a: 'b' }, user: '65532' },
    annotations: { 'org.opencontainers.image.version': '4.0' },
    sourceOf: (name) => name,
    epoch,
    gzip: storedGzip,
  });
  expect(manifest.digest).toBe('sha256:2a393bb4a57d3b26b653a84bdd2c59179d031796fbf3b7f54864fcf55335d47b');
  expect(config.digest).toBe('sha256:856d058841fb9ab426e21f5bafea8929ea324eb73aca3f55bbc06129f8416e5d');
});

test('a package of the seed, with the zstd of this Node', async () => {
  const file = join(dir, 'golden.rpm');
  await writeRpm(file, goldenPackage);
  // A build packs with the toolbox's zstd, which gives these bytes too (e2e/golden-bytes.test.ts); another zstd may give others.
  const known: Readonly<Record<string, string>> = {
    '1.5.7': 'a1fc96888bd3d04e736b947ac9d1775a3f0cc4257dc3c16dbaba12d146e75267',
  };
  const version = process.versions.zstd!;
  const bytes = await fileDigest(file);
  expect({ [version]: bytes }, `add the digest for zstd ${version}`).toEqual({ [version]: known[version] });
});

test('a statement of provenance', () => {
  expect(sha256(goldenStatement())).toBe('f36d92ce7f601cf1930dd6ac10ffdd0f00b8233970c15b189a1f9dfb1b4d2727');
});
