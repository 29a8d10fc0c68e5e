import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { fileReader } from '../archive/read-at.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { atMost } from './expansion.ts';
import { type Algorithm, algorithmOf, type Blob, type Descriptor, findBlob, type Problem } from './layout-json.ts';
import type { RootBuilder } from './root-builder.ts';
import { isBlindness } from './rule.ts';
import { addTar } from './tar-files.ts';

/** A layer of an image in a layout folder. */
export interface LayerSource {
  readonly layout: string;
  readonly layer: Descriptor;
  /** Digest of the uncompressed layer, from the configuration. */
  readonly diffId: string | undefined;
  /** File to decompress it to. */
  readonly to: string;
}

/**
 * Adds a layer on top of the earlier ones, with both digests checked. The archive stays open until `close` is called, because
 * contents are read on demand. @returns whether the whole layer was added; if not, `problems` has the reason
 */
export async function addLayer(
  builder: RootBuilder,
  source: LayerSource,
  problems: Problem[],
  close: (() => Promise<void>)[],
): Promise<boolean> {
  const { layout, layer, to } = source;
  const where = layer.digest ?? 'a layer without a digest';
  const blob = await findBlob(layout, layer, problems);
  if (blob === undefined) return false;
  const unpacked = await unpack(blob, source, where, problems);
  if (!unpacked) return false;
  const handle = await open(to);
  close.push(() => handle.close());
  try {
    addTar(builder, fileReader(handle.fd), { whiteouts: true });
    return true;
  } catch (error) {
    if (!isBlindness(error)) throw error;
    problems.push({ message: error.message, where });
    return false;
  }
}

type Decompressor = () => NodeJS.ReadWriteStream;

/** By the suffix of the media type: OCI uses `+gzip`, Docker `.gzip`. */
const decompressors: readonly (readonly [RegExp, readonly Decompressor[]])[] = [
  [/\.tar$/, []],
  [/\.tar[+.]gzip$/, [createGunzip]],
  [/\.tar[+.]zstd$/, [createZstdDecompress]],
];

async function unpack(
  blob: Blob,
  { layer, diffId, to }: LayerSource,
  where: string,
  problems: Problem[],
): Promise<boolean> {
  const type = layer.mediaType ?? '';
  const way = decompressors.find(([pattern]) => pattern.test(type))?.[1];
  if (way === undefined) {
    problems.push({
      message: `unsupported layer type ${type || '(none)'}`,
      where,
      unchecked: true,
    });
    return false;
  }
  const plainAlgorithm = algorithmOf(diffId) ?? 'sha256';
  const packed = hashing(blob.algorithm);
  const plain = hashing(plainAlgorithm);
  try {
    await pipeline([
      createReadStream(blob.path),
      packed.stream,
      ...way.map((make) => make()),
      atMost(),
      plain.stream,
      createWriteStream(to),
    ]);
  } catch (error) {
    if (error instanceof WeirError && error.code === 'too-large') {
      problems.push({ message: error.message, where, unchecked: true });
      return false;
    }
    if (!/^Z_|^ZSTD_/.test(systemCode(error) ?? '')) throw error;
    problems.push({ message: 'it cannot be decompressed', where });
    return false;
  }
  if (`${blob.algorithm}:${packed.digest()}` !== layer.digest) {
    problems.push({ message: 'its content does not match its digest', where });
  }
  if (`${plainAlgorithm}:${plain.digest()}` !== diffId) {
    problems.push({
      message: `its decompressed content does not match the configuration (${diffId ?? 'no digest'})`,
      where,
    });
  }
  return true;
}

/** Hashes the stream that passes through. */
function hashing(algorithm: Algorithm): { readonly stream: Transform; readonly digest: () => string } {
  const hash = createHash(algorithm);
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  return { stream, digest: () => hash.digest('hex') };
}
