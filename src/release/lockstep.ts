import { WeirError } from '../base/errors.ts';
import { formatEvr } from '../rpm/version.ts';
import type { ImageRecord } from './image/image-record.ts';

/** What the check needs of an image. */
export interface ImagePackages {
  readonly name: string;
  readonly packages: readonly Pick<ImageRecord['packages'][number], 'name' | 'epoch' | 'version' | 'release'>[];
}

/** A package that images of one release hold in different versions. */
export interface OutOfStep {
  readonly package: string;
  /** Versions (`[epoch:]version-release`; several where an image has several at once), each with its images. */
  readonly versions: readonly { readonly evr: string; readonly images: readonly string[] }[];
}

/** Packages whose versions differ between images that have them, by name. */
export function outOfStep(images: readonly ImagePackages[]): OutOfStep[] {
  const held = new Map<string, Map<string, string[]>>();
  for (const image of images) {
    const versions = new Map<string, Set<string>>();
    for (const pkg of image.packages) {
      const evrs = versions.get(pkg.name) ?? new Set();
      versions.set(pkg.name, evrs.add(formatEvr(pkg)));
    }
    for (const [name, evrs] of versions) {
      const evr = [...evrs].sort().join(' and ');
      const holders = held.get(name) ?? new Map<string, string[]>();
      held.set(name, holders.set(evr, [...(holders.get(evr) ?? []), image.name]));
    }
  }
  return [...held]
    .filter(([, versions]) => versions.size > 1)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, versions]) => ({
      package: name,
      versions: [...versions].map(([evr, holders]) => ({ evr, images: holders })),
    }));
}

/**
 * One snapshot, one version: a fix that is in one image of a release is in all of them that have the package. Images resolve
 * from the same repository, but a definition may ask for a version, and a repository may hold several.
 * @throws WeirError `out-of-step`
 */
export function checkLockstep(images: readonly ImagePackages[]): void {
  const found = outOfStep(images);
  if (found.length === 0) return;
  const names = found.map((each) => each.package);
  throw new WeirError('out-of-step', `images of this release hold different versions of ${names.join(', ')}`, {
    details: found.map(({ package: name, versions }) => {
      const held = versions.map(({ evr, images: holders }) => `${evr} in ${holders.join(', ')}`);
      return `${name}: ${held.join('; ')}`;
    }),
    hint: "name the package without a version in the images' packages, and publish one version of it",
  });
}
