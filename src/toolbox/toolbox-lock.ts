import { WeirError } from '../base/errors.ts';
import { readIfExists, writeIfChanged } from '../base/files.ts';
import { byKey } from '../base/order.ts';
import type { Engine } from '../engine/action.ts';
import { badLock, isBelow, isTexts, lockTables, placeInLock } from '../toml/lock-file.ts';
import { type Apt, type DebPackage, downloadDebs, listsFresh, missingDebs, resolveDebs, updateApt } from './apt.ts';

/** One set of Debian packages in a lock file, with the package names that were requested. */
export interface LockedSet {
  readonly roots: readonly string[];
  readonly packages: readonly DebPackage[];
}

/** Reads one set of a lock file. @returns undefined if the file or the set does not exist @throws WeirError `bad-lock` */
export async function readLock(path: string, set: string): Promise<LockedSet | undefined> {
  return (await readLockFile(path)).get(set);
}

async function readLockFile(path: string): Promise<Map<string, LockedSet>> {
  const text = await readIfExists(path);
  return text === undefined ? new Map() : parseLockFile(text, path);
}

/** Parses the sets of a lock file. @throws WeirError `bad-lock` with the place of the error */
function parseLockFile(text: string, file: string): Map<string, LockedSet> {
  const sets = new Map<string, LockedSet>();
  for (const [name, { roots, packages }] of lockTables(text, file)) {
    if (!isTexts(roots) || !isTexts(packages)) {
      throw badLock(`invalid set [${name}]: roots and packages must be lists of strings`, { file });
    }
    sets.set(name, { roots, packages: packages.map((line) => parseLine(line, text, file)) });
  }
  return sets;
}

const debLine = /^([a-z0-9][a-z0-9+.-]*) ([A-Za-z0-9.+:~-]+) ([a-z0-9-]+) (\d{1,15}) ([0-9a-f]{64}) (\S+)$/;

function parseLine(line: string, text: string, file: string): DebPackage {
  const deb = parseDebLine(line);
  if (deb === undefined) throw badLock(`invalid lock entry: ${line}`, placeInLock(text, line, file));
  return deb;
}

/** A package of a lock file's line; undefined if the line is invalid. */
export function parseDebLine(line: string): DebPackage | undefined {
  const [, name, version, arch, size, sha256, path] = debLine.exec(line) ?? [];
  if (path === undefined || !isBelow(path)) return undefined;
  return { name: name!, version: version!, arch: arch!, size: Number(size), sha256: sha256!, path };
}

/** The line of a package in a lock file. */
export function debLineOf(deb: DebPackage): string {
  return `${deb.name} ${deb.version} ${deb.arch} ${deb.size} ${deb.sha256} ${deb.path}`;
}

async function writeLock(path: string, set: string, locked: LockedSet): Promise<void> {
  const sets = await readLockFile(path);
  sets.set(set, locked);
  const lines = [
    '# Which Debian packages are used: name, version, architecture, bytes, SHA-256, path on any mirror.',
    'version = 1',
  ];
  for (const [name, { roots, packages }] of [...sets].sort(byKey)) {
    lines.push('', `[${name}]`, `roots = [${roots.map((root) => `"${root}"`).join(', ')}]`, 'packages = [');
    for (const deb of packages) {
      lines.push(`  "${debLineOf(deb)}",`);
    }
    lines.push(']');
  }
  await writeIfChanged(path, `${lines.join('\n')}\n`);
}

export interface LockReport {
  readonly packages: readonly DebPackage[];
  /** How many packages were downloaded. */
  readonly downloaded: number;
  /** Why the lock was rewritten, for the user; absent if it was not. */
  readonly relocked?: string;
}

/**
 * The packages of a locked set, all in the store. If nothing is missing, neither apt nor the network is used.
 * @param openApt called only if something is missing
 */
export async function lockedDebs(
  engine: Engine,
  options: {
    readonly lock: string;
    readonly set: string;
    readonly roots: readonly string[];
    readonly openApt: () => Promise<Apt>;
    readonly onProgress?: (count: number, total: number) => void;
  },
): Promise<LockReport> {
  const { lock, set, roots } = options;
  const known = await readLock(lock, set);
  let locked = known !== undefined && sameNames(known.roots, roots) ? known : undefined;
  let relocked = known === undefined ? 'no lock file yet' : 'the requested packages changed';
  if (locked !== undefined) {
    const missing = await missingDebs(engine, locked.packages);
    if (missing.length === 0) return { packages: locked.packages, downloaded: 0 };
    const apt = await options.openApt();
    if (!(await listsFresh(apt, 6 * 3600))) await updateApt(apt);
    try {
      await downloadDebs(engine, apt, locked.packages, (count) => options.onProgress?.(count, locked!.packages.length));
      return { packages: locked.packages, downloaded: missing.length };
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'gone') throw error;
      relocked = 'the mirror no longer has the locked versions';
      locked = undefined;
    }
  }
  const apt = await options.openApt();
  await updateApt(apt);
  const packages = await resolveDebs(apt, roots);
  const downloaded = (await missingDebs(engine, packages)).length;
  await downloadDebs(engine, apt, packages, (count) => options.onProgress?.(count, packages.length));
  await writeLock(lock, set, { roots, packages });
  return { packages, downloaded, relocked };
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}
