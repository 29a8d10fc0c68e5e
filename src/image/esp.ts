import { dirname } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';
import type { Target } from './disk.ts';

export interface EspOptions {
  /** Path in the partition, with slashes → host file. */
  readonly files: Readonly<Record<string, string>>;
  /** At most 11 characters. */
  readonly label: string;
  /** Volume serial number: 8 hexadecimal digits. */
  readonly volumeId: string;
  /** Timestamp of all files, seconds since 1970. */
  readonly epoch: number;
}

/** Writes an EFI system partition: FAT32 with `files`, reproducibly. @throws WeirError `esp-too-small`, `tool-failed` */
export async function makeEsp(toolbox: Toolbox, target: Target, options: EspOptions): Promise<void> {
  const writable = { from: dirname(target.file), writable: true };
  const env = { SOURCE_DATE_EPOCH: String(options.epoch), MTOOLS_SKIP_CHECK: '1' };
  const cluster = String(sectorsPerCluster(target.size));
  const argv = ['mkfs.vfat', '-F', '32', '-s', cluster, '--invariant', '--mbr=n', '-i', options.volumeId];
  const sector = target.offset / 512;
  await runTool(toolbox, {
    argv: [
      ...[...argv, '-n', options.label, '--offset', String(sector), '-h', String(sector)],
      ...[target.file, String(target.size / 1024)],
    ],
    binds: [writable],
    env,
  });
  const image = `${target.file}@@${target.offset}`;
  const paths = Object.keys(options.files).sort();
  const folders = parentFolders(paths);
  if (folders.length > 0) {
    await runTool(toolbox, {
      argv: ['mmd', '-i', image, ...folders.map((folder) => `::/${folder}`)],
      binds: [writable],
      env,
    });
  }
  for (const path of paths) {
    const from = options.files[path]!;
    await runTool(toolbox, {
      argv: ['mcopy', '-b', '-i', image, from, `::/${path}`],
      binds: [writable, { from }],
      env,
    });
  }
}

/**
 * Chooses the cluster size. UEFI's driver takes a FAT with fewer than 65,525 clusters for FAT16, whatever its label says, so
 * clusters must be small.
 * @throws WeirError `esp-too-small` below 34 MiB
 */
export function sectorsPerCluster(size: number): number {
  // Reserves some clusters for the tables.
  for (const count of [8, 4, 2, 1]) if (size / 512 / count >= 67_000) return count;
  throw new WeirError('esp-too-small', `an EFI system partition of ${size} bytes cannot be FAT32`, {
    hint: "set esp-size in the image's [disk] table to at least 34MiB",
    exit: 2,
  });
}

/** All folders that contain the paths, parents first. */
export function parentFolders(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) folders.add(parts.slice(0, depth).join('/'));
  }
  return [...folders].sort();
}
