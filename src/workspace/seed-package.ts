import type { RepoPackage } from '../repo/metadata.ts';
import type { SeedPackage } from '../seed/convert-package.ts';

/** A package of the seed in the form of a repository's package. */
export function repoPackageOf(pkg: SeedPackage): RepoPackage {
  const { name, epoch, version, release, arch, digest, sourceRpm } = pkg;
  return { name, epoch, version, release, arch, rpm: digest, sourceRpm, origin: 'seed' };
}
