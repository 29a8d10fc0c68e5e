import { lstat, mkdir, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunResult } from '../base/process.ts';
import type { Engine } from '../engine/action.ts';
import { withScratch } from '../engine/scratch.ts';
import { putFile } from '../engine/store.ts';
import { type Toolbox, type ToolRun, tryTool } from '../toolbox/tool.ts';
import { sortEntries } from './compose.ts';
import { materialise } from './materialise.ts';
import type { Entry, Tree } from './tree.ts';

/** Where the toolbox's programs see the tree. */
export const treeMount = '/tmp/tree';

/**
 * Runs the toolbox's programs on a tree mounted at `treeMount` as an overlay, and returns the tree with their changes. New files
 * belong to root: a user namespace maps only one id, so other owners are recorded as data instead of with chown.
 * @param clock mtime, in seconds, of everything written
 */
export async function editTree(
  engine: Engine,
  toolbox: Toolbox,
  tree: Tree,
  options: { readonly cache: string; readonly clock: number },
  work: (runInTree: (tool: Omit<ToolRun, 'overlay'>) => Promise<RunResult>) => Promise<void>,
): Promise<Tree> {
  const lower = await materialise(engine, tree, options.cache);
  return withScratch(engine.scratch, async (scratch) => {
    const upper = join(scratch, 'upper');
    const overlayWork = join(scratch, 'work');
    await mkdir(upper);
    await mkdir(overlayWork);
    await work((tool) =>
      tryTool(toolbox, { ...tool, treeOverlay: { lower, upper, work: overlayWork, at: treeMount } }),
    );
    return applyUpper(engine, tree, upper, options.clock);
  });
}

/** Applies an overlay's upper folder to a tree: new and changed entries, and whiteouts. */
export async function applyUpper(engine: Engine, tree: Tree, upper: string, clock: number): Promise<Tree> {
  const entries = new Map(tree.entries.map((entry) => [entry.path, entry]));
  const removed: string[] = [];
  const walk = async (path: string): Promise<void> => {
    for (const name of (await readdir(join(upper, path))).sort()) {
      const inner = path === '/' ? `/${name}` : `${path}/${name}`;
      const info = await lstat(join(upper, inner));
      if (info.isCharacterDevice() && info.rdev === 0) {
        removed.push(inner);
        continue;
      }
      const before = entries.get(inner);
      const attributes = (mode: number): Omit<Entry, 'kind'> => ({
        path: inner,
        mode: keptMode(before, mode),
        user: before?.user ?? 'root',
        group: before?.group ?? 'root',
        mtime: clock,
        packages: before?.packages ?? [],
      });
      if (info.isDirectory()) {
        if (before?.kind !== 'directory') entries.set(inner, { ...attributes(info.mode), kind: 'directory' });
        await walk(inner);
      } else if (info.isSymbolicLink()) {
        entries.set(inner, {
          ...attributes(0o777),
          mode: 0o777,
          kind: 'symlink',
          target: await readlink(join(upper, inner)),
        });
      } else if (info.isFile()) {
        const blob = await putFile(engine.store, join(upper, inner));
        if (before?.kind === 'file' && before.digest === blob.digest) continue;
        entries.set(inner, { ...attributes(info.mode), kind: 'file', ...blob });
      }
    }
  };
  await walk('/');
  for (const path of removed) {
    for (const known of [...entries.keys()]) if (known === path || known.startsWith(`${path}/`)) entries.delete(known);
  }
  return { ...tree, entries: sortEntries(entries.values()) };
}

/**
 * A file that existed keeps its mode from the package, because on disk it had only its executable bit. A new file has the mode
 * that the tool gave it.
 */
function keptMode(before: Entry | undefined, mode: number): number {
  return before === undefined || before.kind === 'symlink' ? mode & 0o7777 : before.mode;
}

/** Adds or replaces entries; their parents must exist. */
export function withEntries(tree: Tree, added: readonly Entry[]): Tree {
  const entries = new Map(tree.entries.map((entry) => [entry.path, entry]));
  for (const entry of added) entries.set(entry.path, entry);
  return { ...tree, entries: sortEntries(entries.values()) };
}
