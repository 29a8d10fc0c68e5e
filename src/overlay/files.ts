import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { closest, WeirError } from '../base/errors.ts';
import { compileGlob, type Matcher } from '../base/glob.ts';
import { byName } from '../base/order.ts';
import { asStored, decodeText, encodeText, lineEnd, splitLines } from '../spec/lines.ts';
import { nearestLine } from './nearest.ts';
import { compileReplacer, patternWords } from './regex.ts';

/** A file of a component: an unchanged one on disk, or bytes that Weir made. Links are listed but never followed. */
export type SourceEntry =
  | { readonly kind: 'disk'; readonly path: string; readonly executable: boolean }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly executable: boolean }
  | { readonly kind: 'link' };

/** The files of a component by their path relative to its folder, with `/` between parts. Edits return new maps. */
export type SourceTree = ReadonlyMap<string, SourceEntry>;

/** Lists a folder without reading contents; `.git` is left out. */
export async function readTree(dir: string): Promise<Map<string, SourceEntry>> {
  const tree = new Map<string, SourceEntry>();
  const walk = async (below: string): Promise<void> => {
    const entries = await readdir(join(dir, below), { withFileTypes: true });
    for (const entry of entries.sort(byName)) {
      if (entry.name === '.git') continue;
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) await walk(name);
      else if (entry.isSymbolicLink()) tree.set(name, { kind: 'link' });
      else if (entry.isFile()) {
        const path = join(dir, name);
        tree.set(name, { kind: 'disk', path, executable: ((await lstat(path)).mode & 0o100) !== 0 });
      }
    }
  };
  await walk('');
  return tree;
}

export async function readEntry(entry: SourceEntry): Promise<Uint8Array> {
  if (entry.kind === 'disk') return readFile(entry.path);
  if (entry.kind === 'bytes') return entry.bytes;
  throw new TypeError('a link has no content');
}

function invalid(message: string): WeirError {
  return new WeirError('overlay-invalid', message, {
    hint: "an overlay's files are relative to the component's sources; the spec has overlays of its own (spec-…)",
    exit: 2,
  });
}

function noFile(message: string, tree: SourceTree, wanted: string): WeirError {
  const near = closest(wanted, tree.keys())[0] ?? nearByBaseName(wanted, tree.keys());
  return new WeirError('overlay-no-match', message, {
    details: near === undefined ? [] : [nearFile(near, wanted)],
    hint: "upstream may have changed: compare the overlay with the component's sources, and change or remove it",
    exit: 2,
  });
}

/** A hint about a similar file. A file may have the glob's own text as its name, and does not match for that very reason. */
export function nearFile(near: string, glob: string): string {
  if (near !== glob) return `closest: ${near}`;
  return `a file has this name, but the name is read as a glob: escape each of * ? [ ] { } with a backslash to match the file`;
}

/** A file that is probably the intended one, in another folder. */
function nearByBaseName(wanted: string, names: Iterable<string>): string | undefined {
  const base = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
  const all = [...names];
  const near = closest(base(wanted), new Set(all.map(base)))[0];
  return all.find((name) => base(name) === near);
}

/** A test of names against an overlay's glob, which may begin with `./`. @throws WeirError `invalid-glob` */
export function nameMatcher(glob: string): Matcher {
  return compileGlob(glob.replace(/^(\.\/)+/, ''));
}

/** Checks the name of a new file: it must stay inside the sources and not be a spec. */
export function checkedName(name: string): string {
  const parts = name.split('/');
  if (name === '' || name.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw invalid(`${JSON.stringify(name)} is not a file name inside the sources`);
  }
  if (parts.includes('.git')) throw invalid(`${name} belongs to git`);
  if (name.endsWith('.spec')) throw invalid(`${name} is a spec`);
  return name;
}

/**
 * Names of files that a glob matches, without specs and git's own files.
 * @param holder of the tree, for messages
 * @param links whether links are matched too
 * @throws WeirError `overlay-no-match`, `overlay-invalid`, `invalid-glob`
 */
function matchFiles(tree: SourceTree, glob: string, holder = 'the sources', links = false): string[] {
  if (glob.endsWith('.spec')) throw invalid(`${glob} matches specs`);
  const matches = nameMatcher(glob);
  const all = [...tree].filter(([name]) => matches(name));
  const barred = (name: string, entry: SourceEntry): string | undefined =>
    links && entry.kind === 'link' ? barredName(name) : barredEntry(name, entry);
  const found = all.filter(([name, entry]) => barred(name, entry) === undefined).map(([name]) => name);
  if (found.length > 0) return found;
  const first = all[0];
  if (first === undefined) throw noFile(`no file of ${holder} matches ${glob}`, tree, glob);
  throw invalid(`${first[0]} is ${barred(...first)}, which a file overlay cannot change`);
}

function barredEntry(name: string, entry: SourceEntry): string | undefined {
  return entry.kind === 'link' ? 'a symbolic link' : barredName(name);
}

function barredName(name: string): string | undefined {
  if (name.endsWith('.spec')) return 'a spec';
  return name.split('/').includes('.git') ? "one of git's own files" : undefined;
}

/** Adds a file; no file of that name may exist. */
export function addFile(tree: SourceTree, name: string, bytes: Uint8Array, executable = false): SourceTree {
  checkedName(name);
  for (const other of tree.keys()) {
    if (other === name || other.startsWith(`${name}/`) || name.startsWith(`${other}/`)) {
      throw new WeirError('overlay-exists', `the sources already have ${other}`, {
        hint: 'change it with file-search-replace, or remove it first with file-remove',
        exit: 2,
      });
    }
  }
  return new Map(tree).set(name, { kind: 'bytes', bytes, executable });
}

/** @param links whether links are removed too, as inside an archive: there they are only entries, and never followed */
export function removeFiles(
  tree: SourceTree,
  glob: string,
  holder?: string,
  links = false,
): { readonly tree: SourceTree; readonly names: string[] } {
  const names = matchFiles(tree, glob, holder, links);
  const result = new Map(tree);
  for (const name of names) result.delete(name);
  return { tree: result, names };
}

/** Renames the one file that the glob matches, within its folder. */
export function renameFile(
  tree: SourceTree,
  glob: string,
  newName: string,
): { readonly tree: SourceTree; readonly names: string[] } {
  const names = matchFiles(tree, glob);
  const [name] = names;
  if (name === undefined || names.length > 1) {
    throw new WeirError('overlay-ambiguous', `${glob} matches ${names.length} files; a rename needs one`, {
      details: names.slice(0, 10),
      exit: 2,
    });
  }
  if (newName.includes('/')) throw invalid(`${newName} is not a base name`);
  const target = checkedName(name.slice(0, name.lastIndexOf('/') + 1) + newName);
  const there = [...tree.keys()].find((other) => other === target || other.startsWith(`${target}/`));
  if (there !== undefined) {
    throw new WeirError('overlay-exists', `the sources already have ${there}`, {
      hint: 'remove it first with file-remove, or choose another name',
      exit: 2,
    });
  }
  const result = new Map(tree);
  result.set(target, result.get(name)!);
  result.delete(name);
  return { tree: result, names: [name, target] };
}

/** Replaces in the whole text of each matching file; at least one must change. */
export async function searchReplaceFiles(
  tree: SourceTree,
  glob: string,
  regex: string,
  replacement: string,
  holder = 'the sources',
): Promise<{ readonly tree: SourceTree; readonly names: string[] }> {
  const result = new Map(tree);
  const names: string[] = [];
  const seen: [string, string][] = [];
  const matching = matchFiles(tree, glob, holder);
  const replacers = {
    'utf-8': compileReplacer(regex, replacement),
    latin1: compileReplacer(regex, replacement, 'latin1'),
  };
  for (const name of matching) {
    const entry = tree.get(name)!;
    const { text, encoding } = decodeText(await readEntry(entry));
    const changed = replacers[encoding](text);
    if (changed === text) {
      if (seen.length < 20) seen.push([name, text]);
      continue;
    }
    names.push(name);
    const executable = entry.kind !== 'link' && entry.executable;
    result.set(name, { kind: 'bytes', bytes: encodeText(changed, encoding), executable });
  }
  if (names.length === 0) {
    const near = seen
      .map(([name, text]) => ({
        name,
        near: nearestLine(patternWords(regex), text.slice(0, 1_000_000).split('\n').entries()),
      }))
      .find((one) => one.near !== undefined);
    const shown = matching.length > 5 ? `${matching.length} files` : matching.join(', ');
    const within = holder === 'the sources' ? '' : ` of ${holder}`;
    throw new WeirError('overlay-no-match', `nothing changes in ${shown}${within} by replacing /${regex}/`, {
      details: near?.near === undefined ? [] : [`closest: ${near.name}:${near.near.line}: ${near.near.text}`],
      hint: '^ and $ stand for the ends of the whole file unless the expression begins with (?m)',
      exit: 2,
    });
  }
  return { tree: result, names };
}

/** Inserts lines at the top of each matching file. */
export async function prependToFiles(
  tree: SourceTree,
  glob: string,
  lines: readonly string[],
): Promise<{ readonly tree: SourceTree; readonly names: string[] }> {
  const result = new Map(tree);
  const names = matchFiles(tree, glob);
  for (const name of names) {
    const entry = tree.get(name)!;
    const { text, encoding } = decodeText(await readEntry(entry));
    const end = lineEnd(splitLines(text));
    const added = lines.flatMap((line) => line.split('\n')).map((line) => line + end);
    const bytes = encodeText(asStored(added.join(''), encoding) + text, encoding);
    result.set(name, { kind: 'bytes', bytes, executable: entry.kind !== 'link' && entry.executable });
  }
  return { tree: result, names };
}
