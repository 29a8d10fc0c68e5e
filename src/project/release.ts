import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { compileGlob } from '../base/glob.ts';
import { problem } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import type { Collected, Entry } from './collect.ts';
import { sizeInBytes } from './image.ts';
import { defined, filled } from './merge.ts';
import type {
  AdvisoriesConfig,
  Lifecycle,
  ReleaseConfig,
  Seed,
  Signing,
  SupportException,
  ToolboxConfig,
} from './model/release.ts';
import type { RawLifecycle } from './schema/release.ts';

/** The `[seed]` table with its defaults. */
export function seedOf(collected: Collected): Seed | undefined {
  if (collected.seed === undefined) return undefined;
  const { raw } = collected.seed;
  return defined({
    suite: filled(raw.suite) ?? 'forky',
    sourceSuite: filled(raw['source-suite']) ?? 'trixie',
    allowExpired: raw['allow-expired'] ?? false,
    mappings: raw.mappings ?? [],
    distGit: filled(raw['dist-git']),
  });
}

/** The `[toolbox]` table with its defaults. */
export function toolboxOf(collected: Collected): ToolboxConfig {
  const raw = collected.toolbox?.raw ?? {};
  return defined({
    suite: filled(raw.suite) ?? 'forky',
    mirror: filled(raw.mirror),
    allowExpired: raw['allow-expired'] ?? false,
    root: filled(raw.root),
    limits: defined({
      processes: raw.limits?.processes,
      memory: raw.limits?.memory === undefined ? undefined : sizeInBytes(raw.limits.memory),
      disk: raw.limits?.disk === undefined ? undefined : sizeInBytes(raw.limits.disk),
      seconds: raw.limits?.seconds,
    }),
  });
}

/** The `[signing]` table. */
export function signingOf(collected: Collected): Signing {
  const raw = collected.signing?.raw ?? {};
  return defined({ key: filled(raw.key)?.toUpperCase(), imageKey: filled(raw['image-key']) });
}

/** The `[lifecycle]` table. @throws WeirError (exit 2) `missing-key`, `invalid-value` */
export function lifecycleOf(collected: Collected): Lifecycle | undefined {
  const entry = collected.lifecycle;
  if (entry === undefined) return undefined;
  const { raw, document, path } = entry;
  const releaseDate = filled(raw['release-date']);
  const supportEnd = filled(raw['support-end']);
  const fullSupportEnd = filled(raw['full-support-end']);
  const isBefore = (day: string | undefined, other: string | undefined): boolean =>
    day !== undefined && other !== undefined && day < other;
  const refuse = (key: TomlPath, message: string, hint?: string): never => {
    throw problem(document, [...path, ...key], 'invalid-value', message, hint === undefined ? {} : { hint });
  };
  if (isBefore(supportEnd, releaseDate)) refuse(['support-end'], 'support ends before the release');
  if (isBefore(fullSupportEnd, releaseDate)) refuse(['full-support-end'], 'full support ends before the release');
  if (isBefore(supportEnd, fullSupportEnd)) refuse(['full-support-end'], 'full support ends after support');
  const exceptions = exceptionsOf(entry);
  for (const [index, each] of exceptions.entries())
    if (isBefore(each.supportEnd, releaseDate))
      refuse(['exceptions', index, 'support-end'], 'support ends before the release');
  return defined({
    id: needed(entry, 'id', raw.id),
    name: needed(entry, 'name', raw.name),
    version: needed(entry, 'version', filled(raw.version) ?? collected.release?.raw.version),
    releaseDate,
    fullSupportEnd,
    supportEnd,
    lts: raw.lts ?? false,
    exceptions,
  });
}

/** `checkChannels` checks the channels. @throws WeirError (exit 2) `invalid-value`, `invalid-glob`, `duplicate-name` */
function exceptionsOf({ raw, document, path }: Entry<RawLifecycle>): SupportException[] {
  const seen = new Set<string>();
  return (raw.exceptions ?? []).map(({ channel, package: names, 'support-end': supportEnd, reason }, index) => {
    const at = [...path, 'exceptions', index];
    if ((channel === undefined) === (names === undefined)) {
      const message = 'an exception is for a channel or for packages: name one of them';
      throw problem(document, at, 'invalid-value', message, { hint: 'write channel = "…" or package = "…"' });
    }
    const key = channel === undefined ? 'package' : 'channel';
    const of = channel === undefined ? { package: names! } : { channel };
    if (seen.has(`${key} ${channel ?? names}`))
      throw problem(document, [...at, key], 'duplicate-name', `duplicate exception for ${key} "${channel ?? names}"`);
    seen.add(`${key} ${channel ?? names}`);
    if (names !== undefined) {
      try {
        compileGlob(names);
      } catch (error) {
        if (!(error instanceof WeirError)) throw error;
        throw problem(document, [...at, 'package'], 'invalid-glob', error.message);
      }
    }
    return { of, supportEnd, reason };
  });
}

/** The `[advisories]` table with its defaults. @param root the folder of the root file */
export function advisoriesOf(collected: Collected, root: string): AdvisoriesConfig {
  const raw = collected.advisories?.raw ?? {};
  const { name, namespace, contact } = raw.publisher ?? {};
  return defined({
    path: filled(raw.path) ?? join(root, 'advisories'),
    url: raw.url?.replace(/\/+$/, ''),
    publisher: defined({ name: filled(name), namespace, contact: filled(contact) }),
  });
}

// FAT cannot store times before 1980, RPM none before 1970.
const earliest = Date.UTC(1980, 0, 1) / 1000;

/** The `[release]` table. @throws WeirError (exit 2) `missing-key`, `invalid-value`, `duplicate-name` */
export function releaseOf(collected: Collected): ReleaseConfig | undefined {
  const entry = collected.release;
  if (entry === undefined) return undefined;
  const { raw, document, path } = entry;
  const snapshot = needed(entry, 'snapshot', raw.snapshot);
  const epoch = secondsOf(snapshot);
  if (epoch < earliest) {
    throw problem(document, [...path, 'snapshot'], 'invalid-value', 'the snapshot is before 1980', {
      hint: 'FAT, the file system of EFI system partitions, cannot store earlier times',
    });
  }
  const channels = raw.channels ?? [];
  const twice = channels.findIndex((one, index) => channels.findIndex((other) => other.name === one.name) !== index);
  if (twice >= 0) {
    const message = `duplicate channel "${channels[twice]?.name}"`;
    throw problem(document, [...path, 'channels', twice, 'name'], 'duplicate-name', message);
  }
  const architectures = raw.arches ?? [];
  return {
    version: needed(entry, 'version', filled(raw.version) ?? collected.lifecycle?.raw.version),
    snapshot,
    epoch,
    channels: channels.map((one) => defined({ name: one.name, description: filled(one.description) })),
    architectures: architectures.length === 0 ? ['x86_64'] : [...new Set(architectures)],
    buildRoot: raw['build-root'] ?? [],
  };
}

/** Seconds since 1970 of a date (its midnight in UTC) or of a date-time with offset. */
export function secondsOf(moment: string): number {
  return Math.floor(Date.parse(moment.toUpperCase()) / 1000);
}

function needed(entry: Entry<unknown>, key: string, value: string | undefined): string {
  const said = filled(value);
  if (said !== undefined) return said;
  throw problem(
    entry.document,
    [...entry.path, key],
    'missing-key',
    `"${key}" is missing in [${entry.path.join('.')}]`,
  );
}
