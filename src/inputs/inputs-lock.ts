import { join } from 'node:path';
import { type Digest, sha256 } from '../base/digest.ts';
import { type Place, WeirError } from '../base/errors.ts';
import { tryLock } from '../base/file-lock.ts';
import { readIfExists, writeIfChanged } from '../base/files.ts';
import { byKey, compareText } from '../base/order.ts';
import { badLock, isBelow, isTexts, lockTables, placeInLock } from '../toml/lock-file.ts';
import { addressOf, type InputRepository } from './input-repository.ts';
import type { MetadataFile } from './repomd.ts';

/** A package that the project uses. */
export interface LockedPackage {
  /** `name-epoch:version-release.arch`; an epoch of 0 is omitted. */
  readonly nevra: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: Digest;
  /** URL relative to the repository. */
  readonly location: string;
}

/** The state of one repository that the project is built from. */
export interface LockedRepository {
  /** As the configuration named it: `baseurl URL…`, `metalink URL` or `mirrorlist URL`, with variables replaced. */
  readonly address: string;
  /** SHA-256 of `repomd.xml`. */
  readonly repomd: Digest;
  readonly revision: string;
  /** Whether `repomd.xml` was signed. */
  readonly signed: boolean;
  /** SHA-256 of each key file. */
  readonly keys: readonly Digest[];
  readonly metadata: readonly MetadataFile[];
  readonly packages: readonly LockedPackage[];
}

/** A lock file: `arch/repository` → its state. */
export type InputsLock = ReadonlyMap<string, LockedRepository>;

/** Reads `inputs.lock`; a missing file is an empty lock. @throws WeirError `bad-lock` (exit 2) with the place */
export async function readInputsLock(path: string): Promise<InputsLock> {
  const text = await readIfExists(path);
  return text === undefined ? new Map() : parseInputsLock(text, path);
}

/** Parses the text of a lock file. @throws WeirError `bad-lock` (exit 2) with the place */
export function parseInputsLock(text: string, file: string): InputsLock {
  const place = (part: string): Place => placeInLock(text, part, file);
  return new Map(
    [...lockTables(text, file)].map(([name, table]) => {
      const { address, repomd, revision, signed } = table;
      if (
        typeof address !== 'string' ||
        !isDigest(repomd) ||
        typeof revision !== 'string' ||
        typeof signed !== 'boolean'
      ) {
        throw badLock(`[${name}] must have address, repomd, revision and signed`, place(name));
      }
      const texts = (key: string): string[] => {
        const list = table[key] ?? [];
        if (isTexts(list)) return list;
        throw badLock(`[${name}] ${key} must be a list of strings`, place(name));
      };
      const keys = texts('keys');
      for (const key of keys) if (!isDigest(key)) throw badLock(`invalid digest of a key: ${key}`, place(key));
      const metadata = texts('metadata').map((line): MetadataFile => {
        const [, type, sha256, size, path] =
          /^([A-Za-z0-9_-]+) ([0-9a-f]{64}) (\d{1,15}) (repodata\/[^/\s]+)$/.exec(line) ?? [];
        if (path === undefined) throw badLock(`invalid metadata entry: ${line}`, place(line));
        return { type: type!, sha256: sha256!, size: Number(size), path };
      });
      const packages = texts('packages').map((line): LockedPackage => {
        const [, nevra, size, sha256, location] = /^(\S+) (\d{1,15}) ([0-9a-f]{64}) (\S+)$/.exec(line) ?? [];
        if (location === undefined || !isBelow(location)) {
          throw badLock(`invalid package entry: ${line}`, place(line));
        }
        return { nevra: nevra!, size: Number(size), sha256: sha256!, location };
      });
      return [name, { address, repomd, revision, signed, keys, metadata, packages }];
    }),
  );
}

function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

/** The text of a lock file; equal locks give equal text. */
export function printInputsLock(lock: InputsLock): string {
  const lines = [
    '# The RPM repositories and packages that the project is built from. Written by Weir; change it with: weir inputs update',
    '# Metadata: type, SHA-256, bytes, path. Packages: NEVRA, bytes, SHA-256, path in the repository.',
    'version = 1',
  ];
  const list = (key: string, values: readonly string[]): void => {
    if (values.length === 0) lines.push(`${key} = []`);
    else lines.push(`${key} = [`, ...values.map((value) => `  ${JSON.stringify(value)},`), ']');
  };
  for (const [name, locked] of [...lock].sort(byKey)) {
    lines.push('', `[${JSON.stringify(name)}]`);
    lines.push(`address = ${JSON.stringify(locked.address)}`, `repomd = "${locked.repomd}"`);
    lines.push(`revision = ${JSON.stringify(locked.revision)}`, `signed = ${locked.signed}`);
    list('keys', locked.keys);
    list(
      'metadata',
      locked.metadata.map(({ type, sha256, size, path }) => `${type} ${sha256} ${size ?? 0} ${path}`),
    );
    const packages = locked.packages.map((pkg) => `${pkg.nevra} ${pkg.size} ${pkg.sha256} ${pkg.location}`);
    list('packages', packages.sort(compareText));
  }
  return `${lines.join('\n')}\n`;
}

/**
 * Changes a lock file; concurrent changes wait for each other.
 * @param cache where the lock on the file is kept: not beside it, in somebody's git checkout
 */
export async function changeInputsLock(
  path: string,
  cache: string,
  change: (lock: InputsLock) => InputsLock,
): Promise<boolean> {
  const release = await waitForLock(join(cache, `inputs-${sha256(path).slice(0, 16)}.lock`));
  try {
    return await writeIfChanged(path, printInputsLock(change(await readInputsLock(path))));
  } finally {
    release();
  }
}

/** A timeout: a change takes milliseconds, so a longer wait means that something is wrong. */
const longestWait = 30_000;

async function waitForLock(path: string): Promise<() => void> {
  const deadline = Date.now() + longestWait;
  for (;;) {
    const release = await tryLock(path);
    if (release !== undefined) return release;
    if (Date.now() > deadline) throw new WeirError('locked', `another run holds the lock ${path}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The key of a repository in the lock file. */
export function lockKey(arch: string, id: string): string {
  return `${arch}/${id}`;
}

/** The locked state of a repository; undefined if the repository is not locked, or was locked with another address. */
export function lockedState(
  lock: InputsLock,
  arch: string,
  repository: Pick<InputRepository, 'id' | 'address'>,
): LockedRepository | undefined {
  const locked = lock.get(lockKey(arch, repository.id));
  return locked?.address === addressOf(repository) ? locked : undefined;
}

/** The lock with these packages of a repository added, or with only these. */
export function withPackages(
  lock: InputsLock,
  key: string,
  packages: readonly LockedPackage[],
  exact = false,
): InputsLock {
  const locked = lock.get(key);
  if (locked === undefined) return lock;
  const all = new Map([...(exact ? [] : locked.packages), ...packages].map((pkg) => [pkg.nevra, pkg]));
  return new Map(lock).set(key, { ...locked, packages: [...all.values()] });
}
