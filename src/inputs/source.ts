import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { isOffline } from '../base/network.ts';
import { cachePath } from '../base/paths.ts';
import { type Engine, perform, readOutput } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { blobFile, hasBlob, linkNow } from '../engine/store.ts';
import { cachedFolder } from '../repo/cached-repository.ts';
import { nevra, type RepoPackage } from '../repo/metadata.ts';
import { dnfOptions, placeOf, repositoryOptions } from '../repo/resolve.ts';
import type { RepoSource } from '../repo/source.ts';
import { fetchVerified } from '../sources/download.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';
import { inputError } from './input-error.ts';
import { addressOf, type InputRepository } from './input-repository.ts';
import {
  changeInputsLock,
  type InputsLock,
  type LockedPackage,
  type LockedRepository,
  lockedState,
  lockKey,
  printInputsLock,
  readInputsLock,
  withPackages,
} from './inputs-lock.ts';
import { type KeyText, keyTexts } from './keys.ts';
import { currentMirrors, fetchMetadata } from './metadata.ts';
import { type IndexedPackage, PackageIndex, writePackageIndex } from './package-index.ts';
import { checkSignatures } from './signatures.ts';

/** The context for opening inputs. */
export interface InputsContext {
  readonly engine: Engine;
  readonly toolbox: Toolbox;
  readonly cache: string;
  /** Path of the project's `inputs.lock`. */
  readonly lock: string;
  readonly arch: string;
  /** Prints one line of progress. */
  readonly note: (text: string) => void;
}

/** An input repository that was opened. */
export interface InputSource extends RepoSource {
  readonly repository: InputRepository;
  readonly locked: Omit<LockedRepository, 'packages'>;
  /** Number of its packages. */
  readonly size: number;
  /** All its packages of this name. */
  readonly versionsOf: (name: string) => readonly IndexedPackage[];
  /** The packages that this run used so far. */
  readonly used: () => readonly IndexedPackage[];
}

/**
 * Opens a repository in the state that `inputs.lock` names; a repository that is not locked yet is locked in its current state. A
 * repository from the command line is always used in its current state.
 * The network is used only for files that the store lacks.
 * @throws WeirError `inputs-changed` if the repository no longer has the locked state and the store does not have it either;
 *   `key-changed`; the errors of `fetchMetadata`
 */
export async function openInput(context: InputsContext, repository: InputRepository): Promise<InputSource> {
  const { engine, toolbox, cache } = context;
  const lock = repository.isFromCommandLine === true ? new Map() : await readInputsLock(context.lock);
  const before = lock.get(lockKey(context.arch, repository.id));
  const known = lockedState(lock, context.arch, repository);
  if (before !== undefined && known === undefined) {
    context.note(`${repository.id}: the address has changed from "${before.address}": locked again`);
  }
  const keys = await keyTexts(context, repository, known?.keys);
  const locked = known ?? (await lockRepository(context, repository, keys));
  if (known !== undefined) await restoreMetadata(context, repository, locked, keys);
  const primary = locked.metadata.find(({ type }) => type === 'primary')!;
  const indexed = await perform(engine, {
    kind: 'index-repository',
    code: codeDigest(import.meta.url),
    inputs: { primary: primary.sha256, name: basename(primary.path), toolbox: toolbox.digest },
    run: async (work) => {
      const index = join(work, 'index');
      const file = { path: await blobFile(engine.store, primary.sha256), name: basename(primary.path) };
      const packages = await writePackageIndex(toolbox, file, repository.id, index);
      return { files: { index }, value: packages };
    },
  });
  const index = new PackageIndex(await readOutput(engine, indexed, 'index'), repository.id);
  const identity = valueDigest({ id: repository.id, repomd: locked.repomd, toolbox: toolbox.digest }).slice(0, 16);
  const dir = cachePath(cache, 'repos', `input-${identity}`);
  const used = new Map<string, IndexedPackage>();
  const check = await cachedFolder(engine.store, dir, (made) => prepareFolder(context, repository, locked, made));
  return {
    id: repository.id,
    dir: join(dir, 'repository'),
    dnfCache: join(dir, 'dnf'),
    priority: repository.priority,
    ...(repository.filter === undefined ? {} : { filter: repository.filter }),
    digest: valueDigest({ repomd: locked.repomd, signatures: repository.checksSignatures, keys: locked.keys }),
    names: index.names,
    find: (id) => index.find(id),
    check,
    use: (packages) => {
      for (const pkg of packages) used.set(nevra(pkg), index.find(nevra(pkg))!);
    },
    versionsOf: (name) => index.versionsOf(name),
    used: () => [...used.values()],
    obtain: (packages) => obtain(context, repository, keys, index, packages),
    repository,
    locked,
    size: index.size,
  };
}

/** Fetches a repository's current state and writes it into the lock file, unless the repository comes from the command line. */
export async function lockRepository(
  context: InputsContext,
  repository: InputRepository,
  keys: readonly KeyText[],
): Promise<LockedRepository> {
  const metadata = await fetchMetadata(context, repository, keys);
  if (metadata.files.some(({ type }) => type === 'modules')) {
    context.note(`${repository.id} has modules: packages of streams that are not the default are not used`);
  }
  const key = lockKey(context.arch, repository.id);
  const state = {
    address: addressOf(repository),
    repomd: metadata.repomd,
    revision: metadata.revision,
    signed: metadata.signed,
    keys: keys.map(({ digest }) => digest),
    metadata: metadata.files,
  };
  if (repository.isFromCommandLine === true) return { ...state, packages: [] };
  await changeInputsLock(context.lock, context.cache, (lock) => {
    const same = lock.get(key)?.repomd === metadata.repomd;
    return new Map(lock).set(key, { ...state, packages: same ? lock.get(key)!.packages : [] });
  });
  return { ...state, packages: [] };
}

/** Makes sure that the store has the locked metadata. */
async function restoreMetadata(
  context: InputsContext,
  repository: InputRepository,
  locked: LockedRepository,
  keys: readonly KeyText[],
): Promise<void> {
  const { store } = context.engine;
  const digests = [locked.repomd, ...locked.metadata.map(({ sha256 }) => sha256)];
  const there = await Promise.all(digests.map((digest) => hasBlob(store, digest)));
  if (there.every((each) => each)) return;
  const now = await fetchMetadata(context, repository, keys);
  if (locked.signed && !now.signed) {
    throw new WeirError(
      'bad-signature',
      `repository ${repository.id}: repomd.xml is no longer signed, but inputs.lock records it as signed`,
      {
        hint: `find out why; if it is intended, run: weir inputs update ${repository.id}`,
      },
    );
  }
  if (now.repomd === locked.repomd) return;
  throw new WeirError('inputs-changed', `repository ${repository.id} no longer has the state that inputs.lock names`, {
    where: { file: context.lock },
    details: [
      `locked revision ${locked.revision}: repomd.xml ${locked.repomd}`,
      `now revision ${now.revision}: ${now.repomd}`,
    ],
    hint: `use a cache that has the locked state, or run: weir inputs update ${repository.id}`,
  });
}

/** The folder that dnf5 resolves from, and the metadata in dnf5's parsed form. */
async function prepareFolder(
  { engine, toolbox, arch }: InputsContext,
  repository: InputRepository,
  locked: LockedRepository,
  made: string,
): Promise<void> {
  const folder = join(made, 'repository');
  const cache = join(made, 'dnf');
  await mkdir(join(folder, 'repodata'), { recursive: true });
  await mkdir(cache);
  linkNow(engine.store, locked.repomd, join(folder, 'repodata/repomd.xml'));
  for (const { path, sha256 } of locked.metadata) linkNow(engine.store, sha256, join(folder, path));
  await runTool(toolbox, {
    argv: [
      'dnf5',
      '--installroot=/tmp/root',
      '--releasever=0',
      `--forcearch=${arch}`,
      ...dnfOptions,
      ...repositoryOptions(repository),
      'makecache',
    ],
    binds: [
      { from: folder, to: placeOf(repository) },
      { from: cache, to: '/tmp/cache', writable: true },
    ],
  });
}

/** How many packages are downloaded at the same time. */
const downloadsAtOnce = 4;

/** Puts packages into the store, and checks their signatures once. @throws InputError */
async function obtain(
  context: InputsContext,
  repository: InputRepository,
  keys: readonly KeyText[],
  index: PackageIndex,
  packages: readonly RepoPackage[],
): Promise<void> {
  try {
    await download(context, repository, keys, index, packages);
  } catch (error) {
    throw inputError(repository.id, error);
  }
}

async function download(
  context: InputsContext,
  repository: InputRepository,
  keys: readonly KeyText[],
  index: PackageIndex,
  packages: readonly RepoPackage[],
): Promise<void> {
  const { engine, cache } = context;
  const wanted = packages.map((pkg) => index.find(nevra(pkg))!);
  const missing: IndexedPackage[] = [];
  for (const pkg of wanted) if (!(await hasBlob(engine.store, pkg.rpm))) missing.push(pkg);
  if (missing.length > 0) {
    if (isOffline()) throw offline(repository, missing);
    const mirrors = await currentMirrors(engine, repository, cache);
    // Tries another mirror before the same one again.
    const attempts = mirrors.length > 1 ? { attempts: 1, stallSeconds: 20 } : {};
    const download = { store: engine.store, cache, say: context.note, ...attempts };
    await mapLimit(missing, downloadsAtOnce, async ({ location, rpm }) => {
      const places = /^[a-z]+:\/\//.test(location)
        ? [location]
        : mirrors.map((mirror) => `${mirror}/${encoded(location)}`);
      const filename = basename(location);
      const digest = await fetchVerified({ filename, hashType: 'SHA256', hash: rpm }, places, download);
      if (digest !== rpm) throw new TypeError(`${filename}: the store has another digest`);
    });
    context.note(`${repository.id}: ${missing.length} packages downloaded`);
  }
  if (repository.checksSignatures) await checkSignatures(context, repository, keys, wanted);
}

/** Encodes a path in a repository for a URL; parts that are already encoded stay. */
function encoded(location: string): string {
  return location
    .split('/')
    .map((part) => encodeURIComponent(decodeURIComponent(part.replace(/%(?![0-9A-Fa-f]{2})/g, '%25'))))
    .join('/');
}

/**
 * Adds the packages that this run used to the lock file.
 * @param exact drops packages that this run did not use
 * @returns how many entries were dropped
 */
export async function lockUsed(
  { lock, arch, cache }: Pick<InputsContext, 'lock' | 'arch' | 'cache'>,
  sources: readonly InputSource[],
  exact = false,
): Promise<number> {
  const before = await readInputsLock(lock);
  const after = lockWith(before, arch, sources, exact);
  const count = (each: InputsLock): number =>
    [...each.values()].reduce((sum, { packages }) => sum + packages.length, 0);
  if (printInputsLock(before) === printInputsLock(after)) return 0;
  await changeInputsLock(lock, cache, (now) => lockWith(now, arch, sources, exact));
  return Math.max(0, count(before) - count(after));
}

function lockWith(lock: InputsLock, arch: string, sources: readonly InputSource[], exact: boolean): InputsLock {
  let changed = lock;
  for (const source of sources) {
    if (source.repository.isFromCommandLine === true) continue;
    const entries = source
      .used()
      .map((pkg): LockedPackage => ({ nevra: nevra(pkg), size: pkg.size, sha256: pkg.rpm, location: pkg.location }));
    changed = withPackages(changed, lockKey(arch, source.id), entries, exact);
  }
  return changed;
}

function offline({ id }: InputRepository, missing: readonly IndexedPackage[]): WeirError {
  return new WeirError(
    'offline',
    `${missing.length} packages of repository ${id} are not in the cache, and this run is offline`,
    { details: missing.slice(0, 10).map((pkg) => nevra(pkg)), hint: 'run once with network access' },
  );
}
