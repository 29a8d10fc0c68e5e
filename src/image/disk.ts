import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import type { Bind } from '../engine/jail.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';
import { appendVhdFooter } from './vhd.ts';

/** A range of a file that a file system is written to. */
export interface Target {
  readonly file: string;
  /** bytes from the file's start */
  readonly offset: number;
  /** bytes */
  readonly size: number;
}

export interface Partition {
  /** Name in the partition table, at most 36 characters. */
  readonly name: string;
  /** Type GUID. */
  readonly type: string;
  readonly uuid: string;
  /** Minimum size in bytes. */
  readonly size: number;
  /** Writes the content, in parallel with the other partitions. Unwritten ranges are zeros and take no space on the host. */
  readonly fill: (target: Target) => Promise<void>;
}

/** Type GUIDs of the UEFI specification and of the UAPI group's Discoverable Partitions Specification. */
export const partitionTypes = {
  biosBoot: '21686148-6449-6e6f-744e-656564454649',
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  rootX86_64: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  rootArm64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
} as const;

const mebibyte = 1 << 20;

/** Partition positions, aligned to 1 MiB. The first and the last MiB are for the two partition tables. */
export interface DiskLayout {
  /** bytes, a multiple of 1 MiB */
  readonly size: number;
  readonly parts: readonly { readonly offset: number; readonly size: number }[];
}

/** @param sizes minimum sizes of the partitions in bytes @param atLeast minimum size of the disk; the last partition gets the rest */
export function diskLayout(sizes: readonly number[], atLeast: number): DiskLayout {
  const parts: { offset: number; size: number }[] = [];
  let offset = mebibyte;
  for (const size of sizes) {
    const rounded = roundUp(size, mebibyte);
    parts.push({ offset, size: rounded });
    offset += rounded;
  }
  const total = Math.max(offset + mebibyte, roundUp(atLeast, mebibyte));
  const last = parts.at(-1);
  if (last !== undefined) parts[parts.length - 1] = { offset: last.offset, size: total - mebibyte - last.offset };
  return { size: total, parts };
}

/** The sfdisk(8) script for the partition table. */
export function sfdiskScript(uuid: string, layout: DiskLayout, partitions: readonly Partition[]): string {
  const lines = ['label: gpt', `label-id: ${uuid}`, 'unit: sectors', ''];
  for (const [index, { name, type, uuid: id }] of partitions.entries()) {
    const { offset, size } = layout.parts[index]!;
    lines.push(`start=${offset / 512}, size=${size / 512}, type=${type}, uuid=${id}, name="${name}"`);
  }
  return `${lines.join('\n')}\n`;
}

/** Creates a sparse raw disk with a GUID partition table; replaces an existing file. @returns its layout */
export async function makeDisk(
  toolbox: Toolbox,
  path: string,
  options: { readonly uuid: string; readonly size: number; readonly partitions: readonly Partition[] },
): Promise<DiskLayout> {
  const { uuid, size, partitions } = options;
  const layout = diskLayout(
    partitions.map((partition) => partition.size),
    size,
  );
  await makeSparse(path, layout.size);
  await runTool(toolbox, {
    argv: ['sfdisk', '--quiet', '--no-reread', '--no-tell-kernel', '--wipe', 'never', path],
    binds: [{ from: dirname(path), writable: true }],
    input: sfdiskScript(uuid, layout, partitions),
  });
  // A chroot moves the folder in for each tool, so only one tool at a time can use it.
  const atOnce = toolbox.jail.kind === 'chroot' ? 1 : partitions.length;
  await mapLimit(partitions, atOnce, (partition, index) => partition.fill({ file: path, ...layout.parts[index]! }));
  return layout;
}

/** Creates an empty sparse file of `size` bytes; truncates an existing one. */
export async function makeSparse(path: string, size: number): Promise<void> {
  const handle = await open(path, 'w');
  try {
    await handle.truncate(size);
  } finally {
    await handle.close();
  }
}

/** Copies a file and keeps its holes. */
export async function copySparse(toolbox: Toolbox, from: string, to: string): Promise<void> {
  await runTool(toolbox, {
    argv: ['cp', '--sparse=auto', '--reflink=auto', from, to],
    binds: inAndOut(from, to),
  });
}

/** Converts a raw disk to qcow2 (version 3, uncompressed). */
export async function rawToQcow2(toolbox: Toolbox, raw: string, out: string): Promise<void> {
  // One coroutine, for reproducible bytes: with several, the cluster order depends on timing.
  await runTool(toolbox, {
    argv: ['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-o', 'compat=1.1', '-m', '1', raw, out],
    binds: inAndOut(raw, out),
  });
}

/** Converts a raw disk to a fixed VHD, sparse on the host. @throws WeirError `bad-size` */
export async function rawToVhd(
  toolbox: Toolbox,
  raw: string,
  out: string,
  options: { readonly epoch: number; readonly uuid: string },
): Promise<void> {
  if (raw === out) throw new WeirError('bad-path', 'cannot convert a raw disk to a VHD in place');
  await copySparse(toolbox, raw, out);
  await appendVhdFooter(out, options);
}

/** Bind mounts for a tool that reads one file and writes another. */
function inAndOut(from: string, to: string): Bind[] {
  const folder = { from: dirname(to), writable: true };
  return dirname(from) === dirname(to) ? [folder] : [folder, { from }];
}

export function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
