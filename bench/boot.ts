import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createProgress } from '../src/base/progress.ts';
import { chooseAccelerator } from '../src/boot/accelerator.ts';
import { type BootImage, prepareMachine } from '../src/boot/boot-check.ts';
import { freePort } from '../src/boot/loopback.ts';
import { type Credential, runMachine } from '../src/boot/qemu.ts';
import type { Toolbox } from '../src/toolbox/tool.ts';
import { openWorkspace, toolboxStage } from '../src/workspace/workspace.ts';
import { debianDisk } from './debian.ts';
import { type Place, weir } from './machine.ts';
import { median, type Result } from './result.ts';

/** Measurements of one boot. */
interface Start {
  /** Seconds from QEMU's start to sshd's first response. */
  readonly sshSeconds: number;
  /** MemTotal minus MemAvailable when idle, in MiB. */
  readonly idleMebibytes: number;
}

/** Seconds that a machine is left idle before its memory is read. */
const idleSeconds = 60;

const portName = 'bench';

// systemd.system-credentials(7): neither image contains anything for the measurement.
const credentials: readonly Credential[] = [
  {
    name: 'systemd.extra-unit.bench.service',
    value: `[Unit]
After=multi-user.target
[Service]
Type=exec
ExecStart=/bin/sh -c 'sleep ${idleSeconds}; cat /proc/meminfo >/dev/virtio-ports/${portName}; systemctl poweroff'
`,
  },
  { name: 'systemd.unit-dropin.multi-user.target', value: '[Unit]\nWants=bench.service\n' },
];

/**
 * Cold boot until sshd answers, and memory when idle, of vm-base and of Debian: the same kernel package, firmware, QEMU and
 * machine, taking turns so that other load on the host affects both alike.
 */
export async function boots(place: Place, turns = 3): Promise<Result[]> {
  await weir(place, ['-C', join(place.project, 'distro'), 'build', '--out', place.out, '--image', 'vm-base'], false);
  process.env.XDG_CACHE_HOME = place.cache;
  const workspace = await openWorkspace({
    directory: join(place.project, 'distro'),
    out: place.out,
    progress: createProgress('quiet', false, () => {}),
  });
  const core = await toolboxStage(workspace, 'core');
  const boot = await toolboxStage(workspace, 'boot');
  const folder = join(place.scratch, '..', 'boot');
  const debian = await debianDisk(core, place.cache, join(folder, 'debian'));
  const weirs = join(place.out, 'images', 'vm-base', 'vm-base.raw');
  const ours: Start[] = [];
  const theirs: Start[] = [];
  for (let turn = 0; turn < turns; turn++) {
    ours.push(await start(boot, { path: weirs, format: 'raw', arch: 'x86_64' }, join(folder, 'weir')));
    theirs.push(await start(boot, { path: debian, format: 'raw', arch: 'x86_64' }, join(folder, 'stock')));
  }
  return [
    compared('boot-ssh', 'cold boot until sshd answers', 's', 0.7, ours, theirs, ({ sshSeconds }) => sshSeconds),
    compared('boot-memory', 'memory in use, idle', 'MB', 0.8, ours, theirs, ({ idleMebibytes }) => idleMebibytes),
  ];
}

/** @param share the target, as a share of Debian's figure */
function compared(
  name: string,
  what: string,
  unit: 's' | 'MB',
  share: number,
  ours: readonly Start[],
  theirs: readonly Start[],
  of: (start: Start) => number,
): Result {
  const [measured, stock] = [median(ours.map(of)), median(theirs.map(of))];
  const all = (starts: readonly Start[]): string => starts.map((each) => of(each).toFixed(1)).join(' ');
  const less = Math.round((1 - measured / stock) * 100);
  const notes = `${less} % less than Debian's ${stock.toFixed(1)}; ours ${all(ours)}; Debian ${all(theirs)}`;
  return { name, what: `vm-base, ${what}, median of ${ours.length}`, target: stock * share, measured, unit, notes };
}

async function start(boot: Toolbox, image: BootImage, folder: string): Promise<Start> {
  await mkdir(folder, { recursive: true });
  const accelerator = await chooseAccelerator(boot, image.arch);
  const answers = join(folder, 'meminfo');
  await rm(answers, { force: true });
  const { machine, binds, overlay } = await prepareMachine(boot, image, {}, accelerator, folder);
  const sshPort = await freePort();
  const console = { file: join(folder, 'console.log') };
  const watch = new AbortController();
  const began = performance.now();
  const running = runMachine(
    boot,
    { ...machine, console, sshPort, credentials, port: { name: portName, file: answers } },
    { binds, timeoutSeconds: 600 },
  );
  const greeting = firstGreeting(sshPort, watch.signal).then((came) =>
    came ? (performance.now() - began) / 1000 : NaN,
  );
  try {
    await running;
    watch.abort();
    const text = existsSync(answers) ? await readFile(answers, 'utf8') : '';
    const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
    const idleMebibytes = (kib('MemTotal') - kib('MemAvailable')) / 1024;
    const sshSeconds = await greeting;
    if (!Number.isFinite(idleMebibytes + sshSeconds))
      throw new Error(`${image.path} did not boot: see ${console.file}`);
    return { sshSeconds, idleMebibytes };
  } finally {
    watch.abort();
    await rm(overlay, { force: true });
  }
}

/**
 * Waits for sshd's first response. QEMU accepts connections at once and then retries the guest at growing intervals, so this
 * opens a new connection every quarter of a second. @returns false if the signal fired first
 */
function firstGreeting(port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const sockets = new Set<Socket>();
    const end = (came: boolean): void => {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      resolve(came);
    };
    const timer = setInterval(() => {
      const socket = connect({ host: '127.0.0.1', port });
      sockets.add(socket);
      socket.setTimeout(5000, () => socket.destroy());
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      socket.once('data', () => end(true));
    }, 250);
    signal.addEventListener('abort', () => end(false));
  });
}
