import { compareIn, compareUpstream, isInRange, rangeWords, versionOfTag } from './compare.ts';
import { codename } from './debian-release.ts';
import type { Affected, FeedEntry } from './feed-entry.ts';
import { lineOf } from './feed-text.ts';

/** A component, or a Debian source package, that a release ships. */
export interface Shipped {
  /** As records name it. */
  readonly component: string;
  readonly kind: 'component' | 'debian';
  /** Epoch, version and release of ours. */
  readonly evr: string;
  /** What feeds are compared with: upstream's version, or Debian's. */
  readonly version: string;
  /** Keys by which entries of feeds find it; see `keysOfName`. */
  readonly keys: readonly string[];
  /** Vulnerabilities that the project itself has dealt with, with the words for it. */
  readonly handled: ReadonlyMap<string, string>;
}

/** An entry of a feed that affects a shipped component. */
export interface Match {
  readonly shipped: Shipped;
  /** Why it matched: `NVD cpe gnu:bash < 5.3, ours 5.2.37`. */
  readonly why: string;
  /** The first version that is not affected, in the feed's words. */
  readonly fixed?: string;
}

/** Finds the shipped components that an entry affects. */
export class Matcher {
  readonly #byKey = new Map<string, Shipped[]>();
  readonly #debianRelease: string | undefined;

  /** @param debianRelease codename of the release that the Debian packages are from */
  constructor(shipped: Iterable<Shipped>, debianRelease?: string) {
    this.#debianRelease = debianRelease === undefined ? undefined : codename(debianRelease);
    for (const each of shipped) {
      for (const key of new Set(each.keys)) {
        const there = this.#byKey.get(key);
        if (there === undefined) this.#byKey.set(key, [each]);
        else there.push(each);
      }
    }
  }

  /** One match for each component that is affected. */
  matches(entry: Pick<FeedEntry, 'affects' | 'source'>): Match[] {
    let found: Map<Shipped, Match> | undefined;
    for (const affected of entry.affects) {
      if (!this.#isOfRelease(affected)) continue;
      for (const key of keysOf(affected)) {
        for (const shipped of this.#byKey.get(key) ?? []) {
          if (found?.has(shipped) === true) continue;
          const match = matchOf(shipped, affected, entry.source);
          if (match === undefined) continue;
          found ??= new Map();
          found.set(shipped, match);
        }
      }
    }
    return found === undefined ? [] : [...found.values()];
  }

  #isOfRelease({ debianRelease }: Affected): boolean {
    return debianRelease === undefined || codename(debianRelease) === this.#debianRelease;
  }
}

/** The keys of what a feed names. */
export function keysOf({ kind, name, purl }: Affected): string[] {
  switch (kind) {
    case 'cpe':
      return [`cpe:${name}`, purl === undefined ? plainKey(name.slice(name.indexOf(':') + 1)) : purlKey(purl)];
    case 'debian-source':
      return [`debian:${name}`];
    case 'repository':
      return [`repository:${name}`];
    case 'name':
      return [plainKey(name)];
    case 'purl':
      return [purlKey(name), ...(modulePath(name) ?? [])];
  }
}

/** The key of a plain name: writers do not agree on hyphens, underscores and capitals. */
export function plainKey(name: string): string {
  return `name:${name.toLowerCase().replaceAll(/[_\s-]+/g, '-')}`;
}

export function purlKey(purl: string): string {
  return `purl:${purl.toLowerCase()}`;
}

/** A Go module that is a repository as a whole has the versions of its tags. */
function modulePath(purl: string): string[] | undefined {
  const match = /^pkg:golang\/([^/]+\/[^/]+\/[^/]+?)(?:\/v\d+)?$/.exec(purl);
  return match === null ? undefined : [`repository:${match[1]}`];
}

function matchOf(shipped: Shipped, affected: Affected, source: string): Match | undefined {
  const { scheme, ranges, versions, kind, shown } = affected;
  const isDebian = scheme === 'debian';
  if (isDebian !== (shipped.kind === 'debian')) return undefined;
  const ours = scheme === 'rpm' ? shipped.evr : shipped.version;
  const range = ranges.find((each) => isInRange(scheme, ours, each));
  if (range !== undefined) {
    const why = shownWhy(`${source} ${shown} ${rangeWords(range)}, ours ${ours}`);
    return { shipped, why, ...(range.fixed === undefined ? {} : { fixed: range.fixed }) };
  }
  const isOurs = (version: string): boolean =>
    kind === 'repository'
      ? compareUpstream(versionOfTag(version), ours) === 0
      : version === ours || compareIn(scheme, version, ours) === 0;
  const exact = versions.find(isOurs);
  return exact === undefined ? undefined : { shipped, why: shownWhy(`${source} ${shown} ${exact}, ours ${ours}`) };
}

/** One line: names and versions come from the feed. */
function shownWhy(text: string): string {
  return lineOf(text, 300);
}
