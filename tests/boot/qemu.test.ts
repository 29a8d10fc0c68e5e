import { describe, expect, test } from 'vitest';
import { probeDisk } from '../../src/boot/accelerator.ts';
import { loginCredentials } from '../../src/boot/console.ts';
import { freePort } from '../../src/boot/loopback.ts';
import { type Machine, qemuArgv } from '../../src/boot/qemu.ts';

const machine: Machine = {
  arch: 'x86_64',
  accelerator: 'tcg',
  memoryMiB: 1024,
  cpus: 2,
  firmware: { kind: 'bios' },
  disks: [{ path: '/images/a,b.qcow2', format: 'qcow2', bus: 'nvme' }],
  networkCard: 'virtio',
  console: { file: '/logs/console.log' },
};

/** The values after each `name`. */
function values(argv: readonly string[], name: string): string[] {
  return argv.flatMap((word, index) => (word === name ? [argv[index + 1]!] : []));
}

describe('the command line', () => {
  test('doubles the commas of a path', () => {
    expect(values(qemuArgv(machine), '-drive')).toEqual([
      'if=none,id=disk0,format=qcow2,cache=unsafe,discard=unmap,file=/images/a,,b.qcow2',
    ]);
  });

  test('reserves boot index 0 for an external kernel', () => {
    const bootIndexes = (one: Machine): string[] => qemuArgv(one).filter((word) => word.includes('bootindex='));
    expect(bootIndexes(machine)).toEqual(['nvme,drive=disk0,serial=weir0,bootindex=0']);
    const kernel = { kind: 'kernel', kernel: '/k', commandLine: 'root=/dev/nvme0n1 rw' } as const;
    expect(bootIndexes({ ...machine, firmware: kernel })).toEqual(['nvme,drive=disk0,serial=weir0,bootindex=1']);
    expect(values(qemuArgv({ ...machine, firmware: kernel }), '-append')).toEqual(['root=/dev/nvme0n1 rw']);
  });

  test('protects the firmware only with Secure Boot', () => {
    const uefi = { kind: 'uefi', code: '/code.fd', vars: '/vars.fd', secureBoot: true } as const;
    const secure = qemuArgv({ ...machine, firmware: uefi });
    expect(values(secure, '-machine')).toEqual(['q35,smm=on']);
    expect(values(secure, '-global')).toEqual(['driver=cfi.pflash01,property=secure,value=on']);
    const plain = qemuArgv({ ...machine, firmware: { ...uefi, secureBoot: false } });
    expect(values(plain, '-machine')).toEqual(['q35']);
    expect(values(plain, '-global')).toEqual([]);
    expect(values(plain, '-drive').slice(0, 2)).toEqual([
      'if=pflash,unit=0,format=raw,readonly=on,file=/code.fd',
      'if=pflash,unit=1,format=raw,file=/vars.fd',
    ]);
  });

  test('gives a read-only disk a name and no boot index', () => {
    const argv = qemuArgv({ ...machine, disks: [{ path: '/x', format: 'raw', bus: 'virtio', readOnlyAs: 'data1' }] });
    expect(values(argv, '-drive')).toEqual([
      'if=none,id=disk0,format=raw,cache=unsafe,discard=unmap,file=/x,readonly=on',
    ]);
    expect(values(argv, '-device')).toContain('virtio-blk-pci,drive=disk0,serial=data1');
  });

  test.each([
    ['nvme', ['nvme,drive=disk0,serial=weir0,bootindex=0']],
    ['virtio', ['virtio-blk-pci,drive=disk0,bootindex=0']],
    ['scsi', ['virtio-scsi-pci,id=scsi0', 'scsi-hd,drive=disk0,bootindex=0']],
    ['sata', ['ahci,id=sata0', 'ide-hd,drive=disk0,bus=sata0.0,bootindex=0']],
    ['ide', ['ide-hd,drive=disk0,bus=ide.0,bootindex=0']],
    ['pvscsi', ['pvscsi,id=pvscsi0', 'scsi-hd,drive=disk0,bus=pvscsi0.0,bootindex=0']],
  ] as const)('puts a disk on %s', (bus, devices) => {
    const argv = qemuArgv({ ...machine, disks: [{ path: '/x', format: 'qcow2', bus }] });
    expect(values(argv, '-device').slice(0, devices.length)).toEqual(devices);
    expect(values(argv, '-machine')).toEqual([bus === 'ide' ? 'pc' : 'q35']);
  });

  test('attaches a CD read-only', () => {
    const argv = qemuArgv({ ...machine, disks: [{ path: '/x.iso', format: 'raw', bus: 'cdrom' }] });
    expect(values(argv, '-drive')).toEqual(['if=none,id=disk0,format=raw,media=cdrom,readonly=on,file=/x.iso']);
    expect(values(argv, '-device')).toContain('scsi-cd,drive=disk0,bootindex=0');
  });

  test('passes credentials of any bytes as SMBIOS strings', () => {
    const credentials = [
      { name: 'a.b', value: 'x,y=\n' },
      { name: 'c', value: new Uint8Array([0, 255]) },
    ];
    expect(values(qemuArgv({ ...machine, credentials }), '-smbios')).toEqual([
      'type=11,value=io.systemd.credential.binary:a.b=eCx5PQo=,value=io.systemd.credential.binary:c=AP8=',
    ]);
    expect(values(qemuArgv(machine), '-smbios')).toEqual([]);
  });

  test('extends the command line of a unified kernel image by SMBIOS', () => {
    expect(values(qemuArgv({ ...machine, extraCommandLine: 'a=b,c d' }), '-smbios')).toEqual([
      'type=11,value=io.systemd.stub.kernel-cmdline-extra=a=b,,c d',
    ]);
  });

  test('opens no host port unless requested', () => {
    expect(values(qemuArgv(machine), '-netdev')).toEqual(['user,id=net0']);
    expect(values(qemuArgv({ ...machine, sshPort: 2022 }), '-netdev')).toEqual([
      'user,id=net0,hostfwd=tcp:127.0.0.1:2022-:22',
    ]);
  });

  test.each([
    ['virtio', 'virtio-net-pci,netdev=net0,romfile='],
    ['vmxnet3', 'vmxnet3,netdev=net0,romfile='],
  ] as const)('has one network card, %s', (networkCard, device) => {
    const all = values(qemuArgv({ ...machine, networkCard }), '-device').filter((each) => each.includes('netdev='));
    expect(all).toEqual([device]);
  });

  test('uses another machine type on arm64', () => {
    const argv = qemuArgv({ ...machine, arch: 'aarch64' });
    expect(argv[0]).toBe('qemu-system-aarch64');
    expect(values(argv, '-machine')).toEqual(['virt,gic-version=3']);
    expect(values(argv, '-cpu')).toEqual(['max']);
  });
});

test('there is no login unless requested', () => {
  expect(loginCredentials({})).toEqual([]);
  expect(loginCredentials({ autologin: true, authorizedKey: 'ssh-ed25519 AAAA me' })).toEqual([
    { name: 'ssh.authorized_keys.root', value: 'ssh-ed25519 AAAA me\n' },
    { name: 'agetty.autologin', value: 'root' },
    { name: 'login.noauth', value: 'yes' },
  ]);
});

test('the disk of the KVM probe is a boot sector', () => {
  const disk = probeDisk();
  expect([...disk.slice(0, 3)]).toEqual([0xfa, 0x31, 0xc0]);
  expect([...disk.slice(510, 513)]).toEqual([0x55, 0xaa, 0]);
  // shlx %edx,%r9d,%r9d: fails with broken nesting.
  expect(Buffer.from(disk).includes(Buffer.from([0xc4, 0x42, 0x69, 0xf7, 0xc9]))).toBe(true);
});

test('a free port can be listened on', async () => {
  const port = await freePort();
  expect(port).toBeGreaterThan(1023);
  expect(port).toBeLessThan(65536);
});
