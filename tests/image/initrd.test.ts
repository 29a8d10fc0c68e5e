import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { run } from '../../src/base/process.ts';
import { type CpioEntry, cpioArchive } from '../../src/image/cpio.ts';
import { initrdEntries } from '../../src/image/initrd.ts';
import {
  deviceAliases,
  flatDependencies,
  moduleClosure,
  moduleName,
  parseModules,
} from '../../src/image/kernel-modules.ts';

/** An independent reader of newc archives. */
function readCpio(bytes: Buffer): Record<string, unknown>[] {
  const members: Record<string, unknown>[] = [];
  for (let at = 0; ; ) {
    expect(bytes.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number) =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const name = bytes.toString('utf8', at + 110, at + 110 + field(11) - 1);
    if (name === 'TRAILER!!!') return members;
    const start = Math.ceil((at + 110 + field(11)) / 4) * 4;
    const content = bytes.toString('hex', start, start + field(6));
    members.push({ name, inode: field(0), mode: field(1), mtime: field(5), device: [field(9), field(10)], content });
    at = Math.ceil((start + field(6)) / 4) * 4;
  }
}

describe('cpioArchive', () => {
  const entry: fc.Arbitrary<CpioEntry> = fc.oneof(
    fc.record({
      kind: fc.constant('file' as const),
      path: fc.stringMatching(/^[a-zä/]{1,20}$/),
      mode: fc.nat(0o7777),
      content: fc.uint8Array({ maxLength: 20 }),
    }),
    fc.record({
      kind: fc.constant('symlink' as const),
      path: fc.stringMatching(/^[a-z]{1,20}$/),
      mode: fc.nat(0o7777),
      target: fc.stringMatching(/^[a-z/]{1,20}$/),
    }),
  );
  test('reads back as written', () => {
    fc.assert(
      fc.property(fc.array(entry), fc.nat(2 ** 31), (entries, epoch) => {
        const members = readCpio(cpioArchive(entries, epoch));
        expect(members).toEqual(
          entries.map((made, index) => ({
            name: made.path,
            inode: index + 1,
            mode: (made.kind === 'file' ? 0o100000 : 0o120000) | made.mode,
            mtime: epoch,
            device: [0, 0],
            content: Buffer.from(
              made.kind === 'file' ? made.content : made.kind === 'symlink' ? made.target : '',
            ).toString('hex'),
          })),
        );
      }),
    );
  });
  test('devices and folders', () => {
    const members = readCpio(
      cpioArchive(
        [
          { kind: 'directory', path: 'dev', mode: 0o755 },
          { kind: 'character', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
        ],
        0,
      ),
    );
    expect(members).toMatchObject([{ mode: 0o040755 }, { mode: 0o020600, device: [5, 1], content: '' }]);
  });
});

describe('kernel modules', () => {
  const index = parseModules(
    [
      'kernel/drivers/scsi/sd_mod.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz kernel/drivers/scsi/scsi_common.ko.xz',
      'kernel/drivers/scsi/scsi_mod.ko.xz: kernel/drivers/scsi/scsi_common.ko.xz',
      'kernel/drivers/scsi/scsi_common.ko.xz:',
      'kernel/drivers/block/virtio-blk.ko:',
      '',
    ].join('\n'),
    'kernel/fs/ext4/ext4.ko\nkernel/drivers/nvme/host/nvme-core.ko\n',
  );
  test('come after their dependencies, each once, without built-in ones', () => {
    expect(moduleClosure(index, ['virtio_blk', 'sd_mod', 'scsi-mod', 'ext4', 'nvme_core'])).toEqual({
      paths: [
        'kernel/drivers/block/virtio-blk.ko',
        'kernel/drivers/scsi/scsi_common.ko.xz',
        'kernel/drivers/scsi/scsi_mod.ko.xz',
        'kernel/drivers/scsi/sd_mod.ko.xz',
      ],
      missing: [],
    });
  });
  test('that the kernel lacks are reported', () => {
    expect(moduleClosure(index, ['hv_storvsc', 'ext4']).missing).toEqual(['hv_storvsc']);
  });
  test('in one folder have their own modules.dep with additional dependencies', () => {
    const { paths } = moduleClosure(index, ['virtio_blk', 'sd_mod']);
    expect(flatDependencies(index, paths.map(moduleName), { virtio_blk: ['sd_mod'] })).toBe(
      [
        'virtio_blk.ko: sd_mod.ko scsi_mod.ko scsi_common.ko',
        'scsi_common.ko:',
        'scsi_mod.ko: scsi_common.ko',
        'sd_mod.ko: scsi_mod.ko scsi_common.ko',
        '',
      ].join('\n'),
    );
  });
  test('requested by devices on a bus', () => {
    const alias = [
      '# Aliases extracted from modules themselves.',
      'alias virtio:d00000002v* virtio_blk',
      'alias scsi:t-0x00* sd_mod',
      'alias block-major-8-* sd_mod',
      'alias acpi*:VMBUS:* hv_vmbus',
      'alias pci:v*d*sv*sd*bc01sc06i01* ahci',
    ];
    const lines = [alias[1], alias[2], alias[4], ''];
    expect(deviceAliases(alias.join('\n'), ['virtio_blk', 'sd_mod', 'hv_vmbus'])).toBe(lines.join('\n'));
  });
  test.each([
    ['kernel/a/nvme-core.ko.zst', 'nvme_core'],
    ['x.ko', 'x'],
  ])('%s is %s', (path, name) => expect(moduleName(path)).toBe(name));
});

describe('the initramfs', () => {
  const settings = { kernel: '7.2', dep: 'a.ko: b.ko\nb.ko:\n', alias: '', always: ['a'], late: ['ahci'] };
  const modules = [
    { name: 'b', content: Buffer.from('1') },
    { name: 'a', content: Buffer.from('2') },
  ];
  const entries = initrdEntries(Buffer.from('busybox'), modules, settings);
  test('has every folder before its content, and modules where modprobe looks for them', () => {
    const seen = new Set(['']);
    for (const { path, kind } of entries) {
      expect(seen).toContain(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
      if (kind === 'directory') seen.add(path);
    }
    expect(entries.filter(({ path }) => path.endsWith('.ko')).map(({ path }) => path)).toEqual([
      'lib/modules/7.2/b.ko',
      'lib/modules/7.2/a.ko',
    ]);
  });
  test('has a valid shell script that uses only existing programs', async () => {
    const init = entries.find(({ path }) => path === 'init');
    const script = init?.kind === 'file' ? Buffer.from(init.content).toString() : '';
    const dir = await mkdtemp(join(tmpdir(), 'weir-init-'));
    try {
      await writeFile(join(dir, 'init'), script);
      expect(await run(['sh', '-n', join(dir, 'init')])).toMatchObject({ code: 0, stderr: '' });
    } finally {
      await rm(dir, { recursive: true });
    }
    const links = entries.filter(({ kind }) => kind === 'symlink').map(({ path }) => path.slice(4));
    const code = script.replace(/^ *#.*$|"[^"\n]*"/gm, '');
    const commands = code.matchAll(/(?:^|\|\||&&|\$\(|;|\bthen\b|\bdo\b|\bexec\b)\s*([a-z_]+) /gm);
    const shell = 'by_uevent case die do done echo exec exit export find_root for if probe return read while'.split(
      ' ',
    );
    for (const [, command] of commands) expect([...links, ...shell]).toContain(command);
  });
});
