import { mkdir, open, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { cpioArchive } from '../../src/image/cpio.ts';
import { copySparse, partitionTypes } from '../../src/image/disk.ts';
import { identifyFileSystem } from '../../src/image/filesystem-identity.ts';
import { initrdFiles } from '../../src/lint/initrd-modules.ts';
import { lintArtefact } from '../../src/lint/lint.ts';
import { decompressor } from '../../src/lint/open-disk.ts';
import type { LintReport, Verdict } from '../../src/lint/rule.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { fatVolume } from '../lint/fat.ts';
import { mebibyte, uuids, writeGpt } from '../lint/good-disk.ts';
import { expectError, newFolder, shared, tools, weir } from './weir.ts';

interface Answer {
  readonly ok: boolean;
  readonly reports: readonly LintReport[];
}

async function lint(...args: string[]): Promise<Answer & { readonly code: number }> {
  const result = await weir(['-C', shared.project, 'image', 'lint', ...args, '--out', shared.out, '--json']);
  expect(result.stdout, result.stderr).toMatch(/^\{/);
  return { code: result.code, ...(JSON.parse(result.stdout) as Answer) };
}

const notHolding = (verdicts: readonly Verdict[]): string[] =>
  verdicts.filter(({ status }) => status !== 'holds').map(({ rule }) => rule);
const findings = (reports: readonly LintReport[]) =>
  reports.flatMap(({ file, verdicts }) => verdicts.flatMap((each) => each.findings.map((one) => ({ file, ...one }))));

test('vm-base passes in every format, with equal results', async () => {
  const { code, reports } = await lint('vm-base');
  expect(findings(reports)).toEqual([]);
  expect(code).toBe(0);
  expect(reports.map(({ format }) => format)).toEqual(expect.arrayContaining(['raw', 'qcow2', 'vhd']));
  for (const { verdicts } of reports) expect(verdicts.length).toBeGreaterThan(25);
});

test('vm-base lacks only Azure’s requirements beyond a bootable disk', async () => {
  const { code, reports } = await lint('vm-base', '--for', 'azure-gen2');
  expect(reports.map(({ format }) => format)).toEqual(['vhd']);
  const agents = ['azure-packages', 'azure-services', 'cloud-init-azure', 'waagent-settings'];
  expect(new Set(notHolding(reports[0]!.verdicts))).toEqual(new Set(agents));
  expect(findings(reports).map(({ message }) => message)).toContain('WALinuxAgent is not installed');
  expect(code).toBe(1);
});

test.each(['azure-gen1', 'azure-gen2'])('vm-azure passes for %s', async (target) => {
  const { code, reports } = await lint('vm-azure', '--for', target);
  expect(findings(reports)).toEqual([]);
  expect({ code, formats: reports.map(({ format }) => format) }).toEqual({ code: 0, formats: ['vhd'] });
});

test('vm-kubernetes passes as a node in every format, and vm-base does not', async () => {
  const { code, reports } = await lint('vm-kubernetes', '--for', 'kubernetes');
  expect(findings(reports)).toEqual([]);
  expect({ code, formats: reports.map(({ format }) => format).sort() }).toEqual({ code: 0, formats: ['qcow2', 'vhd'] });
  const base = await lint(join(shared.out, 'images/vm-base/vm-base.raw'), '--for', 'kubernetes');
  const node = ['kubernetes-packages', 'containerd-enabled', 'containerd-settings', 'pause-image-pinned'];
  expect(notHolding(base.reports[0]!.verdicts)).toEqual([...node, 'kubernetes-modules', 'kubernetes-sysctl']);
  expect(base.code).toBe(1);
});

test('container-base passes, and is rejected for a machine', async () => {
  const { code, reports } = await lint('container-base');
  expect(findings(reports)).toEqual([]);
  expect(code).toBe(0);
  expect(reports).toMatchObject([{ format: 'oci', target: 'container' }]);
  const wrong = await weir([
    '-C',
    shared.project,
    'image',
    'lint',
    'container-base',
    '--for',
    'azure-gen1',
    '--out',
    shared.out,
  ]);
  expectError(wrong, { exit: 2, says: /a container image cannot be checked for azure-gen1/ });
});

describe('a damaged copy', () => {
  let toolbox: Toolbox;
  let folder: string;
  let disk: string;
  const image = (name: string) => join(shared.out, 'images/vm-base', name);
  const tool = (...argv: string[]) => runTool(toolbox, { argv, binds: [{ from: folder, writable: true }] });
  /** Where partitions lie in every disk that Weir makes is in its table. */
  const partition = async (index: number): Promise<number> => {
    const table = JSON.parse((await tool('sfdisk', '--json', disk)).stdout) as {
      partitiontable: { partitions: readonly { start: number }[] };
    };
    return table.partitiontable.partitions[index]!.start * 512;
  };

  beforeAll(async () => {
    toolbox = await tools();
    folder = await newFolder('lint');
    disk = join(folder, 'damaged.raw');
  });

  test('files added to the root are found, with the real debugfs', async () => {
    await copySparse(toolbox, image('vm-base.raw'), disk);
    const secret = join(folder, 'secret');
    await writeFile(secret, 'a secret');
    const long = `/${'x'.repeat(80)}`;
    const script = join(folder, 'script');
    const commands = [
      `write ${secret} /etc/ssh/ssh_host_ed25519_key`,
      'mkdir /root/.ssh',
      `write ${secret} /root/.ssh/authorized_keys`,
      `write ${secret} /var/log/messages`,
      'rm /etc/machine-id',
      // A target that has a block of its own.
      `symlink /etc/machine-id ${long}`,
      `write ${secret} ${long}`,
    ];
    await writeFile(script, `${commands.join('\n')}\n`);
    const offset = await partition(2);
    await tool('debugfs', '-w', '-f', script, `${disk}?offset=${offset}`);
    const { code, reports } = await lint(disk);
    // What debugfs makes has no context.
    const rules = ['selinux-labels', 'no-ssh-host-keys', 'no-authorized-keys', 'machine-id', 'no-logs'];
    expect(notHolding(reports[0]!.verdicts)).toEqual(rules);
    expect(findings(reports).find(({ rule }) => rule === 'machine-id')?.message).toBe('it is already a secret');
    expect(code).toBe(1);
  });

  test('a missing boot loader, and a corrupt file system', async () => {
    await copySparse(toolbox, image('vm-base.raw'), disk);
    const [esp, root] = [await partition(1), await partition(2)];
    await tool('mdel', '-i', `${disk}@@${esp}`, '::/EFI/BOOT/BOOTX64.EFI');
    await tool('debugfs', '-w', '-R', 'set_super_value free_blocks_count 1', `${disk}?offset=${root}`);
    await tool('debugfs', '-w', '-R', 'clri /usr/bin/sudo', `${disk}?offset=${root}`);
    // By BIOS it would start all the same.
    const { reports } = await lint(disk, '--for', 'azure-gen2');
    expect(notHolding(reports[0]!.verdicts)).toEqual(expect.arrayContaining(['efi-boot-loader', 'root-file-system']));
    expect(notHolding((await lint(disk)).reports[0]!.verdicts)).toEqual(['root-file-system']);
  });

  test('an overwritten root cannot be checked and does not pass', async () => {
    await copySparse(toolbox, image('vm-base.raw'), disk);
    const root = await partition(2);
    const handle = await open(disk, 'r+');
    // All but the superblock, whose number alone makes it look like a file system.
    await handle.write(Buffer.alloc(8 << 20, 0xa5), 0, 8 << 20, root + 4096);
    await handle.close();
    const { code, reports } = await lint(disk);
    const status = (rule: string) => reports[0]!.verdicts.find((verdict) => verdict.rule === rule)?.status;
    expect(['gpt-primary', 'boot-loader'].map(status)).toEqual(['holds', 'holds']);
    expect(['os-release', 'no-passwords', 'root-file-system'].map(status)).toEqual([
      'unchecked',
      'unchecked',
      'unchecked',
    ]);
    expect(code).toBe(1);
  });

  test('a folder that contains itself does not loop', async () => {
    await copySparse(toolbox, image('vm-base.raw'), disk);
    const offset = await partition(2);
    await tool('debugfs', '-w', '-R', 'link /etc /etc/again', `${disk}?offset=${offset}`);
    const { code, reports } = await lint(disk);
    expect(findings(reports).find(({ rule }) => rule === 'os-release')?.message).toMatch(
      /the folder \/etc\/again is in two places/,
    );
    expect(code).toBe(1);
  });

  test('a VHD without its footer, and a dynamic one', async () => {
    const vhd = join(folder, 'cut.vhd');
    await copySparse(toolbox, image('vm-base.vhd'), vhd);
    await truncate(vhd, (await stat(vhd)).size - 512);
    expect(notHolding((await lint(vhd)).reports[0]!.verdicts)).toEqual(['vhd-footer']);
    await rm(vhd);
    const dynamic = join(folder, 'dynamic.vhd');
    await tool('qemu-img', 'create', '-f', 'vpc', '-o', 'subformat=dynamic', dynamic, '64M');
    const { reports } = await lint(dynamic, '--for', 'azure-gen2');
    expect(findings(reports).map(({ message }) => message)).toContain('the disk is dynamic, not fixed');
  });
});

test('an initrd with xz is read by the real one', async () => {
  const toolbox = await tools();
  const folder = await newFolder('lint-xz');
  const files = [{ kind: 'file' as const, path: 'lib/hv_vmbus.ko', mode: 0o644, content: Buffer.from('module') }];
  await writeFile(join(folder, 'initrd'), cpioArchive(files, 0));
  await runTool(toolbox, { argv: ['xz', join(folder, 'initrd')], binds: [{ from: folder, writable: true }] });
  const packed = await readFile(join(folder, 'initrd.xz'));
  const read = (bytes: Buffer) => initrdFiles(bytes, decompressor(toolbox, folder));
  expect(await read(packed)).toEqual([{ path: 'lib/hv_vmbus.ko', content: Buffer.from('module') }]);
  await expect(read(packed.subarray(0, 40))).rejects.toMatchObject({ code: 'unreadable' });
});

describe('file systems of other tools', () => {
  test('are identified as by blkid', async () => {
    const toolbox = await tools();
    const folder = await newFolder('lint-names');
    const file = join(folder, 'fs');
    const run = (argv: readonly string[]) => runTool(toolbox, { argv, binds: [{ from: folder, writable: true }] });
    const uuid = '11111111-2222-4333-8444-555555555555';
    const makers: readonly (readonly [string, number, readonly string[]])[] = [
      ['vfat', 2, ['mkfs.vfat', '-F', '12', '-n', 'EFI', file]],
      ['vfat', 16, ['mkfs.vfat', '-F', '16', '-n', 'EFI-SYSTEM', file]],
      ['vfat', 64, ['mkfs.vfat', '-F', '32', '-n', 'EFI', file]],
      ['vfat', 16, ['mkfs.vfat', '-F', '16', file]],
      ['ext4', 8, ['mke2fs', '-q', '-t', 'ext2', '-L', 'root', '-U', uuid, file]],
      ['ext4', 8, ['mke2fs', '-q', '-t', 'ext4', '-U', uuid, file]],
      ['swap', 8, ['mkswap', '-q', '-L', 'more', '-U', uuid, file]],
    ];
    for (const [type, mebibytes, argv] of makers) {
      await rm(file, { force: true });
      await writeFile(file, '');
      await truncate(file, mebibytes << 20);
      await run(argv);
      const bytes = await readFile(file);
      const { stdout } = await run(['blkid', '-p', '-o', 'export', file]);
      const said = new Map(stdout.split('\n').map((line) => line.split('=') as [string, string]));
      const kind = said.get('TYPE') === 'ext2' ? 'ext4' : said.get('TYPE');
      expect([type, kind], argv.join(' ')).toEqual([type, type]);
      expect(identifyFileSystem(bytesReader(bytes), 0, bytes.length), argv.join(' ')).toEqual({
        ...{ state: 'known', type, uuid: said.get('UUID') ?? '', label: said.get('LABEL') ?? '' },
      });
    }
  });

  test('lint to the end with damage anywhere', async () => {
    const toolbox = await tools();
    const folder = await newFolder('lint-damaged');
    const [tree, file, disk] = ['tree', 'root', 'disk.raw'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await mkdir(join(tree, 'etc/deep/er'), { recursive: true });
    await mkdir(join(tree, 'usr/lib'), { recursive: true });
    for (let index = 0; index < 200; index++) await writeFile(join(tree, 'etc/deep/er', `file ${index}`), `${index}`);
    await writeFile(join(tree, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
    await symlink(`../${'x'.repeat(80)}`, join(tree, 'etc/long'));
    await writeFile(file, '');
    await truncate(file, 6 * mebibyte);
    const binds = [{ from: folder, writable: true }];
    await runTool(toolbox, { argv: ['mke2fs', '-q', '-t', 'ext4', '-d', tree, file], binds });
    const esp = fatVolume(16, Buffer.alloc(5000, 'kernel'));
    const good = Buffer.alloc(12 * mebibyte);
    good.writeUInt16LE(0xaa55, 510);
    good[450] = 0xee;
    esp.copy(good, mebibyte);
    (await readFile(file)).copy(good, 5 * mebibyte);
    const part = (type: string, offset: number, size: number) => ({ type, offset, size, uuid: uuids.root, name: 'x' });
    const parts = [
      part(partitionTypes.esp, mebibyte, esp.length),
      part(partitionTypes.rootX86_64, 5 * mebibyte, 6 * mebibyte),
    ];
    writeGpt(good, parts, uuids.disk);
    const random = seeded(1);
    for (let round = 0; round < 25; round++) {
      const bytes = Buffer.from(good);
      const areas = [34 * 512, mebibyte + esp.length, bytes.length] as const;
      for (let count = 2 ** random(9); count > 0; count--) {
        const [from, to] = random(2) === 0 ? [mebibyte, areas[1 + random(2)]!] : [5 * mebibyte, 6 * mebibyte];
        bytes[from + random(to - from)] = [0, 0xff, random(256)][random(3)]!;
      }
      if (random(8) === 0) bytes[512 + random(areas[0] - 512)]! ^= 1 << random(8);
      await writeFile(disk, bytes);
      const [report] = await lintArtefact(toolbox, disk, 'generic', join(folder, `scratch-${round}`));
      expect(report!.verdicts.length, `round ${round}`).toBeGreaterThan(20);
      expect(report!.ok, `round ${round}`).toBe(false);
    }
  });
});

/** Numbers below a limit, the same ones each time (xorshift32). */
function seeded(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}
