import type { PackageStatus } from '../state.ts';
import type { Claim } from './read.ts';

/** What each feed says, read back from its files. */
export interface Feeds {
  readonly csaf: readonly Claim[];
  readonly openvex: readonly Claim[];
  readonly osv: readonly Claim[];
  readonly oval: readonly Claim[];
  readonly updateinfo: readonly Claim[];
}

export type FeedName = keyof Feeds;

/** What a format can express: which statuses, and whether for source packages. CSAF can express all, so the others are compared with it. */
const formats = {
  openvex: {
    states: undefined,
    sources: true,
    key: ({ version = '', justification = '' }) => `${version} ${justification}`,
  },
  osv: { states: ['fixed', 'affected'], sources: true, key: ({ fixedIn = '' }) => fixedIn },
  oval: { states: ['fixed'], sources: false, key: ({ fixedIn = '' }) => fixedIn },
  updateinfo: { states: ['fixed'], sources: true, key: ({ fixedIn = '' }) => fixedIn },
} as const satisfies Record<
  Exclude<FeedName, 'csaf'>,
  {
    readonly states: readonly PackageStatus[] | undefined;
    readonly sources: boolean;
    readonly key: (claim: Claim) => string;
  }
>;

/** Differences between feeds in what both formats can express, one line each; empty if the feeds agree. */
export function disagreements(feeds: Feeds): string[] {
  return Object.entries(formats).flatMap(([name, { states, sources, key }]) => {
    const line = (claim: Claim): string => `${claim.id} ${claim.name} ${claim.status} ${key(claim)}`.trimEnd();
    const canSay = ({ status, arch }: Claim): boolean =>
      (states === undefined || (states as readonly string[]).includes(status)) && (sources || arch !== 'src');
    const wanted = feeds.csaf.filter(canSay);
    const expected = new Set((name === 'osv' ? binaryFirst(wanted) : wanted).map(line));
    const said = new Set(feeds[name as FeedName].map(line));
    return [
      ...[...expected].filter((text) => !said.has(text)).map((text) => `${name} does not say: ${text}`),
      ...[...said].filter((text) => !expected.has(text)).map((text) => `only ${name} says: ${text}`),
    ];
  });
}

/** OSV has one entry a package name: that of the binary package, if there is one. */
function binaryFirst(claims: readonly Claim[]): Claim[] {
  const binary = new Set(claims.filter(({ arch }) => arch !== 'src').map(({ id, name }) => `${id} ${name}`));
  return claims.filter(({ id, name, arch }) => arch !== 'src' || !binary.has(`${id} ${name}`));
}

/** Number of statements in each feed: of a vulnerability with one status. */
export function statementCounts(feeds: Feeds): Record<FeedName, number> {
  const count = (claims: readonly Claim[]): number => new Set(claims.map(({ id, status }) => `${id} ${status}`)).size;
  const { csaf, openvex, osv, oval, updateinfo } = feeds;
  return {
    csaf: count(csaf),
    openvex: count(openvex),
    osv: count(osv),
    oval: count(oval),
    updateinfo: count(updateinfo),
  };
}

/** Packages that a feed is about, but the repository does not have: a scanner would find nothing for them. `name version-release` each */
export function withoutMatch(claims: readonly Claim[], packages: ReadonlySet<string>): string[] {
  const named = claims.flatMap(({ name, version }) => (version === undefined ? [] : [`${name} ${version}`]));
  return [...new Set(named)].filter((each) => !packages.has(each));
}
