import { isTable } from '../toml/document.ts';
import type { Keys } from './keys.ts';

// The one way in which tables merge; `keys.ts` has the rule of each key. The principle is azldev's: what is unset, false,
// empty or zero does not override, so a value once set can be changed but not unset.

/** Whether a value counts as unset: false, zero, empty, or a table of only such values. */
export function isZero(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '' || value === 0) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isTable(value) && Object.values(value).every(isZero);
}

/** Merges `next` over `base`, each key by its rule. Undefined if both are unset. */
export function merge<T>(base: T | undefined, next: T | undefined, keys: Keys): T | undefined {
  return mergeValues(base, next, keys) as T | undefined;
}

function mergeValues(base: unknown, next: unknown, keys: Keys): unknown {
  if (next === undefined) return base;
  const { merge: how = 'override' } = keys.rule;
  if (how === 'replace' || how === 'once') return next;
  if (isTable(next)) return mergeTables(isTable(base) ? base : undefined, next, keys);
  if (how === 'append' && Array.isArray(next) && Array.isArray(base)) return [...base, ...next];
  return how !== 'even-empty' && isZero(next) ? base : next;
}

function mergeTables(
  base: Readonly<Record<string, unknown>> | undefined,
  next: Readonly<Record<string, unknown>>,
  keys: Keys,
): Readonly<Record<string, unknown>> | undefined {
  let changed: Record<string, unknown> | undefined;
  for (const key of Object.keys(next)) {
    const before = base !== undefined && Object.hasOwn(base, key) ? base[key] : undefined;
    const value = mergeValues(before, next[key], keys.at(key));
    if (value === before) continue;
    changed ??= { ...base };
    changed[key] = value;
  }
  const { merge: how } = keys.rule;
  return changed ?? base ?? (how === 'keep' || how === 'even-empty' ? {} : undefined);
}

/** The same object type with `undefined` properties made optional: the result of `defined`. */
export type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Leaves out properties that are undefined, so that equal settings are equal objects. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as Defined<T>;
}

/** The text, or undefined if it is empty: an empty string counts as unset everywhere in this format. */
export function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
