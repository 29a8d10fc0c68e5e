import { expect, test } from 'vitest';
import type { PartitionContent } from '../../src/image/filesystem-identity.ts';
import { type IdentifiedPartition, locateDevice } from '../../src/lint/devices.ts';
import { otherTypes } from '../../src/lint/disk-types.ts';

const uuid = '01234567-89ab-cdef-0123-456789abcdef';
const partition = (
  number: number,
  content: PartitionContent,
  type: string = otherTypes.linux,
): IdentifiedPartition => ({
  partition: {
    ...{ number, type, uuid: `0000000${number}-0000-0000-0000-000000000000`, name: `part ${number}` },
    ...{ attributes: 0n, offset: number << 20, size: 1 << 20 },
  },
  content,
});
const known = (number: number, type: string, names: { uuid?: string; label?: string }): IdentifiedPartition =>
  partition(number, { state: 'known', type, ...names });
const disk = [
  known(1, 'vfat', { uuid: '1A2B-3C4D', label: 'EFI' }),
  known(2, 'xfs', { uuid, label: 'my data' }),
  partition(3, { state: 'empty' }),
  partition(4, { state: 'unknown', why: 'code' }, otherTypes.biosBoot),
];
const where = (name: string, all = disk): string => {
  const located = locateDevice(all, name);
  return located.state === 'found' ? `partition ${located.partition.number}` : located.state;
};

test('a file system is found by all its names', () => {
  const names = ['LABEL=EFI', 'LABEL="EFI"', 'UUID=1A2B-3C4D', 'UUID=1a2b-3c4d', '/dev/disk/by-label/EFI'];
  for (const name of [...names, 'PARTUUID=00000001-0000-0000-0000-000000000000', 'PARTLABEL=part 1']) {
    expect([name, where(name)]).toEqual([name, 'partition 1']);
  }
  expect(['LABEL=my data', `UUID=${uuid}`, '/dev/disk/by-label/my\\x20data'].map((name) => where(name))).toEqual(
    Array.from({ length: 3 }, () => 'partition 2'),
  );
});

test('a file system on no partition is missing', () => {
  for (const name of ['LABEL=efi', 'UUID=1A2B-0000', `UUID=${uuid.replace('0', '9')}`, 'PARTLABEL=x', 'LABEL=']) {
    expect([name, where(name)]).toEqual([name, 'missing']);
  }
});

test('an unknown device is not missing', () => {
  const names = ['/dev/sda1', '/dev/mapper/root', 'ID=x', '/somewhere', 'tank/root'];
  for (const name of names) expect([name, where(name)]).toEqual([name, 'unknown']);
  const hiding = [
    partition(5, { state: 'unknown', why: 'nobody knows it' }),
    known(5, 'LVM2_member', {}),
    known(5, 'crypto_LUKS', { uuid, label: '' }),
    known(5, 'iso9660', { label: 'CD' }),
  ];
  for (const more of hiding) {
    expect(where('UUID=99999999-0000-0000-0000-000000000000', [...disk.slice(0, 1), more])).toBe('unknown');
    expect(where('LABEL=EFI', [...disk, more])).toBe('partition 1');
  }
  expect(where('LABEL=other', [...disk, hiding[3]!])).toBe('missing');
});
