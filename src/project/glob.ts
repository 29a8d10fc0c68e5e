import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { compileGlob, compilePart, type Matcher, splitGlob } from '../base/glob.ts';
import { byName } from '../base/order.ts';

/** Limit on the number of patterns that braces with folders in them expand to. */
const mostAlternatives = 1000;

/** Whether a pattern may match nothing. One without `*`, `?` and `[`, even escaped, names files that must exist, as in azldev. */
export function mayMatchNothing(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/**
 * Files that a pattern matches, as absolute paths. A folder's own files come before those of its sub-folders, each sorted by name.
 * @param pattern relative to `dir`, or absolute
 * @throws WeirError `invalid-glob`
 */
export function expandGlob(pattern: string, dir: string): string[] {
  const found = new Set<string>();
  const alternatives = withoutFoldersInBraces(pattern);
  for (const one of alternatives) {
    const { start, rest } = splitGlob(one);
    const parts = (rest ?? '').split('/').filter((part) => part !== '' && part !== '.');
    if (parts.length > 0) walk(join(start.startsWith('/') ? '/' : dir, start), parts, found, new Set());
    else if (start !== '') findFile(join(start.startsWith('/') ? '/' : dir, start), found);
  }
  return alternatives.length > 1 ? [...found].sort() : [...found];
}

/** Expands braces that contain a slash, because folders are walked one path component at a time. */
function withoutFoldersInBraces(pattern: string): string[] {
  const waiting = [pattern];
  const done: string[] = [];
  for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
    const braces = splitGlob(one).rest === undefined ? undefined : bracesWithFolders(one);
    if (braces === undefined) done.push(one);
    else waiting.push(...braces);
    if (waiting.length + done.length > mostAlternatives) {
      throw new WeirError('invalid-glob', `"${pattern}" expands to more than ${mostAlternatives} patterns`, {
        hint: 'split it into several patterns',
        exit: 2,
      });
    }
  }
  return done;
}

/** The alternatives of the first braces that contain a slash, each with the text around; undefined if there are none. */
function bracesWithFolders(pattern: string): string[] | undefined {
  const opened: { readonly at: number; readonly commas: number[]; slash: boolean }[] = [];
  for (const { index: at, 0: token } of pattern.matchAll(/\\.|\[[!^]?(?:\\.|[^\]])*\]|[{,}/]/gsu)) {
    const inner = opened.at(-1);
    if (token === '{') {
      opened.push({ at, commas: [], slash: false });
    } else if (token === ',') {
      inner?.commas.push(at);
    } else if (token === '/') {
      for (const braces of opened) braces.slash = true;
    } else if (token === '}' && inner !== undefined) {
      opened.pop();
      if (!inner.slash) continue;
      const ends = [...inner.commas, at];
      return ends.map((end, index) => {
        const from = (ends[index - 1] ?? inner.at) + 1;
        return pattern.slice(0, inner.at) + pattern.slice(from, end) + pattern.slice(at + 1);
      });
    }
  }
  return undefined;
}

/** A test of absolute paths against a pattern that is relative to `dir`. @throws WeirError `invalid-glob` */
export function pathMatcher(pattern: string, dir: string): Matcher {
  if (pattern.startsWith('/')) return compileGlob(pattern);
  const [up] = /^(?:\.{1,2}\/+)*/.exec(pattern)!;
  const base = join(dir, up).replace(/\/*$/, '/');
  const matches = compileGlob(pattern.slice(up.length));
  return (path) => path.startsWith(base) && matches(path.slice(base.length));
}

/** @param seen folders in which a `**` was followed, with the rest of the pattern: several `**` reach the same folders */
function walk(dir: string, parts: readonly string[], found: Set<string>, seen: Set<string>): void {
  const [part, ...rest] = parts;
  if (part === undefined) return;
  if (part === '**') {
    const visit = `${rest.length}\0${dir}`;
    if (seen.has(visit)) return;
    seen.add(visit);
    // A trailing ** means every file below.
    walk(dir, rest.length === 0 ? ['*'] : rest, found, seen);
    for (const entry of entries(dir)) {
      // Links to folders are not followed here: they can form a loop.
      if (entry.isDirectory()) walk(join(dir, entry.name), parts, found, seen);
    }
    return;
  }
  if (!/[*?[{]/.test(part.replace(/\\./gsu, ''))) {
    const path = join(dir, part.replace(/\\(.)/gsu, '$1'));
    if (rest.length > 0) walk(path, rest, found, seen);
    else findFile(path, found);
    return;
  }
  const matches = compilePart(part);
  for (const entry of entries(dir)) {
    if (!matches(entry.name)) continue;
    const path = join(dir, entry.name);
    const isWhat = entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : kind(path);
    if (rest.length > 0 && isWhat === 'folder') walk(path, rest, found, seen);
    else if (rest.length === 0 && isWhat === 'file') found.add(path);
  }
}

function findFile(path: string, found: Set<string>): void {
  if (kind(path) === 'file') found.add(path);
}

function kind(path: string): 'file' | 'folder' | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() ? 'file' : stats?.isDirectory() ? 'folder' : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw unreadable(error, path);
  }
}

function entries(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).sort(byName);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw unreadable(error, dir);
  }
}

function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'ERR_INVALID_ARG_VALUE';
}

function unreadable(error: unknown, path: string): WeirError {
  return new WeirError('unreadable', `cannot read the file or folder (${systemCode(error)})`, {
    where: { file: path },
    cause: error,
  });
}
