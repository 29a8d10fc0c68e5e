import { constants } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../base/errors.ts';
import { cachePath, cacheRoot } from '../base/paths.ts';
import { run } from '../base/process.ts';
import { sandboxArgv } from '../engine/sandbox.ts';
import { withScratch } from '../engine/scratch.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type Accelerator, type MachineArch, qemuEnvironment } from './qemu.ts';

export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  /** The reason for the choice, shown to the user. */
  readonly why: string;
}

/** accelerator-sector.S as machine code, without the zeros before its boot signature. */
const sectorCode =
  '+jHAjtiO0LwAfLgBJM0V/LgACY7AMf8xwLkAGPOrZscGAJADoAAAZscGAKADsAAAvwCwZriDAAAAuUAAZokFZgUAACAAg8cI4vIPARbwfA8g4GaDyCAP' +
  'IuBmuACQAAAPIthmuYAAAMAPMmYNAAEAAA8wDyDAZg0BAACADyLA6oN8CAC4EAAAAI7YjsCO0LwAfAAAvwAAIAC5AAAQALhaWlpa86u4BwAAADHJD6L3' +
  'wwABAAB0G74AABAAugMAAADEQmn3yUSJDLUAADAA/85177AQ5vT06/2QAAAAAAAAAAAAAAAAAJogAAAAAAAAkgAAFwDYfA==';

/** QEMU's exit code when the guest writes 0x10 to isa-debug-exit: (0x10 << 1) | 1. */
const sectorExitCode = 33;

/** The probe's disk: the sector and its signature, padded to 1 MiB, which SeaBIOS requires of a disk. */
export function probeDisk(): Uint8Array {
  const disk = new Uint8Array(1 << 20);
  disk.set(Buffer.from(sectorCode, 'base64'));
  disk[510] = 0x55;
  disk[511] = 0xaa;
  return disk;
}

/**
 * Chooses KVM if it can run a guest on this host, else TCG. Opening /dev/kvm is not enough: under some nested hypervisors
 * guests die with an internal error. So a tiny guest is booted, which takes a second.
 */
export async function chooseAccelerator(toolbox: Toolbox, arch: MachineArch): Promise<AcceleratorChoice> {
  const hostArch = process.arch === 'x64' ? 'x86_64' : process.arch === 'arm64' ? 'aarch64' : process.arch;
  if (hostArch !== arch) return { accelerator: 'tcg', why: `emulated: the image is ${arch}, this host ${hostArch}` };
  if (arch !== 'x86_64') return { accelerator: 'tcg', why: `emulated: KVM is not probed on ${arch}` };
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    const absent = systemCode(error) === 'ENOENT';
    return { accelerator: 'tcg', why: `emulated: /dev/kvm ${absent ? 'does not exist' : 'cannot be opened'}` };
  }
  const said = await probeAccelerator(toolbox, 'kvm');
  return said === undefined
    ? { accelerator: 'kvm', why: 'KVM: a probe guest ran' }
    : { accelerator: 'tcg', why: `emulated: /dev/kvm exists but a probe guest failed to run (${said})` };
}

/** Boots the probe's disk. @returns undefined if it ran to its end, else QEMU's error */
export function probeAccelerator(toolbox: Toolbox, accelerator: Accelerator): Promise<string | undefined> {
  return withScratch(cachePath(cacheRoot(), 'tmp'), async (scratch) => {
    const disk = join(scratch, 'probe.img');
    await writeFile(disk, probeDisk());
    const qemu = ['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'];
    qemu.push('-machine', 'q35', '-accel', accelerator, '-cpu', 'max', '-m', '64');
    qemu.push('-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-drive', `if=ide,format=raw,file=${disk}`);
    const result = await run(
      sandboxArgv(toolbox.jail, {
        code: 'tool',
        root: toolbox.root,
        // After an internal error of KVM, QEMU pauses the guest and waits for ever.
        argv: ['timeout', '--kill-after=1', '5', ...qemu],
        binds: [{ from: scratch, writable: true }],
        devices: ['/dev/kvm'],
      }),
      { env: qemuEnvironment, timeoutSeconds: 15 },
    );
    if (result.code === sectorExitCode) return undefined;
    const lines = result.stderr.split('\n').filter((line) => line.trim() !== '');
    const first = lines.find((line) => line.includes('KVM')) ?? lines[0];
    return first?.trim() ?? `exit code ${result.code}`;
  });
}
