import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { readIfExists, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';

/** A component that an update was going to move. */
export interface PlannedMove {
  readonly component: string;
  /** Upstream commits. */
  readonly from: string;
  readonly to: string;
}

const schema = z.array(z.object({ component: z.string(), from: z.string(), to: z.string() }));

/** The file that names what a running update moves; it stays if the update is killed. @param project its folder */
export function journalPath(cache: string, project: string): string {
  return cachePath(cache, 'upstream', `${sha256(project).slice(0, 32)}.moves.json`);
}

/** What a killed update was going to move; empty if there is none. */
export async function readJournal(path: string): Promise<readonly PlannedMove[]> {
  const text = await readIfExists(path);
  if (text === undefined) return [];
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // Another version of Weir wrote it: then its moves are as complete as the files say.
    return [];
  }
}

export async function writeJournal(path: string, moves: readonly PlannedMove[]): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(moves)}\n`);
}

export async function removeJournal(path: string): Promise<void> {
  await rm(path, { force: true });
}
