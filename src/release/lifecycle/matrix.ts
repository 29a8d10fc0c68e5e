import { compileGlob } from '../../base/glob.ts';
import { compareText } from '../../base/order.ts';
import type { Lifecycle, SupportException } from '../../project/model/release.ts';
import { parseNevra } from '../../repo/metadata.ts';
import type { ReleaseRecord } from '../record-schema.ts';
import { type Support, supportOn } from './support.ts';

/** The support of a channel's packages, apart from those with an exception of their own. */
export interface ChannelSupport extends Support {
  readonly name: string;
  /** Number of package names in it; undefined if nothing was built. */
  readonly packages?: number;
  /** Of its exception. */
  readonly reason?: string;
}

/** The support of a published package name in a channel. */
export interface PackageSupport extends Support {
  readonly name: string;
  readonly channel: string;
  /** Of its own exception, or of its channel's. */
  readonly reason?: string;
}

/** An exception for packages. */
export interface PackageException extends Support {
  /** The glob. */
  readonly package: string;
  readonly reason: string;
  /** Names of published packages that it matches; undefined if nothing was built. */
  readonly matches?: readonly string[];
}

export interface SupportMatrix {
  readonly channels: readonly ChannelSupport[];
  readonly exceptions: readonly PackageException[];
  readonly packages: readonly PackageSupport[];
}

/**
 * Until when each channel and package is supported: an exception for packages is stronger than one for their channel, and of
 * several that match, the first counts.
 * @param channels names in order @param record the built release, if there is one
 */
export function supportMatrix(
  lifecycle: Lifecycle,
  channels: readonly string[],
  record: Pick<ReleaseRecord, 'channels'> | undefined,
  day: string,
): SupportMatrix {
  const during = (exception: SupportException | undefined): Support & { readonly reason?: string } =>
    exception === undefined
      ? supportOn(lifecycle, day)
      : { ...supportOn({ ...lifecycle, supportEnd: exception.supportEnd }, day), reason: exception.reason };
  const ofChannel = new Map<string, SupportException>();
  const ofPackages: {
    readonly glob: string;
    readonly matches: (name: string) => boolean;
    readonly exception: SupportException;
  }[] = [];
  for (const exception of lifecycle.exceptions) {
    if ('channel' in exception.of) ofChannel.set(exception.of.channel, exception);
    else ofPackages.push({ glob: exception.of.package, matches: compileGlob(exception.of.package), exception });
  }
  const names = new Map(record?.channels.map(({ name, packages }) => [name, namesOf(packages)]));
  const all = [...new Set([...names.values()].flat())].sort(compareText);
  const exceptionOf = new Map<string, SupportException>();
  for (const name of all) {
    const own = ofPackages.find(({ matches }) => matches(name));
    if (own !== undefined) exceptionOf.set(name, own.exception);
  }
  return {
    channels: [...new Set([...channels, ...names.keys()])].map((name) => ({
      name,
      ...(record === undefined ? {} : { packages: names.get(name)?.length ?? 0 }),
      ...during(ofChannel.get(name)),
    })),
    exceptions: ofPackages.map(({ glob, matches, exception }) => ({
      package: glob,
      ...(record === undefined ? {} : { matches: all.filter(matches) }),
      ...during(exception),
      reason: exception.reason,
    })),
    packages: [...names].flatMap(([channel, own]) =>
      own.map((name) => ({ name, channel, ...during(exceptionOf.get(name) ?? ofChannel.get(channel)) })),
    ),
  };
}

function namesOf(packages: ReleaseRecord['channels'][number]['packages']): string[] {
  return [...new Set(packages.map(({ nevra }) => parseNevra(nevra)!.name))].sort(compareText);
}
