import { readFileSync, rmSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatOwner, isAlive, type Owner, parseOwner, thisProcess } from './alive.ts';
import { systemCode, WeirError } from './errors.ts';
import { diskError, readIfExists, temporaryName } from './files.ts';

/**
 * How the holder of a lock in another container is told from one that is gone: it touches its lock. One that is stopped for
 * longer than the silence is taken for gone.
 */
export interface LockTiming {
  /** Milliseconds between two touches, and between two looks of one who waits. */
  readonly beat: number;
  /** Milliseconds without a touch after which the holder is gone. */
  readonly silence: number;
}

const usual: LockTiming = { beat: 2000, silence: 30_000 };
/** However old the last touch is, it may be the machine that slept: so many looks have to find no newer one. */
const fewestLooks = 3;

/**
 * Runs `work` while holding a lock file, so that one run at a time writes an output folder. A lock whose process is gone
 * (a kill, a power cut) is taken over, one of another container only once it has not been touched for a while.
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
 * Takes a lock where nobody holds it, at once and without a look at how it goes on.
 * @returns what gives it back; undefined where another run has it
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

/** Keeps a lock that was just taken. @returns what gives it back */
function holding(path: string, timing: LockTiming): () => void {
  const touching = setInterval(() => {
    const now = new Date();
    // Whoever took it away has a reason; the work goes on either way.
    if (content(path) === own) utimes(path, now, now).catch(() => {});
  }, timing.beat).unref();
  const giveBack = (): void => {
    clearInterval(touching);
    process.off('exit', giveBack);
    if (content(path) === own) rmSync(path, { force: true });
  };
  // A second Ctrl-C ends the process without unwinding.
  process.once('exit', giveBack);
  return giveBack;
}

/** A lock that somebody holds, or held. */
interface Held {
  readonly text: string;
  readonly owner: Owner | undefined;
  /** As of `isAlive`; false where the lock says nothing of whose it is. */
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
  // Made beside and linked, so that nobody ever sees a lock that does not say yet whose it is.
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

/** Watches a lock of another container until its holder touches it, or for long enough to know that it does not. */
async function isSilent(path: string, before: Held, { beat, silence }: LockTiming): Promise<boolean> {
  // By the file system's clock, which may be another machine's.
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
  return new WeirError('locked', `another weir (${process}) works in the same folder`, {
    where: { file: path },
    hint: 'wait for it, or end it; with --out each can have a folder of its own',
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
    // A file system without hard links.
    await writeFile(path, own, { flag: 'wx' });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead lock; a living one that another run has put there meanwhile goes back. */
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
