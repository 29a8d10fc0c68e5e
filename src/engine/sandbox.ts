import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { WeirError } from '../base/errors.ts';
import { type RunResult, run, runOk, stream } from '../base/process.ts';
import { inChroot } from './chroot.ts';

/**
 * How processes are shut in on this host: `bubblewrap` in a user namespace; `bubblewrap-root`, the same by a root user who
 * may mount but make no user namespace; `chroot` where neither is allowed.
 */
export interface Jail {
  readonly kind: 'bubblewrap' | 'bubblewrap-root' | 'chroot';
  /** How bubblewrap is started; empty for chroot. */
  readonly argv: readonly string[];
  /** Where a chroot makes its copies: on the cache's file system. */
  readonly scratch: string;
}

export interface Bind {
  readonly from: string;
  /** Path inside; the same as `from` where left out. */
  readonly to?: string;
  readonly writable?: boolean;
}

export interface Sandboxed {
  /** Folder that becomes `/`; never written. Without an overlay only its /usr and /etc are seen. */
  readonly root: string;
  /** Where writes to `/` go: an empty folder `upper` that then holds just what was written, and scratch `work` beside it. */
  readonly overlay?: { readonly upper: string; readonly work: string };
  readonly binds?: readonly Bind[];
  /** Another folder, mounted at `at` as an overlay; `upper` then holds what was written there. */
  readonly treeOverlay?: { readonly lower: string; readonly upper: string; readonly work: string; readonly at: string };
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array | Readable;
  readonly log?: string;
  /** Shares the host's network; off by default. */
  readonly network?: boolean;
  /** The host's devices, for /dev/kvm. */
  readonly devices?: readonly string[];
  /** 0 by default: root inside, the invoking user outside. */
  readonly uid?: number;
}

const baseEnvironment = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
} as const;

/** Runs in the sandbox to the end; a non-zero exit is a result. */
export function runSandboxed(jail: Jail, spec: Sandboxed): Promise<RunResult> {
  if (jail.kind !== 'chroot') return run(sandboxArgv(jail, spec), runOptions(spec));
  return withScratch(jail.scratch, (scratch) => inChroot(spec, scratch, (argv) => run(argv, runOptions(spec))));
}

/** Runs in the sandbox; a non-zero exit is a WeirError `tool-failed`. */
export async function runSandboxedOk(jail: Jail, spec: Sandboxed): Promise<RunResult> {
  if (jail.kind !== 'chroot') return runOk(sandboxArgv(jail, spec), runOptions(spec));
  return withScratch(jail.scratch, (scratch) => inChroot(spec, scratch, (argv) => runOk(argv, runOptions(spec))));
}

/** Runs in the sandbox with stdout as a stream; only in a namespace. */
export function streamSandboxed(jail: Jail, spec: Sandboxed): ReturnType<typeof stream> {
  return stream(sandboxArgv(jail, spec), runOptions(spec));
}

function runOptions(spec: Sandboxed): Parameters<typeof run>[1] & object {
  return {
    env: { ...baseEnvironment, ...spec.env },
    ...(spec.input === undefined ? {} : { input: spec.input }),
    ...(spec.log === undefined ? {} : { log: spec.log }),
  };
}

/** The command line that runs `spec`; given out so that a caller can start it with its own stdio (a console). */
export function sandboxArgv(jail: Jail, spec: Sandboxed): string[] {
  if (jail.kind === 'chroot') throw noNamespaces('a program that talks to the terminal cannot run in a chroot copy');
  const argv = [...jail.argv];
  if (spec.overlay === undefined) argv.push(...readOnlyRoot(spec.root));
  else argv.push('--overlay-src', spec.root, '--overlay', spec.overlay.upper, spec.overlay.work, '/');
  argv.push('--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--perms', '1777', '--dir', '/tmp');
  for (const device of spec.devices ?? []) argv.push('--dev-bind-try', device, device);
  for (const bind of spec.binds ?? []) {
    argv.push(bind.writable === true ? '--bind' : '--ro-bind', bind.from, bind.to ?? bind.from);
  }
  if (spec.treeOverlay !== undefined) {
    const { lower, upper, work, at } = spec.treeOverlay;
    argv.push('--overlay-src', lower, '--overlay', upper, work, at);
  }
  argv.push('--unshare-all', '--die-with-parent', '--new-session', '--hostname', 'weir');
  if (spec.network === true) argv.push('--share-net');
  // Ids can be chosen in a user namespace only; without one, root stays root.
  if (jail.kind === 'bubblewrap') argv.push('--uid', String(spec.uid ?? 0), '--gid', String(spec.uid ?? 0));
  if (spec.cwd !== undefined) argv.push('--chdir', spec.cwd);
  else argv.push('--chdir', '/');
  return [...argv, '--', ...spec.argv];
}

/**
 * The root's programs and settings read-only on an empty, writable, passing `/`, so that a bind can have any path of the
 * host: bubblewrap could not make its mount point on a read-only file system.
 */
function readOnlyRoot(root: string): string[] {
  const argv = ['--tmpfs', '/'];
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) argv.push('--symlink', `usr/${name}`, `/${name}`);
  argv.push('--ro-bind', join(root, 'usr'), '/usr', '--ro-bind', join(root, 'etc'), '/etc');
  for (const dir of ['/root', '/run', '/var/tmp', '/var/lib', '/var/cache', '/var/log']) argv.push('--dir', dir);
  return argv;
}

/** A scratch folder below `base`, removed when `work` ends, however it ends. */
export async function withScratch<T>(base: string, work: (dir: string) => Promise<T>): Promise<T> {
  await mkdir(base, { recursive: true });
  const dir = await mkdtemp(join(base, 'w-'));
  try {
    return await work(dir);
  } finally {
    await removeTree(dir);
  }
}

/** Removes a folder even where a tool left folders without write permission in it. */
export async function removeTree(dir: string): Promise<void> {
  try {
    await rm(dir, { recursive: true, force: true });
  } catch {
    await run(['chmod', '-R', 'u+rwX', dir]);
    await rm(dir, { recursive: true, force: true });
  }
}

/** Checks that bubblewrap can make a namespace here. @returns undefined where it can, else what it said */
export async function probeJail(jail: Jail, root: string): Promise<string | undefined> {
  const result = await runSandboxed(jail, { root, argv: ['/usr/bin/true'] });
  return result.code === 0 ? undefined : result.stderr.trim() || `exit code ${result.code}`;
}

/** The error for a host that lets nobody make user namespaces. @param said what bubblewrap said */
export function noNamespaces(said: string): WeirError {
  return new WeirError('no-namespaces', 'this host does not allow unprivileged user namespaces', {
    details: [said],
    hint: 'enable them (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces=15000) or run as root',
    exit: 1,
  });
}
