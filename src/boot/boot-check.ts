import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { readIfExists, writeAtomic } from '../base/files.ts';
import { lastLines } from '../base/process.ts';
import type { Bind } from '../engine/jail.ts';
import { vhdxDiskSize } from '../image/vhdx.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type AcceleratorChoice, chooseAccelerator } from './accelerator.ts';
import { freePort } from './loopback.ts';
import { parseAnswers, probeCredentials, probePort } from './probe.ts';
import {
  type Credential,
  type DiskBus,
  type Firmware,
  type Machine,
  type MachineArch,
  makeOverlay,
  type NetworkCard,
  runMachine,
  uefiFirmware,
} from './qemu.ts';
import { serveRepository } from './repo-server.ts';
import { type Expectations, judge, type MachineState, machineState } from './report.ts';
import { pause, sshGreeting } from './ssh-greeting.ts';

/** An image to boot. */
export interface BootImage {
  readonly path: string;
  /** `vhd`: fixed, a raw disk with a footer. */
  readonly format: 'raw' | 'qcow2' | 'vhd' | 'vhdx' | 'iso';
  readonly arch: MachineArch;
  /** Starts this kernel instead of the image's own loader; the command line names the root. */
  readonly kernel?: { readonly path: string; readonly initrd?: string; readonly commandLine: string };
  /** UEFI variables with enrolled keys; enables Secure Boot. */
  readonly secureVariables?: string;
}

export interface MachineOptions {
  /** Default 2048. */
  readonly memoryMiB?: number;
  /** Default 2. */
  readonly cpus?: number;
  /** Default `uefi`; `bios` is what clouds call generation 1. */
  readonly firmware?: 'uefi' | 'bios';
  /** Bus of the disk in the guest; NVMe by default, as in current clouds. */
  readonly bus?: DiskBus;
  /** Default `virtio`. */
  readonly networkCard?: NetworkCard;
  /** Disk size in bytes, if larger than the image. */
  readonly diskSize?: number;
  /** Extra raw disks, writable by the guest. */
  readonly disks?: readonly string[];
  /** Files presented to the guest as read-only disks, /dev/disk/by-id/virtio-data1 and so on. */
  readonly data?: readonly string[];
  /** Extra credentials for the guest. */
  readonly credentials?: readonly Credential[];
  /** Parameters added to the command line of a unified kernel image; ignored with Secure Boot. */
  readonly extraCommandLine?: string;
  /** Overrides the probe for an accelerator. */
  readonly accelerator?: AcceleratorChoice;
}

export interface CheckOptions extends MachineOptions {
  /** Folder for console.log and the report; created if missing. */
  readonly folder: string;
  /** Timeout of one attempt; default 900 when emulated, 180 with KVM. */
  readonly timeoutSeconds?: number;
  readonly expect?: Expectations;
  /** Default true. */
  readonly verifyPackages?: boolean;
  /** A published repository's folder, and the package to install from it. */
  readonly install?: {
    readonly folder: string;
    readonly package: string;
    /** Repository ids of the image, each with its path below the folder ('' for the folder itself). */
    readonly repositories: readonly { readonly id: string; readonly path: string }[];
  };
  /** A shell script, run as root in the guest after all other checks. Its failure fails the check. */
  readonly script?: string;
}

export interface BootReport {
  readonly ok: boolean;
  /** One sentence per failure. */
  readonly failures: readonly string[];
  /** Notes that are not failures: a repeated attempt, a fallback to emulation. */
  readonly notes: readonly string[];
  readonly accelerator: AcceleratorChoice;
  readonly attempts: number;
  /** From QEMU's start to its exit, including the check's own queries. */
  readonly seconds: number;
  /** sshd's greeting to a connection from this host, for example `SSH-2.0-OpenSSH_10.2`. */
  readonly ssh?: string;
  readonly machine: MachineState;
  readonly consoleLog: string;
}

interface Attempt {
  readonly machine: MachineState;
  readonly finished: boolean;
  readonly ssh: string | undefined;
  readonly seconds: number;
  readonly code: number;
  readonly stderr: string;
  readonly console: string;
}

/** QEMU bug: emulation with several CPUs rarely traps on a breakpoint that the guest kernel patches into itself. */
const knownOops = /Oops: int3/;

/** QEMU cannot be given a port that is open: between `freePort` and its start, another program may take it. */
const portTaken = /Could not set up host forwarding rule/;

const kernelPanic = /Kernel panic - not syncing[^\r\n]*/;

/**
 * Boots an image, checks it, and powers it off. The image is not modified and contains nothing for the check. An attempt that
 * failed with a known emulator bug is repeated; the report notes it.
 * @throws WeirError if QEMU cannot run; failures in the guest go to the report
 */
export async function bootCheck(toolbox: Toolbox, image: BootImage, options: CheckOptions): Promise<BootReport> {
  await mkdir(options.folder, { recursive: true });
  const notes: string[] = [];
  let accelerator = options.accelerator ?? (await chooseAccelerator(toolbox, image.arch));
  const server = options.install === undefined ? undefined : await serveRepository(options.install.folder);
  try {
    for (let attempts = 1; ; attempts++) {
      const attempt = await attemptBoot(toolbox, image, options, accelerator, server?.port);
      if (attempts < 3 && accelerator.accelerator === 'kvm' && /KVM internal error/.test(attempt.stderr)) {
        accelerator = { accelerator: 'tcg', why: 'emulated: KVM failed with an internal error during boot' };
        notes.push('KVM failed with an internal error; retrying with emulation');
        continue;
      }
      if (attempts < 2 && accelerator.accelerator === 'tcg' && knownOops.test(attempt.console)) {
        notes.push('the guest hit a known QEMU bug (spurious int3 with several CPUs); retrying');
        continue;
      }
      if (attempts < 3 && portTaken.test(attempt.stderr)) {
        notes.push('another program took the port that leads to sshd; retrying with another one');
        continue;
      }
      if (attempt.code !== 0 && attempt.code !== 137 && attempt.console === '') {
        throw new WeirError('qemu-failed', 'QEMU could not start the machine', {
          where: { file: image.path },
          details: lastLines(attempt.stderr, 10),
        });
      }
      const failures = attemptFailures(attempt, options);
      const report: BootReport = {
        ok: failures.length === 0,
        failures,
        notes,
        accelerator,
        attempts,
        seconds: attempt.seconds,
        ...(attempt.ssh === undefined ? {} : { ssh: attempt.ssh }),
        machine: attempt.machine,
        consoleLog: join(options.folder, 'console.log'),
      };
      await writeAtomic(join(options.folder, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
      return report;
    }
  } finally {
    await server?.close();
  }
}

function attemptFailures(attempt: Attempt, options: CheckOptions): string[] {
  const failures: string[] = [];
  if (!attempt.finished) {
    const last = lastLines(attempt.console, 1)[0] ?? 'nothing';
    const panic = kernelPanic.exec(attempt.console)?.[0];
    const how = attempt.code === 137 ? 'timed out' : `QEMU exited with ${attempt.code}`;
    failures.push(
      panic ?? `the machine did not complete the check (${how}; last console line: ${last.trim().slice(0, 200)})`,
    );
  }
  if (attempt.machine.state !== undefined || attempt.finished) {
    failures.push(
      ...judge(attempt.machine, options.expect ?? {}, {
        install: options.install !== undefined,
        run: options.script !== undefined,
      }),
    );
    if (attempt.ssh === undefined && options.expect?.network !== false) failures.push('sshd did not respond');
  }
  return failures;
}

async function attemptBoot(
  toolbox: Toolbox,
  image: BootImage,
  options: CheckOptions,
  accelerator: AcceleratorChoice,
  repoPort: number | undefined,
): Promise<Attempt> {
  const { folder, install } = options;
  const consoleLog = join(folder, 'console.log');
  const answersFile = join(folder, 'answers.jsonl');
  for (const file of [consoleLog, answersFile]) await rm(file, { force: true });
  const slow = accelerator.accelerator === 'tcg';
  const probe = probeCredentials({
    verifyPackages: options.verifyPackages !== false,
    settleSeconds: slow ? 240 : 60,
    ...(options.script === undefined ? {} : { script: options.script }),
    ...(install === undefined || repoPort === undefined
      ? {}
      : {
          install: {
            package: install.package,
            repositories: install.repositories.map(({ id, path }) => ({
              id,
              baseUrl: new URL(path, `http://10.0.2.2:${repoPort}/`).href,
            })),
          },
        }),
  });
  const sshPort = await freePort();
  const { machine, binds, overlay } = await prepareMachine(toolbox, image, options, accelerator, folder);
  const began = performance.now();
  const panicked = new AbortController();
  const running = runMachine(
    toolbox,
    {
      ...machine,
      console: { file: consoleLog },
      port: { name: probePort, file: answersFile },
      sshPort,
      credentials: [...(options.credentials ?? []), ...probe],
    },
    { binds, timeoutSeconds: options.timeoutSeconds ?? (slow ? 900 : 180), signal: panicked.signal },
  );
  const watch = new AbortController();
  const greeting = sshGreeting(sshPort, watch.signal);
  const panic = watchForPanic(consoleLog, watch.signal, () => panicked.abort());
  try {
    const result = await running;
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    watch.abort();
    const answers = parseAnswers((await readIfExists(answersFile)) ?? '');
    return {
      machine: machineState(answers),
      finished: answers.at(-1)?.name === 'end',
      ssh: await greeting,
      seconds,
      code: result.code,
      stderr: result.stderr,
      console: await readConsole(consoleLog),
    };
  } finally {
    watch.abort();
    await Promise.all([greeting, panic]);
    await rm(overlay, { force: true });
  }
}

/** Prepares a machine for an image, without a console: a disk overlay and, for UEFI, fresh variables, both in `folder`. */
export async function prepareMachine(
  toolbox: Toolbox,
  image: BootImage,
  options: MachineOptions,
  accelerator: AcceleratorChoice,
  folder: string,
): Promise<{ readonly machine: Omit<Machine, 'console'>; readonly binds: readonly Bind[]; readonly overlay: string }> {
  const overlay = await makeOverlayFor(toolbox, image, options, folder);
  const binds: Bind[] = [{ from: image.path }, { from: folder, writable: true }];
  for (const disk of options.disks ?? []) binds.push({ from: disk, writable: true });
  for (const disk of options.data ?? []) binds.push({ from: disk });
  if (image.kernel !== undefined) {
    binds.push({ from: image.kernel.path });
    if (image.kernel.initrd !== undefined) binds.push({ from: image.kernel.initrd });
  }
  return {
    machine: {
      arch: image.arch,
      accelerator: accelerator.accelerator,
      memoryMiB: options.memoryMiB ?? 2048,
      cpus: options.cpus ?? 2,
      networkCard: options.networkCard ?? 'virtio',
      ...(options.extraCommandLine === undefined ? {} : { extraCommandLine: options.extraCommandLine }),
      firmware: await firmwareFor(toolbox, image, options, folder),
      disks: [
        image.format === 'iso'
          ? { path: image.path, format: 'raw', bus: 'cdrom' }
          : { path: overlay, format: 'qcow2', bus: options.bus ?? 'nvme' },
        ...(options.disks ?? []).map((path) => ({ path, format: 'raw', bus: 'virtio' }) as const),
        ...(options.data ?? []).map(
          (path, index) => ({ path, format: 'raw', bus: 'virtio', readOnlyAs: `data${index + 1}` }) as const,
        ),
      ],
    },
    binds,
    overlay,
  };
}

async function makeOverlayFor(
  toolbox: Toolbox,
  image: BootImage,
  options: MachineOptions,
  folder: string,
): Promise<string> {
  if (image.format === 'iso') return join(folder, 'disk.qcow2');
  const format = image.format === 'qcow2' || image.format === 'vhdx' ? image.format : 'raw';
  const own = await diskSize(image);
  if (options.diskSize !== undefined && options.diskSize < own) {
    throw new WeirError('disk-too-small', `disk size ${options.diskSize} is smaller than the image (${own} bytes)`, {
      where: { file: image.path },
      hint: `choose a size of at least ${own} bytes`,
      exit: 2,
    });
  }
  return makeOverlay(toolbox, { path: image.path, format }, folder, options.diskSize ?? own);
}

/** Disk size of an image in bytes. A fixed VHD has an extra footer of 512; QCOW2 has the size in its header (at 24, big-endian). */
async function diskSize(image: BootImage): Promise<number> {
  const file = await open(image.path);
  try {
    const { size } = await file.stat();
    if (image.format === 'vhd') return size - 512;
    if (image.format === 'raw') return size;
    if (image.format === 'vhdx') return await vhdxDiskSize(file);
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 24);
    return Number(buffer.readBigUInt64BE());
  } finally {
    await file.close();
  }
}

async function firmwareFor(
  toolbox: Toolbox,
  image: BootImage,
  options: MachineOptions,
  folder: string,
): Promise<Firmware> {
  if (image.kernel !== undefined) {
    const { path, initrd, commandLine } = image.kernel;
    return { kind: 'kernel', kernel: path, commandLine, ...(initrd === undefined ? {} : { initrd }) };
  }
  if (options.firmware === 'bios') return { kind: 'bios' };
  return uefiFirmware(toolbox, image.arch, folder, image.secureVariables);
}

/** The console's text without terminal control sequences. */
async function readConsole(path: string): Promise<string> {
  const text = (await readIfExists(path)) ?? '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removes control sequences
  return text.replace(/\x1b(\[[0-9;?!]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[@-Z\\-_78])/g, '');
}

/** Ends the wait early if the kernel panics, because a panicked kernel hangs. */
async function watchForPanic(consoleLog: string, signal: AbortSignal, panicked: () => void): Promise<void> {
  while (!signal.aborted) {
    await pause(2000, signal);
    if (!kernelPanic.test((await readIfExists(consoleLog)) ?? '')) continue;
    // Wait for the rest of the panic message.
    await pause(2000, signal);
    return panicked();
  }
}
