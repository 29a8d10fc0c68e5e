import { readFileSync, rmSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatOwner, isAlive, type Owner, parseOwner, thisProcess } from './alive.ts';
import { systemCode, WeirError } from './errors.ts';
import { diskError, readIfExists, temporaryName } from './files.ts';

/**
 * A holder in another container cannot be inspected, so it touches its lock regularly. A holder suspended for longer than
 * `silence` counts as dead.
 */
export interface LockTiming {
  /** Milliseconds between two touches by the holder, and between two checks by a waiter. */
  readonly beat: number;
  /** Milliseconds without a touch after which the holder counts as dead. */
  readonly silence: number;
}

const usual: LockTiming = { beat: 2000, silence: 30_000 };
/** An old timestamp may only mean that the machine slept, so at least this many checks must see no new touch. */
const fewestLooks = 3;

/**
 * Runs `work` while holding a lock file; only one run at a time may write an output folder. A stale lock, left by a killed
 * process or a power cut, is replaced; one from another container only after it has not been touched for a while.
 * @throws WeirError `locked` naming the process that holds it
 */
export async function withLock<T>(path: string, work: () => Promise<T>, timing = usual): Promise<T> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await take(path, timing);
  } catch (error) {
    throw diskError(error, path);
  }
  const release = holding(path, timing);
  try {
    return await work();
  } finally {
    release();
  }
}

/**
 * Takes a lock if it is free or stale, without waiting.
 * @returns a function that releases it; undefined if another run holds it
 */
export async function tryLock(path: string, timing = usual): Promise<(() => void) | undefined> {
  const temporary = temporaryName(path);
  try {
    await writeFile(temporary, own);
    for (let tries = 0; !(await placed(temporary, path)); tries++) {
      const found = await look(path);
      if (found === undefined) continue;
      const { mtimeMs } = await stat(temporary);
      const gone = found.alive === false || (found.alive === undefined && mtimeMs - found.mtimeMs > timing.silence);
      if (!gone || tries >= 10) return undefined;
      await takeAway(path, found.text);
    }
    return holding(path, timing);
  } catch (error) {
    throw diskError(error, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

const own = formatOwner(thisProcess);

/** Keeps a newly taken lock fresh. @returns a function that releases it */
function holding(path: string, timing: LockTiming): () => void {
  const touching = setInterval(() => {
    const now = new Date();
    // Another process may have removed the lock as stale; the work continues all the same.
    if (content(path) === own) utimes(path, now, now).catch(() => {});
  }, timing.beat).unref();
  const giveBack = (): void => {
    clearInterval(touching);
    process.off('exit', giveBack);
    if (content(path) === own) rmSync(path, { force: true });
  };
  // A second Ctrl-C exits without unwinding.
  process.once('exit', giveBack);
  return giveBack;
}

/** A lock that a process holds or held. */
interface Held {
  readonly text: string;
  readonly owner: Owner | undefined;
  /** Whether the owner is alive, as `isAlive` returns it; false if the lock names no owner. */
  readonly alive: boolean | undefined;
  readonly mtimeMs: number;
}

async function look(path: string): Promise<Held | undefined> {
  const text = await readIfExists(path);
  const info = await stat(path).catch(() => undefined);
  if (text === undefined || info === undefined) return undefined;
  const owner = parseOwner(text);
  return { text, owner, alive: owner === undefined ? false : isAlive(owner), mtimeMs: info.mtimeMs };
}

async function take(path: string, timing: LockTiming): Promise<void> {
  // Written beside and linked into place: no reader ever sees a lock without its owner.
  const temporary = temporaryName(path);
  await writeFile(temporary, own);
  try {
    for (let tries = 0; !(await placed(temporary, path)); tries++) {
      const holder = await look(path);
      if (holder === undefined) continue;
      if (
        tries >= 10 ||
        holder.alive === true ||
        (holder.alive === undefined && !(await isSilent(path, holder, timing)))
      )
        throw locked(path, holder);
      await takeAway(path, holder.text);
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Watches a lock from another container until its holder touches it, or long enough to count it as dead. */
async function isSilent(path: string, before: Held, { beat, silence }: LockTiming): Promise<boolean> {
  // By the clock of the file system, which may be on another machine.
  const probe = temporaryName(path);
  await writeFile(probe, '');
  const age = (await stat(probe)).mtimeMs - before.mtimeMs;
  await rm(probe, { force: true });
  const looks = Math.max(fewestLooks, Math.ceil((silence - age) / beat));
  for (let count = 0; count < looks; count++) {
    await new Promise((done) => setTimeout(done, beat));
    const now = await look(path);
    if (now === undefined) return true;
    if (now.text !== before.text || now.mtimeMs !== before.mtimeMs) return false;
  }
  return true;
}

function locked(path: string, { owner, alive }: Held): WeirError {
  const process = `process ${owner?.pid ?? '?'}${alive === undefined ? ' of another container' : ''}`;
  return new WeirError('locked', `another weir (${process}) is using this folder`, {
    where: { file: path },
    hint: 'wait for it to finish or stop it, or use a separate folder with --out',
  });
}

async function placed(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
  }
  try {
    // The file system has no hard links.
    await writeFile(path, own, { flag: 'wx' });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a stale lock. If another run has put a live lock there meanwhile, it is restored. */
async function takeAway(path: string, dead: string): Promise<void> {
  const aside = temporaryName(path);
  try {
    await rename(path, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== dead) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

function content(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
