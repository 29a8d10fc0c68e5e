import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { WeirError } from '../../src/base/errors.ts';
import { isAttestation } from '../../src/image/oci-entry.ts';
import type { OpenImage } from '../../src/lint/container-facts.ts';
import { withImages } from '../../src/lint/open-layout.ts';
import { tar } from './tar.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-layout-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  statement: 'application/vnd.in-toto+json',
};

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** A layout folder for blobs. */
class Layout {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
  async put(mediaType: string, data: Buffer): Promise<Descriptor> {
    const digest = sha256(data);
    await writeFile(join(this.path, 'blobs/sha256', digest), data);
    return { mediaType, digest: `sha256:${digest}`, size: data.length };
  }
  json(mediaType: string, value: unknown): Promise<Descriptor> {
    return this.put(mediaType, Buffer.from(JSON.stringify(value)));
  }
  async image(mediaType = types.layer): Promise<Descriptor> {
    const plain = tar({ '/etc/x': 'y' });
    const layer = { ...(await this.put(types.layer, gzipSync(plain))), mediaType };
    const diffIds = [`sha256:${sha256(plain)}`];
    const config = await this.json(types.config, { os: 'linux', architecture: 'amd64', rootfs: { diff_ids: diffIds } });
    return this.json(types.manifest, { schemaVersion: 2, config, layers: [layer] });
  }
  async open(index: unknown): Promise<OpenImage[]> {
    await writeFile(join(this.path, 'index.json'), typeof index === 'string' ? index : JSON.stringify(index));
    return withImages(this.path, await mkdtemp(join(folder, 'scratch-')), async (image) => image);
  }
}

async function newLayout(): Promise<Layout> {
  const path = await mkdtemp(join(folder, 'layout-'));
  await mkdir(join(path, 'blobs/sha256'), { recursive: true });
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return new Layout(path);
}

const said = (images: readonly OpenImage[]): string[] =>
  images.flatMap(({ problems }) => problems.map(({ where, message }) => `${where}: ${message}`));

describe('attestations of BuildKit', () => {
  const platform = { os: 'unknown', architecture: 'unknown' };
  const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' };
  const attestation = async (layout: Layout): Promise<Descriptor> => {
    const statement = await layout.json(types.statement, { _type: 'https://in-toto.io/Statement/v0.1' });
    const config = await layout.json(types.config, platform);
    return layout.json(types.manifest, { schemaVersion: 2, config, layers: [statement] });
  };

  test('are not images, by either marker', async () => {
    for (const mark of [{ platform, annotations }, { platform }, { annotations }]) {
      expect(isAttestation(mark)).toBe(true);
      const layout = await newLayout();
      const manifests = [await layout.image(), { ...(await attestation(layout)), ...mark }];
      const inner = await layout.json(types.index, { schemaVersion: 2, manifests });
      const images = await layout.open({ schemaVersion: 2, manifests: [inner] });
      expect(images.map(({ name }) => name)).toEqual(['linux/amd64']);
      expect(said(images)).toEqual([]);
    }
    expect(isAttestation({})).toBe(false);
    expect(isAttestation({ platform: { os: 'linux', architecture: 'unknown' }, annotations: {} })).toBe(false);
  });
  test('a manifest with the layers of an image is one despite such a marker', async () => {
    const layout = await newLayout();
    const hidden = { ...(await layout.image()), platform, annotations };
    expect(await layout.open({ manifests: [hidden] })).toHaveLength(1);
  });
});

describe('indexes', () => {
  test('one that contains itself, and too deeply nested ones, are errors at once', async () => {
    const layout = await newLayout();
    const own = `sha256:${'a'.repeat(64)}`;
    const entry = { mediaType: types.index, digest: own, size: 5 };
    await writeFile(join(layout.path, 'blobs/sha256', 'a'.repeat(64)), JSON.stringify({ manifests: [entry, entry] }));
    const images = await layout.open({ manifests: [entry] });
    expect(said(images)).toContain(`${own}: the index names itself`);
    expect(() => images[0]!.root()).toThrow(expect.objectContaining({ code: 'unreadable' }));
    let deep = await layout.image();
    for (let depth = 0; depth < 12; depth++) deep = await layout.json(types.index, { depth, manifests: [deep, deep] });
    expect(said(await layout.open({ manifests: [deep] })).join()).toMatch(/more than 8 nested indexes/);
  });
  test('an image named several times is checked once, and images above the limit are not checked', async () => {
    const layout = await newLayout();
    const image = await layout.image();
    expect(await layout.open({ manifests: Array.from({ length: 50 }, () => image) })).toHaveLength(1);
    const none = await layout.open({ manifests: Array.from({ length: 5000 }, () => null) });
    expect(none).toHaveLength(257);
    expect(none.at(-1)!.problems[0]).toMatchObject({ unchecked: true });
  });
  test('a layout without an image is reported and does not pass', async () => {
    const layout = await newLayout();
    for (const manifests of [[], null]) {
      await expect(layout.open({ manifests })).rejects.toMatchObject({ code: 'unknown-format', exit: 2 });
    }
  });
});

describe('invalid JSON', () => {
  const odd = fc.oneof(
    ...[fc.constant(null), fc.integer(), fc.string(), fc.boolean(), fc.constant([]), fc.constant({})],
    ...[fc.constant([null]), fc.constant([[1]]), fc.constant({ a: null })],
  );
  test.each([
    ['null', 'index.json'],
    ['[]', 'index.json'],
    ['5', 'index.json'],
    ['{"manifests": 5}', 'index.json'],
    ['{', 'index.json'],
    ['{"manifests": [null]}', 'index.json: manifests.0'],
    ['{"manifests": [{"digest": 5}]}', 'index.json: manifests.0'],
    ['{"manifests": [{"annotations": {"a": 5}}]}', 'index.json: manifests.0'],
  ])('index.json is %s: reported with its place', async (text, where) => {
    const images = await (await newLayout()).open(text);
    expect(images[0]!.problems[0]!.where).toBe(where);
    expect(() => images[0]!.root()).toThrow(expect.objectContaining({ code: 'unreadable' }));
  });
  test('anywhere in a manifest or configuration it is a problem or a WeirError, never a JavaScript error', async () => {
    const layout = await newLayout();
    const good = await layout.image();
    const places = ['config', 'layers', 'manifests', 'annotations', 'subject', 'artifactType'];
    const inConfig = ['os', 'architecture', 'config', 'rootfs'];
    await fc.assert(
      fc.asyncProperty(odd, fc.constantFrom(...places), fc.constantFrom(...inConfig), async (value, place, other) => {
        const config = await layout.json(types.config, { rootfs: { diff_ids: [] }, [other]: value });
        const image = await layout.json(types.manifest, { config, layers: [], [place]: value });
        const whole = await layout.json(types.manifest, value);
        const manifests = [image, whole, good, { ...good, platform: value }, value];
        const opened = await layout.open({ manifests }).catch((error: unknown) => {
          expect(error).toBeInstanceOf(WeirError);
          return [];
        });
        for (const each of opened) expect(typeof each.name).toBe('string');
      }),
      { numRuns: 60 },
    );
  });
  test('an invalid marker is not a layout', async () => {
    const layout = await newLayout();
    for (const marker of ['null', '[]', '5', '{"imageLayoutVersion": 1}', '{']) {
      await writeFile(join(layout.path, 'oci-layout'), marker);
      await expect(layout.open({})).rejects.toMatchObject({ code: 'unknown-format', exit: 2 });
    }
  });
  test('a blob that is a folder is missing', async () => {
    const layout = await newLayout();
    await mkdir(join(layout.path, 'blobs/sha256', 'b'.repeat(64)));
    const entry = { mediaType: types.manifest, digest: `sha256:${'b'.repeat(64)}`, size: 1 };
    expect(said(await layout.open({ manifests: [entry] }))).toEqual([`${entry.digest}: no such blob`]);
  });
  test('digests of other algorithms are verified, too', async () => {
    const layout = await newLayout();
    const entry = { mediaType: types.manifest, digest: `sha512:${'c'.repeat(128)}`, size: 2 };
    await mkdir(join(layout.path, 'blobs/sha512'));
    await writeFile(join(layout.path, 'blobs/sha512', 'c'.repeat(128)), '{}');
    expect(said(await layout.open({ manifests: [entry] }))).toContain(
      `${entry.digest}: its content does not match its digest`,
    );
  });
});
