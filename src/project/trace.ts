import { isAbsolute, join, relative } from 'node:path';
import { escapeGlob } from '../base/glob.ts';
import type { Document } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import { builtIn } from './defaults.ts';
import { fileKeys, type Keys, keysAt, type PathKind } from './keys.ts';
import { isZero } from './merge.ts';
import { absolutePath } from './paths.ts';

// Values with their sources: merged by the same rules (`keys.ts`) as when a project loads, with every place that set them.
// Only for explaining, because it keeps everything.

/** The place that sets a value. */
export interface Source {
  /** Absolute, or `built in`. */
  readonly file: string;
  /** From 1; 0 where there is no file. */
  readonly line: number;
  /** Keys of the table that contains the value. */
  readonly table: TomlPath;
}

export type Scalar = string | number | boolean;

/** One value. Its sources are the places that set it, strongest last; the others show what the value would be without. */
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

/** The place of the value at a path of a document, or of the nearest table around it that has a line. */
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
 * @param of the table to name as its source; by default the one around each value
 * @param of the table to name for its sources; by default the one around each value
 */
export function trace(root: string, document: Document, path: TomlPath, raw: unknown, of?: TomlPath): Traced {
  const fromRoot = (text: string, kind: PathKind): string =>
    kind === 'glob' && !isAbsolute(text)
      ? join(escapeGlob(relative(root, document.dir)), text)
      : pathFrom(root, absolutePath(document, text, kind));
  const visit = (value: unknown, at: TomlPath, keys: Keys): Traced => {
    if (Array.isArray(value)) {
      return { kind: 'list', items: value.map((item, index) => visit(item, [...at, index], keys.at(index))) };
    }
    if (typeof value === 'object' && value !== null) {
      const said = Object.entries(value).filter(([, inner]) => inner !== undefined);
      return table(said.map(([key, inner]) => [key, visit(inner, [...at, key], keys.at(key))]));
    }
    const kind = keys.rule.path;
    const shown = typeof value === 'string' && value !== '' && kind !== undefined ? fromRoot(value, kind) : value;
    return single(shown as Scalar, sourceOf(document, at, of ?? at.slice(0, -1)));
  };
  return visit(raw, path, keysAt(fileKeys, path));
}

/** An absolute path relative to the project's folder; a URI stays. */
export function pathFrom(root: string, path: string): string {
  return isAbsolute(path) ? relative(root, path) || '.' : path;
}

/** Merges `next` over `base`, as `merge` does with plain values; undefined if both are unset. */
export function mergeTraced(base: Traced | undefined, next: Traced, keys: Keys): Traced | undefined {
  if (base?.kind === 'table' && next.kind === 'table' && !isWhole(keys)) {
    const entries = new Map(base.entries);
    for (const [key, value] of next.entries) {
      const merged = mergeTraced(entries.get(key), value, keys.at(key));
      if (merged !== undefined) entries.set(key, merged);
    }
    return { kind: 'table', entries };
  }
  const set = withoutUnset(next, keys);
  if (set === undefined || base === undefined) return set ?? base;
  if (base.kind === 'list' && set.kind === 'list' && keys.rule.merge === 'append') {
    return { kind: 'list', items: [...base.items, ...set.items] };
  }
  return base.kind === 'value' && set.kind === 'value' ? { ...set, said: [...base.said, ...set.said] } : set;
}

function isWhole({ rule: { merge: how } }: Keys): boolean {
  return how === 'replace' || how === 'once';
}

/** A value without its unset parts, or undefined if all of it is unset. */
function withoutUnset(value: Traced, keys: Keys): Traced | undefined {
  const { merge: how } = keys.rule;
  if (isWhole(keys) || how === 'even-empty') return value;
  if (value.kind === 'value') return isZero(value.value) ? undefined : value;
  if (value.kind === 'list') return value.items.length === 0 ? undefined : value;
  const entries = new Map<string, Traced>();
  for (const [key, inner] of value.entries) {
    const kept = withoutUnset(inner, keys.at(key));
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

/** One value by its path, with its sources. */
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
