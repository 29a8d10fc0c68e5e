import { didYouMean, type WeirError } from '../base/errors.ts';
import { nevra, parseNevra, sourceName } from '../repo/metadata.ts';
import { compareEvr, formatEvr, parseEvr } from '../rpm/version.ts';
import { problem } from '../toml/document.ts';
import type { Advisory, AdvisoryEvent, EventOf } from './record.ts';
import { fixedSource, isExpired, isOlderThanFix, type Standing, standings, type VersionedPackage } from './state.ts';

/** A package of a release with the component that it belongs to. */
export interface ReleasedPackage extends VersionedPackage {
  /** As records name it: the component, or the source package if no component builds it. */
  readonly component: string;
}

/** The clock, the project and the release that records are checked against. */
export interface CheckContext {
  /** Seconds since 1970. */
  readonly now: number;
  readonly components: { readonly has: (name: string) => boolean; readonly keys: () => Iterable<string> };
  /** The packages of the last release; undefined if none was built. */
  readonly released?: readonly ReleasedPackage[];
}

export interface CheckReport {
  readonly problems: readonly WeirError[];
  /** Checks that were not possible, one sentence each. */
  readonly notChecked: readonly string[];
}

/** Checks records against the clock, the project and the published packages. */
export function checkRecords(records: readonly Advisory[], context: CheckContext): CheckReport {
  const sources = context.released && new Set(context.released.map(({ component }) => component));
  const owners = ownersOf(context.released ?? []);
  const unsure = new Set<string>();
  const problems = records.flatMap((record) => {
    const found = [
      ...futureDates(record, context.now),
      ...order(record),
      ...ranges(record),
      ...exceptions(record, context.now),
    ];
    for (const [index, event] of record.events.entries()) {
      if (!('component' in event) || event.component === undefined) continue;
      const { component } = event;
      if (context.components.has(component) || sources?.has(component) === true) continue;
      if (sources === undefined) unsure.add(component);
      else found.push(unknownComponent(record, index, component));
    }
    if (context.released !== undefined) {
      found.push(...ahead(record, context.released), ...foreignFixes(record, sources!, owners));
      const unknown = new Set(
        found.flatMap(({ code, where }) => (code === 'unknown-component' ? [where?.component] : [])),
      );
      for (const standing of standings(record)) {
        if (sources!.has(standing.component) || unknown.has(standing.component)) continue;
        const error = withoutPackage(record, standing, sources!);
        if (error !== undefined) found.push(error);
      }
    }
    return found;
  });
  const notChecked = [...unsure].sort().map((name) => `whether ${name} is a package: no release was built yet`);
  if (context.released === undefined && records.some(({ events }) => events.some(({ type }) => type === 'fixed'))) {
    notChecked.push('whether the repository has the fixes, and of the right packages: no release was built yet');
  }
  return { problems, notChecked };
}

function at(record: Advisory, index: number, key: string, code: string, message: string, hint?: string): WeirError {
  const component = (record.events[index] as { readonly component?: string }).component;
  return problem(record.document, ['events', index, key], code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(component === undefined ? {} : { component }),
  });
}

/** Dates in the future: of publication, and of events from this index on. @param now seconds since 1970 */
export function futureDates(record: Advisory, now: number, from = 0): WeirError[] {
  const found: WeirError[] = [];
  const hint = 'dates in records must not be in the future';
  if (from === 0 && Date.parse(record.published) > now * 1000) {
    const message = `${record.id} is published in the future: ${record.published}`;
    found.push(problem(record.document, ['published'], 'future-date', message, { hint }));
  }
  for (const [index, event] of record.events.entries()) {
    if (index < from || Date.parse(event.at) <= now * 1000) continue;
    found.push(at(record, index, 'at', 'future-date', `the time of the event, ${event.at}, is in the future`, hint));
  }
  return found;
}

function order(record: Advisory): WeirError[] {
  return record.events.flatMap((event, index) => {
    const previous = record.events[index - 1];
    if (previous === undefined || Date.parse(event.at) >= Date.parse(previous.at)) return [];
    const message = `the time of the event, ${event.at}, is before that of the previous event`;
    return [at(record, index, 'at', 'event-order', message, 'events are in order of time; add new ones at the end')];
  });
}

/** Fixes that are not newer than the affected versions, and ranges that end before they begin. */
function ranges(record: Advisory): WeirError[] {
  const found: WeirError[] = [];
  const affected = new Map<string, EventOf<'affected'>>();
  for (const [index, event] of record.events.entries()) {
    if (event.type === 'affected') {
      affected.set(event.component, event);
      if (event.first === undefined || event.last === undefined) continue;
      if (compareEvr(parseEvr(event.last), parseEvr(event.first)) >= 0) continue;
      found.push(
        at(
          record,
          index,
          'last',
          'version-order',
          `the last affected version, ${event.last}, is older than the first, ${event.first}`,
        ),
      );
    } else if (event.type === 'fixed') {
      const bound = affected.get(event.component);
      const version = bound?.last ?? bound?.first;
      if (version === undefined) continue;
      const fix = fixedSource(event);
      const order = compareEvr(fix, parseEvr(version));
      // A fix may have the version of the first affected one only with a higher release, which `first` may leave open.
      if (order > 0 || (order === 0 && parseEvr(version).release === undefined)) continue;
      const message = `fixed in ${formatEvr(fix)}, which is not newer than the affected ${version}`;
      found.push(at(record, index, 'in', 'fix-not-newer', message));
    }
  }
  return found;
}

function exceptions(record: Advisory, now: number): WeirError[] {
  return standings(record).flatMap(({ component, event }) => {
    if (event.type !== 'exception' || !isExpired(event, now)) return [];
    const message = `the exception of ${component} for ${record.id} ended on ${event.expires}; its owner is ${event.owner}`;
    const hint = 'fix it, or add an exception event with a new reason and day';
    return [at(record, indexOf(record, event), 'expires', 'exception-expired', message, hint)];
  });
}

function unknownComponent(record: Advisory, index: number, component: string): WeirError {
  return at(
    record,
    index,
    'component',
    'unknown-component',
    `the project has no component or package ${component}`,
    'name a component, or the source package of packages that no component builds',
  );
}

/** Fixes that the repository does not have: it has the package in an older version. */
export function ahead(record: Advisory, released: readonly ReleasedPackage[]): WeirError[] {
  return standings(record).flatMap(({ component, state, fixed }) => {
    if (state !== 'fixed' || fixed === undefined) return [];
    const old = released.filter((pkg) => pkg.component === component && isOlderThanFix(fixed, pkg));
    if (old.length === 0) return [];
    const packages = old.slice(0, 3).map(nevra).join(', ');
    const message = `the record says that ${record.id} is fixed in ${component}, but the repository has the older ${packages}${old.length > 3 ? ' …' : ''}`;
    const hint = 'build the fix first, or add an affected event';
    return [at(record, indexOf(record, fixed), 'in', 'advisory-ahead', message, hint)];
  });
}

/** Fixes that name packages of another component, or none of their own. */
function foreignFixes(record: Advisory, sources: ReadonlySet<string>, owners: Owners): WeirError[] {
  return standings(record).flatMap(({ component, fixed }) => {
    if (fixed === undefined || !sources.has(component)) return [];
    const names = fixed.in.map((text) => ({ text, owners: owners.get(nameOf(parseNevra(text)!)) }));
    const isOwn = names.some((one) => one.owners?.has(component) === true);
    const foreign = names.find((one) => one.owners !== undefined && !one.owners.has(component));
    const wrong = foreign ?? (isOwn ? undefined : names[0]);
    if (wrong === undefined) return [];
    const [owner] = wrong.owners ?? [];
    const message = `${wrong.text} is not a package of ${component}${owner === undefined ? '' : ` but of ${owner}`}`;
    const hint = `add a fixed event that names the packages of ${component}`;
    return [at(record, indexOf(record, fixed), 'in', 'foreign-fix', message, hint)];
  });
}

/** Names of packages with the components that they are of. */
type Owners = ReadonlyMap<string, ReadonlySet<string>>;

function ownersOf(released: readonly ReleasedPackage[]): Owners {
  const owners = new Map<string, Set<string>>();
  for (const pkg of released) {
    for (const name of [nameOf(pkg), nameOf({ name: sourceName(pkg), arch: 'src' })]) {
      owners.set(name, (owners.get(name) ?? new Set()).add(pkg.component));
    }
  }
  return owners;
}

/** A source package and a binary one of its name are different packages. */
function nameOf({ name, arch }: Pick<ReleasedPackage, 'name' | 'arch'>): string {
  return arch === 'src' ? `${name}.src` : name;
}

/** The error of a component that is not in the snapshot: a scanner would find nothing for the statement. */
export function withoutPackage(
  record: Advisory,
  { component, event }: Standing,
  known: Iterable<string>,
): WeirError | undefined {
  if (event.type === 'not-affected' && event.justification === 'component_not_present') return undefined;
  const named = record.events.findLastIndex((one) => 'component' in one && one.component === component);
  const near = didYouMean(component, known);
  const hint = 'if it has left the distribution, add an event "not-affected" with component_not_present';
  return at(
    record,
    named,
    'component',
    'advisory-without-package',
    `the repository has no package of ${component}`,
    near === undefined ? hint : `${near} ${hint}`,
  );
}

function indexOf(record: Advisory, event: AdvisoryEvent): number {
  return record.events.indexOf(event);
}
