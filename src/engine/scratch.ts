import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryName } from '../base/files.ts';
import { run } from '../base/process.ts';

/** Removes a folder, even if a tool left folders without write permission in it. */
export async function removeTree(dir: string): Promise<void> {
  try {
    // In a sandbox that was stopped, writes can continue for a moment.
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  } catch {
    await run(['chmod', '-R', 'u+rwX', dir]);
    await rm(dir, { recursive: true, force: true });
  }
}

/** Runs `work` with a scratch folder below `base`, which is removed afterwards whatever the outcome. */
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
