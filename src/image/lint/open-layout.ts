import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { fileReader, type ReadAt } from '../../archive/read-at.ts';
import { sha256 } from '../../base/digest.ts';
import { systemCode, WeirError } from '../../base/errors.ts';
import type { OpenImage } from './container-facts.ts';
import { tarFiles, tarProblem } from './tar-files.ts';

// All shapes are those of the OCI Image Format Specification 1.1; what another tool wrote may lack anything.

interface Descriptor {
  readonly mediaType?: string;
  readonly digest?: string;
  readonly size?: number;
  readonly platform?: { readonly os?: string; readonly architecture?: string; readonly variant?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly mediaType?: string;
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly artifactType?: string;
  readonly subject?: Descriptor;
}

interface Config {
  readonly architecture?: string;
  readonly os?: string;
  readonly config?: { readonly Labels?: Readonly<Record<string, string>>; readonly User?: string };
  readonly rootfs?: { readonly diff_ids?: readonly string[] };
}

type Problem = OpenImage['problems'][number];

/**
 * Opens each image of an OCI layout folder, one a platform, for the time of `work`; what belongs to images, such as SBOMs,
 * is left out. @param scratch a folder of its own, for the layers unpacked
 * @throws WeirError `unknown-format` where the folder is no layout
 */
export async function withImages<T>(
  layout: string,
  scratch: string,
  work: (image: OpenImage) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  const named = await findImages(layout, { digest: '', annotations: {} }, await layoutIndex(layout));
  for (const [index, { name, manifest, problems }] of named.entries()) {
    const close: (() => Promise<void>)[] = [];
    try {
      results.push(
        await work(await openImage(layout, join(scratch, `image-${index}`), name, manifest, problems, close)),
      );
    } finally {
      for (const each of close) await each();
    }
  }
  return results;
}

async function layoutIndex(layout: string): Promise<Manifest> {
  try {
    const marker = JSON.parse(await readFile(join(layout, 'oci-layout'), 'utf8')) as { imageLayoutVersion?: string };
    if (marker.imageLayoutVersion === '1.0.0')
      return JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as Manifest;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && !(error instanceof SyntaxError)) throw error;
  }
  throw new WeirError('unknown-format', 'the folder holds no OCI layout', {
    where: { file: layout },
    hint: 'it must have the files oci-layout (version 1.0.0) and index.json',
    exit: 2,
  });
}

interface Found {
  readonly name: string;
  readonly manifest: Manifest;
  readonly problems: Problem[];
}

async function findImages(layout: string, from: Descriptor, index: Manifest): Promise<Found[]> {
  const found: Found[] = [];
  for (const descriptor of index.manifests ?? []) {
    const name =
      descriptor.annotations?.['org.opencontainers.image.ref.name'] ??
      from.annotations?.['org.opencontainers.image.ref.name'] ??
      '';
    const { os, architecture, variant } = descriptor.platform ?? {};
    const platform = [os, architecture, variant].filter((part) => part !== undefined).join('/');
    const problems: Problem[] = [];
    const manifest = (await jsonBlob<Manifest>(layout, descriptor, problems)) ?? {};
    if (manifest.subject !== undefined || manifest.artifactType !== undefined) continue;
    if (manifest.manifests === undefined)
      found.push({ name: [name, platform].filter((part) => part !== '').join(' '), manifest, problems });
    else
      found.push(
        ...(await findImages(layout, { annotations: { 'org.opencontainers.image.ref.name': name } }, manifest)),
      );
  }
  return found;
}

function blobFile(layout: string, descriptor: Descriptor): string | undefined {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(descriptor.digest ?? '')?.[1];
  return hex === undefined ? undefined : join(layout, 'blobs', 'sha256', hex);
}

async function jsonBlob<T>(layout: string, descriptor: Descriptor, problems: Problem[]): Promise<T | undefined> {
  const where = descriptor.digest ?? 'a blob without a digest';
  try {
    const data = await readFile(blobFile(layout, descriptor) ?? '');
    if (`sha256:${sha256(data)}` !== descriptor.digest)
      problems.push({ message: 'its content has another digest', where });
    if (data.length !== descriptor.size)
      problems.push({ message: `it has ${data.length} bytes, not ${descriptor.size}`, where });
    return JSON.parse(data.toString('utf8')) as T;
  } catch (error) {
    if (!(error instanceof SyntaxError) && systemCode(error) !== 'ENOENT') throw error;
    problems.push({ message: error instanceof SyntaxError ? 'it is no JSON' : 'there is no such blob', where });
    return undefined;
  }
}

async function openImage(
  layout: string,
  scratch: string,
  name: string,
  manifest: Manifest,
  problems: Problem[],
  close: (() => Promise<void>)[],
): Promise<OpenImage> {
  const config = (await jsonBlob<Config>(layout, manifest.config ?? {}, problems)) ?? {};
  const diffIds = config.rootfs?.diff_ids ?? [];
  const layers = manifest.layers ?? [];
  if (diffIds.length !== layers.length) {
    const message = `the configuration has ${diffIds.length} layers, the manifest ${layers.length}`;
    problems.push({ message, where: manifest.config?.digest ?? 'config' });
  }
  const readers: ReadAt[] = [];
  for (const [index, layer] of layers.entries()) {
    const unpacked = `${scratch}-layer-${index}.tar`;
    const read = await unpackLayer(layout, layer, diffIds[index], unpacked, problems);
    if (!read) continue;
    const handle = await open(unpacked);
    close.push(() => handle.close());
    const reader = fileReader(handle.fd);
    const problem = tarProblem(reader);
    if (problem === undefined) readers.push(reader);
    else problems.push({ message: problem, where: layer.digest ?? 'a layer' });
  }
  const platform = [config.os, config.architecture].filter((part) => part !== undefined).join('/');
  return {
    name: name === '' ? platform : name,
    problems,
    labels: config.config?.Labels ?? {},
    user: config.config?.User ?? '',
    root: tarFiles(readers),
  };
}

/** Unpacks a layer and checks both its digests. @returns whether there is something to read */
async function unpackLayer(
  layout: string,
  layer: Descriptor,
  diffId: string | undefined,
  to: string,
  problems: Problem[],
): Promise<boolean> {
  const where = layer.digest ?? 'a layer without a digest';
  const file = blobFile(layout, layer);
  const size = file === undefined ? undefined : await sizeOf(file);
  if (file === undefined || size === undefined) {
    problems.push({ message: 'there is no such blob', where });
    return false;
  }
  if (size !== layer.size) problems.push({ message: `it has ${size} bytes, not ${layer.size}`, where });
  const packed = createHash('sha256');
  const plain = createHash('sha256');
  const hashing = (hash: typeof packed): Transform =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
  const type = layer.mediaType ?? '';
  const unpack = /gzip$/.test(type) ? [createGunzip()] : /zstd$/.test(type) ? [createZstdDecompress()] : [];
  try {
    await pipeline([createReadStream(file), hashing(packed), ...unpack, hashing(plain), createWriteStream(to)]);
  } catch (error) {
    if (!/^Z_|^ZSTD_/.test(systemCode(error) ?? '')) throw error;
    problems.push({ message: 'it does not decompress', where });
    return false;
  }
  if (`sha256:${packed.digest('hex')}` !== layer.digest)
    problems.push({ message: 'its content has another digest', where });
  if (`sha256:${plain.digest('hex')}` !== diffId) {
    problems.push({ message: `unpacked it is not what the configuration says (${diffId ?? 'nothing'})`, where });
  }
  return true;
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
}
