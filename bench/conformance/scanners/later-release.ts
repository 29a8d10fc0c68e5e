import { nevra, type RepoPackage, sourceName } from '../../../src/repo/metadata.ts';

/** A package of an image. */
export type ImagePackage = Pick<RepoPackage, 'name' | 'epoch' | 'version' | 'release' | 'arch' | 'sourceRpm'>;

/** All binary packages of one source package, as an image has them and as a later release does. */
export interface Source {
  readonly name: string;
  readonly image: readonly ImagePackage[];
  readonly later: readonly ImagePackage[];
}

/**
 * Sources of an image's packages with newer versions, as the release has them after updates: a new release, a new version, or a new
 * epoch with a lower version.
 */
export function laterSources(packages: readonly ImagePackage[]): readonly Source[] {
  return [...Map.groupBy(packages, sourceName)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, image], index) => ({ name, image, later: image.map((pkg) => laterPackage(pkg, name, index % 5)) }));
}

function laterPackage(pkg: ImagePackage, source: string, how: number): ImagePackage {
  const own = { ...pkg, ...(how === 0 ? { epoch: pkg.epoch + 1, version: '0.1', release: '1' } : bumped(pkg, how)) };
  // As for a package that is built from source: its version, whatever suffix the seed's package has.
  return { ...own, sourceRpm: `${source}-${own.version}-${own.release}.src.rpm` };
}

function bumped(
  { version, release }: ImagePackage,
  how: number,
): { readonly version: string; readonly release: string } {
  const own = release.replace(/\+b\d+$/, '');
  return how === 1 ? { version: `${version}.1`, release: '1' } : { version, release: `${own}.1` };
}

/** `release.json` of a release with these packages, as far as exports read it. */
export function releaseText(record: Readonly<Record<string, unknown>>, sources: readonly Source[]): string {
  const packages = sources.flatMap(({ name, later }) => [
    ...later.map((pkg) => ({ nevra: nevra(pkg), sha256: '0', origin: 'seed', source: pkg.sourceRpm })),
    { nevra: nevra(sourcePackage(name, later)), sha256: '0', origin: 'seed' },
  ]);
  return `${JSON.stringify({ ...record, channels: [{ name: 'base', packages }] })}\n`;
}

/** The source package that these were built from. */
export function sourcePackage(name: string, [first]: readonly ImagePackage[]): ImagePackage {
  const { epoch, version, release } = first!;
  return { name, epoch, version, release, arch: 'src', sourceRpm: '' };
}
