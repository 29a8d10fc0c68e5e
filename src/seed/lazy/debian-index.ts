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

/** The packages of a suite, and who provides which virtual name. */
export class DebianIndex {
  readonly packages: ReadonlyMap<string, DebianPackage>;
  readonly #virtual = new Map<string, VirtualProvider[]>();
  #names: readonly string[] | undefined;

  constructor(packages: Iterable<DebianPackage>) {
    this.packages = new Map([...packages].map((pkg) => [pkg.name, pkg]));
    for (const { name, provides } of this.packages.values()) {
      if (provides === '') continue;
      for (const [relation] of parseRelations(provides)) this.#addVirtual(name, relation!);
    }
  }

  #addVirtual(provider: string, { name, version }: Relation): void {
    const list = this.#virtual.get(name) ?? [];
    list.push({ name: provider, ...(version === undefined ? {} : { version }) });
    this.#virtual.set(name, list);
  }

  get(name: string): DebianPackage | undefined {
    return this.packages.get(name);
  }

  /** Packages that provide a virtual name. */
  providers(name: string): readonly VirtualProvider[] {
    return this.#virtual.get(name) ?? [];
  }

  /** Names of packages with this start, of which the rest matches; sorted. */
  matching(start: string, rest: RegExp): string[] {
    this.#names ??= [...this.packages.keys()].sort(compareText);
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
  readonly #packages: DebianPackage[] = [];
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
    return new DebianIndex(this.#packages);
  }

  #take(stanza: string): void {
    const field = (name: string): string => {
      const at = stanza.startsWith(`${name}: `) ? 0 : stanza.indexOf(`\n${name}: `) + 1;
      if (at === 0 && !stanza.startsWith(`${name}: `)) return '';
      const end = stanza.indexOf('\n', at);
      return stanza.slice(at + name.length + 2, end < 0 ? undefined : end).trim();
    };
    const name = field('Package');
    const [version, sha256, path] = [field('Version'), field('SHA256'), field('Filename')];
    if (name === '' || version === '' || !/^[0-9a-f]{64}$/.test(sha256) || path === '') return;
    this.#packages.push({
      ...{ name, version, sha256, path, size: Number(field('Size')), arch: field('Architecture') },
      ...{ preDepends: field('Pre-Depends'), depends: field('Depends'), provides: field('Provides') },
    });
  }
}
