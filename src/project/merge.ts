import { isTable } from '../toml/document.ts';

// The one way in which tables override each other. Its law comes from azldev's format: what is not set, false, empty or
// zero never overrides, so a value once set can be changed but not taken back.

/** Whether a value counts as not set: false, zero, empty, or a table of nothing but such values. */
export function isZero(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '' || value === 0) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isTable(value) && Object.values(value).every(isZero);
}

/** `next` over `base`, key by key and table by table; an array that is not empty replaces the whole array. */
export function override<T extends object>(base: T, next: T): T {
  const merged: Record<string, unknown> = { ...(base as Record<string, unknown>) };
  for (const [key, value] of Object.entries(next)) {
    if (isZero(value)) continue;
    const before = Object.hasOwn(merged, key) ? merged[key] : undefined;
    merged[key] = isTable(value) ? override(isTable(before) ? before : {}, value) : value;
  }
  return merged as T;
}

/** The same object type with `undefined` properties made optional: what `defined` gives. */
export type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Leaves out properties that are undefined, so that equal settings are equal objects. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as Defined<T>;
}

/** Text that says something: an empty string counts as not set, as everywhere in this format. */
export function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
