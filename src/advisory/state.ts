import { parseNevra, type RepoPackage, sourceName } from '../repo/metadata.ts';
import { compareEvr, type Evr, parseEvr } from '../rpm/version.ts';
import type { Advisory, AdvisoryEvent, EventOf, EventType } from './record.ts';

/** The events that decide a component's state; the others only record how far the fix has come. */
export const componentStates = [
  'detected',
  'triaged',
  'affected',
  'not-affected',
  'fix-pending',
  'fixed',
  'exception',
  'disputed',
] as const satisfies readonly EventType[];

export type ComponentState = (typeof componentStates)[number];
type Deciding = EventOf<ComponentState>;

/** The state of a component in a record. */
export interface Standing {
  readonly component: string;
  readonly state: ComponentState;
  /** The event that decides the state. */
  readonly event: Deciding;
  /** The last event that gave the range of affected versions. */
  readonly affected?: EventOf<'affected'>;
  /** The last fix; packages without it are affected even if the state is `fixed`. */
  readonly fixed?: EventOf<'fixed'>;
}

/** Names of the components in a record, in the order in which they appear. */
export function componentsIn(record: Pick<Advisory, 'events'>): string[] {
  const named = record.events.flatMap((event) =>
    'component' in event && event.component !== undefined ? [event.component] : [],
  );
  return [...new Set(named)];
}

/**
 * The state of a component: its last decision. After a decision, `detected` and `triaged` events are only notes.
 * Undefined if the record does not name the component.
 */
export function standingOf(record: Pick<Advisory, 'events'>, component: string): Standing | undefined {
  if (!componentsIn(record).includes(component)) return undefined;
  const about = eventsAbout(record, component);
  const decision = about.findLast(({ type }) => type !== 'detected' && type !== 'triaged');
  const event = decision ?? about.at(-1);
  if (event === undefined) return undefined;
  const affected = about.findLast((one) => one.type === 'affected');
  const fixed = about.findLast((one) => one.type === 'fixed');
  return {
    component,
    state: event.type,
    event,
    ...(affected === undefined ? {} : { affected }),
    // A component that was found affected again after its fix has no fix.
    ...(fixed === undefined || (affected !== undefined && about.indexOf(affected) > about.indexOf(fixed))
      ? {}
      : { fixed }),
  };
}

/** The states of all components of a record. */
export function standings(record: Pick<Advisory, 'events'>): Standing[] {
  return componentsIn(record).flatMap((component) => standingOf(record, component) ?? []);
}

/** Whether an event decides a state. Feeds depend on no others. */
export function isDeciding(event: AdvisoryEvent): event is Deciding {
  return componentStates.includes(event.type as ComponentState);
}

/** The events about a component that decide its state, in their order. */
export function eventsAbout(record: Pick<Advisory, 'events'>, component: string): readonly Deciding[] {
  return record.events.filter((event): event is Deciding => isAbout(event, component));
}

function isAbout(event: AdvisoryEvent, component: string): event is Deciding {
  if (!isDeciding(event)) return false;
  return !('component' in event) || event.component === undefined || event.component === component;
}

/** The status of a package, in the terms of VEX. */
export type PackageStatus = 'fixed' | 'affected' | 'not-affected' | 'under-investigation';

/** The fields of a package that decide its status. */
export type VersionedPackage = Pick<RepoPackage, 'name' | 'epoch' | 'version' | 'release' | 'arch' | 'sourceRpm'>;

/**
 * The status of a package of the component, by rpm's version rules. A package with the fix is fixed, whatever was decided after the
 * fix; for all others the last decision counts.
 */
export function packageStatus(standing: Standing, pkg: VersionedPackage): PackageStatus {
  const { state, affected, fixed } = standing;
  if (fixed !== undefined && hasFix(fixed, pkg)) return 'fixed';
  if (state === 'not-affected') return 'not-affected';
  if (isOpen(state)) return 'under-investigation';
  const own = evrOf(pkg);
  if (affected?.first !== undefined && compareEvr(own, parseEvr(affected.first)) < 0) return 'not-affected';
  if (affected?.last !== undefined && compareEvr(own, parseEvr(affected.last)) > 0) return 'not-affected';
  return 'affected';
}

/** Whether it is not decided if the component has the vulnerability. */
export function isOpen(state: ComponentState): boolean {
  return state === 'detected' || state === 'triaged' || state === 'disputed';
}

function hasFix(fixed: EventOf<'fixed'>, pkg: VersionedPackage): boolean {
  const wanted = fixVersion(fixed, pkg);
  return wanted !== undefined && compareEvr(evrOf(pkg), wanted) >= 0;
}

/** Whether a package is older than the build that has the fix. */
export function isOlderThanFix(fixed: EventOf<'fixed'>, pkg: VersionedPackage): boolean {
  const wanted = fixVersion(fixed, pkg);
  return wanted !== undefined && compareEvr(evrOf(pkg), wanted) < 0;
}

/**
 * The first version of a package that has the fix: that of the package of its name among those of the fix, or that of the source
 * package, whose version the packages of a build share unless they say otherwise. Undefined if the fix has neither: it is of another
 * component.
 */
export function fixVersion(
  fixed: EventOf<'fixed'>,
  pkg: Pick<VersionedPackage, 'name' | 'arch' | 'sourceRpm'>,
): Evr | undefined {
  const all = fixed.in.map((text) => parseNevra(text)!);
  const sameName = all.filter((one) => one.name === pkg.name && (one.arch === 'src') === (pkg.arch === 'src'));
  const [own] = [...sameName.filter(({ arch }) => arch === pkg.arch), ...sameName];
  if (own !== undefined) return own;
  const source = sourceName({ ...pkg });
  const sources = all.filter(({ arch }) => arch === 'src');
  // Releases of the first Weirs do not say which source a package is from.
  if (pkg.sourceRpm === '' && pkg.arch !== 'src') return sources[0];
  return [...sources, ...all].find(({ name }) => name === source);
}

/** The version of the source package of a fix, or of the first of its packages. */
export function fixedSource(fixed: EventOf<'fixed'>): Evr {
  const all = fixed.in.map((text) => parseNevra(text)!);
  return evrOf(all.find(({ arch }) => arch === 'src') ?? all[0]!);
}

/** Epoch, version and release of a package. */
export function evrOf({ epoch, version, release }: Pick<VersionedPackage, 'epoch' | 'version' | 'release'>): Evr {
  return { epoch, version, release };
}

/** Whether an exception is over. Its last day counts. @param now seconds since 1970 */
export function isExpired({ expires }: Pick<EventOf<'exception'>, 'expires'>, now: number): boolean {
  return Date.parse(`${expires}T00:00:00Z`) / 1000 + 86_400 <= now;
}
