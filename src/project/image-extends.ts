import { type Document, problem, suggestion } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import type { Collected, Entry } from './collect.ts';
import { extendedImageKeys } from './keys.ts';
import type { RawImage, RawWeirDefinition } from './schema/image.ts';
import {
  emptyTable,
  mergeTraced,
  plain,
  type Scalar,
  single,
  type Traced,
  type TracedTable,
  table,
  trace,
} from './trace.ts';

/**
 * An image's definition merged over those of the images that it extends. Lists of packages and services and the command line
 * are appended to theirs; what one image installs or enables, another can exclude or disable, and the other way round. Tables
 * merge, other values and lists replace theirs, and an empty one removes theirs. An entry point removes their command, which
 * was meant for another program. Host name and size limit are not inherited.
 * Problems are `invalid-image`: an unknown image, one of another kind, a cycle.
 */
export function extendedDefinition(
  collected: Collected,
  entry: Entry<RawImage>,
  own: RawWeirDefinition,
): RawWeirDefinition {
  const chain = chainOf(collected, entry, own);
  if (chain.length === 1) return own;
  return plain(extended(chain.map(({ raw }) => untraced(raw)))) as RawWeirDefinition;
}

/** The same with the source of each value, and without `extends`; undefined if the image extends none. */
export function tracedDefinition(collected: Collected, root: string, entry: Entry<RawImage>): TracedTable | undefined {
  const own = entry.raw.definition;
  if (own?.type !== 'weir' || (own.extends ?? '') === '') return undefined;
  const chain = chainOf(collected, entry, own);
  const all = extended(chain.map(({ document, path, raw }) => trace(root, document, path, raw) as TracedTable));
  return table([...all.entries].filter(([key]) => key !== 'extends'));
}

/** A definition, with its place. */
interface Link {
  readonly document: Document;
  readonly path: TomlPath;
  readonly raw: RawWeirDefinition;
}

/** From the image to the last one that it extends. */
function chainOf(collected: Collected, entry: Entry<RawImage>, own: RawWeirDefinition): Link[] {
  const names = [String(entry.path.at(-1))];
  const chain: Link[] = [{ document: entry.document, path: [...entry.path, 'definition'], raw: own }];
  for (let last = chain[0]!; (last.raw.extends ?? '') !== ''; last = chain.at(-1)!) {
    const name = last.raw.extends!;
    const { document, path } = last;
    const refuse = (message: string, hint?: string): Error =>
      problem(document, [...path, 'extends'], 'invalid-image', message, hint === undefined ? {} : { hint });
    if (names.includes(name)) throw refuse(`images extend each other in a cycle: ${[...names, name].join(' → ')}`);
    const base = collected.images.get(name);
    if (base === undefined) throw refuse(`unknown image "${name}"`, suggestion(name, collected.images.keys()));
    const definition = base.raw.definition;
    if (definition?.type !== 'weir') throw refuse(`image "${name}" has no definition of type "weir"`);
    if (definition.kind !== own.kind)
      throw refuse(`image "${name}" is of kind ${definition.kind}, this one of kind ${own.kind}`);
    names.push(name);
    chain.push({ document: base.document, path: [...base.path, 'definition'], raw: definition });
  }
  return chain;
}

function extended(chain: readonly TracedTable[]): TracedTable {
  return chain.reduceRight((base, next) => extend(base, next));
}

/** Settings that an image does not inherit. */
const own: readonly string[] = ['hostname', 'max-size'];

function extend(base: TracedTable, next: TracedTable): TracedTable {
  const container = base.entries.get('container');
  const inherited = [...base.entries].filter(([key]) => !own.includes(key));
  const from = new Map(inherited);
  if (container?.kind === 'table' && has(next, 'entrypoint') && !has(next, 'cmd')) {
    from.set('container', table([...container.entries].filter(([key]) => key !== 'cmd')));
  }
  const merged = mergeTraced({ kind: 'table', entries: from }, next, extendedImageKeys) as TracedTable;
  const entries = new Map(merged.entries);
  for (const [some, others] of opposites) {
    // The last entry counts.
    const taken = itemsOf(next, others).map(plain);
    const items = new Map([...itemsOf(next, some), ...itemsOf(base, some)].map((item) => [plain(item), item]));
    const order = joinedList(itemsOf(base, some).map(plain), itemsOf(next, some).map(plain), taken);
    const kept = order.map((name) => items.get(name)!);
    if (kept.length === 0) entries.delete(some);
    else entries.set(some, { kind: 'list', items: kept });
  }
  return { kind: 'table', entries };
}

/** An image's list, with the entries that a derived image adds and those that its opposite list removes. */
export function joinedList<T>(base: readonly T[], added: readonly T[], taken: readonly T[]): T[] {
  return [...new Set([...base, ...added])].filter((each) => !taken.includes(each));
}

function has(definition: TracedTable, key: string): boolean {
  const container = definition.entries.get('container');
  return container?.kind === 'table' && container.entries.has(key);
}

/** Pairs of lists that contradict each other. */
const opposites = [
  ['packages', 'exclude-packages'],
  ['exclude-packages', 'packages'],
  ['enabled-services', 'disabled-services'],
  ['disabled-services', 'enabled-services'],
] as const;

function itemsOf(definition: TracedTable, key: string): readonly Traced[] {
  const list = definition.entries.get(key);
  return list?.kind === 'list' ? list.items : [];
}

const nowhere = { file: '', line: 0, table: [] };

/** Plain values as traced ones, for callers that need no sources: finding lines takes time. */
function untraced(raw: object): TracedTable {
  const value = (each: unknown): Traced => {
    if (Array.isArray(each)) return { kind: 'list', items: each.map(value) };
    return typeof each === 'object' && each !== null ? untraced(each) : single(each as Scalar, nowhere);
  };
  const said = Object.entries(raw).filter(([, each]) => each !== undefined);
  return said.length === 0 ? emptyTable : table(said.map(([key, each]) => [key, value(each)]));
}
