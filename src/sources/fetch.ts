import { chmod, copyFile, lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WeirError, withContext } from '../base/errors.ts';
import { exists, mapLimit, readIfExists } from '../base/files.ts';
import { behindLinks } from '../base/links.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';
import { type ComponentLock, hasLocks, lockPath, lockProblem, readLock } from './component-lock.ts';
import { checkOut } from './git-checkout.ts';
import { resolveCommit } from './git-revision.ts';
import type { GitRepository } from './git-run.ts';
import { type LfsHome, type LfsPointer, lfsContent, pointerAt } from './lfs.ts';
import { type LookasideFile, parseSourcesFile } from './listing.ts';
import {
  type LookasideContext,
  makeFile,
  type SourceFileContext,
  takeFile,
  type WantedFile,
  wantedFiles,
} from './source-files.ts';
import { ofComponent, openDistGit, type Upstream, upstreamOf } from './upstream.ts';

export interface SourceContext extends SourceFileContext {
  /** Ignores a lock that is missing or names another commit than the configuration. */
  readonly skipLockValidation?: boolean;
  /** Locks to use instead of those of the project, by component. */
  readonly locks?: ReadonlyMap<string, ComponentLock>;
  /** False: fetches only the files of dist-git itself, which is enough for rendering. */
  readonly withLookaside?: boolean;
}

/** A component's upstream sources in one folder. */
export interface FetchedSources {
  readonly dir: string;
  /** The project's folder; links must not leave it. */
  readonly root: string;
  /** `<component>.spec` in `dir`, whatever its name upstream. */
  readonly specPath: string;
  readonly origin: {
    readonly kind: 'local' | 'folder' | 'git';
    /** A URL, or an absolute path. */
    readonly from: string;
    /** For git: the full commit id. */
    readonly commit?: string;
    /** For git: the repository with its history. */
    readonly repository?: GitRepository;
  };
  /** The component's lock, if any. */
  readonly lock?: ComponentLock;
  /** Files from the lookaside, as listed in `sources` after merging the component's own source files. */
  readonly files: readonly LookasideFile[];
  /** The `files` whose hash is missing from the configuration; only with `allowNoHashes`. */
  readonly unhashed?: readonly string[];
}

/**
 * Copies a component's spec, its files and (unless disabled) the lookaside's files into a folder; the latter are checked
 * against their hashes. Files from the store are copies.
 * @param into a folder that does not exist yet, or is empty
 * @throws WeirError `no-spec`, `no-spec-file`, `no-lock`, `stale-lock`, and the errors of `readLock`, `upstreamOf`,
 * `resolveCommit`, `parseSourcesFile`, `wantedFiles`, `takeFile` and `makeFile`
 */
export async function fetchSources(
  component: ResolvedComponent,
  project: Project,
  context: SourceContext,
  into: string,
): Promise<FetchedSources> {
  await mkdir(into, { recursive: true });
  try {
    return await fetchInto(component, project, context, into);
  } catch (error) {
    if (!(error instanceof WeirError) || error.where?.component !== undefined) throw error;
    throw ofComponent(error, component);
  }
}

async function fetchInto(
  component: ResolvedComponent,
  project: Project,
  context: SourceContext,
  into: string,
): Promise<FetchedSources> {
  const { spec } = component;
  const where = { file: component.origin.file, line: component.origin.line, component: component.name };
  if (spec === undefined) {
    throw new WeirError('no-spec', `${component.name} has no spec source`, {
      where,
      hint: 'set spec = { type = "local", path = … }, or a default upstream-distro',
      exit: 2,
    });
  }
  const lock = context.locks?.get(component.name) ?? (await readLock(project, component.name));
  const upstream = upstreamOf(component, project, lock);
  let origin: FetchedSources['origin'];
  let upstreamSpec: string;
  let home: LfsHome | undefined;
  const pointers = new Map<string, LfsPointer>();
  const copy = (folder: string, own: string): Promise<void> => {
    home = { folder };
    return copyFolder({ from: folder, to: into, spec: own, root: project.root, pointers });
  };
  if (upstream !== undefined) {
    const distGit = await openDistGit(upstream, context.cache);
    if (distGit.kind === 'folder') {
      await copy(distGit.folder, `${upstream.name}.spec`);
      origin = { kind: 'folder', from: distGit.folder };
    } else {
      const { repository } = distGit;
      const commit = await wantedCommit(component, project, upstream, repository, lock, context);
      for (const [name, pointer] of await checkOut(repository, commit, into, context)) pointers.set(name, pointer);
      origin = { kind: 'git', from: repository.url, commit, repository };
      home = repository;
    }
    upstreamSpec = `${upstream.name}.spec`;
  } else {
    const path = spec.type === 'local' ? spec.path : '';
    if (!(await exists(path))) {
      throw new WeirError('no-spec-file', `the spec ${path} does not exist`, { where, exit: 2 });
    }
    await copy(dirname(path), basename(path));
    origin = { kind: 'local', from: path };
    upstreamSpec = basename(path);
  }
  // The spec and `sources` determine which other files are needed.
  const isRead = (name: string): boolean => name === 'sources' || name.endsWith('.spec');
  const [read, rest] = [true, false].map((first) => [...pointers].filter(([name]) => isRead(name) === first));
  await settlePointers(read!, new Set(), into, home);
  const specPath = await settleSpec(into, upstreamSpec, component.name);
  // The origin of the spec, not its current path.
  const listing = upstream === undefined ? join(dirname(origin.from), 'sources') : `${origin.from}: sources`;
  const listed = parseSourcesFile((await readIfExists(join(into, 'sources'))) ?? '', listing);
  const wanted = wantedFiles(component, listed, context.allowNoHashes === true);
  await settlePointers(rest!, new Set(wanted.map(({ filename }) => filename)), into, home);
  const files = new Map(wanted.map(({ filename, file }) => [filename, file]));
  if (context.withLookaside !== false) {
    const lookaside: LookasideContext = {
      package: upstream?.name ?? component.name,
      distro: upstream?.distro ?? project.distros.get(project.project.defaultDistro?.name ?? ''),
    };
    const isMade = ({ source }: WantedFile): boolean => source?.origin.type === 'custom';
    await mapLimit(
      wanted.filter((one) => !isMade(one)),
      4,
      async (one) => files.set(one.filename, await takeFile(one, lookaside, context, into)),
    );
    // In order, because a file may be an input of a later one.
    for (const one of wanted.filter(isMade)) {
      const { origin: how } = one.source!;
      if (how.type === 'custom')
        files.set(one.filename, await makeFile(component, one, how, context, { into, root: project.root }));
    }
  }
  return {
    dir: into,
    root: project.root,
    specPath,
    origin,
    ...(lock === undefined ? {} : { lock }),
    files: [...files.values()].filter((file) => file !== undefined),
    unhashed: wanted.filter(({ file }) => file === undefined).map(({ filename }) => filename),
  };
}

/** The commit of a dist-git by lock and configuration. */
async function wantedCommit(
  component: ResolvedComponent,
  project: Project,
  upstream: Upstream,
  repository: GitRepository,
  lock: ComponentLock | undefined,
  context: SourceContext,
): Promise<string> {
  if (context.skipLockValidation !== true) {
    const problem = lockProblem(component, lock);
    // A project without any lock does not use locks.
    if (problem !== undefined && (lock !== undefined || (await hasLocks(project)))) throw problem;
  }
  return resolveCommit(repository, upstream.revision, context).catch((error: unknown) => {
    throw placed(error, component, project, upstream, lock);
  });
}

/** An error about a commit, with the file that names the commit. */
function placed(
  error: unknown,
  component: ResolvedComponent,
  project: Project,
  { revision }: Upstream,
  lock: ComponentLock | undefined,
): unknown {
  if (!(error instanceof WeirError) || error.code !== 'no-commit' || revision.commit === undefined) return error;
  const locked = lock?.upstreamCommit === revision.commit;
  const where = locked ? { file: lockPath(project, component.name) } : component.origin;
  return withContext(error, {
    where: { ...where, component: component.name },
    hint: locked
      ? `rewrite the lock with weir component update ${component.name} --force`
      : 'correct or remove its upstream-commit',
  });
}

interface FolderCopy {
  readonly from: string;
  readonly to: string;
  /** Name of the spec to copy; '' below the component's folder, where no spec is copied. */
  readonly spec: string;
  /** The project's folder. */
  readonly root: string;
  /** Collects the files that are Git LFS pointers, by their path relative to the first folder. */
  readonly pointers: Map<string, LfsPointer>;
}

/**
 * Copies a component's folder, without other specs and the project's own TOML. A link to a file of the project is copied
 * as that file; a link to a folder, or a dangling one, is skipped.
 * @throws WeirError `link-out` for a link that leaves the project
 */
async function copyFolder({ from, to, spec, root, pointers }: FolderCopy, below = ''): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const { name } = entry;
    if (name === '.git' || name.endsWith('.toml') || (name.endsWith('.spec') && name !== spec)) continue;
    let source = join(from, name);
    const target = join(to, name);
    if (entry.isDirectory()) {
      await mkdir(target, { recursive: true });
      await copyFolder({ from: source, to: target, spec: '', root, pointers }, `${below}${name}/`);
      continue;
    }
    if (entry.isSymbolicLink()) {
      const meant = await behindLinks(source, root).catch((error: unknown) => {
        if (error instanceof WeirError) throw error;
        return undefined;
      });
      if (meant === undefined || !(await stat(meant)).isFile()) continue;
      source = meant;
    } else if (!entry.isFile()) continue;
    await copyFile(source, target);
    const pointer = await pointerAt(target);
    if (pointer !== undefined) pointers.set(below + name, pointer);
  }
}

/**
 * Replaces Git LFS pointers with their content.
 * @param elsewhere names that the lookaside or an origin provides too: if their content is not on this machine, the pointers are removed
 * @throws WeirError `lfs-pointer`
 */
async function settlePointers(
  pointers: readonly (readonly [string, LfsPointer])[],
  elsewhere: ReadonlySet<string>,
  into: string,
  home: LfsHome | undefined,
): Promise<void> {
  for (const [name, pointer] of pointers) {
    const path = join(into, name);
    const { mode } = await lstat(path);
    const content = await lfsContent(pointer, name, home).catch((error: unknown) => {
      if (error instanceof WeirError && elsewhere.has(name)) return undefined;
      throw error;
    });
    await rm(path);
    if (content === undefined) continue;
    await copyFile(content, path);
    await chmod(path, (mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

/** The component's spec among the names of a folder: the one of its name upstream, else the only one. */
export function specAmong(names: Iterable<string>, upstreamSpec: string): string | undefined {
  const specs = [...names].filter((name) => name.endsWith('.spec'));
  return specs.includes(upstreamSpec) ? upstreamSpec : specs.length === 1 ? specs[0] : undefined;
}

/** Finds the spec and renames it to the component's name. */
async function settleSpec(dir: string, upstreamSpec: string, name: string): Promise<string> {
  const target = join(dir, `${name}.spec`);
  const specs = (await readdir(dir)).filter((one) => one.endsWith('.spec'));
  const found = specAmong(specs, upstreamSpec);
  if (found === undefined) {
    throw new WeirError('no-spec-file', `the sources have no ${upstreamSpec}`, { details: specs, exit: 2 });
  }
  if (found !== `${name}.spec`) await rename(join(dir, found), target);
  return target;
}
