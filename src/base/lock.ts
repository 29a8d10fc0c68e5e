import { readFileSync, rmSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { startTime } from './alive.ts';
import { systemCode, WeirError } from './errors.ts';
import { diskError, readIfExists, temporaryName } from './files.ts';

/**
 * Runs `work` while holding a lock file, so that one run at a time writes an output folder. A lock whose process is gone
 * (a kill, a power cut) is taken over.
 * @throws WeirError `locked` naming the process that holds it
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const own = `${process.pid} ${startTime(process.pid)}\n`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await take(path, own);
  } catch (error) {
    throw diskError(error, path);
  }
  const release = (): void => {
    if (content(path) === own) rmSync(path, { force: true });
  };
  // A second Ctrl-C ends the process without unwinding.
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

async function take(path: string, own: string): Promise<void> {
  // Made beside and linked, so that nobody ever sees a lock that does not say yet whose it is.
  const temporary = temporaryName(path);
  await writeFile(temporary, own);
  try {
    for (let tries = 0; !(await placed(temporary, path, own)); tries++) {
      const holder = await readIfExists(path);
      if (holder === undefined) continue;
      const [pid = '', started = ''] = holder.trim().split(' ');
      if (tries >= 10 || (started !== '' && startTime(Number(pid)) === started)) {
        throw new WeirError('locked', `another weir (process ${pid}) works in the same folder`, {
          where: { file: path },
          hint: 'wait for it, or end it; with --out each can have a folder of its own',
        });
      }
      await takeAway(path, holder);
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

async function placed(temporary: string, path: string, own: string): Promise<boolean> {
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
