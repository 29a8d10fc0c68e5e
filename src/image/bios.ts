import { open, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';
import type { Target } from './disk.ts';

// BIOS boot by GRUB 2 on a disk with a GUID partition table: the code in the first sector loads the core image from the BIOS
// boot partition. That reads grub.cfg on the EFI system partition, where the kernel is. This does on a file what
// grub-bios-setup does on a block device. Offsets: GRUB's boot.S and diskboot.S (include/grub/i386/pc/boot.h and offsets.h).

/** GRUB's BIOS modules in the toolbox. */
const grubModules = '/usr/lib/grub/i386-pc';

/** Modules for reading a FAT and booting Linux. */
const modules = [
  ...['biosdisk', 'part_gpt', 'fat', 'search_fs_uuid', 'normal', 'configfile', 'linux', 'echo', 'test'],
  ...['serial', 'terminal', 'reboot', 'halt'],
];

/** In boot.S: sector of the core image (64 bits), and a jump to be patched out for hard disks. */
const kernelSector = 0x5c;
const driveCheck = 0x66;
/** The code of the first sector ends where the disk's signature and the protective partition table begin. */
const codeEnd = 0x1b8;
/** In diskboot.S: the first block list, from the end of the sector: start (64), sectors (16), segment (16 bits). */
const blockList = 512 - 12;
/** Segment that the code loads the rest of the core image to. */
const loadSegment = 0x820;

/** A boot entry; paths are on the EFI system partition. */
export interface BiosEntry {
  readonly title: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
  /** Seconds that the menu is shown. */
  readonly timeout: number;
}

/** The configuration of the core image: one entry; the console is also on the serial port. */
export function grubConfiguration(entry: BiosEntry): string {
  return `# Written by Weir. Keep Shift down for the menu.
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=${entry.timeout}
set default=0
menuentry '${entry.title.replaceAll("'", '')}' {
  linux /${entry.kernel} ${entry.commandLine}
  initrd /${entry.initrd}
}
`;
}

/**
 * Makes a disk bootable by BIOS: writes the core image to the BIOS boot partition, and the code of the first sector in front
 * of the protective partition table.
 * @param target the BIOS boot partition (type 21686148-6449-6E6F-744E-656564454649)
 * @param volumeId serial number of the FAT with /grub/grub.cfg, 8 hexadecimal digits
 * @param work scratch folder for exclusive use
 * @throws WeirError `bios-too-small`, `tool-failed`, `no-boot-loader`
 */
export async function installBios(toolbox: Toolbox, target: Target, volumeId: string, work: string): Promise<void> {
  const early = join(work, 'early.cfg');
  const core = join(work, 'core.img');
  const uuid = `${volumeId.slice(0, 4)}-${volumeId.slice(4)}`.toUpperCase();
  await writeFile(early, `search.fs_uuid ${uuid} root\nset prefix=($root)/grub\nconfigfile ($root)/grub/grub.cfg\n`);
  await runTool(toolbox, {
    argv: [
      ...['grub-mkimage', '--format=i386-pc', `--directory=${grubModules}`, '--prefix=/grub', `--config=${early}`],
      ...[`--output=${core}`, ...modules],
    ],
    binds: [{ from: dirname(core), writable: true }],
  });
  const image = await readFile(core);
  if (image.length > target.size) {
    throw new WeirError(
      'bios-too-small',
      `GRUB's core image (${image.length} bytes) does not fit into its partition (${target.size} bytes)`,
    );
  }
  const first = target.offset / 512;
  image.writeBigUInt64LE(BigInt(first + 1), blockList);
  image.writeUInt16LE(Math.ceil(image.length / 512) - 1, blockList + 8);
  image.writeUInt16LE(loadSegment, blockList + 10);
  const boot = await bootSector(toolbox);
  boot.writeBigUInt64LE(BigInt(first), kernelSector);
  // Two NOPs replace a jump, so that the drive number of a hard disk is used as it is.
  boot.writeUInt16LE(0x9090, driveCheck);
  const disk = await open(target.file, 'r+');
  try {
    await disk.write(image, 0, image.length, target.offset);
    await disk.write(boot, 0, codeEnd, 0);
  } finally {
    await disk.close();
  }
}

async function bootSector(toolbox: Toolbox): Promise<Buffer> {
  const path = join(toolbox.root, grubModules, 'boot.img');
  try {
    return await readFile(path);
  } catch (error) {
    throw new WeirError('no-boot-loader', `the toolbox has no GRUB for BIOS (missing ${basename(path)})`, {
      where: { file: path },
      hint: 'add grub-pc-bin to the toolbox',
      cause: error,
    });
  }
}
