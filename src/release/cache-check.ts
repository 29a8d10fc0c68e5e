import { createReadStream, lstatSync, type Stats } from 'node:fs';
import { lstat, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { isAbandoned, isTemporary } from '../base/files.ts';
import { withHashers } from '../base/hashers.ts';
import { cacheRoot } from '../base/paths.ts';
import { inStage, type Progress } from '../base/progress.ts';
import { type Engine, parseResult, type Stored } from '../engine/action.ts';
import { openEngine } from '../engine/engine.ts';
import { removeTree } from '../engine/scratch.ts';
import { unsealed } from '../engine/seal.ts';
import { uncheckedBlobPath } from '../engine/store.ts';
import { isWholeRepository } from '../repo/cached-repository.ts';
import type { Fault } from '../repo/fault.ts';
import { checkToolbox } from '../toolbox/integrity.ts';
import { isWholeRoot, listingFile } from '../tree/materialise.ts';

/** What looking through a cache found. */
export interface CacheReport {
  readonly ok: boolean;
  readonly blobs: number;
  readonly actions: number;
  readonly roots: number;
  readonly repositories: number;
  /** Parts that were not looked into, with the reason. */
  readonly notChecked: readonly string[];
  /** Paths are within the cache. */
  readonly faults: readonly Fault[];
  /** Whether what is wrong was removed. */
  readonly repaired: boolean;
}

/**
 * Looks through a whole cache: hashes each blob, checks the mark of each result and that all is there which it names, holds buildroots,
 * repositories and toolboxes against what was laid there.
 * @param options `repair` removes what is wrong, and what cannot be used without it; the next run makes it again
 */
export async function checkCache(
  { cache, engine }: { readonly cache: string; readonly engine: Engine },
  options: { readonly repair: boolean; readonly say?: (text: string) => void },
): Promise<CacheReport> {
  const say = options.say ?? (() => {});
  const faults: Fault[] = [];
  const wrong = async (path: string, fault: Fault['fault'], message: string): Promise<void> => {
    faults.push({ path: relative(cache, path), fault, message });
    if (options.repair) await removeTree(path);
  };
  // All is read: what was known of files before counts for nothing, and what they are counts from now on.
  engine.store.stamps.clear();
  const blobs = await checkBlobs(engine, wrong, say);
  say('results');
  const actions = await checkResults(engine, blobs, wrong);
  await checkSealed(cache, engine, 'stamps', (name) => `stamps of ${name.replace(/\.json$/, '')}`, wrong);
  await checkSealed(cache, engine, 'hashes', (name, folder) => `file ${folder} ${name}`, wrong);
  await checkSealed(cache, engine, 'custom', (name) => `custom ${name}`, wrong);
  say('buildroots and repositories');
  const roots = await folders(join(cache, 'roots'));
  for (const root of roots) {
    if (await isWholeRoot(engine.store, root)) continue;
    await wrong(root, 'wrong', 'it is not what was laid there');
    if (options.repair) await rm(listingFile(root), { force: true });
  }
  const repositories = await folders(join(cache, 'repos'));
  for (const dir of repositories)
    if (!(await isWholeRepository(engine.store, dir))) await wrong(dir, 'wrong', 'it is not what was made there');
  for (const root of await folders(join(cache, 'toolbox'))) {
    say(`toolbox ${basename(root)}`);
    const manifest = `${root}.manifest`;
    const state = await checkToolbox(root, manifest, engine.store.seal);
    if (state?.changed.length === 0) continue;
    const what =
      state === undefined ? 'nothing says what was unpacked there' : `${state.changed[0]} is not as it was unpacked`;
    await wrong(root, 'wrong', what);
    if (options.repair) await rm(manifest, { force: true });
  }
  engine.store.stamps.flush(false);
  return {
    ok: faults.length === 0,
    blobs: blobs.size,
    actions,
    roots: roots.length,
    repositories: repositories.length,
    notChecked: await uncheckedParts(cache),
    faults,
    repaired: options.repair && faults.length > 0,
  };
}

/** Looks through the cache of this run and removes what is wrong. */
export async function repairCache(progress: Progress): Promise<CacheReport> {
  const cache = cacheRoot();
  const engine = await openEngine(cache, (text) => progress.note('cache', text));
  return inStage(progress, 'cache', async ({ update }) => {
    const result = await checkCache({ cache, engine }, { repair: true, say: update });
    return { result, summary: `${result.blobs} files, ${result.faults.length} removed`, cached: false };
  });
}

type Wrong = (path: string, fault: Fault['fault'], message: string) => Promise<void>;

/** Hashes all blobs. @returns sizes of those that are right */
async function checkBlobs(engine: Engine, wrong: Wrong, say: (text: string) => void): Promise<Map<Digest, number>> {
  const { store } = engine;
  const right = new Map<Digest, number>();
  const paths: string[] = [];
  for (let i = 0; i < 256; i++) {
    const folder = join(store.dir, i.toString(16).padStart(2, '0'));
    for (const name of await readdir(folder).catch(() => [])) paths.push(join(folder, name));
  }
  let done = 0;
  await withHashers(async (hash, each) => {
    await each(paths, async (path) => {
      if (++done % 500 === 0) say(`hashed ${done} of ${paths.length} files of the store`);
      const [, digest, twin] = /^([0-9a-f]{64})(\.x)?$/.exec(basename(path)) ?? [];
      const info = await lstat(path, { bigint: true }).catch(() => undefined);
      if (info === undefined) return;
      if (digest === undefined || path !== `${uncheckedBlobPath(store, digest)}${twin ?? ''}`)
        return wrong(path, 'extra', 'it is no blob');
      if (!info.isFile()) return wrong(path, 'wrong', 'it is no file');
      if ((await hash(path)) !== digest) return wrong(path, 'wrong', 'its bytes are not those that its name says');
      const mode = Number(info.mode & 0o7777n);
      if (mode !== (twin === undefined ? 0o444 : 0o555)) return wrong(path, 'wrong', `its mode is ${mode.toString(8)}`);
      store.stamps.add(info, digest);
      if (twin === undefined) right.set(digest, Number(info.size));
    });
  });
  return right;
}

/** Checks all results of actions. @returns how many there are */
async function checkResults(engine: Engine, blobs: ReadonlyMap<Digest, number>, wrong: Wrong): Promise<number> {
  let count = 0;
  for (const folder of await readdir(engine.results)) {
    if (isTemporary(folder)) continue;
    for (const name of await readdir(join(engine.results, folder)).catch(() => [])) {
      const path = join(engine.results, folder, name);
      const digest = name.replace(/\.json$/, '');
      if (isTemporary(name)) {
        const info = await lstat(path).catch(() => undefined);
        if (info !== undefined && isAbandoned(name, info.mtimeMs))
          await wrong(path, 'extra', 'a run that was killed left it');
        continue;
      }
      count++;
      const stored = parseResult(engine.store.seal, digest, await readFile(path, 'utf8').catch(() => ''));
      if (stored === undefined) await wrong(path, 'wrong', 'this cache did not write it, or not as it is');
      else if (!(await hasAll(engine, stored, blobs)))
        await wrong(path, 'wrong', 'it names content that the store does not have, or not as it was');
    }
  }
  return count;
}

/** Whether the store has all that a result names: its files, and what these and the result's value name in turn. */
async function hasAll(engine: Engine, stored: Stored, blobs: ReadonlyMap<Digest, number>): Promise<boolean> {
  const named = new Set(digestsIn(JSON.stringify(stored.value)));
  for (const { digest, size } of Object.values(stored.files)) {
    if (blobs.get(digest) !== size) return false;
    const text = await jsonText(uncheckedBlobPath(engine.store, digest), size);
    for (const inner of digestsIn(text)) named.add(inner);
  }
  return [...named].every((digest) => blobs.has(digest));
}

/** Trees and lists of entries name content as `"digest":"…"`. */
function digestsIn(text: string): Digest[] {
  return [...text.matchAll(/"digest":"([0-9a-f]{64})"/g)].map(([, digest]) => digest!);
}

/** A file's text where it is JSON, else nothing. */
async function jsonText(path: string, size: number): Promise<string> {
  if (size < 2 || size > 256 << 20) return '';
  for await (const chunk of createReadStream(path, { end: 0 })) {
    if (!/^[[{]$/.test(String(chunk))) return '';
  }
  return readFile(path, 'utf8');
}

/** Checks a folder of sealed files. @param subject what a file is about, by its name and that of the first folder */
async function checkSealed(
  cache: string,
  engine: Engine,
  part: string,
  subject: (name: string, folder: string) => string,
  wrong: Wrong,
): Promise<void> {
  const dir = join(cache, part);
  for (const found of await readdir(dir, { recursive: true }).catch(() => [])) {
    const path = join(dir, found);
    const info: Stats | undefined = lstatSync(path, { throwIfNoEntry: false });
    if (info === undefined || info.isDirectory() || isTemporary(basename(found))) continue;
    const text = info.isFile() ? await readFile(path, 'utf8').catch(() => '') : '';
    const about = subject(basename(found), found.split('/')[0]!);
    if (unsealed(engine.store.seal, about, text) === undefined)
      await wrong(path, 'wrong', 'this cache did not write it, or not as it is');
  }
}

async function folders(dir: string): Promise<string[]> {
  const found = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return found.filter((each) => each.isDirectory() && !isTemporary(each.name)).map(({ name }) => join(dir, name));
}

async function uncheckedParts(cache: string): Promise<string[]> {
  const parts: string[] = [];
  const there = await readdir(cache);
  if (there.includes('git')) parts.push('git: upstream repositories; git itself can (git fsck)');
  if (there.includes('apt')) parts.push("apt: apt holds its lists against the archive's signature");
  return parts;
}
