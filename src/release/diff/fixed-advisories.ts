import { byId } from '../../advisory/load.ts';
import type { Advisory, Severity } from '../../advisory/record.ts';
import { severities } from '../../advisory/schema.ts';
import { packageStatus, standings } from '../../advisory/state.ts';
import { compareText } from '../../base/order.ts';
import { parseNevra } from '../../repo/metadata.ts';
import { compareEvr } from '../../rpm/version.ts';
import type { ReleaseRecord } from '../record-schema.ts';

/** A vulnerability of a component whose state differs between two releases. */
export interface ChangedAdvisory {
  readonly id: string;
  readonly component: string;
  readonly severity: Severity;
  readonly title: string;
  /** NEVRAs in the second release of the packages that changed, sorted. */
  readonly packages: readonly string[];
}

export interface AdvisoryChanges {
  /** Affected in the first release, fixed in the second. */
  readonly fixed: readonly ChangedAdvisory[];
  /** Fixed in the first release, affected in the second: its packages are older. */
  readonly returned: readonly ChangedAdvisory[];
}

type Packages = Pick<ReleaseRecord, 'channels'>;
type Package = NonNullable<ReturnType<typeof parseNevra>>;

/**
 * What changed for the vulnerabilities of the records, by the newest package of each name and architecture that a fix was built
 * as. A package that only one of the releases has changes nothing.
 */
export function advisoryChanges(records: readonly Advisory[], a: Packages, b: Packages): AdvisoryChanges {
  const [before, after] = [newestOf(a), newestOf(b)];
  const fixed: ChangedAdvisory[] = [];
  const returned: ChangedAdvisory[] = [];
  for (const { id, severity, title, ...record } of records) {
    for (const standing of standings(record)) {
      const names = new Set(standing.fixed?.in.map((text) => keyOf(parseNevra(text)!)) ?? []);
      const became = (from: string, to: string): string[] =>
        [...names].flatMap((key) => {
          const [old, made] = [before.get(key), after.get(key)];
          if (old === undefined || made === undefined) return [];
          const same = packageStatus(standing, old.pkg) === from;
          return same && packageStatus(standing, made.pkg) === to ? [made.nevra] : [];
        });
      const told = { id, component: standing.component, severity, title };
      const [better, worse] = [became('affected', 'fixed').sort(), became('fixed', 'affected').sort()];
      if (better.length > 0) fixed.push({ ...told, packages: better });
      if (worse.length > 0) returned.push({ ...told, packages: worse });
    }
  }
  return { fixed: fixed.sort(bySeverity), returned: returned.sort(bySeverity) };
}

/** The worst first. */
function bySeverity(a: ChangedAdvisory, b: ChangedAdvisory): number {
  return (
    severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
    byId(a, b) ||
    compareText(a.component, b.component)
  );
}

interface Newest {
  readonly nevra: string;
  readonly pkg: Package & { readonly sourceRpm: string };
}

function newestOf({ channels }: Packages): Map<string, Newest> {
  const newest = new Map<string, Newest>();
  for (const { nevra, source = '' } of channels.flatMap(({ packages }) => packages)) {
    const pkg = parseNevra(nevra)!;
    const there = newest.get(keyOf(pkg));
    if (there === undefined || compareEvr(there.pkg, pkg) < 0)
      newest.set(keyOf(pkg), { nevra, pkg: { ...pkg, sourceRpm: source } });
  }
  return newest;
}

function keyOf({ name, arch }: Package): string {
  return `${name}.${arch}`;
}
