import { stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { WeirError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';
import { type DiskBus, diskBuses, type NetworkCard, networkCards } from '../boot/qemu.ts';
import { sizeInBytes } from '../project/image.ts';
import { checkImage, runImage } from '../release/image/boot.ts';
import { type GlobalOptions, printResult, progressFor } from './program.ts';
import { workspaceFor } from './workspace.ts';

interface BootOptions {
  readonly check?: boolean;
  readonly install?: string;
  readonly run?: string;
  readonly disk?: readonly string[];
  readonly diskSize?: string;
  readonly diskBus: DiskBus;
  readonly networkCard: NetworkCard;
  readonly firmware: 'uefi' | 'bios';
  readonly cloudInit?: string;
  readonly append?: string;
  readonly memory: string;
  readonly cpus: string;
  readonly sshKey?: string;
  readonly autologin: boolean;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<image>', 'name of a disk image')
    .option('--check', 'check the running machine, power it off, and print a report')
    .option('--install <package>', 'package that --check installs from the repository')
    .option('--run <script>', 'shell script that --check runs as root in the machine; the report contains its output')
    .option('--disk <file...>', 'files to attach as read-only disks')
    .option('--disk-size <size>', 'size of the boot disk, such as 20GiB, if larger than the image')
    .addOption(new Option('--disk-bus <bus>', 'bus of the boot disk').choices(diskBuses).default('nvme'))
    .addOption(new Option('--network-card <card>', 'model of the network card').choices(networkCards).default('virtio'))
    .addOption(
      new Option('--firmware <kind>', 'firmware; bios is what clouds call generation 1')
        .choices(['uefi', 'bios'])
        .default('uefi'),
    )
    .option('--cloud-init <dir>', "folder with cloud-init's user-data and meta-data, attached as a disk")
    .option('--append <words>', 'parameters to add to the kernel command line; not with bios or Secure Boot')
    .option('--memory <MiB>', 'memory in MiB', '2048')
    .option('--cpus <n>', 'number of CPUs', '2')
    .option('--ssh-key <file>', 'public key for logging in as root over SSH')
    .option('--no-autologin', 'ask for a password on the console')
    .option('--out <dir>', 'folder with the built images')
    .addHelpText(
      'after',
      '\nExamples:\n  weir boot vm-base\n  weir boot vm-base --ssh-key ~/.ssh/id_ed25519.pub\n  weir boot vm-base --check',
    )
    .action(async (image: string, options: BootOptions) => {
      const settings = globals();
      checkTogether(options);
      checkFilled(options);
      const workspace = await workspaceFor(settings, progressFor(settings), options.out);
      const machine = {
        firmware: options.firmware,
        bus: options.diskBus,
        networkCard: options.networkCard,
        ...(options.cloudInit === undefined ? {} : { cloudSeed: resolve(options.cloudInit) }),
        ...(options.append === undefined ? {} : { extraCommandLine: options.append }),
        ...(options.diskSize === undefined ? {} : { diskSize: bytes('--disk-size', options.diskSize) }),
        data: await Promise.all((options.disk ?? []).map(existing)),
        memoryMiB: number('--memory', options.memory, {
          least: leastMemoryMiB,
          most: Math.floor(totalmem() / 2 ** 20),
          because: 'the memory of this host in MiB',
        }),
        cpus: number('--cpus', options.cpus, {
          least: 1,
          most: mostProcessors,
          because: 'the limit of the machine type',
        }),
      };
      if (options.check === true) {
        const install = options.install === undefined ? {} : { install: options.install };
        const script = options.run === undefined ? {} : { script: await readScript(options.run) };
        const report = await checkImage(workspace, image, { ...machine, ...install, ...script });
        printResult(settings.json ? settings : { ...settings, json: true }, report, '');
        for (const failure of report.failures) process.stderr.write(`error: ${image}: ${failure}\n`);
        process.exitCode = report.ok ? 0 : 1;
        return;
      }
      const key = options.sshKey === undefined ? {} : { authorizedKey: await publicKey(options.sshKey) };
      process.exitCode = await runImage(workspace, image, {
        ...machine,
        ...key,
        autologin: options.autologin,
        onStart: ({ sshPort, accelerator }) => {
          process.stderr.write(
            `${accelerator.why}\nssh -p ${sshPort} root@localhost   (needs --ssh-key)\nCtrl-A X quits\n`,
          );
        },
      });
    });
}

/** Rejects options that would be ignored together. */
function checkTogether({ check, run, install, sshKey, autologin, append, firmware, diskBus }: BootOptions): void {
  const refuse = (message: string, hint: string): WeirError => new WeirError('bad-option', message, { hint, exit: 2 });
  if (check !== true && run !== undefined) throw refuse('--run requires --check', 'add --check');
  if (check !== true && install !== undefined) throw refuse('--install requires --check', 'add --check');
  if (check === true && sshKey !== undefined) {
    throw refuse(
      '--ssh-key and --check exclude each other: --check does not log in',
      'remove one of them; use --run to run commands in the machine',
    );
  }
  if (check === true && !autologin) {
    throw refuse('--no-autologin and --check exclude each other: --check has no console', 'remove one of them');
  }
  if (diskBus === 'pvscsi' && firmware === 'uefi') {
    throw refuse('--disk-bus pvscsi requires --firmware bios: this UEFI has no driver for it', 'add --firmware bios');
  }
  if (append !== undefined && firmware === 'bios') {
    throw refuse('--append requires --firmware uefi', 'set kernel.command-line in the image, or use --firmware uefi');
  }
}

/** Rejects empty strings, as from an unset shell variable, and words of more than one line. */
function checkFilled({ run, install, sshKey, cloudInit, disk = [], append = '' }: BootOptions): void {
  const taken: readonly (readonly [option: string, value: string | undefined, what: string])[] = [
    ['--install', install, 'the name of a package'],
    ['--run', run, 'a file'],
    ['--ssh-key', sshKey, 'a file'],
    ['--cloud-init', cloudInit, 'a folder'],
    ...disk.map((path) => ['--disk', path, 'a file'] as const),
  ];
  for (const [option, value, what] of taken) {
    if (value === '') throw new WeirError('bad-option', `${option} requires ${what}, but is empty`, { exit: 2 });
  }
  if (/\p{Cc}/u.test(append)) {
    throw new WeirError('bad-option', '--append must be one line without control characters', { exit: 2 });
  }
}

async function existing(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (info !== undefined && !info.isDirectory()) return resolve(path);
  const message = info === undefined ? 'no such file' : 'this is a folder, not a file';
  throw new WeirError('bad-option', message, { where: { file: path }, exit: 2 });
}

/** Limit in bytes: the script becomes a credential, which has to fit into a firmware table. */
const longestScript = 32 << 10;

async function readScript(path: string): Promise<string> {
  const text = await readIfExists(path);
  if (text !== undefined && Buffer.byteLength(text) <= longestScript) return text;
  throw new WeirError('bad-option', text === undefined ? 'no such file' : 'the script is too long', {
    where: { file: path },
    ...(text === undefined ? {} : { hint: 'use at most 32 KiB, or --disk for more data' }),
    exit: 2,
  });
}

async function publicKey(path: string): Promise<string> {
  const text = await readIfExists(path);
  const lines = (text ?? '').split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (text !== undefined && keys.length > 0 && keys.every(isPublicKey)) return text;
  const message = text === undefined ? 'no such file' : 'not an SSH public key';
  throw new WeirError('bad-option', message, { where: { file: path }, hint: 'create one with ssh-keygen', exit: 2 });
}

/** `TYPE BASE64 [comment]`, as in sshd(8). RFC 4253, 6.6: the key starts with the length of its type's name and the name. */
function isPublicKey(line: string): boolean {
  const [, type = '', base64 = ''] =
    /^((?:ssh|ecdsa|sk)-\S+)[ \t]+((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)(?:\s|$)/.exec(
      line,
    ) ?? [];
  const key = Buffer.from(base64, 'base64');
  const after = 4 + type.length;
  return (
    type !== '' &&
    key.length > after &&
    key.readUInt32BE(0) === type.length &&
    key.toString('latin1', 4, after) === type
  );
}

/** Larger sizes are likely a mistake, such as TiB for GiB. */
const largestDisk = 64 * 2 ** 40;

function bytes(option: string, text: string): number {
  if (!/^\d+(\.\d+)? ?[MGT]iB$/.test(text)) {
    throw new WeirError('bad-option', `invalid size for ${option}: ${text}; write it as in 20GiB`, { exit: 2 });
  }
  const size = sizeInBytes(text);
  if (size <= largestDisk) return size;
  throw new WeirError('bad-option', `${option} ${text} is too large; the limit is 64TiB`, { exit: 2 });
}

/** QEMU's q35 limit without further devices. */
const mostProcessors = 255;

/** Smaller values are likely a mistake, such as GiB for MiB. */
const leastMemoryMiB = 256;

/** Parses a whole number. @param range limits, and the reason for the upper one */
function number(
  option: string,
  text: string,
  { least, most, because }: { readonly least: number; readonly most: number; readonly because: string },
): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value === 0) {
    throw new WeirError('bad-option', `${option} requires a whole number above 0, not ${text}`, { exit: 2 });
  }
  if (value < least)
    throw new WeirError('bad-option', `${option} requires at least ${least}, not ${text}`, { exit: 2 });
  if (value <= most) return value;
  throw new WeirError('bad-option', `${option} allows at most ${most} (${because}), not ${text}`, { exit: 2 });
}
