import { copyFile, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { closest, WeirError } from '../base/errors.ts';
import { exists, mapLimit, readIfExists } from '../base/files.ts';
import { takeOut } from '../engine/store.ts';
import type { Distro, Project, ResolvedComponent, SourceFile } from '../project/model.ts';
import { type DownloadContext, fetchVerified, knownBlob, takeIn } from './download.ts';
import { checkOut, localGitDir, localPath, openGitStore, openRepository, resolveCommit } from './git.ts';
import { commitsSinceVersion } from './git-history.ts';
import type { GitRepository } from './git-run.ts';
import { type LookasideFile, parseSourcesFile } from './listing.ts';

/** What a lookaside that is no server is asked for. */
export interface LookasideRequest extends LookasideFile {
  /** The component's name upstream. */
  readonly package: string;
}

export interface SourceContext extends DownloadContext {
  /** Gives the path of a file for `seed:` lookasides, and where a distro names no lookaside; its hash is checked here. */
  readonly lookaside?: (request: LookasideRequest) => Promise<string | undefined>;
  /** Further lookasides, as templates with `$pkg`, `$filename`, `$hashtype` and `$hash`, asked after the distro's own. */
  readonly mirrors?: readonly string[];
  /** The upstream commit that a lock names; wins over the configuration. */
  readonly locked?: string;
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
    /** For git: the commits since the Version last changed, that one too; `%autorelease` counts them. */
    readonly commitsSinceVersion?: number;
  };
  /** Files from the lookaside, as `sources` lists them after the component's own source files are merged in. */
  readonly files: readonly LookasideFile[];
}

/**
 * Brings a component's spec, its files and (unless told not to) the files of the lookaside into a folder, every one
 * of those checked against its hash. Files from the store are hard links: replace them, never write into them.
 * @param into a folder that does not exist yet, or is empty
 * @throws WeirError `no-spec`, `no-spec-file`, `unknown-distro`, `no-dist-git`, `source-twice`, `no-hash`, and those of
 * `fetchVerified`, `resolveCommit` and `parseSourcesFile`
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
    // What is thrown below does not know for which component it works.
    if (!(error instanceof WeirError) || error.where?.component !== undefined) throw error;
    throw new WeirError(error.code, error.message, {
      where: { ...error.where, component: component.name },
      details: error.details,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      exit: error.exit,
      cause: error,
    });
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
  let origin: FetchedSources['origin'];
  let distro: Distro | undefined;
  let upstreamSpec: string;
  if (spec.type === 'local') {
    if (!(await exists(spec.path))) {
      throw new WeirError('no-spec-file', `the spec ${spec.path} is not there`, { where, exit: 2 });
    }
    await copyFolder(dirname(spec.path), into, basename(spec.path));
    origin = { kind: 'local', from: spec.path };
    upstreamSpec = basename(spec.path);
  } else {
    distro = project.distros.get(spec.distro.name);
    if (distro === undefined) {
      const near = closest(spec.distro.name, project.distros.keys())[0];
      throw new WeirError('unknown-distro', `no distro ${spec.distro.name} is configured`, {
        where,
        ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
        exit: 2,
      });
    }
    upstreamSpec = `${spec.name}.spec`;
    origin = await fetchDistGit(component, project, distro, context, into);
  }
  const specPath = await settleSpec(into, upstreamSpec, component.name);
  const listed = parseSourcesFile((await readIfExists(join(into, 'sources'))) ?? '', join(into, 'sources'));
  const { files, fetches } = mergeSourceFiles(component, listed);
  if (context.withLookaside !== false) {
    const upstreamName = spec.type === 'upstream' ? spec.name : component.name;
    await mapLimit(fetches, 4, async ({ file, source }) => {
      await takeLookaside(file, source, upstreamName, distro, context, into);
    });
  }
  return { dir: into, specPath, origin, files };
}

/** The dist-git of a component: a plain folder, or a git repository at the commit that the configuration means. */
async function fetchDistGit(
  component: ResolvedComponent,
  project: Project,
  distro: Distro,
  context: SourceContext,
  into: string,
): Promise<FetchedSources['origin']> {
  const spec = component.spec;
  if (spec?.type !== 'upstream') throw new TypeError('not an upstream component');
  const base =
    distro.distGitBaseUri ?? (project.seed?.distGit === undefined ? undefined : `${project.seed.distGit}/$pkg`);
  if (base === undefined) {
    throw new WeirError('no-dist-git', `the distro ${distro.name} has no dist-git-base-uri`, { exit: 2 });
  }
  const uri = distGitUri(base, spec.name);
  const local = localPath(uri);
  let from = uri;
  if (local !== undefined) {
    const folders = [local, join(local, spec.name)];
    for (const folder of folders) {
      if (localGitDir(folder) !== undefined) continue;
      if (await exists(join(folder, `${spec.name}.spec`))) {
        await copyFolder(folder, into, `${spec.name}.spec`);
        return { kind: 'folder', from: folder };
      }
    }
    if (!(await exists(local))) {
      throw new WeirError('no-dist-git', `the dist-git of ${spec.name} is not there`, { details: [local], exit: 2 });
    }
    if (localGitDir(local) === undefined) from = folders[1]!;
  }
  const repository = await openRepository(openGitStore(context.cache), from);
  const version = spec.distro.version ?? distro.defaultVersion;
  const branch = version === undefined ? undefined : distro.versions.get(version)?.distGitBranch;
  const commit = context.locked ?? spec.commit;
  const { snapshot } = spec.distro;
  const wish = {
    ...(commit === undefined ? {} : { commit }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(branch === undefined ? {} : { branch }),
  };
  const resolved = await resolveCommit(repository, wish, context);
  await checkOut(repository, resolved, into, context);
  const count = await commitsSinceVersion(repository, resolved, `${spec.name}.spec`, context);
  return { kind: 'git', from, commit: resolved, repository, commitsSinceVersion: count };
}

/** The address of a component's dist-git. Parts of a URL are escaped, those of a path or of ssh's `host:path` are not. */
export function distGitUri(base: string, name: string): string {
  const isUrl = /^(?:[a-z][a-z0-9+.-]*:\/\/|file:)/i.test(base);
  // `$` in a name has a meaning in replacements, so it is a function.
  return base.replaceAll('$pkg', () => (isUrl ? encodeURIComponent(name) : name));
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

interface Fetch {
  readonly file: LookasideFile;
  readonly source: SourceFile | undefined;
}

/** The upstream list with the component's own source files in it, and what has to be fetched for that. */
function mergeSourceFiles(
  component: ResolvedComponent,
  listed: readonly LookasideFile[],
): { files: LookasideFile[]; fetches: Fetch[] } {
  const files = [...listed];
  const fetches = new Map<string, Fetch>(listed.map((file) => [file.filename, { file, source: undefined }]));
  for (const source of component.sourceFiles) {
    const where = { file: component.origin.file, line: component.origin.line, component: component.name };
    const upstream = files.findIndex((one) => one.filename === source.filename);
    if (upstream >= 0 && !source.replaceUpstream) {
      throw new WeirError('source-twice', `upstream has the source ${source.filename} too`, {
        where,
        hint: 'set replace-upstream = true and replace-reason, or take the source file out',
        exit: 2,
      });
    }
    // An archive that overlays change is fetched as upstream has it; its new hash comes with rendering.
    if (source.origin.type === 'overlay') continue;
    if (source.origin.type === 'custom') {
      throw new WeirError('not-supported-yet', `${source.filename} is made by a script; Weir can't run those yet`, {
        where,
        exit: 2,
      });
    }
    if (source.hash === undefined || source.hashType === undefined) {
      throw new WeirError('no-hash', `the source ${source.filename} has no hash`, {
        where,
        hint: 'set hash and hash-type: without them nobody can tell whether the file is the right one',
        exit: 2,
      });
    }
    const file: LookasideFile = {
      filename: source.filename,
      hashType: source.hashType,
      hash: source.hash.toLowerCase(),
    };
    if (upstream >= 0) files[upstream] = file;
    else files.push(file);
    fetches.set(source.filename, { file, source });
  }
  return { files, fetches: [...fetches.values()] };
}

async function takeLookaside(
  file: LookasideFile,
  source: SourceFile | undefined,
  upstreamName: string,
  distro: Distro | undefined,
  context: SourceContext,
  into: string,
): Promise<void> {
  const target = join(into, file.filename);
  const known = await knownBlob(file, context);
  if (known !== undefined) return takeOut(context.store, known, target);
  const template = distro?.lookasideBaseUri;
  const bySeed = template === undefined || template.startsWith('seed:');
  if (bySeed && context.lookaside !== undefined && source === undefined) {
    const path = await context.lookaside({ ...file, package: upstreamName });
    if (path !== undefined) {
      await takeOut(context.store, await takeIn(file, path, path, context), target);
      return;
    }
  }
  const templates = [...(bySeed ? [] : [template]), ...(context.mirrors ?? [])];
  const places = templates.map((one) => lookasideUrl(one, file, upstreamName));
  if (source?.origin.type === 'download' && distro?.disableOrigins !== true) places.push(asUrl(source.origin.uri));
  if (places.length === 0 && (await exists(target))) {
    // A local component may carry its archives beside the spec.
    await takeIn(file, target, target, context);
    return;
  }
  await takeOut(context.store, await fetchVerified(file, places, context), target);
}

function asUrl(uri: string): string {
  return uri.startsWith('/') ? new URL(`file://${encodeURI(uri)}`).href : uri;
}

/** The address of a file in a lookaside; every part is escaped as a part of a path. */
export function lookasideUrl(template: string, file: LookasideFile, packageName: string): string {
  const values: Readonly<Record<string, string>> = {
    pkg: packageName,
    filename: file.filename,
    hashtype: file.hashType.toLowerCase(),
    hash: file.hash,
  };
  return asUrl(template).replace(/\$(pkg|filename|hashtype|hash)/g, (_whole, name: string) =>
    encodeURIComponent(values[name]!),
  );
}
