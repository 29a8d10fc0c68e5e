import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import picomatch from 'picomatch';
import { systemCode, WeirError } from '../base/errors.ts';

/** Whether a pattern is a glob, which may match nothing, and not the name of one file. */
export function isGlob(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/**
 * Files that a pattern matches, absolute. `**` is any number of folders, names beginning with a dot are matched as
 * others are. A folder's own files come before those of its sub-folders, each sorted by name.
 * @param pattern relative to `dir`, or absolute; parts are separated by `/`
 * @throws WeirError `invalid-glob`
 */
export function expandGlob(pattern: string, dir: string): string[] {
  const parts = pattern.split('/').filter((part) => part !== '' && part !== '.');
  const found = new Set<string>();
  walk(pattern.startsWith('/') ? '/' : dir, parts, found, new Set());
  return [...found];
}

/** A test of relative paths against a pattern. @throws WeirError `invalid-glob` */
export function matcher(pattern: string): (path: string) => boolean {
  return compile(pattern);
}

/** What is wrong with a pattern, or undefined. */
export function globError(pattern: string): string | undefined {
  let inClass = false;
  let braces = 0;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === '\\' && ++at >= pattern.length) return 'nothing follows the last backslash';
    if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '{' && !inClass) braces++;
    else if (char === '}' && !inClass) braces--;
  }
  if (inClass) return 'a "[" is not closed';
  return braces > 0 ? 'a "{" is not closed' : undefined;
}

/** A test of absolute paths against a pattern that is relative to `dir`. */
export function pathMatcher(pattern: string, dir: string): (path: string) => boolean {
  const absolute = pattern.startsWith('/') ? pattern : `${escapeGlob(dir)}/${pattern.replace(/^(\.\/)+/, '')}`;
  return compile(absolute);
}

function escapeGlob(path: string): string {
  return path.replaceAll(/[\\*?[\]{}()!+@]/g, '\\$&');
}

/** @param seen folders in which a `**` was followed, with what came after it: several of them lead to the same ones */
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
      // Links to folders are not followed here: they can lead round in circles.
      if (entry.isDirectory()) walk(join(dir, entry.name), parts, found, seen);
    }
    return;
  }
  if (!/[*?[{(\\!+@]/.test(part)) {
    const path = join(dir, part);
    if (rest.length > 0) walk(path, rest, found, seen);
    else if (kind(path) === 'file') found.add(path);
    return;
  }
  const matches = compile(part);
  for (const entry of entries(dir)) {
    if (!matches(entry.name)) continue;
    const path = join(dir, entry.name);
    const isWhat = entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : kind(path);
    if (rest.length > 0 && isWhat === 'folder') walk(path, rest, found, seen);
    else if (rest.length === 0 && isWhat === 'file') found.add(path);
  }
}

function compile(pattern: string): (path: string) => boolean {
  const wrong = globError(pattern);
  if (wrong !== undefined) {
    throw new WeirError('invalid-glob', `"${pattern}" is not a valid glob: ${wrong}`, { exit: 2 });
  }
  try {
    const matcher = picomatch(pattern, { dot: true, nonegate: true, strictSlashes: true });
    // The matcher itself takes further arguments, which array methods would pass.
    return (path) => matcher(path);
  } catch (error) {
    throw new WeirError('invalid-glob', `"${pattern}" is not a valid glob`, { exit: 2, cause: error });
  }
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
    return readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
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
  return new WeirError('unreadable', `this can't be read (${systemCode(error)})`, {
    where: { file: path },
    cause: error,
  });
}
