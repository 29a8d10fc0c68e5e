import { type DiskReaders, installedPackages } from './disk-facts.ts';
import type { Files } from './files.ts';
import { once } from './rule.ts';

/** An opened archive with a root file system. */
export interface OpenArchive {
  readonly compression: 'gzip' | 'xz' | 'zstd' | undefined;
  /** Why it is not a valid archive. */
  readonly problem?: string;
  /** @throws WeirError `unreadable` */
  readonly root: () => Files;
}

/** The facts about a WSL image that rules need. */
export interface WslFacts {
  readonly archive: OpenArchive;
  readonly root: () => Promise<Files>;
  readonly packages: () => Promise<readonly string[]>;
}

export function wslFacts(archive: OpenArchive, packages: DiskReaders['packages']): WslFacts {
  const root = once(async () => archive.root());
  return { archive, root, packages: once(async () => installedPackages(await root(), packages)) };
}
