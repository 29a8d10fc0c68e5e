import { WeirError } from '../base/errors.ts';
import { byKey } from '../base/order.ts';
import { packageUrlText } from '../base/package-url.ts';
import { nevra } from '../repo/metadata.ts';
import type { ContainedPackage, Distribution, ImageContents, PackageHeader, SpecOrigin } from './contents.ts';

/**
 * The package URL of a binary package, in the form that scanners construct on a running system:
 * `pkg:rpm/<id>/<name>@<version>-<release>?arch=&distro=<id>-<VERSION_ID>&epoch=&upstream=<srpm>`.
 */
export function packageUrl(
  distribution: Pick<Distribution, 'id' | 'version'>,
  header: Pick<PackageHeader, 'name' | 'epoch' | 'version' | 'release' | 'arch' | 'sourceRpm'>,
): string {
  return rpmUrl(distribution, header.name, `${header.version}-${header.release}`, {
    arch: header.arch,
    ...(header.epoch === 0 ? {} : { epoch: String(header.epoch) }),
    ...(header.sourceRpm === '' ? {} : { upstream: header.sourceRpm }),
  });
}

/** The package URL of a source package, without an epoch, which the file name does not contain. */
export function sourcePackageUrl(distribution: Distribution, source: SourcePackage): string {
  return rpmUrl(distribution, source.name, source.version, { arch: 'src' });
}

function rpmUrl(
  { id, version }: Pick<Distribution, 'id' | 'version'>,
  name: string,
  evr: string,
  qualifiers: Readonly<Record<string, string>>,
): string {
  const more = { ...qualifiers, distro: `${id}-${version}` };
  return packageUrlText({ type: 'rpm', namespace: id, name, version: evr, qualifiers: more });
}

/** The package URL of a Debian source package, as the seed writes it to a header's VCS tag. */
export function debianSourceUrl(source: string, version: string): string {
  return packageUrlText({ type: 'deb', namespace: 'debian', name: source, version, qualifiers: { arch: 'source' } });
}

/** A source package, parsed from its file name. */
export interface SourcePackage {
  readonly fileName: string;
  readonly name: string;
  /** `version-release` */
  readonly version: string;
}

/** The source package that a package was built from; its own name and version if the header names none. */
export function sourcePackage(header: PackageHeader): SourcePackage {
  const match = /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(header.sourceRpm);
  if (match !== null) return { fileName: header.sourceRpm, name: match[1]!, version: match[2]! };
  const version = `${header.version}-${header.release}`;
  return { fileName: `${header.name}-${version}.src.rpm`, name: header.name, version };
}

/** `[epoch:]version-release`, without an epoch of 0. */
export function evr(header: Pick<PackageHeader, 'epoch' | 'version' | 'release'>): string {
  return `${header.epoch === 0 ? '' : `${header.epoch}:`}${header.version}-${header.release}`;
}

/**
 * The packages sorted by name, version and architecture.
 * @throws WeirError `duplicate-package` for duplicates: both formats identify packages by these names
 */
export function sortedPackages(contents: ImageContents): readonly ContainedPackage[] {
  const byName = new Map<string, ContainedPackage>();
  for (const item of contents.packages) {
    const name = nevra(item.header);
    if (byName.has(name)) {
      throw new WeirError('duplicate-package', `image ${contents.name} lists a package twice`, {
        where: { package: name },
      });
    }
    byName.set(name, item);
  }
  return [...byName].sort(byKey).map(([, item]) => item);
}

/** A URL that a document may contain, or undefined: a header may contain any text. */
export function webUrl(text: string | undefined): string | undefined {
  if (text === undefined || !/^(?:https?|ftp):\/\/[^\s]+$/i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).href;
}

/** `webUrl` without a user's name and password. */
export function publicUrl(text: string | undefined): string | undefined {
  const checked = webUrl(text);
  if (checked === undefined) return undefined;
  const url = new URL(checked);
  url.username = '';
  url.password = '';
  return url.href;
}

/** Where a spec is from, in words. */
export function specOriginWords(origin: SpecOrigin): string {
  if ('commit' in origin) return `${origin.uri} at commit ${origin.commit}`;
  return 'distro' in origin ? `${origin.name} of the distro ${origin.distro}` : origin.path;
}

/** Joins lines: names in a document must not contain line breaks. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** Publisher of the packages: the vendor, else the distribution's name or ID. */
export function vendorOf({ vendor = '', name, id }: Distribution): string {
  return oneLine(vendor) || oneLine(name) || id;
}
