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
