import { lstatSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { exists, temporaryName, writeAtomic } from '../base/files.ts';
import type { Engine } from '../engine/action.ts';
import { removeTree } from '../engine/scratch.ts';
import { sealed, unsealed } from '../engine/seal.ts';
import { digestOfFileNow, type Store } from '../engine/store.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type RepoPackage, writeRepository } from './metadata.ts';

/** Where to create the repository, and its clock: seconds since 1970. */
export interface CacheContext {
  readonly engine: Engine;
  readonly clock: number;
}

/**
 * A repository in the cache, created under a temporary name and renamed; its name contains the digest of its content. It is
 * read rarely, so it is verified before a read, not here.
 * @returns a function that verifies the folder and recreates it if it was modified
 */
export function cachedRepository(
  { engine, clock }: CacheContext,
  toolbox: Toolbox,
  dir: string,
  packages: readonly RepoPackage[],
): Promise<() => Promise<void>> {
  return cachedFolder(engine.store, dir, (made) => writeRepository(engine, toolbox, made, packages, clock, 'links'));
}

/**
 * A folder in the cache with a sealed listing of its content. @param make fills the empty folder
 * @returns a function that verifies the folder and recreates it if it was modified
 */
export async function cachedFolder(
  store: Store,
  dir: string,
  make: (made: string) => Promise<void>,
): Promise<() => Promise<void>> {
  if (!(await exists(dir))) await create(store, dir, make);
  let checked: Promise<void> | undefined;
  const check = async (): Promise<void> => {
    if (await isWholeRepository(store, dir)) return;
    store.tell(`${dir} was modified: creating it again`);
    await removeTree(dir);
    await create(store, dir, make);
  };
  return () => {
    checked ??= check();
    return checked;
  };
}

async function create(store: Store, dir: string, make: (made: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(dir), { recursive: true });
  const temporary = temporaryName(dir);
  try {
    await mkdir(temporary);
    await make(temporary);
    const listing = sealed(store.seal, subject(dir), listed(store, temporary));
    await writeAtomic(join(temporary, listingName), listing);
    await rename(temporary, dir);
  } catch (error) {
    await removeTree(temporary);
    if (!(await exists(dir))) throw error;
  }
}

/** Whether a repository of the cache is unmodified. */
export async function isWholeRepository(store: Store, dir: string): Promise<boolean> {
  const noted = unsealed(store.seal, subject(dir), await readFile(join(dir, listingName), 'utf8').catch(() => ''));
  return noted !== undefined && noted === listed(store, dir);
}

/** The listing of the folder's content: one line per file. */
const listingName = '.weir-listing';

function subject(dir: string): string {
  return `repository ${basename(dir)}`;
}

function listed(store: Store, dir: string): string {
  const lines: string[] = [];
  const visit = (folder: string): void => {
    for (const name of readdirSync(join(dir, folder))) {
      const path = join(folder, name);
      if (path === listingName) continue;
      const info = lstatSync(join(dir, path), { bigint: true });
      if (info.isDirectory()) visit(path);
      else if (!info.isFile()) lines.push(`no file ${path}`);
      else lines.push(`${(info.mode & 0o7777n).toString(8)} ${digestOfFileNow(store, join(dir, path), info)} ${path}`);
    }
  };
  visit('');
  return lines.sort().join('\n');
}
