import type { ReleasedPackage } from '../../advisory/check.ts';
import type { Project } from '../../project/model/project.ts';
import { parseNevra, sourceName } from '../../repo/metadata.ts';
import type { ReleaseRecord } from '../record-schema.ts';

/** The packages of a release, with what records of vulnerabilities call them by. */
export function releasedPackages(release: ReleaseRecord, project: Pick<Project, 'components'>): ReleasedPackage[] {
  const packages = release.channels.flatMap((channel) => channel.packages);
  return packages.map(({ nevra, origin, source = '' }) => {
    const pkg = { ...parseNevra(nevra)!, sourceRpm: source };
    return { ...pkg, component: project.components.has(origin) ? origin : sourceName(pkg) };
  });
}
