import type { WeirError } from '../base/errors.ts';
import { compareText } from '../base/order.ts';
import { nevra, type RepoPackage, sourceName } from '../repo/metadata.ts';
import type { Evr } from '../rpm/version.ts';
import { together } from '../toml/problems.ts';
import { ahead, withoutPackage } from './check.ts';
import { byId } from './load.ts';
import { type Advisory, type AdvisoryEvent, type EventOf, type Justification, momentOf } from './record.ts';
import { eventsAbout, fixVersion, type PackageStatus, packageStatus, type Standing, standings } from './state.ts';

/** The packages of a snapshot, by channel; source and debug packages too. */
export interface StatedSnapshot {
  readonly channels: readonly { readonly name: string; readonly packages: readonly RepoPackage[] }[];
  /** Whether the project has a component of this name. */
  readonly components: { readonly has: (name: string) => boolean };
}

/** A package of the snapshot that a statement is about. */
export interface StatedPackage {
  readonly channel: string;
  readonly pkg: RepoPackage;
  /** Of a fixed package: the first version that has the fix; `pkg` is that one or a newer one. */
  readonly fixedIn?: Evr;
}

/**
 * The release's statement about one vulnerability in one component. Every feed and database is printed from statements alone, so
 * that they all agree.
 *
 * A vulnerability and a component usually have one statement. If the component's packages have different versions and only some of
 * them are affected, there is one statement for each status.
 */
export interface Statement {
  readonly record: Advisory;
  /** A component, or the source package if no component builds the packages. */
  readonly component: string;
  readonly status: PackageStatus;
  /** Always set for `not-affected`. */
  readonly justification?: Justification;
  /** The reason in words: for `not-affected`, and for `under-investigation` if the vulnerability is disputed. */
  readonly reason?: string;
  /** Always set for `affected`: what users should do, or that there is no fix yet. */
  readonly action?: string;
  /** For `affected`: the workaround until there is a fix, if the record names one. */
  readonly mitigation?: string;
  /** For `affected`: why the component stays affected, and until which day. */
  readonly exception?: EventOf<'exception'>;
  /** For `affected` and `fixed`: first and last affected version, if the record limits them. */
  readonly range?: { readonly first?: string; readonly last?: string };
  /** Sorted by channel, name and architecture; at least one. */
  readonly packages: readonly StatedPackage[];
  /** For `fixed`: seconds since 1970 of the first fix. */
  readonly issued?: number;
  /** Seconds since 1970 of the first event about the component. */
  readonly first: number;
  /** Seconds since 1970 of the last event that decides the component's state. */
  readonly updated: number;
}

/**
 * Derives statements from records and the packages of one snapshot. They depend neither on the time nor on events of the types
 * `published`, `image` and `verified`, so that these can be recorded of the snapshot afterwards.
 *
 * A component that has no package in the snapshot has no statement, if it is recorded as `component_not_present`.
 * @returns sorted by ID, then by component and status
 * @throws WeirError (exit 2) the first, with the others attached: `advisory-ahead`, a fix that the snapshot does not have;
 *   `advisory-without-package`, a component that the snapshot has no package of
 */
export function statementsOf(records: readonly Advisory[], snapshot: StatedSnapshot): readonly Statement[] {
  const byComponent = packagesByComponent(snapshot);
  const released = [...byComponent].flatMap(([component, packages]) =>
    packages.map(({ pkg }) => ({ ...pkg, component })),
  );
  const found: Statement[] = [];
  const errors: WeirError[] = [];
  for (const record of records.toSorted(byId)) {
    for (const standing of standings(record)) {
      const packages = byComponent.get(standing.component) ?? [];
      const error = packages.length === 0 ? withoutPackage(record, standing, byComponent.keys()) : undefined;
      if (error !== undefined) errors.push(error);
      else found.push(...statementsAbout(record, standing, packages));
    }
    errors.push(...ahead(record, released));
  }
  const [first, ...others] = errors;
  if (first !== undefined) throw together(first, others);
  return found.sort(
    (a, b) => byId(a.record, b.record) || compareText(a.component, b.component) || compareText(a.status, b.status),
  );
}

/**
 * The component that a package belongs to, as records name it: the one that built it. Packages that no component builds, such as
 * those of the seed and of input repositories, belong to their source package.
 */
export function componentOf(
  pkg: Pick<RepoPackage, 'name' | 'sourceRpm' | 'origin'>,
  components: StatedSnapshot['components'],
): string {
  return components.has(pkg.origin) ? pkg.origin : sourceName(pkg);
}

function packagesByComponent({ channels, components }: StatedSnapshot): Map<string, StatedPackage[]> {
  const all = channels.flatMap(({ name, packages }) => packages.map((pkg): StatedPackage => ({ channel: name, pkg })));
  all.sort(
    (a, b) =>
      compareText(a.channel, b.channel) ||
      compareText(a.pkg.name, b.pkg.name) ||
      compareText(nevra(a.pkg), nevra(b.pkg)),
  );
  return Map.groupBy(all, ({ pkg }) => componentOf(pkg, components));
}

function statementsAbout(record: Advisory, standing: Standing, packages: readonly StatedPackage[]): Statement[] {
  const moments = eventsAbout(record, standing.component).map(({ at }) => momentOf(at));
  const common = {
    record,
    component: standing.component,
    first: Math.min(...moments),
    updated: Math.max(...moments),
  };
  return [...Map.groupBy(packages, ({ pkg }) => packageStatus(standing, pkg))].map(([status, those]) => ({
    ...common,
    status,
    ...detailsOf(record, standing, status),
    packages: status === 'fixed' ? those.map((each) => withFix(standing, each)) : those,
  }));
}

type Details = Omit<Statement, 'record' | 'component' | 'status' | 'packages' | 'first' | 'updated'>;

function detailsOf(record: Advisory, { component, event, affected }: Standing, status: PackageStatus): Details {
  const { first, last } = affected ?? {};
  const range = { ...(first === undefined ? {} : { first }), ...(last === undefined ? {} : { last }) };
  const ranged = first === undefined && last === undefined ? {} : { range };
  if (status === 'fixed') {
    const fixes = eventsAbout(record, component).filter(({ type }) => type === 'fixed');
    return { ...ranged, issued: Math.min(...fixes.map(({ at }) => momentOf(at))) };
  }
  if (status === 'affected') {
    const exception = event.type === 'exception' ? { exception: event } : {};
    const helps = affected?.action === undefined ? {} : { mitigation: affected.action };
    return { ...ranged, ...exception, ...helps, action: actionOf(event, affected) };
  }
  if (status === 'under-investigation') return event.type === 'disputed' ? { reason: event.reason } : {};
  if (event.type !== 'not-affected') {
    return {
      justification: 'vulnerable_code_not_present',
      reason: 'This version is not one of the affected versions.',
    };
  }
  return { justification: event.justification, ...(event.note === undefined ? {} : { reason: event.note }) };
}

/** VEX requires an action of every affected product. */
function actionOf(event: AdvisoryEvent, affected: EventOf<'affected'> | undefined): string {
  if (event.type === 'exception') return `Not fixed until ${event.expires}: ${event.reason}`;
  if (affected?.action !== undefined) return affected.action;
  return event.type === 'fix-pending' ? 'A fix is being made: update once it is published.' : 'There is no fix yet.';
}

function withFix({ fixed }: Standing, each: StatedPackage): StatedPackage {
  const first = fixed === undefined ? undefined : fixVersion(fixed, each.pkg);
  if (first === undefined) return each;
  const { epoch, version, release } = first;
  return { ...each, fixedIn: { epoch, version, ...(release === undefined ? {} : { release }) } };
}
