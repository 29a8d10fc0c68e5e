import { copyFile, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { retold, WeirError } from '../base/errors.ts';
import { exists, mapLimit, readIfExists } from '../base/files.ts';
import type { Project, ResolvedComponent } from '../project/model.ts';
import { checkOut, resolveCommit } from './git.ts';
import type { GitRepository } from './git-run.ts';
import { type LookasideFile, parseSourcesFile } from './listing.ts';
import { type ComponentLock, hasLocks, lockPath, lockProblem, readLock } from './lock.ts';
import {
  makeFile,
  type Shelves,
  type SourceFileContext,
  takeFile,
  type WantedFile,
  wantedFiles,
} from './source-files.ts';
import { ofComponent, openDistGit, type Upstream, upstreamOf } from './upstream.ts';

export interface SourceContext extends SourceFileContext {
  /** A lock that is missing or names another commit than the configuration stops nothing. */
  readonly skipLockValidation?: boolean;
  /** False: only what dist-git itself has, as rendering needs it. */
  readonly withLookaside?: boolean;
}

/** A component's sources as they come from upstream, in one folder. */
export interface FetchedSources {
  readonly dir: string;
  /** `<component>.spec` in `dir`, whatever upstream calls it. */
  readonly specPath: string;
  readonly origin: {
    readonly kind: 'local' | 'folder' | 'git';
    /** A URL, or an absolute path. */
    readonly from: string;
    /** For git: the whole commit. */
    readonly commit?: string;
    /** For git: where its history can be read. */
    readonly repository?: GitRepository;
  };
  /** The component's lock, where it has one. */
  readonly lock?: ComponentLock;
  /** Files from the lookaside, as `sources` lists them after the component's own source files are merged in. */
  readonly files: readonly LookasideFile[];
  /** Those of `files` whose hash the configuration does not have, with `allowNoHashes`. */
  readonly unhashed?: readonly string[];
}

/**
 * Brings a component's spec, its files and (unless told not to) the files of the lookaside into a folder, every one
 * of those checked against its hash. Files from the store are hard links: replace them, never write into them.
 * @param into a folder that does not exist yet, or is empty
 * @throws WeirError `no-spec`, `no-spec-file`, `no-lock`, `stale-lock`, and those of `readLock`, `upstreamOf`,
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
    throw new WeirError('no-spec', `nothing says where the spec of ${component.name} comes from`, {
      where,
      hint: 'set spec = { type = "local", path = … }, or an upstream-distro as default',
      exit: 2,
    });
  }
  const lock = await readLock(project, component.name);
  const upstream = upstreamOf(component, project, lock);
  let origin: FetchedSources['origin'];
  let upstreamSpec: string;
  if (upstream !== undefined) {
    origin = await fetchDistGit(component, project, upstream, lock, context, into);
    upstreamSpec = `${upstream.name}.spec`;
  } else {
    const path = spec.type === 'local' ? spec.path : '';
    if (!(await exists(path))) {
      throw new WeirError('no-spec-file', `the spec ${path} is not there`, { where, exit: 2 });
    }
    await copyFolder(dirname(path), into, basename(path));
    origin = { kind: 'local', from: path };
    upstreamSpec = basename(path);
  }
  const specPath = await settleSpec(into, upstreamSpec, component.name);
  // Where it comes from, not where it happens to lie now.
  const listing = upstream === undefined ? join(dirname(origin.from), 'sources') : `${origin.from}: sources`;
  const listed = parseSourcesFile((await readIfExists(join(into, 'sources'))) ?? '', listing);
  const wanted = wantedFiles(component, listed, context.allowNoHashes === true && context.withLookaside !== false);
  const files = new Map(wanted.map(({ filename, file }) => [filename, file]));
  if (context.withLookaside !== false) {
    const shelves: Shelves = {
      package: upstream?.name ?? component.name,
      distro: upstream?.distro ?? project.distros.get(project.project.defaultDistro?.name ?? ''),
    };
    const isMade = ({ source }: WantedFile): boolean => source?.origin.type === 'custom';
    await mapLimit(
      wanted.filter((one) => !isMade(one)),
      4,
      async (one) => files.set(one.filename, await takeFile(one, shelves, context, into)),
    );
    // In their order: one may be made of another.
    for (const one of wanted.filter(isMade)) {
      const { origin: how } = one.source!;
      if (how.type === 'custom') files.set(one.filename, await makeFile(component, one, how, context, into));
    }
  }
  return {
    dir: into,
    specPath,
    origin,
    ...(lock === undefined ? {} : { lock }),
    files: [...files.values()].filter((file) => file !== undefined),
    unhashed: wanted.filter(({ file }) => file === undefined).map(({ filename }) => filename),
  };
}

/** The dist-git of a component: a plain folder, or a git repository at the commit that lock and configuration mean. */
async function fetchDistGit(
  component: ResolvedComponent,
  project: Project,
  upstream: Upstream,
  lock: ComponentLock | undefined,
  context: SourceContext,
  into: string,
): Promise<FetchedSources['origin']> {
  const distGit = await openDistGit(upstream, context.cache);
  const spec = `${upstream.name}.spec`;
  if (distGit.kind === 'folder') {
    await copyFolder(distGit.folder, into, spec);
    return { kind: 'folder', from: distGit.folder };
  }
  if (context.skipLockValidation !== true) {
    const problem = lockProblem(component, lock);
    // A project that has no lock at all does not use them.
    if (problem !== undefined && (lock !== undefined || (await hasLocks(project)))) throw problem;
  }
  const { repository } = distGit;
  const commit = await resolveCommit(repository, upstream.wish, context).catch((error: unknown) => {
    throw placed(error, component, project, upstream, lock);
  });
  await checkOut(repository, commit, into, context);
  return { kind: 'git', from: repository.url, commit, repository };
}

/** An error about a commit with the file that names the commit. */
function placed(
  error: unknown,
  component: ResolvedComponent,
  project: Project,
  { wish }: Upstream,
  lock: ComponentLock | undefined,
): unknown {
  if (!(error instanceof WeirError) || error.code !== 'no-commit' || wish.commit === undefined) return error;
  const locked = lock?.upstreamCommit === wish.commit;
  const where = locked ? { file: lockPath(project, component.name) } : component.origin;
  return retold(error, {
    where: { ...where, component: component.name },
    hint: locked
      ? `weir component update ${component.name} --force writes the lock anew`
      : 'correct its upstream-commit, or take it out',
  });
}

/** Copies a component's folder; other specs and the project's own TOML beside it stay behind. */
async function copyFolder(from: string, to: string, spec: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const { name } = entry;
    if (name === '.git' || name.endsWith('.toml') || (name.endsWith('.spec') && name !== spec)) continue;
    const [source, target] = [join(from, name), join(to, name)];
    if (entry.isDirectory()) {
      await mkdir(target, { recursive: true });
      await copyFolder(source, target, '');
    } else if (entry.isSymbolicLink()) {
      // A link within the folder is kept as the file it means; one that leads elsewhere is none of the sources.
      const means = await stat(source).catch(() => undefined);
      if (means?.isFile() === true) await copyFile(source, target);
    } else if (entry.isFile()) {
      await copyFile(source, target);
    }
  }
}

/** Finds the spec and gives it the component's name. */
async function settleSpec(dir: string, upstreamSpec: string, name: string): Promise<string> {
  const target = join(dir, `${name}.spec`);
  const specs = (await readdir(dir)).filter((one) => one.endsWith('.spec'));
  const found = specs.includes(upstreamSpec) ? upstreamSpec : specs.length === 1 ? specs[0] : undefined;
  if (found === undefined) {
    throw new WeirError('no-spec-file', `the sources have no ${upstreamSpec}`, { details: specs, exit: 2 });
  }
  if (found !== `${name}.spec`) await rename(join(dir, found), target);
  return target;
}
