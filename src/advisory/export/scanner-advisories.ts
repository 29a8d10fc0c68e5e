import { byName } from '../../base/order.ts';
import { sourceName } from '../../repo/metadata.ts';
import { type Evr, formatEvr, parseEvr } from '../../rpm/version.ts';
import type { EventOf } from '../record.ts';
import { evrOf, fixVersion, packageStatus, type Standing, standingOf } from '../state.ts';
import type { StatedPackage, Statement } from '../statements.ts';
import type { ScannerAdvisory, ScannerPackage } from './scanner-advisory.ts';

/**
 * What scanners are told, from what the release says. They look at other releases' images too, so they get the versions that are
 * affected, whether the release still has them or not. Sorted as the statements are.
 */
export function scannerAdvisories(statements: readonly Statement[]): readonly ScannerAdvisory[] {
  return [...Map.groupBy(statements, ({ record }) => record)].map(([record, about]) => {
    const { id, title, description, severity, cvss, published } = record;
    return {
      id,
      title,
      ...(description === undefined ? {} : { description }),
      severity,
      ...(cvss === undefined ? {} : { cvss }),
      cwe: record.cwe ?? [],
      aliases: record.aliases ?? [],
      references: record.references ?? [],
      published,
      modified: new Date(Math.max(...about.map(({ updated }) => updated)) * 1000).toISOString().replace('.000Z', 'Z'),
      packages: about.flatMap(packagesOf).sort(byName),
    };
  });
}

function packagesOf({ record, component, packages }: Statement): ScannerPackage[] {
  const standing = standingOf(record, component)!;
  // Nobody installs a source package. One name for all architectures and channels: they are of one build.
  const binary = packages.filter(({ pkg }) => pkg.arch !== 'src');
  return [...Map.groupBy(binary, ({ pkg }) => pkg.name).values()].map(([first]) => packageOf(standing, first!));
}

function packageOf(standing: Standing, { pkg }: StatedPackage): ScannerPackage {
  const { state, affected, fixed } = standing;
  const own = evrOf(pkg);
  const status = packageStatus(standing, pkg);
  const source = sourceName(pkg);
  const common = {
    name: pkg.name,
    source,
    released: {
      version: withEpoch(own),
      source: withEpoch({ ...sourceVersion(pkg.sourceRpm, source, own), epoch: own.epoch }),
      affected: status === 'affected' || status === 'under-investigation',
    },
  };
  if (state === 'not-affected') return { ...common, status: 'not-affected' };
  const fix = fixed === undefined ? undefined : fixOf(fixed, pkg, common.released.source);
  return {
    ...common,
    status: status === 'under-investigation' ? 'possible' : 'affected',
    ...(affected?.first === undefined ? {} : { first: withEpoch(parseEvr(affected.first)) }),
    ...(affected?.last === undefined ? {} : { last: withEpoch(parseEvr(affected.last)) }),
    ...fix,
    ...(state === 'exception' ? { exception: true } : {}),
  };
}

type Fix = Required<Pick<ScannerPackage, 'fixed' | 'fixedSource'>>;

function fixOf(fixed: EventOf<'fixed'>, pkg: StatedPackage['pkg'], released: string): Fix | undefined {
  const version = fixVersion(fixed, pkg);
  if (version === undefined) return undefined;
  const sources = { ...fixed, in: fixed.in.filter((nevra) => nevra.endsWith('.src')) };
  const source = fixVersion(sources, { ...pkg, name: sourceName(pkg), arch: 'src' });
  // The seed's packages have no source package. That of the release's package surely has the fix.
  return {
    fixed: withEpoch(version),
    fixedSource: source === undefined ? released : withEpoch({ ...source, epoch: version.epoch }),
  };
}

/** Version and release of a source package, from its file's name. */
function sourceVersion(file: string, source: string, otherwise: Evr): Evr {
  const text = file.startsWith(`${source}-`) ? file.slice(source.length + 1).replace(/\.(?:no)?src\.rpm$/, '') : '';
  return text === '' ? otherwise : parseEvr(text);
}

function withEpoch(evr: Evr): string {
  return evr.epoch === 0 ? `0:${formatEvr(evr)}` : formatEvr(evr);
}
