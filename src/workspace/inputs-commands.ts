import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { blobFile, hasBlob } from '../engine/store.ts';
import { addressOf, type InputRepository } from '../inputs/input-repository.ts';
import { type LockedRepository, lockedState, lockKey, readInputsLock } from '../inputs/inputs-lock.ts';
import { keyTexts } from '../inputs/keys.ts';
import { type InputSource, lockRepository, openInput } from '../inputs/source.ts';
import { parseNevra } from '../repo/metadata.ts';
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
    /** Bytes of these. */
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
  /** Of the packages that were used: name, and version-release before and now; `after` is undefined if it is gone. */
  readonly packages: readonly { readonly name: string; readonly before: string; readonly after?: string }[];
}

/**
 * Locks repositories in their current state. The packages that the project uses are locked again by the next build.
 * @param names ids; all by default
 * @throws WeirError `unknown-repository` (exit 2) and those of fetching
 */
export async function updateInputs(workspace: Workspace, names: readonly string[]): Promise<UpdatedInput[]> {
  const repositories = chosen(workspace, names);
  const toolbox = await toolboxStage(workspace, 'core');
  const context = inputsContext(workspace, toolbox, (text) => workspace.progress.note('inputs', text));
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

/** Used packages of which the repository has another version now. */
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

function chosen(workspace: Workspace, names: readonly string[]): readonly InputRepository[] {
  const repositories = repositoryInputs(workspace)?.repositories ?? [];
  for (const name of names) {
    if (repositories.some(({ id }) => id === name)) continue;
    throw new WeirError('unknown-repository', `the project has no input repository ${name}`, {
      hint:
        repositories.length === 0
          ? 'it builds from the seed'
          : `it has: ${repositories.map(({ id }) => id).join(', ')}`,
      exit: 2,
    });
  }
  return names.length === 0 ? repositories : repositories.filter(({ id }) => names.includes(id));
}

/** What is wrong with the kept inputs of a project. */
export interface InputFault {
  readonly repository: string;
  /** A file of the metadata, or a NEVRA. */
  readonly what: string;
  readonly fault: 'missing' | 'changed';
}

/**
 * Checks that the store has everything that `inputs.lock` names, by hashing it: then the project builds with every mirror gone.
 * @returns faults, and the number of files that were checked
 */
export async function verifyInputs(
  workspace: Workspace,
): Promise<{ readonly files: number; readonly faults: readonly InputFault[] }> {
  const { store } = workspace.engine;
  const lock = await readInputsLock(inputsLock(workspace));
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
