import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../base/file-lock.ts';
import { exists } from '../base/files.ts';
import { type CachePart, cacheParts, cachePath } from '../base/paths.ts';
import { runOk } from '../base/process.ts';
import { launcherFolder } from '../engine/launcher.ts';
import { removeTree } from '../engine/scratch.ts';
import { manifestOf, type ToolSet, toolboxDigest, toolboxFolder, toolSets } from '../toolbox/toolbox.ts';
import { readLock } from '../toolbox/toolbox-lock.ts';
import { checkOutput, emptyOutput } from './output.ts';
import type { Workspace } from './workspace.ts';

/** A part of the cache, or the output folder. */
export interface Part {
  readonly name: string;
  readonly path: string;
  /** Disk usage; a file with hard links in several parts counts only for the first part. */
  readonly megabytes: number;
}

/** Disk usage of the cache and the output folder, by part. */
export async function usage(workspace: Pick<Workspace, 'cache' | 'out'>): Promise<{ cache: Part[]; out: Part }> {
  const there = await readdir(workspace.cache);
  const order: readonly string[] = Object.keys(cacheParts);
  const names = [
    ...order.filter((name) => there.includes(name)),
    ...there.filter((name) => !order.includes(name)).sort(),
  ];
  const paths = names.map((name) => join(workspace.cache, name));
  const cache = await sizes(paths);
  const out = (await exists(workspace.out)) ? (await sizes([workspace.out]))[0]! : 0;
  return {
    cache: names.map((name, index) => ({ name, path: paths[index]!, megabytes: cache[index]! })),
    out: { name: 'out', path: workspace.out, megabytes: out },
  };
}

/** One `du` call for all paths counts a file with several links once. */
async function sizes(paths: readonly string[]): Promise<number[]> {
  if (paths.length === 0) return [];
  const { stdout } = await runOk(['du', '-s', '--block-size=1000', '--', ...paths]);
  const kilobytes = new Map(stdout.split('\n').map((line) => line.split('\t').reverse() as [string, string]));
  return paths.map((path) => Math.round(Number(kilobytes.get(path) ?? 0) / 1000));
}

/** What `clean` should remove. */
export interface CleanChoice {
  /** The whole cache except the keys. */
  readonly cache: boolean;
  /** The output folder. */
  readonly out: boolean;
  /** Only the parts of the cache that killed runs left behind or that the current locks no longer use. */
  readonly prune: boolean;
}

/**
 * Removes the chosen parts. @returns the removed paths
 * @throws WeirError `locked` while a build runs in the output folder, `not-output` if that folder was not written by a build
 */
export async function clean(workspace: Workspace, choice: CleanChoice): Promise<string[]> {
  const removed: string[] = [];
  const remove = async (path: string): Promise<void> => {
    if (!(await exists(path))) return;
    await removeTree(path);
    removed.push(path);
  };
  if (choice.out) await checkOutput(workspace.out);
  const lockPath = join(workspace.out, '.lock');
  await withLock(lockPath, async () => {
    if (choice.prune && !choice.cache) for (const path of await stale(workspace)) await remove(path);
    if (choice.cache) {
      // By name, because anything else there is not Weir's.
      for (const part of Object.keys(cacheParts) as CachePart[])
        if (part !== 'keys') await remove(cachePath(workspace.cache, part));
    }
    if (choice.out && (await exists(workspace.out))) removed.push(...(await emptyOutput(workspace.out)));
  });
  return removed;
}

const hour = 3_600_000;

/**
 * Unused folders of the cache: toolboxes that no lock refers to, and buildroots and repositories older than a week, which can
 * be recreated from the store in seconds. Leftovers of killed runs are removed whenever a cache is opened.
 */
async function stale({ cache, project }: Workspace): Promise<string[]> {
  const found: string[] = [];
  const older = async (part: CachePart, age: number): Promise<void> => {
    for (const name of await readdir(cachePath(cache, part)).catch(() => [])) {
      const path = cachePath(cache, part, name);
      const info = await stat(path).catch(() => undefined);
      if (info !== undefined && !name.startsWith('.') && Date.now() - info.mtimeMs > age) found.push(path);
    }
  };
  for (const part of ['roots', 'repos'] as const) await older(part, 7 * 24 * hour);
  const lock = join(project.root, '..', 'toolbox.lock');
  const used = new Set<string>();
  for (const set of Object.keys(toolSets) as ToolSet[]) {
    const locked = await readLock(lock, set);
    if (locked === undefined) continue;
    const folder = toolboxFolder(cache, set, locked.packages);
    for (const path of [folder, manifestOf(folder), launcherFolder(cache, toolboxDigest(locked.packages))])
      used.add(path);
  }
  // Without a lock it is unknown which toolboxes are in use.
  if (used.size > 0) for (const part of ['toolbox', 'launcher'] as const) await older(part, hour);
  return found.filter((path) => !used.has(path)).sort();
}
