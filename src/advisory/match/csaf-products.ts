import type { Affected, VersionRange } from './feed-entry.ts';
import { badFeed, type FeedPlace, type Fields, field, fieldsAt, maybeText, tablesAt, textAt } from './feed-fields.ts';
import { parseCpe } from './nvd.ts';
import { nameOfPurl, repositoryOf, versionOfPurl } from './upstream-name.ts';

/** A product of a CSAF document, as something that a package can be. */
export interface CsafProduct {
  /** Undefined if the document says only names that lead nowhere. */
  readonly thing: Affected | undefined;
  /** An exact version; undefined if the document names none. */
  readonly version?: string;
  /** Undefined if the document names no range that can be read. */
  readonly ranges?: readonly VersionRange[];
}

/** What the branches above a product say. */
interface Named {
  readonly vendor?: string;
  readonly product?: string;
  readonly version?: string;
  readonly range?: string;
}

const deepest = 30;

/** The products of a product tree by their ID (CSAF 2.0, 3.2.2). @throws WeirError `bad-feed` */
export function productsOf(raw: unknown, place: FeedPlace): Map<string, CsafProduct> {
  const products = new Map<string, CsafProduct>();
  if (raw === undefined) return products;
  const tree = fieldsAt(raw, place, 'product_tree');
  const at: FeedPlace = { ...place, pointer: `${place.pointer}/product_tree` };
  const add = (product: Fields, named: Named, path: readonly (string | number)[]): void => {
    products.set(textAt(field(product, 'product_id'), at, ...path, 'product_id'), productOf(product, named, at, path));
  };
  const walk = (branches: readonly Fields[], named: Named, path: readonly (string | number)[]): void => {
    if (path.length > 2 * deepest) throw badFeed(at, path, `more than ${deepest} levels of branches`);
    for (const [index, branch] of branches.entries()) {
      const own = [...path, index];
      const below = { ...named, ...namedBy(branch, at, own) };
      const product = field(branch, 'product');
      if (product !== undefined) add(fieldsAt(product, at, ...own, 'product'), below, [...own, 'product']);
      walk(tablesAt(field(branch, 'branches'), at, ...own, 'branches'), below, [...own, 'branches']);
    }
  };
  walk(tablesAt(field(tree, 'branches'), at, 'branches'), {}, ['branches']);
  for (const [index, product] of tablesAt(field(tree, 'full_product_names'), at, 'full_product_names').entries()) {
    add(product, {}, ['full_product_names', index]);
  }
  // A component of a product: for us the component counts. It may be the product of another relationship before it.
  for (const [index, relation] of tablesAt(field(tree, 'relationships'), at, 'relationships').entries()) {
    const path = ['relationships', index] as const;
    const full = fieldsAt(field(relation, 'full_product_name'), at, ...path, 'full_product_name');
    const id = textAt(field(full, 'product_id'), at, ...path, 'full_product_name', 'product_id');
    const of = products.get(textAt(field(relation, 'product_reference'), at, ...path, 'product_reference'));
    products.set(id, of ?? productOf(full, {}, at, [...path, 'full_product_name']));
  }
  return products;
}

function namedBy(branch: Fields, place: FeedPlace, path: readonly (string | number)[]): Named {
  const name = maybeText(field(branch, 'name'), place, ...path, 'name');
  if (name === undefined) return {};
  switch (field(branch, 'category')) {
    case 'vendor':
      return { vendor: name };
    case 'product_name':
      return { product: name };
    case 'product_version':
      return { version: name };
    case 'product_version_range':
      return { range: name };
    default:
      return {};
  }
}

function productOf(product: Fields, named: Named, place: FeedPlace, path: readonly (string | number)[]): CsafProduct {
  const helper = fieldsAt(
    field(product, 'product_identification_helper') ?? {},
    place,
    ...path,
    'product_identification_helper',
  );
  const purl = maybeText(field(helper, 'purl'), place, ...path, 'product_identification_helper', 'purl');
  const cpe = maybeText(field(helper, 'cpe'), place, ...path, 'product_identification_helper', 'cpe');
  const said = purl === undefined ? (cpe === undefined ? undefined : ofCpe(cpe)) : ofPurl(purl);
  const thing = said?.thing ?? ofNames(named);
  const version = said?.version ?? named.version;
  const ranges = named.range === undefined ? undefined : rangesOfText(named.range);
  if (version !== undefined) return { thing, version };
  // A range in words that nothing can read must not become all versions.
  if (named.range !== undefined && ranges === undefined) return { thing: undefined };
  return { thing, ...(ranges === undefined ? {} : { ranges }) };
}

const nothing = { ranges: [], versions: [] } as const;

/** What a package URL names, and its version. */
export function ofPurl(purl: string): { readonly thing: Affected; readonly version?: string } | undefined {
  const name = nameOfPurl(purl);
  if (name === undefined) return undefined;
  const version = versionOfPurl(purl);
  const at = version === undefined ? {} : { version };
  const [type, ...path] = name.slice(4).split('/');
  const last = path.at(-1)!;
  if (type === 'deb' && path[0] === 'debian' && path.length === 2) {
    return { thing: { kind: 'debian-source', name: last, shown: name, scheme: 'debian', ...nothing }, ...at };
  }
  if (type === 'generic')
    return { thing: { kind: 'name', name: last, shown: name, scheme: 'upstream', ...nothing }, ...at };
  const repository = type === 'github' ? repositoryOf(`https://github.com/${path.join('/')}`) : undefined;
  if (repository !== undefined) {
    return { thing: { kind: 'repository', name: repository, shown: name, scheme: 'upstream', ...nothing }, ...at };
  }
  return { thing: { kind: 'purl', name, shown: name, scheme: type === 'rpm' ? 'rpm' : 'upstream', ...nothing }, ...at };
}

function ofCpe(text: string): { readonly thing: Affected; readonly version?: string } | undefined {
  // CSAF allows the older form, too: cpe:/a:vendor:product:version
  const old = /^cpe:\/([aho]):([^:]+):([^:]+)(?::([^:]*))?/i.exec(text);
  const cpe =
    old === null
      ? parseCpe(text)
      : { vendor: old[2]!.toLowerCase(), product: old[3]!.toLowerCase(), version: old[4] ?? '' };
  if (cpe === undefined) return undefined;
  const name = `${cpe.vendor}:${cpe.product}`;
  const version = ['', '*', '-'].includes(cpe.version) ? {} : { version: cpe.version };
  return { thing: { kind: 'cpe', name, shown: `cpe ${name}`, scheme: 'upstream', ...nothing }, ...version };
}

function ofNames({ vendor, product }: Named): Affected | undefined {
  if (product === undefined) return undefined;
  const [of, name] = [vendor ?? '', product].map((each) => each.toLowerCase().replaceAll(/[\s:]+/g, '_'));
  return {
    kind: 'cpe',
    name: `${of}:${name}`,
    shown: `product ${vendor ?? ''} ${product}`,
    scheme: 'upstream',
    ...nothing,
  };
}

/**
 * The ranges of `vers:TYPE/>=1.0|<1.2` (package-url's VERS: comparators in order of versions), with or without the prefix.
 * Undefined for other texts, which CSAF allows.
 */
export function rangesOfText(text: string): VersionRange[] | undefined {
  const bare = text.replace(/^vers:[a-z0-9.+-]+\//i, '');
  if (bare === '*') return [{}];
  const ranges: VersionRange[] = [];
  let open: VersionRange | undefined;
  for (const part of bare.split('|')) {
    const match = /^\s*(>=|<=|!=|>|<|=)?\s*v?([0-9][^\s|<>=!]*)\s*$/.exec(part);
    if (match === null) return undefined;
    const version = decodeSafely(match[2]!);
    switch (match[1]) {
      case '>=':
      case '>':
        if (open !== undefined) ranges.push(open);
        open = { introduced: version, ...(match[1] === '>' ? { isAfter: true } : {}) };
        break;
      case '<':
      case '<=':
        ranges.push({ ...open, ...(match[1] === '<' ? { fixed: version } : { lastAffected: version }) });
        open = undefined;
        break;
      case '!=':
        // A version in the middle of a range is left out.
        ranges.push({ ...open, fixed: version });
        open = { introduced: version, isAfter: true };
        break;
      default:
        ranges.push({ introduced: version, lastAffected: version });
    }
  }
  if (open !== undefined) ranges.push(open);
  return ranges;
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
