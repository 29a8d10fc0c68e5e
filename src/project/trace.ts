import { isAbsolute, relative } from 'node:path';
import type { Document } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import { uriIn } from './collect.ts';
import { builtIn } from './defaults.ts';
import { isZero } from './merge.ts';

// Values with where they come from: the same merging as in `layer.ts` and `collect.ts`, done again with the names of all
// who had a word in it. For explaining only, as it keeps everything.

/** Who says something. */
export interface Source {
  /** Absolute, or `built in`. */
  readonly file: string;
  /** From 1; 0 where there is no file. */
  readonly line: number;
  /** The table that it stands in, as keys. */
  readonly table: TomlPath;
}

export type Scalar = string | number | boolean;

/** One value. Its sources are those that set it, the strongest last; the others say what it would be without. */
export interface TracedValue {
  readonly kind: 'value';
  readonly value: Scalar;
  readonly said: readonly { readonly value: Scalar; readonly by: Source }[];
}

export interface TracedTable {
  readonly kind: 'table';
  readonly entries: ReadonlyMap<string, Traced>;
}

export interface TracedList {
  readonly kind: 'list';
  readonly items: readonly Traced[];
}

export type Traced = TracedValue | TracedTable | TracedList;

export const emptyTable: TracedTable = { kind: 'table', entries: new Map() };

export function table(entries: Iterable<readonly [string, Traced]>): TracedTable {
  return { kind: 'table', entries: new Map(entries) };
}

export function single(value: Scalar, by: Source): TracedValue {
  return { kind: 'value', value, said: [{ value, by }] };
}

/** Paths and URIs in a file, which are made relative to the project's folder. Keys from the top of a file. */
function isPath(path: TomlPath): boolean {
  const [top, , third] = path;
  const last = path.findLast((key) => typeof key === 'string');
  if (top === 'project') return /-dir$/.test(`${last}`);
  if (top === 'distros' && /^(mock-config.*|dist-git-base-uri|lookaside-base-uri)$/.test(`${last}`)) return true;
  if (top === 'resources') return last === 'gpg-key';
  if (top === 'images') return third === 'definition' && last === 'path' && path.length === 4;
  if (top === 'test-suites') return last === 'working-dir';
  if (top === 'seed') return last === 'dist-git' || last === 'mappings';
  if (top === 'toolbox') return last === 'root';
  if (top === 'component-groups' && (third === 'specs' || third === 'excluded-paths')) return true;
  return last === 'path' && path.at(-2) === 'spec';
}

/** Where the value at a path of a document is, or the nearest table around it that has a line. */
export function sourceOf(document: Document, path: TomlPath, table: TomlPath): Source {
  if (document.path === builtIn) return { file: builtIn, line: 0, table };
  for (let length = path.length; length > 0; length--) {
    const line = document.lines(path.slice(0, length));
    if (line !== undefined) return { file: document.path, line, table };
  }
  return { file: document.path, line: 1, table };
}

/**
 * A value of a file with its sources. Paths are made relative to the project's folder.
 * @param path of the value in the document
 * @param of the table to name for its sources; by default the one around each value
 */
export function trace(root: string, document: Document, path: TomlPath, raw: unknown, of?: TomlPath): Traced {
  if (Array.isArray(raw)) {
    return { kind: 'list', items: raw.map((item, index) => trace(root, document, [...path, index], item, of)) };
  }
  if (typeof raw === 'object' && raw !== null) {
    const said = Object.entries(raw).filter(([, value]) => value !== undefined);
    return table(said.map(([key, value]) => [key, trace(root, document, [...path, key], value, of)]));
  }
  const text =
    typeof raw === 'string' && raw !== '' && isPath(path) ? pathFrom(root, uriIn(document, raw) ?? raw) : raw;
  return single(text as Scalar, sourceOf(document, path, of ?? path.slice(0, -1)));
}

/** An absolute path as a file in the project's folder would have it; a URI stays. */
export function pathFrom(root: string, path: string): string {
  return isAbsolute(path) ? relative(root, path) || '.' : path;
}

/**
 * How the value at a path merges: by default what is later and not empty overrides, key by key. Otherwise lists append,
 * what is later stands for the whole, what is later may be empty, or a table stays although nothing is in it.
 */
export type Rule = 'override' | 'append' | 'whole' | 'even-empty' | 'keep';

/** The rules inside of a table of component settings. */
export function componentRule(path: TomlPath): Rule {
  const [first, second] = path;
  if (path.length === 1 && (first === 'overlays' || first === 'source-files')) return 'append';
  if (path.length === 1 && first === 'overlay-files') return 'even-empty';
  if (path.length === 2 && first === 'packages') return 'whole';
  if (first === 'build' && path.length === 2 && /^(with|without|undefines)$/.test(`${second}`)) return 'append';
  if (first === 'build' && second === 'defines' && path.length === 3) return 'even-empty';
  return 'override';
}

/** The rules of a whole file. */
export function fileRule(path: TomlPath): Rule {
  const [top, , third] = path;
  if (path.length === 4 && top === 'distros' && third === 'versions') return 'whole';
  if (path.length === 3 && top === 'resources') return 'whole';
  if (top === 'distros' && (path.length === 2 || (path.length === 3 && third === 'versions'))) return 'keep';
  if (path.length === 2 && /^(component-groups|package-groups|images|test-suites)$/.test(`${top}`)) return 'whole';
  return 'override';
}

/** `next` over `base`; undefined where neither says anything. */
export function mergeTraced(
  base: Traced | undefined,
  next: Traced,
  rule: (path: TomlPath) => Rule,
  path: TomlPath = [],
): Traced | undefined {
  if (base?.kind === 'table' && next.kind === 'table' && rule(path) !== 'whole') {
    const entries = new Map(base.entries);
    for (const [key, value] of next.entries) {
      const merged = mergeTraced(entries.get(key), value, rule, [...path, key]);
      if (merged !== undefined) entries.set(key, merged);
    }
    return { kind: 'table', entries };
  }
  const set = withoutUnset(next, rule, path);
  if (set === undefined || base === undefined) return set ?? base;
  if (base.kind === 'list' && set.kind === 'list' && rule(path) === 'append') {
    return { kind: 'list', items: [...base.items, ...set.items] };
  }
  return base.kind === 'value' && set.kind === 'value' ? { ...set, said: [...base.said, ...set.said] } : set;
}

/** A value without what counts as not set in it, or undefined where all of it does. */
function withoutUnset(value: Traced, rule: (path: TomlPath) => Rule, path: TomlPath): Traced | undefined {
  const how = rule(path);
  if (how === 'whole' || how === 'even-empty') return value;
  if (value.kind === 'value') return isZero(value.value) ? undefined : value;
  if (value.kind === 'list') return value.items.length === 0 ? undefined : value;
  const entries = new Map<string, Traced>();
  for (const [key, inner] of value.entries) {
    const kept = withoutUnset(inner, rule, [...path, key]);
    if (kept !== undefined) entries.set(key, kept);
  }
  return entries.size === 0 && how !== 'keep' ? undefined : { kind: 'table', entries };
}

/** The value without its sources. */
export function plain(traced: Traced): unknown {
  if (traced.kind === 'value') return traced.value;
  if (traced.kind === 'list') return traced.items.map(plain);
  return Object.fromEntries([...traced.entries].map(([key, value]) => [key, plain(value)]));
}

/** One value by its path, with those who set it. */
export interface TracedLeaf {
  readonly path: TomlPath;
  readonly value: Scalar;
  readonly said: TracedValue['said'];
}

/** Every value below, with its path. */
export function* leaves(traced: Traced, path: TomlPath = []): Generator<TracedLeaf> {
  if (traced.kind === 'value') yield { path, value: traced.value, said: traced.said };
  else if (traced.kind === 'list') {
    for (const [index, item] of traced.items.entries()) yield* leaves(item, [...path, index]);
  } else {
    for (const [key, value] of traced.entries) yield* leaves(value, [...path, key]);
  }
}
