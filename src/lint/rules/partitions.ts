import { volumeTypes } from '../../image/filesystem-identity.ts';
import { vhdGeometry } from '../../image/vhd.ts';
import { type DiskFacts, partitionName } from '../disk-facts.ts';
import { otherTypes } from '../disk-types.ts';
import { type GptCopy, sector } from '../gpt.ts';
import { azureError, azureErrorElseWarning, type Complaint, diskError, type Rule } from '../rule.ts';

const mebibyte = 1 << 20;
const gibibyte = 1 << 30;

const azureFormat: Rule<DiskFacts> = {
  id: 'fixed-vhd',
  appliesTo: azureError,
  why: 'Azure accepts fixed VHDs and no other format.',
  check: ({ disk }) =>
    disk.format === 'vhd' ? [] : [{ message: `the disk is ${disk.format}`, hint: "add vhd to the image's formats" }],
};

const vhdFooter: Rule<DiskFacts> = {
  id: 'vhd-footer',
  appliesTo: diskError,
  why: 'Only the footer distinguishes a fixed VHD from a raw disk; with a wrong field, Azure rejects or misreads the upload.',
  when: ({ disk }) => disk.footer !== undefined,
  check: ({ disk }) =>
    footerProblems(disk.footer!, disk.fileSize).map((message) => ({ message, where: `byte ${disk.fileSize - 512}` })),
};

/** Required fields of a fixed disk in Microsoft's "Virtual Hard Disk Image Format Specification". */
export function footerProblems(footer: Buffer, fileSize: number): string[] {
  if (footer.length < 512 || footer.toString('latin1', 0, 8) !== 'conectix') return ['there is no footer'];
  const problems: string[] = [];
  let sum = 0;
  for (const [index, byte] of footer.entries()) if (index < 64 || index >= 68) sum += byte;
  if (footer.readUInt32BE(64) !== ~sum >>> 0) problems.push('its checksum is wrong');
  if ((footer.readUInt32BE(8) & 2) === 0) problems.push('bit 1 of the features must be set, but is not');
  if (footer.readUInt32BE(12) !== 0x00010000) problems.push('the format version is not 1.0');
  const type = footer.readUInt32BE(60);
  if (type !== 2)
    problems.push(`the disk is ${{ 3: 'dynamic', 4: 'differencing' }[type] ?? `of type ${type}`}, not fixed`);
  if (type === 2 && footer.readBigUInt64BE(16) !== 0xffff_ffff_ffff_ffffn) {
    problems.push('a fixed disk has all ones as its data offset');
  }
  const current = Number(footer.readBigUInt64BE(48));
  if (type === 2 && current !== fileSize - 512) {
    problems.push(`the current size is ${current} bytes, but the file without its footer has ${fileSize - 512}`);
  }
  const { cylinders, heads, sectors } = vhdGeometry(current);
  const written = [footer.readUInt16BE(56), footer.readUInt8(58), footer.readUInt8(59)].join('/');
  // qemu writes the second one when it keeps the exact size.
  if (![`${cylinders}/${heads}/${sectors}`, '65535/16/255'].includes(written)) {
    problems.push(`the geometry is ${written}, not ${cylinders}/${heads}/${sectors}`);
  }
  if (footer.subarray(68, 84).every((byte) => byte === 0)) problems.push('it has no UUID');
  return problems;
}

const diskSize: Rule<DiskFacts> = {
  id: 'disk-size',
  appliesTo: azureError,
  why: 'Azure rejects disks that are not a whole number of MiB, and system disks of more than 1023 GiB.',
  check: ({ disk }) => {
    const complaints: Complaint[] = [];
    if (disk.size % mebibyte !== 0)
      complaints.push({ message: `its size of ${disk.size} bytes is not a whole number of MiB` });
    if (disk.size > 1023 * gibibyte) complaints.push({ message: `${disk.size} bytes are more than 1023 GiB` });
    return complaints;
  },
};

const gptPrimary: Rule<DiskFacts> = {
  id: 'gpt-primary',
  appliesTo: diskError,
  why: "Firmware checks the partition table's header and CRCs, and ignores a damaged one.",
  check: ({ copies }) => copyComplaints(copies().primary),
};

const gptBackup: Rule<DiskFacts> = {
  id: 'gpt-backup',
  appliesTo: diskError,
  why: 'The copy in the last sector is the backup of the first one; if a disk grows and the copy does not move, many tools report it as damaged.',
  check: ({ copies }) => {
    const { primary, backup } = copies();
    const complaints = copyComplaints(backup);
    if (complaints.length > 0 || primary.problems.length > 0) return complaints;
    const same = primary.entriesCrc === backup.entriesCrc && primary.diskUuid === backup.diskUuid;
    return same ? [] : [{ message: 'the two copies of the partition table differ', where: `sector ${backup.lba}` }];
  },
};

function copyComplaints({ problems, lba }: GptCopy): Complaint[] {
  return problems.map((message) => ({ message, where: `sector ${lba}` }));
}

const protectiveMbr: Rule<DiskFacts> = {
  id: 'protective-mbr',
  appliesTo: diskError,
  why: 'Without a protective entry, programs without GPT support take the disk for empty; a BIOS needs the signature to boot it.',
  check: ({ disk }) => {
    const first = disk.read(0, sector);
    const where = 'sector 0';
    if (first.length < sector || first.readUInt16LE(510) !== 0xaa55) return [{ message: 'no signature 55 AA', where }];
    const entries = [446, 462, 478, 494].map((at) => first[at + 4]);
    return entries.includes(0xee) ? [] : [{ message: 'no entry of type EE covers the disk', where }];
  },
};

const partitionPlaces: Rule<DiskFacts> = {
  id: 'partition-places',
  appliesTo: diskError,
  why: 'Partitions that overlap each other or the tables are destroyed by the first write.',
  check: ({ gpt }) => {
    const { primary, backup, partitions } = gpt();
    const { first, last } = [primary, backup].find((copy) => copy.partitions === partitions)!.usable;
    const complaints: Complaint[] = [];
    let before: (typeof partitions)[number] | undefined;
    for (const each of partitions.toSorted((a, b) => a.offset - b.offset)) {
      const where = partitionName(each);
      if (each.size <= 0) complaints.push({ message: 'it ends before it starts', where });
      if (each.offset < first * sector || each.offset + each.size > (last + 1) * sector) {
        complaints.push({ message: `it is outside the usable sectors ${first} to ${last}`, where });
      }
      if (before !== undefined && before.offset + before.size > each.offset) {
        complaints.push({ message: `it overlaps ${partitionName(before)}`, where });
      }
      before = each;
    }
    return complaints;
  },
};

const partitionAlignment: Rule<DiskFacts> = {
  id: 'partition-alignment',
  appliesTo: azureErrorElseWarning,
  why: "Writes across the storage's own blocks are done twice; alignment to 1 MiB avoids that.",
  check: ({ gpt }) =>
    gpt()
      .partitions.filter(({ offset }) => offset % mebibyte !== 0)
      .map((each) => ({
        message: `it starts at byte ${each.offset}, which is not a whole MiB`,
        where: partitionName(each),
      })),
};

const volumesByType: Readonly<Record<string, string>> = {
  [otherTypes.lvm]: 'LVM',
  [otherTypes.raid]: 'RAID',
  [otherTypes.luks]: 'LUKS',
};

/** Partition types with code or data instead of a file system. */
const withoutFileSystem = new Set<string>([otherTypes.biosBoot, otherTypes.reserved]);

const plainPartitions: Rule<DiskFacts> = {
  id: 'plain-partitions',
  appliesTo: diskError,
  why: 'Plain partitions can be repaired on another machine, and grow without further tools.',
  check: ({ contents }) =>
    contents().flatMap(({ partition, content }): Complaint[] => {
      const where = partitionName(partition);
      const inIt = content.state === 'known' ? volumeTypes.get(content.type) : undefined;
      const volume = inIt ?? volumesByType[partition.type];
      if (volume !== undefined) return [{ message: `it is ${volume}`, where }];
      if (content.state !== 'unknown' || withoutFileSystem.has(partition.type)) return [];
      return [{ message: content.why, where, unchecked: true }];
    }),
};

const noSwapPartition: Rule<DiskFacts> = {
  id: 'no-swap-partition',
  appliesTo: { ...azureErrorElseWarning, kubernetes: 'error' },
  why: "Swap belongs on a machine's temporary disk, if anywhere: on the system disk it is slow and expensive.",
  check: ({ contents }) =>
    contents().flatMap(({ partition, content }): Complaint[] => {
      const where = partitionName(partition);
      if (partition.type === otherTypes.swap || (content.state === 'known' && content.type === 'swap')) {
        return [{ message: 'it is swap', where }];
      }
      const hidden = content.state === 'known' ? volumeTypes.get(content.type) : undefined;
      if (hidden !== undefined) return [{ message: `it is ${hidden}, which is not supported`, where, unchecked: true }];
      if (content.state !== 'unknown' || withoutFileSystem.has(partition.type)) return [];
      return [{ message: content.why, where, unchecked: true }];
    }),
};

const legacyBootable = 4n;

/** Whether a BIOS could boot the disk, or why not. */
export function biosBootProblem({ gpt, disk }: DiskFacts): string | undefined {
  const blank = (bytes: Buffer) => bytes.every((byte) => byte === 0);
  if (blank(disk.read(0, 440))) return 'there is no boot code in sector 0';
  const { partitions } = gpt();
  const firstStart = Math.min(...partitions.map(({ offset }) => offset));
  const second = partitions.some(
    ({ type, attributes, offset }) =>
      (type === otherTypes.biosBoot || (attributes & legacyBootable) !== 0n) && !blank(disk.read(offset, sector)),
  );
  // Code can also be between the table and the first partition.
  const between = disk.read(34 * sector, Math.max(0, Math.min(firstStart, 16 * mebibyte) - 34 * sector));
  return second || !blank(between) ? undefined : 'the boot code in sector 0 has no second stage to load';
}

const biosBoot: Rule<DiskFacts> = {
  id: 'bios-boot-code',
  appliesTo: { 'azure-gen1': 'error' },
  why: 'Generation 1 machines boot by BIOS: by code in the first sector that loads a boot loader.',
  check: (facts) => {
    const problem = biosBootProblem(facts);
    return problem === undefined ? [] : [{ message: problem, where: 'sector 0' }];
  },
};

/** Rules on the artefact's format and partitions. */
export const partitionRules: readonly Rule<DiskFacts>[] = [
  azureFormat,
  vhdFooter,
  diskSize,
  protectiveMbr,
  gptPrimary,
  gptBackup,
  partitionPlaces,
  partitionAlignment,
  plainPartitions,
  noSwapPartition,
  biosBoot,
];
