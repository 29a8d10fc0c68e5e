import { WeirError } from '../base/errors.ts';
import type { DistroVersion } from './model/distro.ts';
import type { Project } from './model/project.ts';
import type { ReleaseConfig } from './model/release.ts';
import { secondsOf } from './release.ts';

/** The version of the project's default distro that the project builds, if it names one. */
export function defaultVersion({ project, distros }: Project): DistroVersion | undefined {
  const reference = project.defaultDistro;
  const distro = reference === undefined ? undefined : distros.get(reference.name);
  const name = reference?.version ?? distro?.defaultVersion;
  return name === undefined ? undefined : distro?.versions.get(name);
}

/**
 * The release of a project without a `[release]` table, as one written for azldev has none: the version of its default distro,
 * at the newest snapshot of an upstream that its components name.
 * @throws WeirError `no-release` (exit 2) naming what is missing
 */
export function defaultRelease(project: Project): ReleaseConfig {
  const missing = (what: string, hint: string): WeirError =>
    new WeirError('no-release', `the project has no [release] table, and ${what}`, {
      where: { file: project.file },
      hint,
      exit: 2,
    });
  const version = defaultVersion(project);
  if (version === undefined) {
    throw missing('no default distro with a version', 'add a [release] table, or set "default-distro" in [project]');
  }
  const snapshots = [...project.components.values()].flatMap(({ spec }) =>
    spec?.type === 'upstream' && spec.distro.snapshot !== undefined ? [spec.distro.snapshot] : [],
  );
  const newest = snapshots.reduce<string | undefined>(
    (best, each) => (best === undefined || secondsOf(each) > secondsOf(best) ? each : best),
    project.project.defaultDistro?.snapshot,
  );
  if (newest === undefined) {
    throw missing(
      'no component names a snapshot of its upstream, so there is no date to build with',
      'add snapshot = "…" to default-distro in [project], or a [release] table with "version" and "snapshot"',
    );
  }
  return {
    version: version.releaseVer ?? version.name,
    snapshot: newest,
    epoch: secondsOf(newest),
    channels: [],
    architectures: ['x86_64'],
    buildRoot: [],
  };
}
