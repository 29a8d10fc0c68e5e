import { join } from 'node:path';
import type { ReleasedPackage } from '../../advisory/check.ts';
import { componentOf, type StatedSnapshot } from '../../advisory/statements.ts';
import type { Project } from '../../project/model/project.ts';
import { parseNevra } from '../../repo/metadata.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { badRecord } from '../published.ts';
import type { ReleaseRecord } from '../record-schema.ts';

/** The packages of a release, each with the component name that records of vulnerabilities use. */
export function releasedPackages(
  release: Pick<ReleaseRecord, 'channels'>,
  project: Pick<Project, 'components'>,
): (ReleasedPackage & { readonly channel: string })[] {
  return channelsOf(release).flatMap(({ name: channel, packages }) =>
    packages.map((pkg) => ({ ...pkg, channel, component: componentOf(pkg, project.components) })),
  );
}

/**
 * A release's packages, for statements about vulnerabilities in them.
 * @throws WeirError `bad-record` if an older Weir wrote the record, which names no source packages
 */
export function releasedSnapshot(
  release: ReleaseRecord,
  { out, project }: Pick<ProjectWorkspace, 'out' | 'project'>,
): StatedSnapshot {
  const channels = channelsOf(release);
  const packages = channels.flatMap((channel) => channel.packages);
  if (packages.length > 0 && packages.every(({ sourceRpm }) => sourceRpm === '')) {
    throw badRecord(join(out, 'release.json'), 'it does not say which source packages the packages are from');
  }
  return { channels, components: project.components };
}

function channelsOf({ channels }: Pick<ReleaseRecord, 'channels'>): StatedSnapshot['channels'] {
  return channels.map(({ name, packages }) => ({
    name,
    packages: packages.map(({ nevra, sha256: rpm, origin, source = '' }) => ({
      ...parseNevra(nevra)!,
      rpm,
      sourceRpm: source,
      origin,
    })),
  }));
}
