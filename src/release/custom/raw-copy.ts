import { open, stat, truncate } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileReader } from '../../archive/read-at.ts';
import { WeirError } from '../../base/errors.ts';
import { copySparse, rawToQcow2, rawToVhd } from '../../image/disk.ts';
import { type VmFormat, writeVhdx } from '../../image/disk-formats.ts';
import { seededUuid } from '../../image/uuid.ts';
import { checkIsDisk, diskFormat } from '../../lint/open-disk.ts';
import { runTool, type Toolbox } from '../../toolbox/tool.ts';

const footerBytes = 512;

/**
 * Copies a disk of any format that Weir reads to a raw file.
 * @param scratch folder of `raw`
 * @returns the format of the disk @throws WeirError `no-file`, `unknown-format`
 */
export async function rawCopy(toolbox: Toolbox, disk: string, raw: string, scratch: string): Promise<VmFormat> {
  const info = await stat(disk).catch(() => undefined);
  if (info?.isFile() !== true) {
    const what = info === undefined ? 'there is no such file' : 'this is not a file';
    throw new WeirError('no-file', what, {
      where: { file: disk },
      hint: 'give a raw, qcow2, VHD or VHDX disk',
      exit: 2,
    });
  }
  const ends = await within(disk, (read) => ({ first: read(0, 512), last: read(Math.max(0, info.size - 512), 512) }));
  const { format, qemu } = diskFormat(disk, ends.first, ends.last);
  if (qemu === undefined) {
    await copySparse(toolbox, disk, raw);
    if (ends.last.toString('latin1', 0, 8) === 'conectix') await truncate(raw, info.size - footerBytes);
  } else {
    await runTool(toolbox, {
      argv: ['qemu-img', 'convert', '-f', qemu, '-O', 'raw', disk, raw],
      binds: [{ from: scratch, writable: true }, { from: disk }],
    });
  }
  const { size } = await stat(raw);
  await within(raw, (read) => checkIsDisk(disk, read, size));
  return format;
}

/** Reads parts of a file. */
export async function within<T>(path: string, work: (read: ReturnType<typeof fileReader>) => T): Promise<T> {
  const handle = await open(path);
  try {
    return work(fileReader(handle.fd));
  } finally {
    await handle.close();
  }
}

/**
 * The format to write: the one asked for, else that of the path's ending, else that of the input.
 * @throws WeirError `bad-option` (exit 2)
 */
export function formatToWrite(path: string, asked: string | undefined, input: VmFormat): VmFormat {
  const formats: readonly VmFormat[] = ['raw', 'qcow2', 'vhd', 'vhdx'];
  const known: Readonly<Record<string, VmFormat>> = {
    ...Object.fromEntries(formats.map((one) => [one, one])),
    'vhd-fixed': 'vhd',
  };
  const format = asked === undefined ? (known[extname(path).slice(1).toLowerCase()] ?? input) : known[asked];
  if (format !== undefined) return format;
  throw new WeirError('bad-option', `a disk cannot be written as ${asked}`, {
    hint: `use one of: ${Object.keys(known).join(', ')}`,
    exit: 2,
  });
}

/**
 * Refuses a disk of a size that the format cannot have. @param disk the file that was given @param raw its raw copy
 * @throws WeirError `bad-size` (exit 2)
 */
export async function checkSize(disk: string, raw: string, format: VmFormat): Promise<void> {
  const { size } = await stat(raw);
  const [unit, name] = format === 'vhd' || format === 'vhdx' ? [1 << 20, '1 MiB'] : [512, '512 bytes'];
  if (size % unit === 0) return;
  throw new WeirError(
    'bad-size',
    `the disk has ${size} bytes, but the size of a ${format} disk is a multiple of ${name}`,
    {
      where: { file: disk },
      hint: unit === 512 ? 'the file may be cut off' : 'write it as raw or qcow2, or enlarge the disk first',
      exit: 2,
    },
  );
}

/** Writes a raw disk in a format. @param epoch time of a VHD, seconds since 1970 @param seed of its UUID */
export async function writeFormat(
  toolbox: Toolbox,
  raw: string,
  out: string,
  format: VmFormat,
  options: { readonly epoch: number; readonly seed: string },
): Promise<void> {
  const { epoch, seed } = options;
  if (format === 'raw') await copySparse(toolbox, raw, out);
  else if (format === 'qcow2') await rawToQcow2(toolbox, raw, out);
  else if (format === 'vhdx') await writeVhdx(toolbox, raw, out, seed);
  else await rawToVhd(toolbox, raw, out, { epoch, uuid: seededUuid(seed, 'vhd') });
}
