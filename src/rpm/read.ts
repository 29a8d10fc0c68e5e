import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { systemCode, WeirError } from '../base/errors.ts';
import { fileList, parallel } from './file-list.ts';
import {
  type Header,
  headerNumbers,
  headerSize,
  headerText,
  headerTexts,
  introSize,
  parseHeader,
  regions,
} from './header.ts';
import { isPackageWord } from './names.ts';
import { readFileTriggers, readScriptlets, readTriggers } from './scripts.ts';
import { bitsComparison, bitsUses, dependencyTags, digestAlgorithms, preBits, signatureTag, tag } from './tags.ts';
import type { ChangelogEntry, Dependencies, Dependency, RpmPackage } from './types.ts';

/** Size in bytes of the lead; only its magic number is still used. */
export const leadSize = 96;
export const leadMagic = Buffer.from('edabeedb', 'hex');

/** The parsed headers of a package file and their offsets. */
export interface RpmHeaders {
  readonly signature: Header;
  readonly main: Header;
  /** The main header's bytes, which signatures and digests cover. */
  readonly mainBytes: Buffer;
  readonly headerOffset: number;
  readonly payloadOffset: number;
  readonly fileSize: number;
}

/**
 * Reads a package's headers and checks the main header's digests and the file's length; the payload stays on disk.
 * Supports formats 4 and 6 (rpm's docs/manual/format_v4.md, format_v6.md).
 * @throws WeirError `bad-rpm` for a truncated or damaged file, `no-rpm` if the file does not exist
 */
export async function readRpm(path: string): Promise<RpmPackage> {
  return naming(path, async () => describe(await readHeaders(path)));
}

/** Reads only a package's headers, with the checks of `readRpm`. */
export async function readRpmHeaders(path: string): Promise<RpmHeaders> {
  return naming(path, () => readHeaders(path));
}

/**
 * Checks the payload, streaming, against every digest of it in the main header.
 * @throws WeirError `bad-rpm` if one differs, or if there is none (packages older than rpm 4.14)
 */
export async function verifyPayload(path: string): Promise<void> {
  await naming(path, async () => {
    const { main, payloadOffset } = await readHeaders(path);
    const expected = payloadDigests(main);
    if (expected.length === 0) throw new WeirError('bad-rpm', 'the package has no digest of its payload');
    const hashes = expected.map(({ algorithm }) => createHash(algorithm));
    for await (const chunk of createReadStream(path, { start: payloadOffset, highWaterMark: 1 << 20 })) {
      for (const hash of hashes) hash.update(chunk);
    }
    expected.forEach(({ algorithm, digest }, index) => {
      if (hashes[index]!.digest('hex') !== digest)
        throw new WeirError('bad-rpm', `the payload's ${algorithm} does not match`);
    });
  });
}

function payloadDigests(main: Header): { algorithm: string; digest: string }[] {
  const tags = [
    [tag.payloadSha256, 'sha256'],
    [tag.payloadSha512, 'sha512'],
    [tag.payloadSha3_256, 'sha3-256'],
  ] as const;
  return tags.flatMap(([number, algorithm]) => {
    const digest = headerText(main, number);
    return digest === undefined ? [] : [{ algorithm, digest }];
  });
}

/** Runs `work` and adds the file as the place of its errors. */
export async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw placed(error, path);
  }
}

/** The error with the package file as its place, unless it has a place. */
export function placed(error: unknown, path: string): unknown {
  if (systemCode(error) === 'ENOENT') {
    return new WeirError('no-rpm', 'package file not found', { where: { file: path }, cause: error });
  }
  if (!(error instanceof WeirError) || error.where !== undefined) return error;
  const { code, message, details, exit, hint } = error;
  return new WeirError(code, message, {
    where: { file: path },
    details,
    exit,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

async function readHeaders(path: string): Promise<RpmHeaders> {
  const handle = await open(path, 'r');
  try {
    const fileSize = (await handle.stat()).size;
    // one read covers all headers of most packages
    const start = await readAt(handle, 0, Math.min(fileSize, 1 << 16));
    const at = async (offset: number, length: number): Promise<Buffer> => {
      if (offset + length > fileSize) throw truncated();
      if (offset + length <= start.length) return start.subarray(offset, offset + length);
      return readAt(handle, offset, length);
    };
    if (fileSize < leadSize || !start.subarray(0, 4).equals(leadMagic)) {
      throw new WeirError('bad-rpm', fileSize < leadSize ? 'the file is truncated' : 'this is not an RPM package');
    }
    const signatureLength = headerSize(await at(leadSize, introSize));
    const signature = parseHeader(await at(leadSize, signatureLength), regions.signature);
    const headerOffset = leadSize + Math.ceil(signatureLength / 8) * 8;
    const mainLength = headerSize(await at(headerOffset, introSize));
    const mainBytes = await at(headerOffset, mainLength);
    checkHeaderDigests(signature, mainBytes);
    const main = parseHeader(mainBytes, regions.main);
    const payloadOffset = headerOffset + mainLength;
    checkLength(signature, main, headerOffset, payloadOffset, fileSize);
    return { signature, main, mainBytes, headerOffset, payloadOffset, fileSize };
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) throw truncated();
    done += bytesRead;
  }
  return buffer;
}

function truncated(): WeirError {
  return new WeirError('bad-rpm', 'the package file is truncated', { hint: 'download or build it again' });
}

function checkHeaderDigests(signature: Header, main: Buffer): void {
  const checks = [
    [signatureTag.sha256, 'sha256'],
    [signatureTag.sha3_256, 'sha3-256'],
    [signatureTag.sha1, 'sha1'],
  ] as const;
  let checked = 0;
  for (const [number, algorithm] of checks) {
    const expected = headerText(signature, number);
    if (expected === undefined) continue;
    checked += 1;
    if (createHash(algorithm).update(main).digest('hex') !== expected) {
      throw new WeirError('bad-rpm', `the header's ${algorithm} does not match`);
    }
  }
  if (checked === 0) throw new WeirError('bad-rpm', 'the package has no digest of its header');
}

function checkLength(
  signature: Header,
  main: Header,
  headerOffset: number,
  payloadOffset: number,
  fileSize: number,
): void {
  const payload = headerNumbers(main, tag.payloadSize)[0];
  // format 4 records the total size of header and payload
  const both = isFormat6(main)
    ? undefined
    : (headerNumbers(signature, signatureTag.longSize)[0] ?? headerNumbers(signature, signatureTag.v4Size)[0]);
  const end = payload !== undefined ? payloadOffset + payload : both !== undefined ? headerOffset + both : undefined;
  if (end === undefined || end === fileSize) return;
  if (end > fileSize) throw truncated();
  throw new WeirError('bad-rpm', `the package file has ${fileSize - end} extra bytes after its end`);
}

function isFormat6(main: Header): boolean {
  return (headerNumbers(main, tag.rpmFormat)[0] ?? 4) >= 6;
}

function describe({ signature, main, mainBytes, headerOffset, payloadOffset, fileSize }: RpmHeaders): RpmPackage {
  const text = (number: number): string => headerText(main, number) ?? '';
  const required = (number: number, what: string): string => {
    const value = headerText(main, number);
    if (value === undefined) throw new WeirError('bad-rpm', `the package has no ${what}`);
    return value;
  };
  const digestNumber = headerNumbers(main, tag.fileDigestAlgo)[0] ?? 1;
  const fileDigestAlgorithm = (digestAlgorithms as Readonly<Record<number, RpmPackage['fileDigestAlgorithm']>>)[
    digestNumber
  ];
  if (fileDigestAlgorithm === undefined) throw new WeirError('bad-rpm', `unknown digest algorithm ${digestNumber}`);
  /** The package's name, version and so on become part of file names. */
  const partOfName = (number: number, what: string): string => {
    const value = required(number, what);
    if (isPackageWord(value)) return value;
    throw new WeirError(
      'bad-rpm',
      `the package's ${what} ${JSON.stringify(value.slice(0, 80))} is not allowed in a file name`,
    );
  };
  return {
    format: isFormat6(main) ? 6 : 4,
    name: partOfName(tag.name, 'name'),
    epoch: headerNumbers(main, tag.epoch)[0] ?? 0,
    version: partOfName(tag.version, 'version'),
    release: partOfName(tag.release, 'release'),
    arch: partOfName(tag.arch, 'architecture'),
    summary: text(tag.summary),
    description: text(tag.description),
    license: text(tag.license),
    group: text(tag.group),
    url: text(tag.url),
    vendor: text(tag.vendor),
    packager: text(tag.packager),
    vcs: text(tag.vcs),
    bugUrl: text(tag.bugUrl),
    buildHost: text(tag.buildHost),
    sourceRpm: text(tag.sourceRpm),
    isSource: main.has(tag.sourcePackage) || !main.has(tag.sourceRpm),
    buildTime: headerNumbers(main, tag.buildTime)[0] ?? 0,
    size: headerNumbers(main, tag.longSize)[0] ?? headerNumbers(main, tag.size)[0] ?? 0,
    ...dependencies(main),
    files: fileList(main),
    fileDigestAlgorithm,
    scriptlets: readScriptlets(main),
    triggers: readTriggers(main),
    fileTriggers: [...readFileTriggers(main, 'file'), ...readFileTriggers(main, 'trans')],
    changelog: changelog(main),
    headerOffset,
    payloadOffset,
    fileSize,
    payloadUnpackedSize: headerNumbers(main, tag.payloadSizeAlt)[0],
    payloadCompressor: headerText(main, tag.payloadCompressor) ?? 'none',
    payloadDigest: headerText(main, tag.payloadSha256),
    payloadDigest512: headerText(main, tag.payloadSha512),
    headerDigest: createHash('sha256').update(mainBytes).digest('hex'),
    signed: isSigned(signature, isFormat6(main)),
  };
}

function isSigned(signature: Header, format6: boolean): boolean {
  const numbers: number[] = [signatureTag.openPgp, signatureTag.rsa, signatureTag.dsa];
  if (!format6) numbers.push(signatureTag.v4Pgp, signatureTag.v4Gpg);
  return numbers.some((number) => signature.has(number));
}

function dependencies(main: Header): Dependencies {
  const list = (kind: keyof Dependencies): Dependency[] => {
    const tags = dependencyTags[kind];
    const names = headerTexts(main, tags.name);
    if (names.length === 0) return [];
    const versions = parallel(headerTexts(main, tags.version), names.length, `versions of ${kind}`);
    const flags = parallel(headerNumbers(main, tags.flags), names.length, `flags of ${kind}`);
    return names.map((name, index) => dependency(name, versions[index]!, flags[index]!));
  };
  return {
    provides: list('provides'),
    requires: list('requires'),
    conflicts: list('conflicts'),
    obsoletes: list('obsoletes'),
    recommends: list('recommends'),
    suggests: list('suggests'),
    supplements: list('supplements'),
    enhances: list('enhances'),
  };
}

function dependency(name: string, evr: string, bits: number): Dependency {
  const flags = evr === '' ? '' : bitsComparison(bits);
  const uses = bitsUses(bits);
  return {
    name,
    flags,
    ...(flags === '' ? {} : { evr }),
    ...((bits & preBits) === 0 ? {} : { pre: true }),
    ...(uses.length === 0 ? {} : { uses }),
  };
}

function changelog(main: Header): ChangelogEntry[] {
  const times = headerNumbers(main, tag.changelogTime);
  const authors = parallel(headerTexts(main, tag.changelogName), times.length, 'authors of changes');
  const texts = parallel(headerTexts(main, tag.changelogText), times.length, 'texts of changes');
  return times.map((time, index) => ({ time, author: authors[index]!, text: texts[index]! }));
}
