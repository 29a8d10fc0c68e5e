import { existsSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileDigest } from '../../src/base/digest.ts';
import type { LookasideFile } from '../../src/sources/listing.ts';
import { type Debian, sameNamed, withPoolFile } from './debian.ts';

/** Why a source file is not to be had here. */
export type Lack = 'other-name' | 'other-bytes' | 'gone' | 'too-large';

/** A lookaside as a folder: `HASH/NAME`. What was looked for without success is kept beside it. */
export interface Lookaside {
  readonly dir: string;
  /** Template of the URI of a file, for the project. */
  readonly template: string;
  readonly obtain: (component: string, file: LookasideFile) => Promise<Lack | undefined>;
}

export interface LookasideOptions {
  readonly dir: string;
  readonly debian: Debian;
  /** Largest source file, in bytes. */
  readonly mostBytes: number;
}

/** Opens the lookaside in `dir/lookaside`; files are taken from Debian's source packages if they have the very hash. */
export async function openLookaside({ dir, debian, mostBytes }: LookasideOptions): Promise<Lookaside> {
  const folder = join(dir, 'lookaside');
  const known = join(dir, 'lacking.json');
  const lacking: Record<string, Lack> = existsSync(known)
    ? (JSON.parse(await readFile(known, 'utf8')) as Record<string, Lack>)
    : {};
  const obtain = async (component: string, file: LookasideFile): Promise<Lack | undefined> => {
    const path = join(folder, file.hash, file.filename);
    if (existsSync(path)) return undefined;
    const before = lacking[file.hash];
    if (before !== undefined) return before;
    const found = sameNamed(debian, component, file.filename);
    const small = found.filter(({ size }) => size <= mostBytes);
    if (small.length === 0) return found.length === 0 ? 'other-name' : 'too-large';
    let lack: Lack = 'gone';
    for (const pool of small) {
      const same = await withPoolFile(debian, pool, join(dir, 'scratch'), async (downloaded) => {
        if ((await fileDigest(downloaded, file.hashType.toLowerCase())) !== file.hash) return false;
        await mkdir(dirname(path), { recursive: true });
        await copyFile(downloaded, `${path}.new`);
        await rename(`${path}.new`, path);
        return true;
      });
      if (same === true) return undefined;
      if (same === false) lack = 'other-bytes';
    }
    lacking[file.hash] = lack;
    // Synchronously, because several files are looked for at the same time.
    writeFileSync(known, `${JSON.stringify(lacking, null, 1)}\n`);
    return lack;
  };
  return { dir: folder, template: 'lookaside/$hash/$filename', obtain };
}
