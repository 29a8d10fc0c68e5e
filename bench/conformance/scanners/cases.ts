import type { AdvisoryEvent } from '../../../src/advisory/record.ts';
import { justifications } from '../../../src/advisory/schema.ts';
import { nevra } from '../../../src/repo/metadata.ts';
import { formatEvr } from '../../../src/rpm/version.ts';
import type { Random } from '../../fuzz/random.ts';
import { type ImagePackage, type Source, sourcePackage } from './later-release.ts';

/** A made-up vulnerability of one source package. */
export interface Case {
  readonly id: string;
  readonly kind: string;
  readonly source: Source;
  readonly events: readonly AdvisoryEvent[];
  /** Whether an image with the packages of `source.image` is affected. */
  readonly reported: boolean;
}

interface Kind {
  readonly name: string;
  readonly reported: boolean;
  /** Whether a source can have it. */
  readonly fits?: (source: Source) => boolean;
  readonly events: (source: Source, random: Random) => readonly AdvisoryEvent[];
}

type Fields = Readonly<Record<string, unknown>>;

function event(type: AdvisoryEvent['type'], source: Source, fields: Fields = {}): AdvisoryEvent {
  const common = { type, at: '2026-11-02T12:00:00Z', by: 'Jane Doe <jane@example.com>', component: source.name };
  return { ...common, ...fields } as AdvisoryEvent;
}

/** Fixed in these versions: those of the packages, changed. */
function fixedIn(
  source: Source,
  packages: readonly ImagePackage[],
  change: (pkg: ImagePackage) => Partial<ImagePackage>,
) {
  const changed = packages.map((pkg) => ({ ...pkg, ...change(pkg) }));
  return event('fixed', source, { in: [...changed, sourcePackage(source.name, changed)].map(nevra) });
}

const evr = (pkg: ImagePackage): string => formatEvr(pkg);
const newRelease = ({ image, later }: Source): boolean =>
  later.every(({ epoch, version }, index) => epoch === image[index]!.epoch && version === image[index]!.version);

const kinds: readonly Kind[] = [
  { name: 'fixed above', reported: true, events: (s) => [event('affected', s), fixedIn(s, s.later, () => ({}))] },
  { name: 'fixed in ours', reported: false, events: (s) => [event('affected', s), fixedIn(s, s.image, () => ({}))] },
  {
    name: 'fixed below',
    reported: false,
    events: (s) => [fixedIn(s, s.image, ({ release }) => ({ release: `${release}~rc1` }))],
  },
  { name: 'no fix', reported: true, events: (s) => [event('affected', s)] },
  {
    name: 'not affected',
    reported: false,
    events: (s, random) => [event('not-affected', s, { justification: random.pick(justifications.slice(1)) })],
  },
  {
    name: 'fixed between ours and the newest',
    reported: true,
    fits: newRelease,
    events: (s) => [fixedIn(s, s.image, ({ release }) => ({ release: `${release.replace(/\+b\d+$/, '')}.0.1` }))],
  },
  {
    name: 'fixed in a lower epoch, with a higher version',
    reported: false,
    fits: ({ image }) => image.every(({ epoch }) => epoch > 0),
    events: (s) => [fixedIn(s, s.image, ({ epoch }) => ({ epoch: epoch - 1, version: '9999', release: '1' }))],
  },
  {
    name: 'fixed in a higher epoch, with a lower version',
    reported: true,
    fits: ({ image, later }) => later.every(({ epoch }, index) => epoch > image[index]!.epoch),
    events: (s) => [fixedIn(s, s.later, () => ({ version: '0', release: '1' }))],
  },
  {
    name: 'several packages of a source, fixed above',
    reported: true,
    fits: ({ image }) => image.length > 1,
    events: (s) => [fixedIn(s, s.later, () => ({}))],
  },
  {
    name: 'several packages of a source, fixed in ours',
    reported: false,
    fits: ({ image }) => image.length > 1,
    events: (s) => [fixedIn(s, s.image, () => ({}))],
  },
  {
    name: 'a source with another version than its package, fixed in ours',
    reported: false,
    fits: ({ image }) => image.some(({ release }) => /\+b\d+$/.test(release)),
    events: (s) => [event('fixed', s, { in: s.image.map(nevra) })],
  },
  {
    name: 'an exception',
    reported: true,
    events: (s) => [event('exception', s, { owner: 'Jane', reason: 'no fix upstream', expires: '2099-01-01' })],
  },
  { name: 'only detected', reported: true, events: (s) => [event('detected', s)] },
  { name: 'disputed', reported: true, events: (s) => [event('disputed', s, { reason: 'not a fault' })] },
  { name: 'a fix that waits', reported: true, events: (s) => [event('affected', s), event('fix-pending', s)] },
  {
    name: 'affected again after a fix',
    reported: true,
    events: (s) => [fixedIn(s, s.image, () => ({})), event('affected', s, { note: 'the fix is not complete' })],
  },
  {
    name: 'affected from an older version to ours',
    reported: true,
    fits: ({ image }) => image.length === 1,
    events: (s) => [event('affected', s, { first: `${s.image[0]!.epoch}:0-1`, last: evr(s.image[0]!) })],
  },
  {
    name: 'affected up to all releases of our version',
    reported: true,
    fits: ({ image }) => image.length === 1,
    events: (s) => [event('affected', s, { last: evr(s.image[0]!).replace(/-[^-]+$/, '') })],
  },
  {
    name: 'only older versions affected',
    reported: false,
    fits: ({ image }) => image.length === 1,
    events: (s) => [event('affected', s, { last: `${evr(s.image[0]!)}~rc1` })],
  },
  {
    name: 'only newer versions affected, fixed above them',
    reported: false,
    fits: (s) => s.image.length === 1 && newRelease(s),
    events: (s) => [event('affected', s, { first: `${evr(s.image[0]!)}.0.1` }), fixedIn(s, s.later, () => ({}))],
  },
];

/** The cases of a seed: every kind in turn, each with a source that can have it. Kinds that none can have are left out. */
export function makeCases(sources: readonly Source[], count: number, random: Random): readonly Case[] {
  const possible = kinds.flatMap((kind) => {
    const fitting = sources.filter((source) => kind.fits?.(source) ?? true);
    return fitting.length === 0 ? [] : [{ kind, fitting }];
  });
  return Array.from({ length: count }, (_, index) => {
    const { kind, fitting } = possible[index % possible.length]!;
    const source = random.pick(fitting);
    const { name, reported } = kind;
    return { id: `CVE-2099-${1000 + index}`, kind: name, source, events: kind.events(source, random), reported };
  });
}
