import { join } from 'node:path';
import { problem } from '../toml/document.ts';
import type { Collected, Entry } from './collect.ts';
import { sizeInBytes } from './image.ts';
import { defined, filled } from './merge.ts';
import type { AdvisoriesConfig, Lifecycle, ReleaseConfig, Seed, Signing, ToolboxConfig } from './model/release.ts';

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
  if (releaseDate !== undefined && supportEnd !== undefined && supportEnd < releaseDate) {
    throw problem(document, [...path, 'support-end'], 'invalid-value', 'support ends before the release');
  }
  return defined({
    id: needed(entry, 'id', raw.id),
    name: needed(entry, 'name', raw.name),
    version: needed(entry, 'version', filled(raw.version) ?? collected.release?.raw.version),
    releaseDate,
    supportEnd,
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
