import { compareText } from '../../base/order.ts';
import { parseRelations, type Relation } from '../control.ts';

/** A package of a Debian suite, as its Packages list describes it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** In bytes. */
  readonly size: number;
  readonly sha256: string;
  /** Relative to the mirror. */
  readonly path: string;
  /** Values of the fields; empty if absent. */
  readonly preDepends: string;
  readonly depends: string;
  readonly provides: string;
}

/** A package that provides a virtual name, with the version if it gives one. */
export interface VirtualProvider {
  readonly name: string;
  readonly version?: string;
}

/**
 * The packages of a suite, and the packages that provide each virtual name. Entries are parsed only when they are used: a suite has
 * 70,000, and a build uses hundreds.
 */
export class DebianIndex {
  readonly #entries: ReadonlyMap<string, string>;
  readonly #parsed = new Map<string, DebianPackage | undefined>();
  readonly #virtual = new Map<string, VirtualProvider[]>();
  #names: readonly string[] | undefined;

  /** @param entries of a Packages list, by package name */
  constructor(entries: ReadonlyMap<string, string>) {
    this.#entries = entries;
    for (const [name, entry] of entries) {
      const provides = field(entry, 'Provides');
      if (provides === '') continue;
      for (const [relation] of parseRelations(provides)) this.#addVirtual(name, relation!);
    }
  }

  #addVirtual(provider: string, { name, version }: Relation): void {
    const list = this.#virtual.get(name) ?? [];
    list.push({ name: provider, ...(version === undefined ? {} : { version }) });
    this.#virtual.set(name, list);
  }

  /** The package of this name; undefined if there is none, or its entry lacks what a download needs. */
  get(name: string): DebianPackage | undefined {
    if (this.#parsed.has(name)) return this.#parsed.get(name);
    const entry = this.#entries.get(name);
    const parsed = entry === undefined ? undefined : packageOf(entry);
    if (entry !== undefined) this.#parsed.set(name, parsed);
    return parsed;
  }

  /** Packages that provide a virtual name. */
  providers(name: string): readonly VirtualProvider[] {
    return this.#virtual.get(name) ?? [];
  }

  /** Names of packages with this prefix whose rest matches; sorted. */
  matching(start: string, rest: RegExp): string[] {
    this.#names ??= [...this.#entries.keys()].sort(compareText);
    const names = this.#names;
    let [low, high] = [0, names.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (names[middle]! < start) low = middle + 1;
      else high = middle;
    }
    const found: string[] = [];
    for (let at = low; names[at]?.startsWith(start) === true; at++) {
      if (rest.test(names[at]!.slice(start.length))) found.push(names[at]!);
    }
    return found;
  }
}

/**
 * Collects the packages of a Packages list that is read in blocks of whole lines. Of two entries with one name the last wins, as
 * there is one for each version and mirrors list the newest last.
 */
export class PackagesReader {
  readonly #entries = new Map<string, string>();
  #rest = '';

  /** @param lines whole lines */
  add(lines: string): void {
    const text = this.#rest + lines;
    let at = 0;
    for (let end = text.indexOf('\n\n', at); end >= 0; end = text.indexOf('\n\n', at)) {
      this.#take(text.slice(at, end));
      at = end + 2;
    }
    this.#rest = text.slice(at);
  }

  done(): DebianIndex {
    if (this.#rest.trim() !== '') this.#take(this.#rest.trimEnd());
    this.#rest = '';
    return new DebianIndex(this.#entries);
  }

  #take(entry: string): void {
    const name = field(entry, 'Package');
    if (name !== '') this.#entries.set(name, entry);
  }
}

/** A field of one line; empty if absent. */
function field(entry: string, name: string): string {
  const start = `${name}: `;
  const at = entry.startsWith(start) ? 0 : entry.indexOf(`\n${start}`) + 1;
  if (at === 0 && !entry.startsWith(start)) return '';
  const end = entry.indexOf('\n', at);
  return entry.slice(at + start.length, end < 0 ? undefined : end).trim();
}

function packageOf(entry: string): DebianPackage | undefined {
  const [name, version, sha256, path] = ['Package', 'Version', 'SHA256', 'Filename'].map((each) => field(entry, each));
  if (version === '' || path === '' || !/^[0-9a-f]{64}$/.test(sha256!)) return undefined;
  return {
    ...{ name: name!, version: version!, sha256: sha256!, path: path! },
    ...{ size: Number(field(entry, 'Size')), arch: field(entry, 'Architecture') },
    preDepends: field(entry, 'Pre-Depends'),
    depends: field(entry, 'Depends'),
    provides: field(entry, 'Provides'),
  };
}
