import { createReadStream, lstatSync, type Stats } from 'node:fs';
import { lstat, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { exists, isAbandoned, isTemporary } from '../base/files.ts';
import { withHashers } from '../base/hashers.ts';
import { type CachePart, cachePath, cacheRoot } from '../base/paths.ts';
import { inStage, type Progress } from '../base/progress.ts';
import { type Engine, parseResult, type Stored } from '../engine/action.ts';
import { openEngine } from '../engine/engine.ts';
import { removeTree } from '../engine/scratch.ts';
import { unsealedBytes } from '../engine/seal.ts';
import { uncheckedBlobPath } from '../engine/store.ts';
import { entrySubject } from '../project/project-cache.ts';
import { isWholeRepository } from '../repo/cached-repository.ts';
import type { Fault } from '../repo/fault.ts';
import { checkToolbox } from '../toolbox/integrity.ts';
import { isWholeRoot, listingFile } from '../tree/materialise.ts';

/** Result of a cache check. */
export interface CacheReport {
  readonly ok: boolean;
  readonly blobs: number;
  readonly actions: number;
  readonly roots: number;
  readonly repositories: number;
  /** Parts that were not checked, with the reason. */
  readonly notChecked: readonly string[];
  /** Paths are within the cache. */
  readonly faults: readonly Fault[];
  /** Whether the faulty parts were removed. */
  readonly repaired: boolean;
}

/**
 * Checks a whole cache: hashes each blob, verifies the seal of each result and that every blob it names exists, and checks
 * buildroots, repositories and toolboxes against their recorded content.
 * @param options `repair` removes faulty parts and all results that need them; the next run rebuilds them
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
  // Forget all file stamps, so that everything is read. The check records fresh stamps.
  engine.store.stamps.clear();
  const blobs = await checkBlobs(engine, wrong, say);
  say('results');
  const actions = await checkResults(engine, blobs, wrong);
  await checkSealed(cache, engine, 'stamps', (name) => `stamps of ${name.replace(/\.json$/, '')}`, wrong);
  await checkSealed(cache, engine, 'hashes', (name, folder) => `file ${folder} ${name}`, wrong);
  await checkSealed(cache, engine, 'custom', (name) => `custom ${name}`, wrong);
  await checkSealed(cache, engine, 'projects', (name) => entrySubject(name), wrong);
  say('buildroots and repositories');
  const roots = await folders(cachePath(cache, 'roots'));
  for (const root of roots) {
    if (await isWholeRoot(engine.store, root)) continue;
    await wrong(root, 'wrong', 'its content does not match its listing');
    if (options.repair) await rm(listingFile(root), { force: true });
  }
  const repositories = await folders(cachePath(cache, 'repos'));
  for (const dir of repositories)
    if (!(await isWholeRepository(engine.store, dir)))
      await wrong(dir, 'wrong', 'its content does not match its listing');
  for (const root of await folders(cachePath(cache, 'toolbox'))) {
    say(`toolbox ${basename(root)}`);
    const manifest = `${root}.manifest`;
    const state = await checkToolbox(root, manifest, engine.store.seal);
    if (state?.changed.length === 0) continue;
    const what =
      state === undefined
        ? 'its manifest is missing or invalid'
        : `${state.changed[0]} has changed since it was unpacked`;
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

/** Checks the cache of this run and removes faulty parts. */
export async function repairCache(progress: Progress): Promise<CacheReport> {
  const cache = cacheRoot();
  const engine = await openEngine(cache, (text) => progress.note('cache', text));
  return inStage(progress, 'cache', async ({ update }) => {
    const result = await checkCache({ cache, engine }, { repair: true, say: update });
    return { result, summary: `${result.blobs} files, ${result.faults.length} removed`, cached: false };
  });
}

type Wrong = (path: string, fault: Fault['fault'], message: string) => Promise<void>;

/** Hashes all blobs. @returns sizes of the valid ones */
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
        return wrong(path, 'extra', 'not a blob');
      if (!info.isFile()) return wrong(path, 'wrong', 'not a regular file');
      if ((await hash(path)) !== digest)
        return wrong(path, 'wrong', 'corrupt blob: its content does not match its digest');
      const mode = Number(info.mode & 0o7777n);
      if (mode !== (twin === undefined ? 0o444 : 0o555)) return wrong(path, 'wrong', `wrong mode ${mode.toString(8)}`);
      store.stamps.add(info, digest);
      if (twin === undefined) right.set(digest, Number(info.size));
    });
  });
  return right;
}

/** Checks all results of actions. @returns their number */
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
          await wrong(path, 'extra', 'left over from a killed run');
        continue;
      }
      count++;
      const stored = parseResult(engine.store.seal, digest, await readFile(path, 'utf8').catch(() => ''));
      if (stored === undefined) await wrong(path, 'wrong', 'invalid seal: not written by this cache, or changed');
      else if (!(await hasAll(engine, stored, blobs)))
        await wrong(path, 'wrong', 'it names blobs that are missing or corrupt');
    }
  }
  return count;
}

/** Whether the store has every blob that a result names: its files, and what its files and its value name in turn. */
async function hasAll(engine: Engine, stored: Stored, blobs: ReadonlyMap<Digest, number>): Promise<boolean> {
  const named = new Set(digestsIn(JSON.stringify(stored.value)));
  for (const { digest, size } of Object.values(stored.files)) {
    if (blobs.get(digest) !== size) return false;
    const text = await jsonText(uncheckedBlobPath(engine.store, digest), size);
    for (const inner of digestsIn(text)) named.add(inner);
  }
  return [...named].every((digest) => blobs.has(digest));
}

/** Trees and entry lists name blobs as `"digest":"…"`. */
function digestsIn(text: string): Digest[] {
  return [...text.matchAll(/"digest":"([0-9a-f]{64})"/g)].map(([, digest]) => digest!);
}

/** A file's text if it is JSON, else an empty string. */
async function jsonText(path: string, size: number): Promise<string> {
  if (size < 2 || size > 256 << 20) return '';
  for await (const chunk of createReadStream(path, { end: 0 })) {
    if (!/^[[{]$/.test(String(chunk))) return '';
  }
  return readFile(path, 'utf8');
}

/** Checks a folder of sealed files. @param subject the subject of a file's seal, by its name and that of the first folder */
async function checkSealed(
  cache: string,
  engine: Engine,
  part: CachePart,
  subject: (name: string, folder: string) => string,
  wrong: Wrong,
): Promise<void> {
  const dir = cachePath(cache, part);
  for (const found of await readdir(dir, { recursive: true }).catch(() => [])) {
    const path = join(dir, found);
    const info: Stats | undefined = lstatSync(path, { throwIfNoEntry: false });
    if (info === undefined || info.isDirectory() || isTemporary(basename(found))) continue;
    const file = info.isFile() ? await readFile(path).catch(() => undefined) : undefined;
    const about = subject(basename(found), found.split('/')[0]!);
    if (file === undefined || unsealedBytes(engine.store.seal, about, file) === undefined)
      await wrong(path, 'wrong', 'invalid seal: not written by this cache, or changed');
  }
}

async function folders(dir: string): Promise<string[]> {
  const found = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return found.filter((each) => each.isDirectory() && !isTemporary(each.name)).map(({ name }) => join(dir, name));
}

async function uncheckedParts(cache: string): Promise<string[]> {
  const parts: string[] = [];
  if (await exists(cachePath(cache, 'git'))) parts.push('git: upstream repositories (use git fsck)');
  if (await exists(cachePath(cache, 'apt')))
    parts.push("apt: package lists (apt verifies them against the archive's signature)");
  return parts;
}
