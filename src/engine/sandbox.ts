import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { temporaryName } from '../base/files.ts';
import { type RunResult, run, runOk, stream } from '../base/process.ts';
import { inChroot } from './chroot.ts';
import type { Jail, Sandboxed } from './jail.ts';

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
  if (spec.overlay === undefined) argv.push(...readOnlyRoot(spec.root, spec.network === true));
  else argv.push('--overlay-src', spec.root, '--overlay', spec.overlay.upper, spec.overlay.work, '/');
  argv.push('--dev', '/dev', '--proc', '/proc', '--perms', '1777', '--tmpfs', '/tmp');
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
  // Ids can be chosen in a user namespace only; without one, root stays root. rpm changes its root, so the root inside
  // has what a root has: within its own namespace, which is all that an ordinary user's can be given.
  if (jail.kind === 'bubblewrap') {
    argv.push('--uid', String(spec.uid ?? 0), '--gid', String(spec.uid ?? 0), '--cap-add', 'ALL');
  }
  if (spec.cwd !== undefined) argv.push('--chdir', spec.cwd);
  else argv.push('--chdir', '/');
  return [...argv, '--', ...spec.argv];
}

/**
 * The root's programs and settings read-only on an empty, writable, passing `/`, so that a bind can have any path of the
 * host: bubblewrap could not make its mount point on a read-only file system.
 */
function readOnlyRoot(root: string, network: boolean): string[] {
  const argv = ['--tmpfs', '/'];
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) argv.push('--symlink', `usr/${name}`, `/${name}`);
  argv.push('--ro-bind', join(root, 'usr'), '/usr');
  if (network) argv.push('--overlay-src', join(root, 'etc'), '--tmp-overlay', '/etc', ...hostNetwork());
  else argv.push('--ro-bind', join(root, 'etc'), '/etc');
  for (const dir of ['/root', '/run', '/var/tmp', '/var/lib', '/var/cache', '/var/log']) argv.push('--dir', dir);
  return argv;
}

/** How the host finds names, and whom it trusts: without these a shared network is of little use. */
function hostNetwork(): string[] {
  const argv = ['/etc/resolv.conf', '/etc/hosts'].flatMap((path) => ['--ro-bind-try', path, path]);
  // Debian's place and Fedora's; the tools look in the first.
  const bundle = '/etc/ssl/certs/ca-certificates.crt';
  const there = [bundle, '/etc/pki/tls/certs/ca-bundle.crt'].find((path) => existsSync(path));
  return there === undefined ? argv : [...argv, '--ro-bind', there, bundle];
}

/** A scratch folder below `base`, removed when `work` ends, however it ends. */
export async function withScratch<T>(base: string, work: (dir: string) => Promise<T>): Promise<T> {
  await mkdir(base, { recursive: true });
  const dir = temporaryName(join(base, 'work'));
  await mkdir(dir, { mode: 0o700 });
  try {
    return await work(dir);
  } finally {
    await removeTree(dir);
  }
}

/** Removes a folder even where a tool left folders without write permission in it. */
export async function removeTree(dir: string): Promise<void> {
  try {
    // A sandbox that was stopped takes a moment until nothing in it writes any more.
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
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
