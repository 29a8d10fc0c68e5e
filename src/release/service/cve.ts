import { clockOf, type Reached } from '../../advisory/clock.ts';
import type { Advisory } from '../../advisory/record.ts';
import { isExpired, type PackageStatus, packageStatus, type Standing, standings } from '../../advisory/state.ts';
import { compareText } from '../../base/order.ts';
import type { Project } from '../../project/model/project.ts';
import { nevra } from '../../repo/metadata.ts';
import type { PastRelease } from '../past-releases.ts';
import { imageDigest } from './holders.ts';
import { releasedPackages } from './released.ts';

/** A component of a record. */
export interface CveComponent {
  readonly component: string;
  readonly state: Standing['state'];
  readonly since: string;
  readonly by: string;
  /** NEVRAs of the build with the fix. */
  readonly fixed?: readonly string[];
  readonly justification?: string;
  readonly exception?: {
    readonly owner: string;
    readonly reason: string;
    readonly expires: string;
    readonly expired: boolean;
  };
}

/** A package of a published snapshot. */
export interface CvePackage {
  readonly snapshot: string;
  readonly channel: string;
  readonly component: string;
  readonly nevra: string;
  readonly status: PackageStatus;
}

/** An image that holds a package of one of the components. */
export interface CveImage {
  readonly name: string;
  readonly digest: string;
  readonly snapshot: string;
  readonly status: PackageStatus;
  readonly packages: readonly string[];
  /** Whether it is part of the last release. */
  readonly latest: boolean;
  /** When a scanner found nothing in it. */
  readonly verified?: string;
}

/** All that is known of one vulnerability. */
export interface CveReport {
  readonly id: string;
  readonly title: string;
  readonly severity: Advisory['severity'];
  readonly file: string;
  readonly components: readonly CveComponent[];
  /** Every package of the components in every published snapshot, the newest snapshot first. */
  readonly packages: readonly CvePackage[];
  /** Every image with one of them, the newest first. */
  readonly images: readonly CveImage[];
  readonly clock: readonly Reached[];
}

/** @param releases the newest last @param now seconds since 1970, for exceptions */
export function cveReport(
  record: Advisory,
  releases: readonly PastRelease[],
  project: Pick<Project, 'components'>,
  now: number,
): CveReport {
  const all = new Map(standings(record).map((standing) => [standing.component, standing]));
  const packages = new Map<string, CvePackage>();
  const images = new Map<string, CveImage>();
  for (const { record: release, latest } of releases.toReversed()) {
    const statuses = new Map<string, { readonly status: PackageStatus; readonly component: string }>();
    for (const pkg of releasedPackages(release, project)) {
      const standing = all.get(pkg.component);
      if (standing === undefined) continue;
      const name = nevra(pkg);
      const found = { status: packageStatus(standing, pkg), component: pkg.component };
      statuses.set(name, found);
      packages.set([release.snapshot, name].join('\0'), {
        snapshot: release.snapshot,
        channel: pkg.channel,
        nevra: name,
        ...found,
      });
    }
    for (const image of release.images) {
      const held = image.packages.filter((name) => statuses.has(name));
      const digest = imageDigest(image);
      const key = [image.name, digest].join('\0');
      if (held.length === 0 || images.has(key)) continue;
      const verified = record.events.findLast((event) => event.type === 'verified' && event.digest === digest)?.at;
      images.set(key, {
        ...{ name: image.name, digest, snapshot: release.snapshot, packages: held, latest },
        status: worst(held.map((name) => statuses.get(name)!.status)),
        ...(verified === undefined ? {} : { verified }),
      });
    }
  }
  return {
    id: record.id,
    title: record.title,
    severity: record.severity,
    file: record.document.path,
    components: [...all.values()]
      .map((standing) => cveComponent(standing, now))
      .sort((a, b) => compareText(a.component, b.component)),
    packages: [...packages.values()],
    images: [...images.values()],
    clock: clockOf(record),
  };
}

const fromWorst: readonly PackageStatus[] = ['affected', 'under-investigation', 'fixed', 'not-affected'];

function worst(statuses: readonly PackageStatus[]): PackageStatus {
  return fromWorst.find((status) => statuses.includes(status))!;
}

function cveComponent({ component, state, event, fixed }: Standing, now: number): CveComponent {
  return {
    ...{ component, state, since: event.at, by: event.by },
    ...(fixed === undefined ? {} : { fixed: fixed.in }),
    ...(event.type === 'not-affected' ? { justification: event.justification } : {}),
    ...(event.type === 'exception'
      ? {
          exception: {
            owner: event.owner,
            reason: event.reason,
            expires: event.expires,
            expired: isExpired(event, now),
          },
        }
      : {}),
  };
}
