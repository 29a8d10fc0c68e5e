import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run, runOk } from '../base/process.ts';
import { type Home, stepDown } from './builder.ts';
import type { Bind, Jail, Sandboxed } from './jail.ts';
import { insideStart, launch, program } from './launcher.ts';
import { kernelLimits, processesOf } from './limits.ts';

/** Identifies the processes and files of a step without namespaces. */
export interface Traces {
  /** The UID of the step; no other process runs with it. */
  readonly uid: number;
  /** All folders on disk that it can write. */
  readonly folders: readonly string[];
}

/**
 * The fallback where root may create neither namespaces nor mounts (a plain CI container). The root is copied; binds are moved
 * or copied in and taken out again; an overlay is a copy whose changes are collected afterwards. This is slower and no
 * security boundary: untrusted code runs as its own user, without capabilities and with the same seccomp filter, but it sees
 * the network and other processes.
 * @param scratch folder of this run, on the cache's file system
 * @param home for an untrusted step, the folders and files of its user
 * @param work runs a command line; for an untrusted step it also gets the UID and the writable folders
 */
export async function inChroot<T>(
  { launcher }: Jail,
  spec: Sandboxed,
  scratch: string,
  home: Home | undefined,
  work: (argv: readonly string[], step?: Traces) => Promise<T>,
): Promise<T> {
  const root = join(scratch, 'root');
  await mkdir(root);
  const overlay = spec.code === 'tool' ? spec.overlay : undefined;
  const treeOverlay = spec.code === 'tool' ? spec.treeOverlay : undefined;
  if (home !== undefined) await builderRoot(spec.root, root, home, launcher.inside);
  else if (overlay === undefined) await toolRoot(spec.root, root);
  else await copyInto(spec.root, root);
  await makeDevices(root);
  const undo: (() => Promise<void>)[] = [];
  try {
    for (const bind of spec.binds ?? []) undo.unshift(await bring(bind, root, scratch));
    const command = ['/usr/bin/env', '-C', spec.cwd ?? '/', ...spec.argv];
    if (spec.code === 'untrusted' && home?.owner !== undefined) {
      const filter = ['--seccomp-filter', '/.weir/untrusted.bpf'];
      const writable = (spec.binds ?? []).filter((bind) => bind.writable === true);
      const folders = ['/tmp', '/var/tmp', '/dev/shm', ...writable.map((bind) => bind.to ?? bind.from)].map((path) =>
        join(root, path),
      );
      const step = [...insideStart, ...filter, ...stepDown(home.owner), ...command];
      try {
        const argv = launch(launcher, [
          ...program('prlimit'),
          ...kernelLimits(spec.limits),
          '--',
          'chroot',
          root,
          ...step,
        ]);
        return await work(argv, { uid: home.owner, folders });
      } finally {
        await endAll(home.owner);
      }
    }
    const overlays = [];
    if (overlay !== undefined) overlays.push({ lower: spec.root, upper: overlay.upper, at: root });
    if (treeOverlay !== undefined) {
      const { lower, upper, at } = treeOverlay;
      const inner = join(root, at);
      await copyInto(lower, inner);
      // A second overlay on the same tree must include the changes and deletions of the first.
      const gone = whiteouts(upper);
      for (const path of gone) await rm(join(inner, path), { recursive: true, force: true });
      await copyInto(upper, inner);
      for (const path of gone) await rm(join(inner, path), { force: true });
      overlays.push({ lower, upper, at: inner });
    }
    const mark = Date.now();
    const result = await work(['chroot', root, ...command]);
    for (const { lower, upper, at } of overlays)
      if (treeOverlay !== undefined) await pickChanges(lower, at, upper, mark);
    return result;
  } finally {
    for (const step of undo) await step();
  }
}

/** The builder's root: hard links, which it cannot write because root owns them, plus its own files. */
async function builderRoot(from: string, root: string, home: Home, inside: string): Promise<void> {
  const linked = await run(['cp', '-al', `${from}/.`, root]);
  if (linked.code !== 0) await copyInto(from, root);
  for (const name of ['passwd', 'group'] as const) {
    await mkdir(join(root, 'etc'), { recursive: true });
    // Removed first, because the existing file is a hard link.
    await rm(join(root, 'etc', name), { force: true });
    await copyFile(home[name], join(root, 'etc', name));
  }
  for (const dir of ['tmp', 'var/tmp', 'dev/shm']) {
    await rm(join(root, dir), { recursive: true, force: true });
    await mkdir(join(root, dir), { recursive: true });
    await runOk(['chmod', '1777', join(root, dir)]);
  }
  for (const dir of ['proc', 'run', 'root']) await mkdir(join(root, dir), { recursive: true });
  await runOk(['cp', '-a', inside, join(root, '.weir')]);
}

/** Kills the processes that a step left running; in a chroot nothing else does. */
async function endAll(uid: number): Promise<void> {
  for (let left = processesOf(uid), tries = 0; left.length > 0 && tries < 100; left = processesOf(uid), tries++) {
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has exited.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Programs as hard links (nothing writes to them), configuration as a copy, and the folders that programs expect. */
async function toolRoot(from: string, root: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await runOk(['ln', '-s', `usr/${name}`, join(root, name)]);
  const linked = await run(['cp', '-al', join(from, 'usr'), join(root, 'usr')]);
  if (linked.code !== 0) await copyInto(join(from, 'usr'), join(root, 'usr'));
  await copyInto(join(from, 'etc'), join(root, 'etc'));
  for (const dir of ['dev', 'proc', 'root', 'run', 'tmp', 'var/tmp', 'var/lib', 'var/cache', 'var/log']) {
    await mkdir(join(root, dir), { recursive: true });
  }
  await runOk(['chmod', '1777', join(root, 'tmp'), join(root, 'var/tmp')]);
}

async function copyInto(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await runOk(['cp', '-a', '--reflink=auto', `${from}/.`, to]);
}

const devices = { null: [1, 3], zero: [1, 5], full: [1, 7], random: [1, 8], urandom: [1, 9], tty: [5, 0] } as const;

async function makeDevices(root: string): Promise<void> {
  await mkdir(join(root, 'dev'), { recursive: true });
  await mkdir(join(root, 'tmp'), { recursive: true });
  for (const [name, [major, minor]] of Object.entries(devices)) {
    await run(['mknod', '-m', '666', join(root, 'dev', name), 'c', String(major), String(minor)]);
  }
  await run(['ln', '-s', '/proc/self/fd', join(root, 'dev', 'fd')]);
}

/** Makes one bind available. @returns a function that takes it out again */
async function bring(bind: Bind, root: string, scratch: string): Promise<() => Promise<void>> {
  const to = join(root, bind.to ?? bind.from);
  await mkdir(dirname(to), { recursive: true });
  const folder = (await stat(bind.from)).isDirectory();
  if (bind.writable !== true) {
    const linked = await run(['cp', '-al', '-T', bind.from, to]);
    if (linked.code !== 0) await runOk(['cp', '-a', '-T', bind.from, to]);
    return async () => {};
  }
  // Folders of this run are moved. The user's files are copied, so a kill cannot lose them in here.
  if (folder && bind.from.startsWith(dirname(scratch))) {
    await rename(bind.from, to);
    return () => rename(to, bind.from);
  }
  await runOk(['cp', '-a', '-T', bind.from, to]);
  return async () => {
    await runOk(['cp', '-a', '-T', to, bind.from]);
  };
}

/** Moves what changed after `mark` from the copy to `upper`, and marks deletions as overlayfs does: with a 0:0 device. */
async function pickChanges(lower: string, copy: string, upper: string, mark: number): Promise<void> {
  const moves: [string, string][] = [];
  const gone: string[] = [];
  const folders: string[] = [];
  const walk = (path: string): void => {
    const before = new Set(readNames(join(lower, path)));
    for (const name of readdirSync(join(copy, path))) {
      const inner = join(path, name);
      const info = lstatSync(join(copy, inner));
      const known = before.delete(name);
      if (info.isDirectory()) {
        if (!known) folders.push(inner);
        walk(inner);
      } else if (!known || info.ctimeMs >= mark) moves.push([join(copy, inner), join(upper, inner)]);
    }
    for (const name of before) gone.push(join(path, name));
  };
  walk('/');
  // Files that an earlier overlay wrote and this one deleted.
  for (const path of namesBelow(upper)) {
    const written = lstatSync(join(upper, path), { throwIfNoEntry: false });
    if (written === undefined || isWhiteout(written)) continue;
    if (lstatSync(join(copy, path), { throwIfNoEntry: false }) === undefined) {
      await rm(join(upper, path), { recursive: true });
    }
  }
  for (const folder of folders) await mkdir(join(upper, folder), { recursive: true });
  for (const [from, to] of moves) {
    await mkdir(dirname(to), { recursive: true });
    await rename(from, to);
  }
  for (const path of gone) {
    await mkdir(dirname(join(upper, path)), { recursive: true });
    await run(['mknod', join(upper, path), 'c', '0', '0']);
  }
}

function readNames(dir: string): string[] {
  const info = lstatSync(dir, { throwIfNoEntry: false });
  return info?.isDirectory() === true ? readdirSync(dir) : [];
}

/** Whether this is overlayfs's mark of a deleted path. */
function isWhiteout(info: Stats): boolean {
  return info.isCharacterDevice() && info.rdev === 0;
}

function namesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();
}

function whiteouts(upper: string): string[] {
  return namesBelow(upper).filter((path) => isWhiteout(lstatSync(join(upper, path))));
}
