import { WeirError } from '../base/errors.ts';
import { mapLimit, readIfExists } from '../base/files.ts';
import { blobFile, hasBlob } from '../engine/store.ts';
import { addressOf, type InputRepository } from '../inputs/input-repository.ts';
import { type InputsLock, type LockedRepository, lockedState, lockKey, readInputsLock } from '../inputs/inputs-lock.ts';
import { keyTexts } from '../inputs/keys.ts';
import { parsePackageManifest, printPackageManifest, type WrittenPackage } from '../inputs/package-manifest.ts';
import { type InputSource, type InputsContext, lockRepository, lockUsed, openInput } from '../inputs/source.ts';
import { parseNevra, type RepoPackage } from '../repo/metadata.ts';
import { obtainPackages, usePackages } from '../repo/source.ts';
import { compareEvr } from '../rpm/version.ts';
import { inputsContext, inputsLock, repositoryInputs } from './inputs.ts';
import { toolboxStage, type Workspace } from './workspace.ts';

/** An input repository and its state in the lock file. */
export interface ListedInput {
  readonly id: string;
  readonly address: string;
  /** False if the project accepts unsigned packages from it. */
  readonly checksSignatures: boolean;
  /** Undefined if it is not locked yet. */
  readonly locked?: {
    readonly revision: string;
    readonly repomd: string;
    /** Whether `repomd.xml` is signed. */
    readonly signed: boolean;
    /** Packages that the project uses. */
    readonly packages: number;
    /** Total size of these packages in bytes. */
    readonly size: number;
  };
}

/** The RPM repositories that the project builds from; empty if it builds from the seed. */
export async function listInputs(workspace: Workspace): Promise<ListedInput[]> {
  const lock = await readInputsLock(inputsLock(workspace));
  return (repositoryInputs(workspace)?.repositories ?? []).map((repository) => {
    const { id, checksSignatures } = repository;
    const locked = lockedState(lock, workspace.arch, repository);
    const own = { id, address: addressOf(repository), checksSignatures };
    if (locked === undefined) return own;
    const { revision, repomd, signed, packages } = locked;
    const size = packages.reduce((sum, pkg) => sum + pkg.size, 0);
    return { ...own, locked: { revision, repomd, signed, packages: packages.length, size } };
  });
}

/** What an update of a repository changed. */
export interface UpdatedInput {
  readonly id: string;
  readonly before?: string;
  readonly revision: string;
  readonly changed: boolean;
  /** Used packages whose version changed: name, and version-release before and after; `after` is undefined if the package is gone. */
  readonly packages: readonly { readonly name: string; readonly before: string; readonly after?: string }[];
}

/**
 * Locks repositories in their current state. The packages that the project uses are locked again by the next build.
 * @param names ids; all by default
 * @throws WeirError `unknown-repository` (exit 2) and the errors of fetching
 */
export async function updateInputs(workspace: Workspace, names: readonly string[]): Promise<UpdatedInput[]> {
  const repositories = chosen(workspace, names);
  const context = await commandContext(workspace);
  const updated: UpdatedInput[] = [];
  for (const repository of repositories) {
    const before = (await readInputsLock(context.lock)).get(lockKey(workspace.arch, repository.id));
    const now = await lockRepository(context, repository, await keyTexts(context, repository, undefined));
    const source = await openInput(context, repository);
    updated.push({
      id: repository.id,
      ...(before === undefined ? {} : { before: before.revision }),
      revision: now.revision,
      changed: before?.repomd !== now.repomd,
      packages: before === undefined || before.repomd === now.repomd ? [] : changedPackages(before, source),
    });
  }
  return updated;
}

/** Used packages that have another version in the repository now. */
function changedPackages(before: LockedRepository, now: InputSource): UpdatedInput['packages'] {
  return before.packages.flatMap(({ nevra, sha256 }) => {
    const old = parseNevra(nevra);
    if (old === undefined || now.find(nevra)?.rpm === sha256) return [];
    const newest = now
      .versionsOf(old.name)
      .filter(({ arch }) => arch === old.arch || arch === 'noarch' || old.arch === 'noarch')
      .sort(compareEvr)
      .at(-1);
    const text = (pkg: { version: string; release: string }): string => `${pkg.version}-${pkg.release}`;
    if (newest === undefined) return [{ name: old.name, before: text(old) }];
    return [{ name: old.name, before: text(old), after: text(newest) }];
  });
}

async function commandContext(workspace: Workspace): Promise<InputsContext> {
  const toolbox = await toolboxStage(workspace, 'core');
  return inputsContext(workspace, toolbox, (text) => workspace.progress.note('inputs', text));
}

function chosen(workspace: Workspace, names: readonly string[]): readonly InputRepository[] {
  const all = repositoryInputs(workspace)?.repositories ?? [];
  // The lock does not contain repositories from the command line.
  const repositories = all.filter(({ isFromCommandLine }) => isFromCommandLine !== true);
  for (const name of names) {
    if (repositories.some(({ id }) => id === name)) continue;
    throw new WeirError('unknown-repository', `the project has no input repository ${name}`, {
      hint:
        repositories.length === 0
          ? 'the project builds from the seed'
          : `its repositories: ${repositories.map(({ id }) => id).join(', ')}`,
      exit: 2,
    });
  }
  return names.length === 0 ? repositories : repositories.filter(({ id }) => names.includes(id));
}

/**
 * The packages that `inputs.lock` names, as a package manifest of dnf5.
 * @throws WeirError `not-locked` (exit 2) if it names no packages
 */
export async function manifestOfInputs(workspace: Workspace): Promise<string> {
  const path = inputsLock(workspace);
  const lock = await readInputsLock(path);
  const repositories = chosen(workspace, []);
  const context = await commandContext(workspace);
  const packages: WrittenPackage[] = [];
  for (const repository of repositories) {
    const locked = lockedState(lock, workspace.arch, repository);
    if (locked === undefined || locked.packages.length === 0) continue;
    const source = await openInput(context, repository);
    for (const { nevra: id, size, sha256, location } of locked.packages) {
      const { name, arch } = parseNevra(id)!;
      const sourceRpm = source.find(id)?.sourceRpm ?? '';
      packages.push({
        ...{ name, arch, size, sha256, location, repository: repository.id },
        evr: id.slice(name.length + 1, -arch.length - 1),
        ...(sourceRpm === '' ? {} : { source: sourceRpm.replace(/\.rpm$/, '') }),
      });
    }
  }
  if (packages.length === 0) {
    throw new WeirError('not-locked', 'inputs.lock names no packages', {
      where: { file: path },
      hint: 'build something first: a build locks the packages that it uses',
      exit: 2,
    });
  }
  return printPackageManifest(workspace.arch, repositories, packages);
}

/** The result of locking a manifest's packages. */
export interface LockedManifest {
  readonly packages: number;
  /** Packages that were not locked before. */
  readonly added: number;
}

/**
 * Locks the packages that a package manifest of dnf5 lists, and puts them into the store.
 * @throws WeirError `bad-manifest`, `unknown-repository` (exit 2); `manifest-mismatch` naming the packages that are missing from a
 *   repository's locked state or have different content there; the errors of downloading
 */
export async function lockManifest(workspace: Workspace, file: string): Promise<LockedManifest> {
  const listed = parsePackageManifest(await readText(file), file);
  const byRepository = Map.groupBy(listed, ({ repository }) => repository);
  const repositories = chosen(workspace, [...byRepository.keys()]);
  const context = await commandContext(workspace);
  const sources: InputSource[] = [];
  const wrong: string[] = [];
  for (const repository of repositories) {
    const source = await openInput(context, repository);
    sources.push(source);
    const found: RepoPackage[] = [];
    for (const pkg of byRepository.get(repository.id) ?? []) {
      const id = `${pkg.name}-${pkg.evr}.${pkg.arch}`;
      const here = source.find(id);
      const { type, value } = pkg.checksum;
      if (here === undefined) wrong.push(`${id}: repository ${repository.id} does not have it`);
      else if (type !== 'sha256') wrong.push(`${id}: its checksum is ${type}, but must be sha256`);
      else if (here.rpm !== value) wrong.push(`${id}: repository ${repository.id} has other bytes (${here.rpm})`);
      else found.push(here);
    }
    if (wrong.length === 0) {
      await obtainPackages([source], found);
      usePackages([source], found);
    }
  }
  if (wrong.length > 0) {
    throw new WeirError('manifest-mismatch', `${wrong.length} of ${listed.length} packages cannot be locked`, {
      where: { file },
      details: wrong.slice(0, 20),
      hint: 'weir inputs update locks the current state of the repositories',
    });
  }
  const count = async (): Promise<number> =>
    [...(await readInputsLock(context.lock)).values()].reduce((sum, { packages }) => sum + packages.length, 0);
  const before = await count();
  await lockUsed(context, sources);
  return { packages: listed.length, added: (await count()) - before };
}

async function readText(file: string): Promise<string> {
  const text = await readIfExists(file);
  if (text !== undefined) return text;
  throw new WeirError('no-file', `${file} does not exist`, { exit: 2 });
}

/** @throws WeirError `not-locked` (exit 2) if no repository is locked, so that there is nothing to check */
async function lockedInputs(workspace: Workspace): Promise<InputsLock> {
  const path = inputsLock(workspace);
  const lock = await readInputsLock(path);
  if (lock.size > 0) return lock;
  throw new WeirError('not-locked', 'inputs.lock names no repository', {
    where: { file: path },
    hint: repositoryInputs(workspace) === undefined ? 'the project builds from the seed' : 'run: weir inputs update',
    exit: 2,
  });
}

/**
 * Downloads all files that `inputs.lock` names and the cache lacks, so that the project can be built offline.
 * @throws WeirError `not-locked`; `inputs-changed`, and the errors of downloading
 */
export async function fetchInputs(workspace: Workspace): Promise<{ readonly packages: number; readonly size: number }> {
  const lock = await lockedInputs(workspace);
  const context = await commandContext(workspace);
  let [packages, size] = [0, 0];
  for (const repository of chosen(workspace, [])) {
    const locked = lockedState(lock, workspace.arch, repository);
    if (locked === undefined) continue;
    const source = await openInput(context, repository);
    const wanted = locked.packages.map(({ nevra, sha256 }) => {
      const pkg = source.find(nevra);
      if (pkg?.rpm === sha256) return pkg;
      throw new WeirError('bad-lock', `repository ${repository.id} has no package ${nevra} with the locked SHA-256`, {
        where: { file: context.lock },
        hint: `run: weir inputs update ${repository.id}`,
      });
    });
    await obtainPackages([source], wanted);
    packages += wanted.length;
    size += locked.packages.reduce((sum, pkg) => sum + pkg.size, 0);
  }
  return { packages, size };
}

/** A fault of a project's cached inputs. */
export interface InputFault {
  readonly repository: string;
  /** The faulty file: a metadata file, or a package's NEVRA. */
  readonly what: string;
  readonly fault: 'missing' | 'changed';
}

/**
 * Checks, by hashing, that the store has every file that `inputs.lock` names, so that the project can be built without any mirror.
 * @returns faults, and the number of files that were checked
 */
export async function verifyInputs(
  workspace: Workspace,
): Promise<{ readonly files: number; readonly faults: readonly InputFault[] }> {
  const { store } = workspace.engine;
  const lock = await lockedInputs(workspace);
  const wanted = [...lock].flatMap(([repository, { repomd, metadata, packages, keys }]) => [
    { repository, what: 'repodata/repomd.xml', digest: repomd },
    ...keys.map((digest) => ({ repository, what: 'key', digest })),
    ...metadata.map(({ path, sha256 }) => ({ repository, what: path, digest: sha256 })),
    ...packages.map(({ nevra, sha256 }) => ({ repository, what: nevra, digest: sha256 })),
  ]);
  const faults: InputFault[] = [];
  await mapLimit(wanted, 4, async ({ repository, what, digest }) => {
    if (!(await hasBlob(store, digest))) {
      faults.push({ repository, what, fault: 'missing' });
      return;
    }
    await blobFile(store, digest).catch((error: unknown) => {
      if (!(error instanceof WeirError)) throw error;
      faults.push({ repository, what, fault: 'changed' });
    });
  });
  return { files: wanted.length, faults };
}
