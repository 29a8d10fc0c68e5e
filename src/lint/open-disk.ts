import { mkdtemp, open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileReader, type ReadAt } from '../archive/read-at.ts';
import { lastLines } from '../base/process.ts';
import type { Target } from '../image/disk.ts';
import { runTool, type Toolbox, tryTool } from '../toolbox/tool.ts';
import type { DiskFormat, DiskReaders, OpenDisk } from './disk-facts.ts';
import { ext4Files } from './ext4-files.ts';
import { fatFiles } from './fat-files.ts';
import { sector } from './gpt.ts';
import { notCheckable, unreadable } from './rule.ts';

/**
 * The format of a disk by its first and last bytes; without a signature it is a raw disk, or a VHD by its name.
 * @returns `qemu` for a disk that must be converted before it can be read
 */
export function diskFormat(
  path: string,
  first: Buffer,
  last: Buffer,
): { readonly format: DiskFormat; readonly qemu: 'qcow2' | 'vpc' | 'vhdx' | undefined } {
  const starts = (magic: string) => first.toString('latin1', 0, magic.length) === magic;
  if (starts('QFI\xfb')) return { format: 'qcow2', qemu: 'qcow2' };
  // All VHDs except fixed ones have a copy of the footer at the start.
  if (starts('conectix')) return { format: 'vhd', qemu: 'vpc' };
  if (starts('vhdxfile')) return { format: 'vhdx', qemu: 'vhdx' };
  const vhd = last.toString('latin1', 0, 8) === 'conectix' || /\.vhd$/i.test(path);
  return { format: vhd ? 'vhd' : 'raw', qemu: undefined };
}

/**
 * Checks that the file looks like a disk: it has a boot sector, or one of the two partition tables, even if damaged.
 * @param size bytes of the disk @throws WeirError `unknown-format`
 */
export function checkIsDisk(path: string, read: ReadAt, size: number): void {
  const bootSector = read(0, sector).toString('hex', 510, 512) === '55aa';
  const tableAt = (offset: number) => read(Math.max(0, offset), 8).toString('latin1') === 'EFI PART';
  if (bootSector || tableAt(sector) || tableAt(size - sector)) return;
  throw notCheckable(path, 'not a disk: it has neither a boot sector nor a partition table');
}

/** Opens a disk for the duration of `work`. @param scratch a folder for exclusive use, for converted disks */
export async function withDisk<T>(
  toolbox: Toolbox,
  path: string,
  scratch: string,
  work: (disk: OpenDisk, readers: DiskReaders) => Promise<T>,
): Promise<T> {
  const { size: fileSize } = await stat(path);
  const ends = await readEnds(path, fileSize);
  const { format, qemu } = diskFormat(path, ends.first, ends.last);
  let raw = path;
  if (qemu !== undefined) {
    raw = join(scratch, 'disk.raw');
    await runTool(toolbox, {
      argv: ['qemu-img', 'convert', '-f', qemu, '-O', 'raw', path, raw],
      binds: [{ from: scratch, writable: true }, { from: path }],
    });
  }
  const handle = await open(raw);
  try {
    const whole = (await handle.stat()).size;
    // If the file ends with the backup partition table, the footer is missing. Only its own rule needs to report that.
    const footless = ends.last.toString('latin1', 0, 8) === 'EFI PART';
    const size = format === 'vhd' && qemu === undefined && !footless ? Math.max(0, whole - 512) : whole;
    const read = fileReader(handle.fd, 0, size);
    // An explicit disk format is a disk, even if empty.
    if (qemu === undefined && ends.last.toString('latin1', 0, 8) !== 'conectix') checkIsDisk(path, read, size);
    const disk = { format, fileSize, size, read, ...(format === 'vhd' ? { footer: ends.last } : {}) };
    return await work(disk, toolReaders(toolbox, { file: raw, read }, scratch));
  } finally {
    await handle.close();
  }
}

async function readEnds(path: string, size: number): Promise<{ first: Buffer; last: Buffer }> {
  const handle = await open(path);
  try {
    const read = fileReader(handle.fd);
    return { first: read(0, 512), last: read(Math.max(0, size - 512), 512) };
  } finally {
    await handle.close();
  }
}

function toolReaders(
  toolbox: Toolbox,
  { file, read }: { readonly file: string; readonly read: ReadAt },
  scratch: string,
): DiskReaders {
  const target = (offset: number, size: number): Target => ({ file, offset, size });
  const folder = async (name: string) => mkdtemp(join(scratch, `${name}-`));
  return {
    vfat: async (offset, size) => fatFiles(read, offset, size),
    ext4: async (offset, size) => ext4Files(toolbox, target(offset, size), await folder('ext4')),
    checkExt4: async (offset) => {
      // Limits output and CPU time for a badly damaged file system.
      const script = `ulimit -t ${checkerSeconds}; { e2fsck -f -n "$1" 2>&1; echo "exit code $?"; } | grep -v '^$' | awk 'NR <= 200 { print } { last = $0 } END { print last }'`;
      // A fixed path: a question mark in the host's path would end the device name.
      const argv = ['sh', '-c', script, 'sh', `/tmp/disk?offset=${offset}`];
      const { stdout } = await runTool(toolbox, { argv, binds: [{ from: file, to: '/tmp/disk' }] });
      const [, said = '', code] = /^(.*)\nexit code (\d+)\n*$/s.exec(`\n${stdout}`) ?? [];
      return checkerProblems(code === undefined ? 255 : Number(code), said.replace(/\nexit code \d+$/, ''));
    },
    packages: packageReader(toolbox, scratch),
    decompress: decompressor(toolbox, scratch),
  };
}

/** CPU seconds; a healthy file system of many gigabytes takes a few. */
const checkerSeconds = 120;

/** Errors that e2fsck(8) found, by its exit code and output. @throws WeirError `unreadable` if it could not check */
export function checkerProblems(code: number, output: string): readonly string[] {
  if (code === 0) return [];
  // Skips the pass headings and the summary; everything else is an error.
  const lines = output.split('\n');
  const problems = lines.filter(
    (line) => line !== '' && !/^(Pass \d|e2fsck \d)|\d+ files \(|^\/?.*: \d+\/\d+/.test(line),
  );
  // 4: errors left uncorrected; 8 and above: operational error.
  if (code >= 8) throw unreadable(`e2fsck cannot check the file system: ${problems[0] ?? `exit code ${code}`}`);
  return problems.length === 0 ? [`e2fsck failed with exit code ${code}`] : problems.slice(0, 5);
}

/** Names of the packages in an RPM database, queried with rpm on a copy, because rpm writes beside the database. */
export function packageReader(toolbox: Toolbox, scratch: string): DiskReaders['packages'] {
  return async (database) => {
    const dir = await mkdtemp(join(scratch, 'rpmdb-'));
    await writeFile(join(dir, 'rpmdb.sqlite'), database);
    const { code, stdout, stderr } = await tryTool(toolbox, {
      argv: ['rpm', '--dbpath', dir, '-qa', '--qf', '%{NAME}\\n'],
      binds: [{ from: dir, writable: true }],
    });
    // rpm skips a damaged part and does not list its packages.
    if (code !== 0 || /^error:/m.test(stderr))
      throw unreadable(`rpm cannot read the RPM database: ${lastLines(stderr, 1)[0] ?? `exit code ${code}`}`);
    return stdout.split('\n').filter((name) => name !== '' && name !== 'gpg-pubkey');
  };
}

export function decompressor(toolbox: Toolbox, scratch: string): DiskReaders['decompress'] {
  return async (kind, packed, most) => {
    if (kind === 'lz4') throw unreadable('the initrd is compressed with lz4, which is missing from the toolbox');
    const dir = await mkdtemp(join(scratch, 'xz-'));
    await writeFile(join(dir, 'data.xz'), packed);
    // One extra byte shows that the limit is exceeded.
    const script = 'xz --decompress --stdout "$1/data.xz" | head -c "$2" >"$1/data"; [ -s "$1/data" ]';
    const { code } = await tryTool(toolbox, {
      argv: ['bash', '-c', `set -o pipefail; ${script}`, 'sh', dir, String(most + 1)],
      binds: [{ from: dir, writable: true }],
    });
    const { size } = await stat(join(dir, 'data')).catch(() => ({ size: 0 }));
    if (size > most) throw unreadable(`the initrd decompresses to more than ${most} bytes, the limit`);
    if (code !== 0) throw unreadable('cannot decompress the initrd');
    return readFile(join(dir, 'data'));
  };
}
