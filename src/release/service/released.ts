import type { ReleasedPackage } from '../../advisory/check.ts';
import { componentOf } from '../../advisory/statements.ts';
import type { Project } from '../../project/model/project.ts';
import { parseNevra } from '../../repo/metadata.ts';
import type { ReleaseRecord } from '../record-schema.ts';

/** The packages of a release, with what records of vulnerabilities call them by. */
export function releasedPackages(
  release: Pick<ReleaseRecord, 'channels'>,
  project: Pick<Project, 'components'>,
): (ReleasedPackage & { readonly channel: string })[] {
  return release.channels.flatMap(({ name: channel, packages }) =>
    packages.map(({ nevra, origin, source = '' }) => {
      const pkg = { ...parseNevra(nevra)!, sourceRpm: source };
      return { ...pkg, channel, component: componentOf({ ...pkg, origin }, project.components) };
    }),
  );
}
