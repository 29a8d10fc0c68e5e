import { lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sha256, valueDigest } from '../base/digest.ts';
import { diskError, exists, temporaryName, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import type { Engine } from '../engine/action.ts';
import { removeTree } from '../engine/scratch.ts';
import { sealed, unsealed } from '../engine/seal.ts';
import { digestOfFileNow, linkNow, type Store } from '../engine/store.ts';
import type { Entry, Tree } from './tree.ts';

/**
 * A tree as a folder for sandboxes. Files are hard links into the content store, which takes no space beyond names. Everything
 * is owned by the user that runs Weir, and modes are reduced to readable and executable; owners, setuid and the rest stay in
 * the tree. The folder must not be written to: use it below an overlay.
 *
 * Hard links are safe here, where other code makes copies: these folders are mounted read-only, untrusted code in the sandbox
 * cannot mount anything, and every run that uses a folder first checks each file in it. A file with an unchanged stamp has its
 * blob's content; others are hashed, and a folder that differs from the tree is recreated.
 */
export async function materialise(engine: Engine, tree: Tree, cache: string): Promise<string> {
  const digest = treeDigest(tree);
  const root = cachePath(cache, 'roots', digest.slice(0, 24));
  if (await exists(root)) {
    if (known.has(root)) return root;
    const fault = rootFault(engine.store, tree.entries, root);
    known.add(root);
    if (fault === undefined) return root;
    engine.store.tell(`${fault}: recreating ${root}`);
    await removeTree(root);
  }
  await mkdir(cachePath(cache, 'roots'), { recursive: true });
  const temporary = temporaryName(root);
  try {
    lay(engine.store, tree.entries, temporary);
    await writeAtomic(
      listingFile(root),
      sealed(engine.store.seal, subject(root), listingDigest(treeLines(tree.entries))),
    );
    await rename(temporary, root);
    known.add(root);
  } catch (error) {
    await removeTree(temporary);
    if (await exists(root)) return root;
    throw diskError(error, root);
  }
  return root;
}

/** Folders that this process created or checked. */
const known = new Set<string>();

/** Digest of every path, attribute and content. */
export function treeDigest(tree: Tree): string {
  return valueDigest(tree.entries);
}

/** Creates entries under `root`, synchronously, which is fastest for tens of thousands of tiny calls. */
export function lay(store: Store, entries: readonly Entry[], root: string): void {
  for (const entry of entries) {
    const path = join(root, entry.path);
    switch (entry.kind) {
      case 'directory':
        mkdirSync(path, { recursive: entry.path === '/', mode: 0o755 });
        break;
      case 'symlink':
        symlinkSync(entry.target, path);
        break;
      case 'file':
        linkNow(store, entry.digest, path, isExecutable(entry));
        break;
    }
  }
}

function isExecutable(entry: Entry): boolean {
  return (entry.mode & 0o111) !== 0;
}

/** The first difference between a folder and the entries that `lay` created, with its path; undefined if there is none. */
function rootFault(store: Store, entries: readonly Entry[], root: string): string | undefined {
  const children = new Map<string, number>();
  for (const entry of entries) {
    const path = join(root, entry.path);
    const info = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (info === undefined) return `${path} is missing`;
    if (entry.path !== '/') {
      const parent = entry.path.slice(0, entry.path.lastIndexOf('/')) || '/';
      children.set(parent, (children.get(parent) ?? 0) + 1);
    }
    switch (entry.kind) {
      case 'directory':
        if (!info.isDirectory()) return `${path} is not a folder`;
        break;
      case 'symlink':
        if (!info.isSymbolicLink() || readlinkSync(path) !== entry.target) return `${path} is not the expected link`;
        break;
      case 'file':
        if (!info.isFile()) return `${path} is not a file`;
        if (Number(info.mode & 0o7777n) !== (isExecutable(entry) ? 0o555 : 0o444)) return `${path} has the wrong mode`;
        if (digestOfFileNow(store, path, info) !== entry.digest) return `${path} has the wrong content`;
        break;
    }
  }
  for (const entry of entries) {
    if (entry.kind !== 'directory') continue;
    const path = join(root, entry.path);
    if (readdirSync(path).length !== (children.get(entry.path) ?? 0)) return `${path} contains unexpected files`;
  }
  return undefined;
}

/** Whether a folder of roots is unmodified, by the digest recorded for it: for callers that do not have the tree. */
export async function isWholeRoot(store: Store, root: string): Promise<boolean> {
  const text = await readFile(listingFile(root), 'utf8').catch(() => '');
  const noted = unsealed(store.seal, subject(root), text);
  return noted !== undefined && noted === listingDigest(diskLines(store, root, '/'));
}

/** A file beside a root with the digest of its content. */
export function listingFile(root: string): string {
  return `${root}.list`;
}

function subject(root: string): string {
  return `root ${basename(root)}`;
}

function listingDigest(lines: readonly string[]): string {
  return sha256([...lines].sort().join('\n'));
}

function treeLines(entries: readonly Entry[]): string[] {
  return entries.map((entry) => {
    if (entry.kind === 'file') return line(entry.path, isExecutable(entry) ? '555' : '444', entry.digest);
    return line(entry.path, entry.kind, entry.kind === 'symlink' ? entry.target : '');
  });
}

function diskLines(store: Store, root: string, path: string): string[] {
  const full = join(root, path);
  const info = lstatSync(full, { bigint: true });
  if (info.isSymbolicLink()) return [line(path, 'symlink', readlinkSync(full))];
  if (info.isFile()) return [line(path, (info.mode & 0o7777n).toString(8), digestOfFileNow(store, full, info))];
  if (!info.isDirectory()) return [line(path, 'other', '')];
  const within = readdirSync(full).flatMap((name) =>
    diskLines(store, root, path === '/' ? `/${name}` : `${path}/${name}`),
  );
  return [line(path, 'directory', ''), ...within];
}

function line(path: string, kind: string, content: string): string {
  return JSON.stringify([path, kind, content]);
}
