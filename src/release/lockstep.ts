import { WeirError } from '../base/errors.ts';
import { byKey } from '../base/order.ts';
import { formatEvr } from '../rpm/version.ts';
import type { ImageRecord } from './record-schema.ts';

/** The part of an image record that the check needs. */
export interface ImagePackages {
  readonly name: string;
  readonly packages: readonly Pick<ImageRecord['packages'][number], 'name' | 'epoch' | 'version' | 'release'>[];
}

/** A package whose version differs between images of one release. */
export interface OutOfStep {
  readonly package: string;
  /** Versions (`[epoch:]version-release`; joined if an image has several), each with its images. */
  readonly versions: readonly { readonly evr: string; readonly images: readonly string[] }[];
}

/** Packages whose versions differ between images, by name. */
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
    .sort(byKey)
    .map(([name, versions]) => ({
      package: name,
      versions: [...versions].map(([evr, holders]) => ({ evr, images: holders })),
    }));
}

/**
 * Checks that all images of a release have the same version of a package, so that a fix in one image is in all of them. Images resolve
 * from the same repository, but a definition may require a certain version, and a repository may contain several.
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
    hint: "publish one version of the package, and list it without a version in the images' packages",
  });
}
