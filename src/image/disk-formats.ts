import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { systemCode } from '../base/errors.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { dataExtents, hashSparse } from './digest.ts';
import { copySparse, rawToQcow2, rawToVhd } from './disk.ts';
import { seededUuid } from './uuid.ts';
import { vhdFooter } from './vhd.ts';
import { rawToVhdx } from './vhdx.ts';

export type VmFormat = 'raw' | 'qcow2' | 'vhd' | 'vhdx';

export interface FormatOptions {
  /** Base name of the files: `<name>.raw`, `<name>.qcow2`, `<name>.vhd`, `<name>.vhdx`. */
  readonly name: string;
  readonly formats: readonly VmFormat[];
  /** Seed of every UUID: a digest of the image's content inputs. */
  readonly uuidSeed: string;
  /** The image's clock, seconds since 1970. */
  readonly epoch: number;
}

export interface DiskFiles {
  /** Format → file. */
  readonly files: Readonly<Partial<Record<VmFormat, string>>>;
  /** Format → SHA-256 of the file, for formats as large as the disk. */
  readonly digests: Readonly<Partial<Record<VmFormat, Digest>>>;
}

/**
 * Converts a raw disk to the formats wanted and hashes it in parallel; the raw file is moved or left behind.
 * @param size disk size in bytes
 * @param out folder of the files
 */
export async function makeFormats(
  toolbox: Toolbox,
  raw: string,
  size: number,
  out: string,
  { name, formats, uuidSeed, epoch }: FormatOptions,
): Promise<DiskFiles> {
  const vhd = { epoch, uuid: seededUuid(uuidSeed, 'vhd') };
  const hashing = diskDigests(toolbox, raw, formats, vhdFooter({ size, ...vhd }));
  // A chroot moves the folder in for each tool, so they cannot run in parallel.
  if (toolbox.jail.kind === 'chroot') await hashing;
  const disk = (format: VmFormat): string => join(dirname(raw), `${name}.${format}`);
  const converting = (async () => {
    if (formats.includes('qcow2')) await rawToQcow2(toolbox, raw, disk('qcow2'));
    if (formats.includes('vhd')) await rawToVhd(toolbox, raw, disk('vhd'), vhd);
    if (formats.includes('vhdx')) await writeVhdx(toolbox, raw, disk('vhdx'), uuidSeed);
  })();
  // Wait for both even after an error, so that neither goes on in a removed folder.
  await Promise.allSettled([hashing, converting]);
  const [digests] = await Promise.all([hashing, converting]);
  const files: Partial<Record<VmFormat, string>> = {};
  for (const format of formats) {
    files[format] = join(out, `${name}.${format}`);
    await moveSparse(toolbox, disk(format), files[format]);
  }
  return { files, digests };
}

/** Converts a raw disk to a dynamic VHDX. @param uuidSeed seed of its UUIDs */
export async function writeVhdx(toolbox: Toolbox, raw: string, out: string, uuidSeed: string): Promise<void> {
  await rawToVhdx(raw, out, await dataExtents(toolbox, raw), {
    uuid: seededUuid(uuidSeed, 'vhdx'),
    fileUuid: seededUuid(uuidSeed, 'vhdx file'),
    dataUuid: seededUuid(uuidSeed, 'vhdx data'),
  });
}

/** Digests of formats with every byte of the disk: raw, and VHD, which has a footer, too. */
async function diskDigests(
  toolbox: Toolbox,
  raw: string,
  formats: readonly VmFormat[],
  footer: Uint8Array,
): Promise<Partial<Record<VmFormat, Digest>>> {
  if (!formats.includes('raw') && !formats.includes('vhd')) return {};
  const hash = await hashSparse(raw, await dataExtents(toolbox, raw));
  return {
    ...(formats.includes('raw') ? { raw: hash.copy().digest('hex') } : {}),
    ...(formats.includes('vhd') ? { vhd: hash.copy().update(footer).digest('hex') } : {}),
  };
}

/** Moves a file and keeps holes, even to another file system. */
async function moveSparse(toolbox: Toolbox, from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
    await copySparse(toolbox, from, to);
    await rm(from);
  }
}
