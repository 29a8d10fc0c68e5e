import { spawn } from 'node:child_process';
import { cachePath, cacheRoot } from '../base/paths.ts';
import { withScratch } from '../engine/scratch.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type AcceleratorChoice, chooseAccelerator } from './accelerator.ts';
import { type BootImage, type MachineOptions, prepareMachine } from './boot-check.ts';
import { freePort } from './loopback.ts';
import { type Credential, machineCommand, qemuEnvironment } from './qemu.ts';

export interface ConsoleOptions extends MachineOptions {
  /** A public key for root's login over SSH. */
  readonly authorizedKey?: string;
  /** Logs in root on the serial console without a password. */
  readonly autologin?: boolean;
  /** Called once before the machine starts. */
  readonly onStart?: (started: { readonly sshPort: number; readonly accelerator: AcceleratorChoice }) => void;
}

/**
 * Runs an image with its serial console on this terminal until it powers off (Ctrl-A X quits at once). Discards all changes to
 * the disk. @returns QEMU's exit code
 */
export async function bootInteractive(
  toolbox: Toolbox,
  image: BootImage,
  options: ConsoleOptions = {},
): Promise<number> {
  const accelerator = options.accelerator ?? (await chooseAccelerator(toolbox, image.arch));
  return withScratch(cachePath(cacheRoot(), 'tmp'), async (folder) => {
    const { machine, binds } = await prepareMachine(toolbox, image, options, accelerator, folder);
    const sshPort = await freePort();
    const argv = machineCommand(
      toolbox,
      { ...machine, console: 'terminal', sshPort, credentials: loginCredentials(options) },
      binds,
    );
    options.onStart?.({ sshPort, accelerator });
    return new Promise<number>((resolve, reject) => {
      const child = spawn(argv[0]!, argv.slice(1), { stdio: 'inherit', env: { ...qemuEnvironment, TERM: 'xterm' } });
      child.on('error', reject);
      child.on('close', (code) => resolve(code ?? 1));
    });
  });
}

/** Credentials for logging in, as systemd and util-linux read them. */
export function loginCredentials(options: ConsoleOptions): Credential[] {
  const credentials = [...(options.credentials ?? [])];
  if (options.authorizedKey !== undefined) {
    credentials.push({ name: 'ssh.authorized_keys.root', value: `${options.authorizedKey.trim()}\n` });
  }
  if (options.autologin === true) {
    credentials.push({ name: 'agetty.autologin', value: 'root' }, { name: 'login.noauth', value: 'yes' });
  }
  return credentials;
}
