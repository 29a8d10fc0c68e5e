import { parse } from 'smol-toml';
import { WeirError } from '../base/errors.ts';
import { readIfExists, writeIfChanged } from '../base/files.ts';
import type { Engine } from '../engine/action.ts';
import { type Apt, type DebPackage, downloadDebs, listsFresh, missingDebs, resolveDebs, updateApt } from './apt.ts';

/** A lock file: sets of Debian packages by name, each with the names that were asked for. */
export interface LockedSet {
  readonly roots: readonly string[];
  readonly packages: readonly DebPackage[];
}

/** Reads one set of a lock file. @returns undefined where the file or the set is not there */
export async function readLock(path: string, set: string): Promise<LockedSet | undefined> {
  return (await readLockFile(path)).get(set);
}

async function readLockFile(path: string): Promise<Map<string, LockedSet>> {
  const text = await readIfExists(path);
  const sets = new Map<string, LockedSet>();
  if (text === undefined) return sets;
  const data = parse(text) as Record<string, unknown>;
  for (const [name, value] of Object.entries(data)) {
    if (typeof value !== 'object' || value === null || !('roots' in value) || !('packages' in value)) continue;
    const { roots, packages } = value as { roots: string[]; packages: string[] };
    sets.set(name, { roots, packages: packages.map((line) => parseLine(path, line)) });
  }
  return sets;
}

function parseLine(path: string, line: string): DebPackage {
  const [name, version, arch, size, sha256, pool] = line.split(' ');
  if (pool === undefined || name === undefined || version === undefined || arch === undefined || sha256 === undefined) {
    throw new WeirError('bad-lock', `not a lock line: ${line}`, {
      where: { file: path },
      hint: 'delete the file; the next run writes it anew',
      exit: 2,
    });
  }
  return { name, version, arch, size: Number(size), sha256, path: pool };
}

async function writeLock(path: string, set: string, locked: LockedSet): Promise<void> {
  const sets = await readLockFile(path);
  sets.set(set, locked);
  const lines = [
    '# Which Debian packages are used: name, version, architecture, bytes, SHA-256, path on any mirror.',
    'version = 1',
  ];
  for (const [name, { roots, packages }] of [...sets].sort(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push('', `[${name}]`, `roots = [${roots.map((root) => `"${root}"`).join(', ')}]`, 'packages = [');
    for (const deb of packages) {
      lines.push(`  "${deb.name} ${deb.version} ${deb.arch} ${deb.size} ${deb.sha256} ${deb.path}",`);
    }
    lines.push(']');
  }
  await writeIfChanged(path, `${lines.join('\n')}\n`);
}

export interface LockReport {
  readonly packages: readonly DebPackage[];
  /** How many had to be downloaded. */
  readonly downloaded: number;
  /** Why the lock was written anew, for the user; absent where it stood. */
  readonly relocked?: string;
}

/**
 * The packages of a locked set, all of them in the store. With a full store nothing is asked of apt or the network.
 * @param openApt is called only where something is missing
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
  let relocked = known === undefined ? 'no lock yet' : 'other packages are asked for';
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
      relocked = 'the mirror has moved on';
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
