import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import { type RunResult, run } from '../base/process.ts';
import type { Bind } from '../engine/jail.ts';
import { sandboxArgv } from '../engine/sandbox.ts';
import type { Toolbox } from '../toolbox/tool.ts';

export type MachineArch = 'x86_64' | 'aarch64';
export type Accelerator = 'kvm' | 'tcg';

/** A credential for systemd in the guest, passed without modifying the image. */
export interface Credential {
  /** Name as in systemd.system-credentials(7), for example `ssh.authorized_keys.root`. */
  readonly name: string;
  readonly value: string | Uint8Array;
}

/** Bus of the boot disk: `scsi` uses a virtio controller, `pvscsi` VMware's, `ide` the legacy PC's. */
export const diskBuses = ['nvme', 'virtio', 'scsi', 'sata', 'ide', 'pvscsi'] as const;
export type DiskBus = (typeof diskBuses)[number];

/** Network cards: `vmxnet3` is VMware's. */
export const networkCards = ['virtio', 'vmxnet3'] as const;
export type NetworkCard = (typeof networkCards)[number];

export interface MachineDisk {
  /** A file that QEMU may write: an overlay, never the image itself; or a file that is attached read-only. */
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
  /** How the guest sees it. `cdrom` is read-only. */
  readonly bus: DiskBus | 'cdrom';
  /** For virtio: attached read-only, as /dev/disk/by-id/virtio-NAME. */
  readonly readOnlyAs?: string;
}

/** How the machine boots: by firmware, or from an external kernel. */
export type Firmware =
  | { readonly kind: 'bios' }
  /** `vars` must be a copy, because the firmware writes to it. `secureBoot` needs variables with enrolled keys. */
  | { readonly kind: 'uefi'; readonly code: string; readonly vars: string; readonly secureBoot: boolean }
  | { readonly kind: 'kernel'; readonly kernel: string; readonly initrd?: string; readonly commandLine: string };

export interface Machine {
  readonly arch: MachineArch;
  readonly accelerator: Accelerator;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly firmware: Firmware;
  readonly disks: readonly MachineDisk[];
  /** The serial console: this terminal, or a file. */
  readonly console: 'terminal' | { readonly file: string };
  /** A virtio-serial port, /dev/virtio-ports/<name> in the guest, written to a file here. */
  readonly port?: { readonly name: string; readonly file: string };
  readonly networkCard: NetworkCard;
  /** TCP port on this host's loopback that is forwarded to the guest's port 22. */
  readonly sshPort?: number;
  readonly credentials?: readonly Credential[];
  /** Kernel parameters that systemd's UEFI stub appends; ignored with Secure Boot. */
  readonly extraCommandLine?: string;
}

/**
 * QEMU's command line: a PCIe machine (q35, virt; pc for an IDE disk), user networking in which the guest reaches this host's
 * loopback as 10.0.2.2, a random number generator, and nothing else. All paths are paths in the sandbox.
 */
export function qemuArgv(machine: Machine): string[] {
  const x86 = machine.arch === 'x86_64';
  const { firmware } = machine;
  const secure = firmware.kind === 'uefi' && firmware.secureBoot;
  const argv = [`qemu-system-${machine.arch}`, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'];
  const chipset = machine.disks.some(({ bus }) => bus === 'ide') ? 'pc' : 'q35';
  argv.push('-machine', x86 ? `${chipset}${secure ? ',smm=on' : ''}` : 'virt,gic-version=3');
  argv.push('-accel', machine.accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi');
  // "max" enables all that the accelerator supports. Virtualisation is off, or the guest would load hypervisor modules.
  argv.push('-cpu', x86 ? 'max,-svm,-vmx' : 'max');
  argv.push('-smp', String(machine.cpus), '-m', `${machine.memoryMiB}M`);
  if (firmware.kind === 'uefi') {
    if (secure && x86) argv.push('-global', 'driver=cfi.pflash01,property=secure,value=on');
    argv.push('-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${option(firmware.code)}`);
    argv.push('-drive', `if=pflash,unit=1,format=raw,file=${option(firmware.vars)}`);
  } else if (firmware.kind === 'kernel') {
    argv.push('-kernel', firmware.kernel);
    if (firmware.initrd !== undefined) argv.push('-initrd', firmware.initrd);
    argv.push('-append', firmware.commandLine);
  }
  for (const [index, disk] of machine.disks.entries()) {
    // An external kernel takes boot index 0.
    argv.push(...diskArguments(disk, index, firmware.kind === 'kernel' ? index + 1 : index));
  }
  const forward = machine.sshPort === undefined ? '' : `,hostfwd=tcp:127.0.0.1:${machine.sshPort}-:22`;
  argv.push('-netdev', `user,id=net0${forward}`, '-device', `${cardDevices[machine.networkCard]},netdev=net0,romfile=`);
  argv.push('-device', 'virtio-rng-pci');
  if (machine.console === 'terminal') {
    // Ctrl-C goes to the guest; Ctrl-A X quits, Ctrl-A C opens QEMU's monitor.
    argv.push('-chardev', 'stdio,id=console,mux=on,signal=off', '-serial', 'chardev:console');
    argv.push('-object', 'monitor-hmp,id=monitor,chardev=console,readline=on');
  } else {
    argv.push('-serial', `file:${machine.console.file}`);
  }
  if (machine.port !== undefined) {
    argv.push('-device', 'virtio-serial-pci', '-chardev', `file,id=port0,path=${option(machine.port.file)}`);
    argv.push('-device', `virtserialport,chardev=port0,name=${machine.port.name}`);
  }
  const strings = (machine.credentials ?? []).map(smbiosCredential);
  if (machine.extraCommandLine !== undefined) {
    strings.push(`io.systemd.stub.kernel-cmdline-extra=${option(machine.extraCommandLine)}`);
  }
  if (strings.length > 0) argv.push('-smbios', ['type=11', ...strings.map((string) => `value=${string}`)].join(','));
  return argv;
}

const cardDevices: Readonly<Record<NetworkCard, string>> = { virtio: 'virtio-net-pci', vmxnet3: 'vmxnet3' };

function diskArguments(disk: MachineDisk, index: number, order: number): string[] {
  const id = `disk${index}`;
  // Disk changes are discarded, so the guest's flushes need not reach this host's disk.
  const drive = `if=none,id=${id},format=${disk.format},cache=unsafe,discard=unmap,file=${option(disk.path)}`;
  if (disk.bus === 'nvme')
    return ['-drive', drive, '-device', `nvme,drive=${id},serial=weir${index},bootindex=${order}`];
  if (disk.readOnlyAs !== undefined) {
    const device = `virtio-blk-pci,drive=${id},serial=${disk.readOnlyAs}`;
    return ['-drive', `${drive},readonly=on`, '-device', device];
  }
  if (disk.bus === 'virtio') return ['-drive', drive, '-device', `virtio-blk-pci,drive=${id},bootindex=${order}`];
  // The pc machine has an IDE controller.
  if (disk.bus === 'ide') return ['-drive', drive, '-device', `ide-hd,drive=${id},bus=ide.0,bootindex=${order}`];
  if (disk.bus === 'sata' || disk.bus === 'pvscsi') {
    // Adds a controller: q35 has one for SATA, virt has none.
    const [controller, device] = disk.bus === 'sata' ? ['ahci', 'ide-hd'] : ['pvscsi', 'scsi-hd'];
    const bus = `${disk.bus}${index}`;
    return [
      ...['-device', `${controller},id=${bus}`, '-drive', drive],
      ...['-device', `${device},drive=${id},bus=${bus}.0,bootindex=${order}`],
    ];
  }
  const scsi = index === 0 ? ['-device', 'virtio-scsi-pci,id=scsi0'] : [];
  if (disk.bus === 'scsi') return [...scsi, '-drive', drive, '-device', `scsi-hd,drive=${id},bootindex=${order}`];
  return [
    ...scsi,
    '-drive',
    `if=none,id=${id},format=${disk.format},media=cdrom,readonly=on,file=${option(disk.path)}`,
    '-device',
    `scsi-cd,drive=${id},bootindex=${order}`,
  ];
}

/** Escapes a value in QEMU's comma-separated options by doubling commas. */
function option(value: string): string {
  return value.replaceAll(',', ',,');
}

/** systemd reads credentials from SMBIOS strings of type 11: `io.systemd.credential.binary:NAME=BASE64`. */
function smbiosCredential({ name, value }: Credential): string {
  return `io.systemd.credential.binary:${name}=${Buffer.from(value).toString('base64')}`;
}

/** UEFI firmware files of the toolbox; paths in the sandbox. */
const firmwareFiles: Readonly<Record<MachineArch, { code: string; secureCode: string; vars: string }>> = {
  x86_64: {
    code: '/usr/share/OVMF/OVMF_CODE_4M.fd',
    secureCode: '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd',
    vars: '/usr/share/OVMF/OVMF_VARS_4M.fd',
  },
  aarch64: {
    code: '/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd',
    secureCode: '/usr/share/AAVMF/AAVMF_CODE.secboot.fd',
    vars: '/usr/share/AAVMF/AAVMF_VARS.fd',
  },
};

/**
 * The UEFI firmware with a fresh copy of its variables in `folder`.
 * @param secureVariables variables with enrolled keys; enables Secure Boot
 */
export async function uefiFirmware(
  toolbox: Toolbox,
  arch: MachineArch,
  folder: string,
  secureVariables?: string,
): Promise<Firmware> {
  const files = firmwareFiles[arch];
  const code = secureVariables === undefined ? files.code : files.secureCode;
  if (!(await exists(join(toolbox.root, code)))) {
    throw new WeirError('no-firmware', `the toolbox has no UEFI firmware for ${arch}`, {
      where: { file: code },
      hint: 'the toolbox set "boot" provides it',
    });
  }
  const vars = join(folder, 'efi-variables.fd');
  await copyFresh(toolbox, secureVariables ?? files.vars, vars, folder);
  return { kind: 'uefi', code, vars, secureBoot: secureVariables !== undefined };
}

/** Copies in the toolbox, so that both toolbox paths and host paths work. */
async function copyFresh(toolbox: Toolbox, from: string, to: string, folder: string): Promise<void> {
  const host = from.startsWith('/usr/') ? [] : [{ from }];
  const result = await run(
    sandboxArgv(toolbox.jail, {
      code: 'tool',
      root: toolbox.root,
      argv: ['cp', '--no-preserve=all', '-L', from, to],
      binds: [...host, { from: folder, writable: true }],
    }),
    { env: qemuEnvironment },
  );
  if (result.code !== 0) throw new WeirError('no-firmware', 'cannot copy the firmware', { details: [result.stderr] });
}

/** Environment of QEMU's process; nothing is inherited. */
export const qemuEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  TZ: 'UTC',
};

/**
 * Creates a qcow2 overlay of an image in `folder`, so that the image itself is never written.
 * @param size disk size in bytes, if the file is larger than the disk (a fixed VHD's footer) or the disk should be larger
 */
export async function makeOverlay(
  toolbox: Toolbox,
  image: { readonly path: string; readonly format: 'raw' | 'qcow2' | 'vhdx' },
  folder: string,
  size?: number,
): Promise<string> {
  const overlay = join(folder, 'disk.qcow2');
  const argv = ['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', image.format, '-b', image.path, overlay];
  if (size !== undefined) argv.push(String(size));
  const result = await run(
    sandboxArgv(toolbox.jail, {
      code: 'tool',
      root: toolbox.root,
      argv,
      binds: [{ from: image.path }, { from: folder, writable: true }],
    }),
    { env: qemuEnvironment },
  );
  if (result.code !== 0) {
    throw new WeirError('no-overlay', 'cannot create a disk overlay', {
      where: { file: image.path },
      details: [result.stderr.trim()],
    });
  }
  return overlay;
}

/** The full command that runs a machine from the toolbox, on the host's network (its loopback), with /dev/kvm. */
export function machineCommand(toolbox: Toolbox, machine: Machine, binds: readonly Bind[]): string[] {
  return sandboxArgv(toolbox.jail, {
    code: 'tool',
    root: toolbox.root,
    argv: qemuArgv(machine),
    binds,
    network: true,
    devices: machine.accelerator === 'kvm' ? ['/dev/kvm'] : [],
  });
}

/** Runs a machine until it powers off or times out (then `code` is 137). */
export function runMachine(
  toolbox: Toolbox,
  machine: Machine,
  options: { readonly binds: readonly Bind[]; readonly timeoutSeconds: number; readonly signal?: AbortSignal },
): Promise<RunResult> {
  return run(machineCommand(toolbox, machine, options.binds), {
    env: qemuEnvironment,
    timeoutSeconds: options.timeoutSeconds,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}
