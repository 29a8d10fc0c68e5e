import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode, WeirError } from './errors.ts';

/**
 * Runs `work` while holding a lock file, so that one run at a time writes an output folder. A lock whose process is gone
 * (a kill, a power cut) is taken over.
 * @throws WeirError `locked` naming the process that holds it
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  await take(path, 2);
  const release = (): Promise<void> => rm(path, { force: true });
  try {
    return await work();
  } finally {
    await release();
  }
}

async function take(path: string, tries: number): Promise<void> {
  try {
    const handle = await open(path, 'wx');
    await handle.writeFile(`${process.pid} ${await startTime(process.pid)}\n`);
    await handle.close();
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    const holder = (await readFile(path, 'utf8').catch(() => '')).trim();
    const [pid = '', started = ''] = holder.split(' ');
    if (tries > 0 && (pid === '' || (await startTime(Number(pid))) !== started)) {
      await rm(path, { force: true });
      return take(path, tries - 1);
    }
    throw new WeirError('locked', `another weir (process ${pid}) is building into the same folder`, {
      where: { file: path },
      hint: 'wait for it, or end it; with --out each can have a folder of its own',
    });
  }
}

/** When a process started, in kernel ticks since boot; tells a living holder from a reused number. '' where it is gone. */
async function startTime(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
