import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { type RunOptions, type RunResult, run, runOk, stream } from '../base/process.ts';
import { type Home, isRoot, layOutHome, stepDown } from './builder.ts';
import { inChroot, type Traces } from './chroot.ts';
import { type Bind, builder, type Jail, type Sandboxed, type ToolStep, type UntrustedStep } from './jail.ts';
import { insideStart, launch, program } from './launcher.ts';
import { descendants, kernelLimits, type Limits, limitError, processesOf, watchLimits } from './limits.ts';
import { withScratch } from './scratch.ts';

export const baseEnvironment = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
} as const;

/**
 * Runs a step in the sandbox to its end; a non-zero exit code is a result.
 * @throws WeirError `limit-exceeded` if an untrusted step exceeds its limits
 */
export function runSandboxed(jail: Jail, spec: Sandboxed): Promise<RunResult> {
  return runBy(run, jail, spec);
}

/** Runs a step in the sandbox; a non-zero exit code is a WeirError `tool-failed`. */
export async function runSandboxedOk(jail: Jail, spec: Sandboxed): Promise<RunResult> {
  return runBy(runOk, jail, spec);
}

type Runner = (argv: readonly string[], options: RunOptions) => Promise<RunResult>;

async function runBy(runner: Runner, jail: Jail, spec: Sandboxed): Promise<RunResult> {
  const options = runOptions(spec);
  if (spec.code === 'tool') {
    if (jail.kind !== 'chroot') return runner(sandboxArgv(jail, spec), options);
    return withScratch(jail.scratch, (scratch) =>
      inChroot(jail, spec, scratch, undefined, (argv) => runner(argv, options)),
    );
  }
  return withScratch(jail.scratch, async (scratch) => {
    const home = await layOutHome(jail, spec, scratch);
    const written = [
      home.temporary,
      ...(spec.binds ?? []).filter((bind) => bind.writable === true).map((bind) => bind.from),
    ];
    const limited = (argv: readonly string[], traces?: Traces): Promise<RunResult> =>
      withLimits({ ...spec, written, info: home.info }, traces, (more) => runner(argv, { ...options, ...more }));
    if (jail.kind !== 'chroot') return limited(untrustedArgv(jail, spec, home));
    return inChroot(jail, spec, scratch, home, limited);
  });
}

/** The limits of a step, and where Weir watches it. */
export interface Watched {
  readonly limits: Limits;
  /** Folders that it can write. */
  readonly written: readonly string[];
  readonly log?: string;
  /** The file to which bubblewrap writes the PID of the sandbox's first process. */
  readonly info: string;
}

/** Runs a step and enforces its limits. @param traces identifies the step if it is more than the child and its descendants */
export async function withLimits(
  { limits, written, log, info }: Watched,
  traces: Traces | undefined,
  work: (options: Pick<RunOptions, 'signal' | 'started' | 'maxOutput'>) => Promise<RunResult>,
): Promise<RunResult> {
  const abort = new AbortController();
  const below = traces?.folders ?? written;
  const folders = log === undefined ? below : [...below, log];
  let exceeded: WeirError | undefined;
  let stop: (() => void) | undefined;
  const tell = (error: WeirError): void => {
    exceeded ??= error;
    abort.abort();
  };
  try {
    return await work({
      signal: abort.signal,
      maxOutput: {
        bytes: limits.output,
        onExceeded: () =>
          tell(
            limitError(
              `the step printed more than ${limits.output} bytes and was killed`,
              'check what it runs for an endless loop',
            ),
          ),
      },
      started: (pid) => {
        const pids = traces === undefined ? () => descendants(pid) : () => processesOf(traces.uid);
        stop = watchLimits(limits, pids, folders, tell);
      },
    }).finally(() => {
      if (exceeded !== undefined) throw exceeded;
    });
  } finally {
    stop?.();
    // Before any output is read: a process still running could replace a file with a link.
    if (traces === undefined) await endNamespace(info);
  }
}

/**
 * Kills the first process of a step's PID namespace, and with it all others, and waits until they are gone. bubblewrap exits
 * together with the step's own program and leaves that to the kernel; and code with the same UID as that first process could
 * have kept it from exiting.
 */
async function endNamespace(info: string): Promise<void> {
  const text = await readFile(info, 'utf8').catch(() => '');
  const pid = Number(/"child-pid": *(\d+)/.exec(text)?.[1] ?? 0);
  if (pid === 0) return;
  const deadline = Date.now() + 60_000;
  while (isFirstOfNamespace(pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has exited.
    }
    if (Date.now() > deadline) throw limitError('cannot kill what the step left running', `see process ${pid}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Whether a process lives and is PID 1 of its own PID namespace; a reused PID is not. */
function isFirstOfNamespace(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return /^NSpid:\t\d+(\t\d+)*\t1$/m.test(status) && !/^State:\t[ZX]/m.test(status);
  } catch {
    return false;
  }
}

/** Runs a tool in the sandbox with stdout as a stream; requires namespaces. */
export function streamSandboxed(jail: Jail, spec: ToolStep): ReturnType<typeof stream> {
  return stream(sandboxArgv(jail, spec), runOptions(spec));
}

function runOptions(spec: Sandboxed): RunOptions {
  const home = spec.code === 'untrusted' ? { HOME: '/tmp', USER: builder.name, LOGNAME: builder.name } : {};
  return {
    env: { ...baseEnvironment, ...home, ...spec.env },
    ...(spec.input === undefined ? {} : { input: spec.input }),
    ...(spec.log === undefined ? {} : { log: spec.log }),
  };
}

/**
 * The capabilities of a tool that is root inside: to write files of any owner, to chroot (rpm), to change its ids. Nothing that
 * mounts, makes devices, or reaches kernel or network settings.
 */
const toolCapabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
];

/** Capabilities needed to switch to another user before its program starts. */
const stepDownCapabilities = ['CAP_SETGID', 'CAP_SETPCAP', 'CAP_SETUID'];

/** The command line that runs a tool. Exported so that callers can start it with their own stdio (a console). */
export function sandboxArgv(jail: Jail, spec: ToolStep): string[] {
  if (jail.kind === 'chroot') throw noNamespaces('an interactive program cannot run in a chroot copy');
  const stage = overlayStage(spec);
  const { overlay, treeOverlay } = spec;
  const words = overlay === undefined ? readOnlyTools(spec.root, spec.network === true) : [];
  if (overlay !== undefined) words.push(...stage.overlay({ lower: spec.root, ...overlay, at: '/' }));
  words.push('--dev', '/dev', '--proc', '/proc', '--perms', '1777', '--tmpfs', '/tmp');
  for (const device of spec.devices ?? []) words.push('--dev-bind-try', device, device);
  words.push(...bindArguments(spec));
  for (const folder of spec.hidden ?? []) words.push('--tmpfs', folder, '--remount-ro', folder);
  if (treeOverlay !== undefined) words.push(...stage.overlay(treeOverlay));
  if (!isRoot) words.push('--uid', '0', '--gid', '0');
  words.push('--cap-drop', 'ALL', ...toolCapabilities.flatMap((each) => ['--cap-add', each]));
  words.push('--chdir', spec.cwd ?? '/', '--', ...spec.argv);
  return started(jail, words, {
    filter: 'tool.bpf',
    network: spec.network === true,
    before: stage.before(jail),
  });
}

type Overlay = NonNullable<ToolStep['treeOverlay']>;

/** Characters that are special in an overlayfs path; bubblewrap's escaping of them does not reach the kernel intact. */
const oddPath = /[:,\\\n]/;

/**
 * The overlays of a step. If a folder has an odd path, a first bubblewrap binds it to a plain one and a second one creates
 * the sandbox; everything else keeps its path.
 */
function overlayStage({ root, overlay, treeOverlay }: ToolStep): {
  readonly overlay: (overlay: Overlay) => string[];
  readonly before: (jail: Jail) => string[];
} {
  const folders = [
    ...(overlay === undefined ? [] : [root, overlay.upper, overlay.work]),
    ...(treeOverlay === undefined ? [] : [treeOverlay.lower, treeOverlay.upper, treeOverlay.work]),
  ];
  const odd = folders.some((folder) => oddPath.test(folder));
  // Upper and work must be on the same mount, so their common parent is bound, not each of them.
  const plain = new Map<string, string>();
  const binds: string[] = [];
  const place = (folder: string): string => {
    if (!odd) return folder;
    const parent = dirname(folder);
    const at = plain.get(parent) ?? `/weir-overlay/${plain.size}`;
    if (!plain.has(parent)) binds.push('--bind', parent, at);
    plain.set(parent, at);
    const name = basename(folder);
    if (oddPath.test(name)) throw new TypeError(`an overlay's folder has an odd name: ${name}`);
    return `${at}/${name}`;
  };
  return {
    overlay: ({ lower, upper, work, at }) => [
      '--overlay-src',
      place(lower),
      '--overlay',
      place(upper),
      place(work),
      at,
    ],
    before: ({ launcher }) => {
      if (!odd) return [];
      const host = ['--tmpfs', '/'];
      for (const name of readdirSync('/')) {
        const path = `/${name}`;
        if (lstatSync(path).isSymbolicLink()) host.push('--symlink', readlinkSync(path), path);
        else host.push('--dev-bind', path, path);
      }
      const identity = isRoot ? [] : ['--unshare-user', '--uid', '0', '--gid', '0'];
      const words = [
        ...host,
        ...binds,
        ...identity,
        '--cap-add',
        'ALL',
        '--die-with-parent',
        '--chdir',
        launcher.dir,
        '--',
      ];
      return [...program('bwrap'), ...words];
    },
  };
}

/** The command line of an untrusted step. */
function untrustedArgv(jail: Jail, spec: UntrustedStep, home: Home): string[] {
  const size = String(Math.max(64 << 20, Math.floor(spec.limits.memory / 4)));
  const inMemory = ['--size', size, '--perms', '1777', '--tmpfs'];
  const words = [
    ...readOnlyRoot(spec.root, spec.binds ?? []),
    ...['--ro-bind', home.passwd, '/etc/passwd', '--ro-bind', home.group, '/etc/group'],
    ...['--dev', '/dev', ...inMemory, '/dev/shm', '--remount-ro', '/dev', '--proc', '/proc'],
    ...[...inMemory, '/tmp', '--bind', home.temporary, '/var/tmp'],
    ...parentFolders(spec.binds ?? []),
    ...bindArguments(spec),
  ];
  const limits = kernelLimits(spec.limits);
  const more: Start = { filter: 'untrusted.bpf', network: false, limits, before: [], info: home.info };
  const command = ['--chdir', spec.cwd ?? '/', '--'];
  if (!isRoot) {
    const { uid, gid } = builder;
    words.push('--uid', String(uid), '--gid', String(gid), '--cap-drop', 'ALL', '--remount-ro', '/');
    return started(jail, [...words, ...command, ...spec.argv], more);
  }
  words.push('--ro-bind', jail.launcher.inside, '/.weir', '--remount-ro', '/', '--cap-drop', 'ALL');
  words.push(...stepDownCapabilities.flatMap((each) => ['--cap-add', each]));
  // In a user namespace this is the UID inside; otherwise the host's.
  const id = jail.kind === 'bubblewrap' ? builder.uid : home.owner!;
  return started(jail, [...words, ...command, ...insideStart, ...stepDown(id), ...spec.argv], more);
}

interface Start {
  readonly filter: 'tool.bpf' | 'untrusted.bpf';
  readonly network: boolean;
  /** Arguments for prlimit. */
  readonly limits?: readonly string[];
  /** A command line to put before bubblewrap's. */
  readonly before: readonly string[];
  /** File to which bubblewrap writes the PID of the sandbox's first process. */
  readonly info?: string;
}

/** bubblewrap with the options of every sandbox: a seccomp filter, namespaces, no access to Weir's terminal, and it is killed when Weir exits. */
function started(jail: Jail, words: readonly string[], { filter, network, limits, before, info }: Start): string[] {
  const argv: string[] = [];
  if (limits !== undefined) argv.push(...program('prlimit'), ...limits, '--');
  if (isRoot && jail.kind === 'bubblewrap') {
    const { first, count } = jail.freeIds;
    argv.push(...program('unshare'), '--user', '--setgroups', 'allow', '--keep-caps');
    for (const map of ['--map-users', '--map-groups']) argv.push(map, '0:0:1', map, `1:${first + 1}:${count - 1}`);
    argv.push('--');
  }
  argv.push(...before, ...program('bwrap'), '--seccomp', '9');
  argv.push(...['ipc', 'pid', 'uts', 'cgroup-try'].map((each) => `--unshare-${each}`));
  if (!isRoot) argv.push('--unshare-user');
  if (!network) argv.push('--unshare-net');
  if (info !== undefined) argv.push('--info-fd', '8');
  argv.push('--die-with-parent', '--new-session', '--hostname', 'weir', ...words);
  return launch(jail.launcher, argv, filter, info);
}

/** Parent folders of binds; bubblewrap would create them accessible to its own user only. */
function parentFolders(binds: readonly Bind[]): string[] {
  const there = ['/', '/tmp', '/var/tmp', '/dev/shm'];
  const folders = binds.map((bind) => dirname(bind.to ?? bind.from)).filter((folder) => !there.includes(folder));
  return [...new Set(folders)].flatMap((folder) => ['--perms', '0755', '--dir', folder]);
}

function bindArguments({ binds = [] }: Sandboxed): string[] {
  return binds.flatMap((bind) => [bind.writable === true ? '--bind' : '--ro-bind', bind.from, bind.to ?? bind.from]);
}

/**
 * The tools' programs and configuration, read-only on an empty writable `/` that is discarded afterwards. A bind can then have
 * any path of the host: bubblewrap could not create its mount point on a read-only file system.
 */
function readOnlyTools(root: string, network: boolean): string[] {
  const argv = ['--tmpfs', '/'];
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) argv.push('--symlink', `usr/${name}`, `/${name}`);
  argv.push('--ro-bind', join(root, 'usr'), '/usr');
  if (network) argv.push(...entriesOf(join(root, 'etc'), '/etc', ['hosts', 'resolv.conf', 'ssl']), ...hostNetwork());
  else argv.push('--ro-bind', join(root, 'etc'), '/etc');
  for (const dir of ['/root', '/run', '/var/tmp', '/var/lib', '/var/cache', '/var/log']) argv.push('--dir', dir);
  return argv;
}

/**
 * Every entry of a root, read-only, except the folders that a sandbox provides itself.
 * @throws WeirError `bad-root` for a link at a mount point: bubblewrap would follow it to the host
 */
function readOnlyRoot(root: string, binds: readonly Bind[]): string[] {
  const above = binds.map((bind) => (bind.to ?? bind.from).split('/')[1] ?? '');
  for (const path of new Set(['etc', 'var', 'var/tmp', 'etc/passwd', 'etc/group', ...above])) {
    if (lstatSync(join(root, path), { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue;
    throw new WeirError('bad-root', `/${path} is a symbolic link in the root of the step`, {
      hint: 'find the package that contains it; a build needs a folder or file there',
    });
  }
  const own = ['dev', 'proc', 'sys', 'tmp', 'run', 'root', '.weir'];
  const folders = own.slice(2, 6).flatMap((name) => ['--dir', `/${name}`]);
  const run = join(root, 'run');
  // Folders that a buildroot has below /run, such as /run/lock.
  const below = lstatSync(run, { throwIfNoEntry: false })?.isDirectory() === true ? entriesOf(run, '/run', []) : [];
  return ['--tmpfs', '/', ...entriesOf(root, '/', own), ...folders, ...below];
}

/** Each entry of a folder bound separately below `at`, read-only; others can then be added beside them. */
function entriesOf(folder: string, at: string, without: readonly string[]): string[] {
  const argv: string[] = [];
  for (const name of readdirSync(folder).sort()) {
    if (without.includes(name)) continue;
    const [from, to] = [join(folder, name), join(at, name)];
    if (lstatSync(from).isSymbolicLink()) argv.push('--symlink', readlinkSync(from), to);
    else argv.push('--ro-bind', from, to);
  }
  return argv;
}

/** The host's name resolution and CA certificates; a shared network is of little use without them. */
function hostNetwork(): string[] {
  const argv = ['/etc/resolv.conf', '/etc/hosts'].flatMap((path) => ['--ro-bind-try', path, path]);
  // The locations on Debian and Fedora; the tools look in the first.
  const bundle = '/etc/ssl/certs/ca-certificates.crt';
  const there = [bundle, '/etc/pki/tls/certs/ca-bundle.crt'].find((path) => existsSync(path));
  return there === undefined ? argv : [...argv, '--ro-bind', there, bundle];
}

/** Checks that a sandbox can be created here. @returns undefined if so, else the error output */
export async function probeJail(jail: Jail, root: string): Promise<string | undefined> {
  const result = await runSandboxed(jail, { code: 'tool', root, argv: ['/usr/bin/true'] });
  return result.code === 0 ? undefined : result.stderr.trim() || `exit code ${result.code}`;
}

/** The error for a host without usable namespaces. @param said error output of bubblewrap */
export function noNamespaces(said: string): WeirError {
  const weaker = isRoot
    ? '; to accept weaker isolation, set WEIR_JAIL=bubblewrap-root (no user namespace) or WEIR_JAIL=chroot (no boundary: only for code that you trust)'
    : ', or run as root';
  return new WeirError('no-namespaces', 'this host does not allow the user namespaces that isolate builds', {
    details: [said],
    hint: `enable them (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces=15000)${weaker}`,
    exit: 1,
  });
}
