import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { readTar } from '../../src/archive/tar.ts';
import { sha256 } from '../../src/base/digest.ts';
import { openStore, putBytes, type Store } from '../../src/engine/store.ts';
import { addOciImage, type OciOptions, ociArtifact, ociConfig, writeOciIndex } from '../../src/image/oci.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { storedGzip } from './stored-gzip.ts';

let dir: string;
let store: Store;
let tree: Tree;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-oci-'));
  store = await openStore(join(dir, 'store'));
  const base = { mode: 0o755, user: 'root', group: 'root', mtime: 5, packages: [] };
  tree = {
    packages: [],
    entries: [
      { ...base, kind: 'directory', path: '/' },
      { ...base, kind: 'file', path: '/hello', ...(await putBytes(store, 'hello')) },
    ],
  };
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const options: OciOptions = {
  architecture: 'amd64',
  settings: { entrypoint: [], cmd: ['/bin/sh'], env: { LANG: 'C' }, labels: {} },
  annotations: { 'org.opencontainers.image.version': '4.0' },
  sourceOf: (name) => name,
  epoch: 1_790_000_000,
  gzip: storedGzip,
};

describe('an OCI layout', () => {
  test('every digest and size is right, and everything is reachable from the index', async () => {
    const layout = join(dir, 'one');
    const image = await addOciImage(store, layout, tree, options);
    await writeOciIndex(layout, '4.0', [image.manifest]);
    expect(JSON.parse(await readFile(join(layout, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });

    const seen = new Set<string>();
    const read = async (descriptor: { digest: string; size: number }): Promise<Buffer> => {
      const bytes = await readFile(join(layout, 'blobs', descriptor.digest.replace(':', '/')));
      expect(`sha256:${sha256(bytes)}`).toBe(descriptor.digest);
      expect(bytes.length).toBe(descriptor.size);
      seen.add(descriptor.digest.slice(7));
      return bytes;
    };
    const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'));
    expect(index.manifests[0].annotations).toEqual({ 'org.opencontainers.image.ref.name': '4.0' });
    expect(index.manifests[0].platform).toEqual({ os: 'linux', architecture: 'amd64' });
    const manifest = JSON.parse((await read(index.manifests[0])).toString());
    expect(manifest.annotations).toEqual({
      'org.opencontainers.image.created': '2026-09-21T14:13:20Z',
      'org.opencontainers.image.version': '4.0',
    });
    const config = JSON.parse((await read(manifest.config)).toString());
    const layer = gunzipSync(await read(manifest.layers[0]));
    expect(config.rootfs.diff_ids).toEqual([`sha256:${sha256(layer)}`]);
    expect([...readTar(bytesReader(layer))].map(({ path }) => path)).toEqual(['', 'hello']);
    expect(new Set(await readdir(join(layout, 'blobs/sha256')))).toEqual(seen);
  });

  test('two platforms share one name through an index', async () => {
    const layout = join(dir, 'two');
    const images = [];
    for (const architecture of ['amd64', 'arm64'] as const) {
      images.push((await addOciImage(store, layout, tree, { ...options, architecture })).manifest);
    }
    const named = await writeOciIndex(layout, 'latest', images);
    const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'));
    expect(index.manifests).toHaveLength(1);
    expect(index.manifests[0].digest).toBe(named.digest);
    const inner = JSON.parse(await readFile(join(layout, 'blobs', named.digest.replace(':', '/')), 'utf8'));
    expect(inner.manifests.map((entry: { platform: unknown }) => entry.platform)).toEqual([
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ]);
  });

  test('an unreadable tree is an error and leaves no blob', async () => {
    const layout = join(dir, 'bad');
    const lost = { ...tree.entries[1]!, digest: sha256('never stored') } as Tree['entries'][number];
    const bad = { ...tree, entries: [tree.entries[0]!, lost] };
    await expect(addOciImage(store, layout, bad, options)).rejects.toMatchObject({ code: 'missing-blob' });
    expect(await readdir(join(layout, 'blobs/sha256'))).toEqual([]);
  });
});

test('an artifact refers to its image and its own bytes', () => {
  const image = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: 'sha256:00' as const, size: 5 };
  const platform = { os: 'linux', architecture: 'amd64' } as const;
  const made = ociArtifact({ ...image, platform }, { artifactType: 'application/spdx+json', data: '{"a":1}' });
  for (const { descriptor, bytes } of made.blobs) {
    expect(descriptor).toMatchObject({ digest: `sha256:${sha256(bytes)}`, size: bytes.length });
  }
  const manifest = JSON.parse(Buffer.from(made.blobs.at(-1)!.bytes).toString());
  expect(made.manifest).toEqual({ ...made.blobs.at(-1)!.descriptor, artifactType: 'application/spdx+json' });
  expect(manifest).toMatchObject({ artifactType: 'application/spdx+json', subject: image });
  expect(made.blobs.map(({ descriptor }) => descriptor.digest)).toEqual([
    manifest.config.digest,
    manifest.layers[0].digest,
    made.manifest.digest,
  ]);
});

test('the configuration omits unset values', () => {
  expect(ociConfig(options, [{ title: 'bash', diffId: 'sha256:x' }])).toEqual({
    created: '2026-09-21T14:13:20Z',
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['LANG=C', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin'], Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: ['sha256:x'] },
    history: [{ created: '2026-09-21T14:13:20Z', created_by: 'weir: bash' }],
  });
});
