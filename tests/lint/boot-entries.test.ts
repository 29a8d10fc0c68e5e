import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { cpioArchive } from '../../src/image/cpio.ts';
import { type BootPlace, bootEntries } from '../../src/lint/boot-entries.ts';
import { RootBuilder } from '../../src/lint/root-builder.ts';
import { tarFiles } from '../../src/lint/tar-files.ts';
import { pe } from './good-disk.ts';
import { type Content, symlink, tar } from './tar.ts';

const noTool = async (): Promise<Buffer> => Promise.reject(new Error('no tool is needed'));
const place = (name: string, folder: string, files: Record<string, Content>): BootPlace => ({
  name,
  folder,
  files: tarFiles([bytesReader(tar(files))]),
});
const initrd = (...modules: string[]): Buffer =>
  zstdCompressSync(
    cpioArchive(
      modules.map((name) => ({
        kind: 'file',
        path: `usr/lib/modules/1/kernel/${name}.ko.xz`,
        mode: 0o644,
        content: Buffer.from('packed'),
      })),
      0,
    ),
  );

const grubEntry = [
  'title Weir Linux (6.1-1.x86_64)',
  'version 6.1-1.x86_64',
  'linux /boot/vmlinuz-6.1-1.x86_64',
  'initrd /boot/initramfs-6.1-1.x86_64.img $tuned_initrd',
  'options root=UUID=1 ro console=ttyS0',
  'options rd.shell=0 $tuned_params',
  'grub_users $grub_users',
].join('\n');

test("a distribution's entry in /boot of the root, as GRUB reads it", async () => {
  const [entry, ...more] = await bootEntries(
    [
      place('root', '/boot', {
        '/boot/loader/entries/1.conf': grubEntry,
        '/boot/vmlinuz-6.1-1.x86_64': 'kernel',
        '/boot/initramfs-6.1-1.x86_64.img': initrd('hv_vmbus', 'hv-netvsc'),
      }),
    ],
    noTool,
  );
  expect(more).toEqual([]);
  expect(entry).toMatchObject({
    where: 'root:/boot/loader/entries/1.conf',
    release: '6.1-1.x86_64',
    missing: [],
  });
  expect(entry!.commandLine()).toEqual(['root=UUID=1', 'ro', 'console=ttyS0', 'rd.shell=0']);
  expect([...(await entry!.modules())].sort()).toEqual(['hv_netvsc', 'hv_vmbus']);
});

test('an entry on a separate partition beside its kernel, with two initrds and in another case', async () => {
  const files = {
    '/loader/entries/a.conf': 'linux /EFI/Weir/vmlinuz-6.1\ninitrd /efi/weir/ucode\ninitrd /EFI/weir/initrd\n',
    '/EFI/weir/VMLINUZ-6.1': 'kernel',
    '/EFI/weir/ucode': cpioArchive([{ kind: 'file', path: 'x', mode: 0o644, content: Buffer.from('m') }], 0),
    '/EFI/weir/initrd': initrd('hv_storvsc'),
  };
  const [entry] = await bootEntries([place('boot', '', files)], noTool);
  expect(entry).toMatchObject({ release: '6.1', missing: [] });
  expect(entry!.commandLine()).toEqual([]);
  expect([...(await entry!.modules())]).toEqual(['hv_storvsc']);
});

test('files that an entry names but do not exist are missing', async () => {
  const [entry] = await bootEntries(
    [place('esp', '', { '/loader/entries/a.conf': 'linux /vmlinuz-6.1\ninitrd /initrd\n', '/initrd': initrd('a') })],
    noTool,
  );
  expect(entry?.missing).toEqual(['/vmlinuz-6.1']);
  const [empty] = await bootEntries([place('esp', '', { '/loader/entries/a.conf': 'title nothing\n' })], noTool);
  expect(empty?.missing).toEqual(['linux', 'initrd']);
});

test('addons of a unified kernel image extend its command line, those of others do not', async () => {
  const unified = (name: string) =>
    pe({ '.linux': name, '.initrd': initrd('a'), '.cmdline': name, '.uname': '1' }, 0x8664);
  const addon = (text: string) => pe({ '.cmdline': text }, 0x8664);
  const entries = await bootEntries(
    [
      place('esp', '', {
        '/EFI/Linux/one.efi': unified('one'),
        '/EFI/Linux/two.efi': unified('two'),
        '/EFI/Linux/one.efi.extra.d/slot.addon.efi': addon('verity=a'),
        '/EFI/Linux/one.efi.extra.d/notes.txt': 'not an addon',
        '/loader/addons/all.addon.efi': addon('fips=1'),
      }),
    ],
    noTool,
  );
  expect(entries.map(({ commandLine }) => commandLine())).toEqual([
    ['one', 'verity=a', 'fips=1'],
    ['two', 'fips=1'],
  ]);
});

test('an invalid unified kernel image is reported', async () => {
  const entries = bootEntries([place('esp', '', { '/EFI/Linux/x.efi': 'text' })], noTool);
  await expect(entries).rejects.toMatchObject({
    code: 'unreadable',
    message: 'esp:/EFI/Linux/x.efi is not an EFI program',
  });
});

test('GRUB variables in a command line: those of its environment are known, those set by a script are not', async () => {
  const lines = async (files: Record<string, Content>, options: string) => {
    const all = { '/boot/loader/entries/1.conf': `linux /x\ninitrd /y\noptions ${options}\n`, ...files };
    const [entry] = await bootEntries([place('root', '/boot', all)], noTool);
    return entry!.commandLine;
  };
  const block = { '/boot/grub2/grubenv': '# GRUB Environment Block\nkernelopts=root=UUID=1 ro quiet\n####' };
  expect((await lines(block, '$kernelopts $tuned_params x=1'))()).toEqual(['root=UUID=1', 'ro', 'quiet', 'x=1']);
  const script = { '/boot/grub2/grub.cfg': 'set default=0\nset tuned_params="quiet"\n' };
  for (const unknown of [await lines(script, 'ro $tuned_params'), await lines({}, 'ro x=$y')]) {
    expect(unknown).toThrow(expect.objectContaining({ code: 'unreadable' }));
  }
});

test('a kernel that is a dangling symlink is missing; one truncated in a section is not a program', async () => {
  const entry = { '/loader/entries/a.conf': 'linux /vmlinuz-1\ninitrd /initrd\n', '/initrd': initrd('a') };
  const [linked] = await bootEntries([place('esp', '', { ...entry, '/vmlinuz-1': symlink('vmlinuz-2') })], noTool);
  expect(linked?.missing).toEqual(['/vmlinuz-1']);
  const cut = pe({ '.linux': 'kernel', '.initrd': initrd('a'), '.cmdline': 'x' }, 0x8664).subarray(0, -20);
  const entries = bootEntries([place('esp', '', { '/EFI/Linux/x.efi': cut })], noTool);
  await expect(entries).rejects.toMatchObject({ code: 'unreadable' });
});

test('entries in an unreadable folder do not count as absent', async () => {
  const builder = new RootBuilder();
  builder.hide('/boot', 'partition 2 holds xfs');
  const entries = bootEntries([{ name: 'root', folder: '/boot', files: builder.files() }], noTool);
  await expect(entries).rejects.toMatchObject({ code: 'unreadable', message: expect.stringContaining('xfs') });
});
