import { byName } from '../../base/order.ts';
import { isoTime } from '../../base/time.ts';
import { type Evr, formatEvr, parseEvr } from '../../rpm/version.ts';
import { evrOf, fixVersion, isOpen, packageStatus, type Standing, standingOf } from '../state.ts';
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
      modified: isoTime(Math.max(...about.map(({ updated }) => updated))),
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
  const status = packageStatus(standing, pkg);
  const common = {
    name: pkg.name,
    released: {
      version: withEpoch(evrOf(pkg)),
      affected: status === 'affected' || status === 'under-investigation',
    },
  };
  if (state === 'not-affected') return { ...common, status: 'not-affected' };
  const fix = fixed === undefined ? undefined : fixVersion(fixed, pkg);
  return {
    ...common,
    status: isOpen(state) ? 'possible' : 'affected',
    ...(affected?.first === undefined ? {} : { first: withEpoch(parseEvr(affected.first)) }),
    ...(affected?.last === undefined ? {} : { last: withEpoch(parseEvr(affected.last)) }),
    ...(fix === undefined ? {} : { fixed: withEpoch(fix) }),
    ...(state === 'exception' ? { exception: true } : {}),
  };
}

function withEpoch(evr: Evr): string {
  return evr.epoch === 0 ? `0:${formatEvr(evr)}` : formatEvr(evr);
}
