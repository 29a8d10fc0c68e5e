import { partitionTypes } from '../image/disk.ts';
import { otherTypes } from './disk-types.ts';
import { type Files, findIgnoringCase, readBytes } from './files.ts';
import { readPe } from './pe.ts';
import { unreadable } from './rule.ts';

export type Architecture = 'x86_64' | 'aarch64';

/** UEFI's default boot loader paths (UEFI Specification 2.10, "Removable Media Boot Behavior"). */
export const fallbackLoaders = { x86_64: '/EFI/BOOT/BOOTX64.EFI', aarch64: '/EFI/BOOT/BOOTAA64.EFI' } as const;

const typesOf: Readonly<Record<Architecture, readonly string[]>> = {
  x86_64: [partitionTypes.rootX86_64, otherTypes.usrX86_64],
  aarch64: [partitionTypes.rootArm64, otherTypes.usrArm64],
};

const architectures = ['x86_64', 'aarch64'] as const satisfies readonly Architecture[];

/** Partition types that imply an architecture. */
export function architectureOfTypes(types: readonly string[]): Architecture | undefined {
  return architectures.find((each) => types.some((type) => typesOf[each].includes(type)));
}

/** ELF machine numbers of 64-bit programs. */
const machines = new Map<number, Architecture>([
  [62, 'x86_64'],
  [183, 'aarch64'],
]);

/** The architecture of a 64-bit ELF program; undefined for other files. */
export function elfMachine(bytes: Buffer): Architecture | undefined {
  if (bytes.length <= 20 || bytes.toString('hex', 0, 5) !== '7f454c4602') return undefined;
  return machines.get(bytes.readUInt16LE(18));
}

/** The architecture of a disk, from its boot loader or programs. @throws WeirError `unreadable` if unknown */
export async function architectureOfFiles(disk: {
  readonly esp: Files | undefined;
  readonly root: () => Promise<Files>;
}): Promise<Architecture> {
  if (disk.esp !== undefined) {
    for (const each of architectures) {
      const path = findIgnoringCase(disk.esp, fallbackLoaders[each]);
      if (path !== undefined && readPe(await disk.esp.read(path))?.machine === each) return each;
    }
  }
  const root = await disk.root();
  for (const program of ['/usr/lib/systemd/systemd', '/sbin/init', '/bin/sh', '/usr/bin/bash']) {
    const bytes = await readBytes(root, program);
    const machine = bytes && elfMachine(bytes);
    if (machine !== undefined) return machine;
  }
  throw unreadable('cannot determine the architecture of the disk');
}
