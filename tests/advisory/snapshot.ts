import { parseAdvisory } from '../../src/advisory/load.ts';
import type { Advisory, AdvisoryEvent } from '../../src/advisory/record.ts';
import type { StatedSnapshot } from '../../src/advisory/statements.ts';
import { type RecordHeader, recordText } from '../../src/advisory/write.ts';
import { sha256 } from '../../src/base/digest.ts';
import { parseNevra, type RepoPackage } from '../../src/repo/metadata.ts';
import { header } from './records.ts';

/** A record as it would be read from a file in `/advisories`. */
export function record(id: string, events: readonly AdvisoryEvent[], more: Partial<RecordHeader> = {}): Advisory {
  return parseAdvisory(`/advisories/${id}.toml`, recordText(header(id, more), events));
}

/** A package of a repository. @param origin what built it; its name by default */
export function pkg(text: string, more: Partial<RepoPackage> = {}): RepoPackage {
  const parts = parseNevra(text)!;
  const sourceRpm = parts.arch === 'src' ? '' : `${parts.name}-${parts.version}-${parts.release}.src.rpm`;
  return { ...parts, rpm: sha256(text), sourceRpm, origin: parts.name, ...more };
}

/** A snapshot whose components are those that its packages come from; `seed` is none. */
export function snapshot(channels: Readonly<Record<string, readonly RepoPackage[]>>): StatedSnapshot {
  const origins = Object.values(channels).flatMap((packages) => packages.map(({ origin }) => origin));
  return {
    channels: Object.entries(channels).map(([name, packages]) => ({ name, packages })),
    components: new Set(origins.filter((origin) => origin !== 'seed')),
  };
}
