import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { fileDigest } from '../../src/base/digest.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { blobFile, layout, readConfig, readIndex, readManifest, startContainer, unpackContainer } from './container.ts';
import { filesBelow, imageRecord, newFolder, tools } from './weir.ts';

describe('the OCI layout', () => {
  test('states its version, and its index names one image per platform', async () => {
    expect(JSON.parse(await readFile(join(layout, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });
    const index = await readIndex();
    expect(index).toMatchObject({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json' });
    expect(index.manifests).toHaveLength(1);
    expect(index.manifests[0]).toMatchObject({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      platform: { os: 'linux', architecture: 'amd64' },
      annotations: { 'org.opencontainers.image.ref.name': expect.any(String) },
    });
  });

  test('has exactly the blobs that it names, with their size and digest', async () => {
    const manifest = await readManifest();
    const named = [...(await readIndex()).manifests, manifest.config, ...manifest.layers];
    for (const { digest, size } of named) {
      expect((await stat(blobFile(digest))).size).toBe(size);
      expect(`sha256:${await fileDigest(blobFile(digest))}`).toBe(digest);
    }
    expect(await filesBelow(join(layout, 'blobs', 'sha256'))).toEqual(
      named.map(({ digest }) => digest.slice(7)).sort(),
    );
  });

  test("the configuration's diff_ids are the digests of the unpacked layers", async () => {
    const hashes: string[] = [];
    for (const layer of (await readManifest()).layers) {
      const hash = createHash('sha256');
      await pipeline(createReadStream(blobFile(layer.digest)), createGunzip(), hash);
      hashes.push(`sha256:${hash.digest('hex')}`);
    }
    expect((await readConfig()).rootfs.diff_ids).toEqual(hashes);
  });
});

describe('other tools', () => {
  let toolbox: Toolbox;
  beforeAll(async () => {
    toolbox = await tools('test');
  });

  test('skopeo inspects the image', async () => {
    const { stdout } = await runTool(toolbox, {
      argv: ['skopeo', 'inspect', `oci:${layout}`],
      binds: [{ from: layout }],
    });
    const manifest = await readManifest();
    expect(JSON.parse(stdout)).toMatchObject({
      Architecture: 'amd64',
      Os: 'linux',
      Digest: (await readIndex()).manifests[0]!.digest,
      Layers: manifest.layers.map((layer) => layer.digest),
      Labels: { 'org.opencontainers.image.title': 'Weir Linux' },
    });
  });

  test('skopeo copies it, and the copy has the same digests', async () => {
    const dir = await newFolder('skopeo');
    const binds = [{ from: layout }, { from: dir, writable: true }];
    const copy = ['skopeo', 'copy', '--insecure-policy', '--tmpdir', dir];
    await runTool(toolbox, { argv: [...copy, `oci:${layout}`, `oci:${join(dir, 'copy')}:again`], binds });
    const blobs = join(dir, 'copy', 'blobs', 'sha256');
    expect(await filesBelow(blobs)).toEqual(await filesBelow(join(layout, 'blobs', 'sha256')));
    await runTool(toolbox, {
      argv: [...copy, `oci:${layout}`, `docker-archive:${join(dir, 'archive.tar')}:weir:4.0`],
      binds,
    });
    expect((await stat(join(dir, 'archive.tar'))).size).toBeGreaterThan(50_000_000);
  });

  test('umoci unpacks it without privileges', async () => {
    const dir = await newFolder('umoci');
    const index = await readIndex();
    const name = index.manifests[0]!.annotations!['org.opencontainers.image.ref.name']!;
    await runTool(toolbox, {
      argv: ['umoci', 'unpack', '--rootless', '--image', `${layout}:${name}`, join(dir, 'bundle')],
      binds: [{ from: layout }, { from: dir, writable: true }],
    });
    const spec = JSON.parse(await readFile(join(dir, 'bundle', 'config.json'), 'utf8'));
    expect(spec.process.args).toEqual((await readConfig()).config.Cmd);
    expect(await readFile(join(dir, 'bundle/rootfs/usr/lib/os-release'), 'utf8')).toContain('VARIANT_ID=');
  });
});

describe('the container runs', () => {
  test('with shell, package database and package manager', async () => {
    const toolbox = await tools();
    const container = await startContainer(toolbox, await unpackContainer(toolbox));
    const script = '. /etc/os-release && echo "$ID $VERSION_ID $IMAGE_ID" && rpm -qa | wc -l && dnf5 --version';
    const said = await container.run(['/bin/bash', '-c', script]);
    expect(said.code, said.stderr).toBe(0);
    const [release, count, dnf] = said.stdout.split('\n');
    expect(release).toBe('weir 4.0 container-base');
    expect(Number(count)).toBe((await imageRecord('container-base')).packages.length);
    expect(dnf).toMatch(/^dnf5 version 5\./);
    // Owners are the unpacker's; content, modes, times and links must all agree.
    const verify = await container.run(['rpm', '-Va', '--nouser', '--nogroup', '--nocaps']);
    expect(verify.stdout).toBe('');
  });
});
