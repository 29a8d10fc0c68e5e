import type { Collected, Entry } from './collect.ts';
import { type Document, problem, suggestion } from './document.ts';
import { override } from './merge.ts';
import type { TomlPath } from './place.ts';
import type { RawImage, RawWeirDefinition } from './schema/image.ts';

/**
 * An image's definition with those of the images that it extends under it. Lists of packages and services and the command line
 * go on from theirs, tables are merged, other values and lists replace theirs. What one image installs or enables another can exclude or disable, and the other way round. A host
 * name and a budget are an image's own.
 * Problems are `invalid-image`: an unknown image, one of another kind, a circle.
 */
export function extendedDefinition(
  collected: Collected,
  entry: Entry<RawImage>,
  own: RawWeirDefinition,
): RawWeirDefinition {
  // From the image down to what everything starts from.
  const chain: RawWeirDefinition[] = [own];
  const names = [String(entry.path.at(-1))];
  let document: Document = entry.document;
  let path: TomlPath = [...entry.path, 'definition', 'extends'];
  for (let last = own; (last.extends ?? '') !== ''; ) {
    const name = last.extends!;
    const refuse = (message: string, hint?: string): Error =>
      problem(document, path, 'invalid-image', message, hint === undefined ? {} : { hint });
    if (names.includes(name)) throw refuse(`images extend each other in a circle: ${[...names, name].join(' → ')}`);
    const base = collected.images.get(name);
    if (base === undefined) throw refuse(`there is no image "${name}"`, suggestion(name, collected.images.keys()));
    const definition = base.raw.definition;
    if (definition?.type !== 'weir') throw refuse(`image "${name}" is not defined for Weir`);
    if (definition.kind !== own.kind)
      throw refuse(`image "${name}" is of kind ${definition.kind}, this one of kind ${own.kind}`);
    names.push(name);
    chain.push(definition);
    document = base.document;
    path = [...base.path, 'definition', 'extends'];
    last = definition;
  }
  return chain.reduceRight((base, next) => extend(base, next));
}

function extend<T extends RawWeirDefinition>(base: T, next: T): T {
  const { 'max-size': _size, ...inherited } = withoutHostname(base);
  const merged = {
    ...override(inherited as T, next),
    ...opposites('packages', 'exclude-packages', base, next),
    ...opposites('enabled-services', 'disabled-services', base, next),
  };
  if (base.kind !== 'disk' || next.kind !== 'disk') return merged;
  // Words repeat on a command line with a meaning: `console=` twice is two consoles.
  const words = [...(base.kernel?.['command-line'] ?? []), ...(next.kernel?.['command-line'] ?? [])];
  return words.length === 0 ? merged : { ...merged, kernel: { 'command-line': words } };
}

function withoutHostname(base: RawWeirDefinition): RawWeirDefinition {
  if (base.kind === 'wsl') return base;
  const { hostname: _name, ...rest } = base;
  return rest;
}

type ListKey = 'packages' | 'exclude-packages' | 'enabled-services' | 'disabled-services';

/** Two lists that speak against each other: the later word counts. */
function opposites(some: ListKey, others: ListKey, base: RawWeirDefinition, next: RawWeirDefinition): object {
  const without = (key: ListKey, taken: readonly string[] = []): string[] =>
    [...new Set([...(base[key] ?? []), ...(next[key] ?? [])])].filter((name) => !taken.includes(name));
  return { [some]: without(some, next[others]), [others]: without(others, next[some]) };
}
