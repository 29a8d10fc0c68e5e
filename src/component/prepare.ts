import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { diskError, readIfExists, temporaryName } from '../base/files.ts';
import { inStage } from '../base/progress.ts';
import { removeTree } from '../engine/scratch.ts';
import { archiveOf } from '../overlay/apply.ts';
import { readTree, type SourceTree } from '../overlay/files.ts';
import { type PreparedComponent, prepareComponent, type RenderOptions } from '../overlay/render.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { FetchedSources, SourceContext } from '../sources/fetch.ts';
import { formatSourcesFile, type LookasideFile } from '../sources/listing.ts';
import { specBytes } from '../spec/parse.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { fetching, openSite, withSources } from './render/site.ts';

export interface PrepareOptions {
  /** Writes upstream's sources, without overlays. */
  readonly skipOverlays?: boolean;
  /** Leaves out files of the lookaside and files that scripts create, and skips overlays into archives. */
  readonly skipSources?: boolean;
  /** Replaces a folder that an earlier run prepared. */
  readonly force?: boolean;
}

/** The result of preparing a folder. */
export interface PrepareReport {
  readonly component: string;
  /** Absolute. */
  readonly folder: string;
  /** The upstream commit, if any. */
  readonly commit?: string;
  /** Names in the folder, sorted. */
  readonly files: readonly string[];
  /** Hashes that are missing from the configuration. */
  readonly computed: readonly LookasideFile[];
  readonly warnings: readonly string[];
}

/** Marks a folder as prepared, and lists what was written: only such a folder is ever replaced. */
const marker = '.weir-prepared.json';

/**
 * Writes a component's buildable sources into a folder: the spec after the overlays, `sources`, and every file. The folder is
 * created atomically.
 * @throws WeirError `not-empty`, `not-prepared` (exit 2), and the errors of `fetchSources` and `prepareComponent`
 */
export async function prepareFolder(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  folder: string,
  context: SourceContext,
  options: PrepareOptions = {},
): Promise<PrepareReport> {
  const { progress } = workspace;
  const target = await checkTarget(folder, options.force === true);
  return inStage(progress, 'sources', async () => {
    const site = await openSite(workspace, [component], context);
    const write = async (fetched: FetchedSources, given: RenderOptions): Promise<PrepareReport> => {
      const overlays = component.overlays.filter((overlay) => archiveOf(overlay) === undefined);
      const plain = options.skipSources === true ? { ...component, overlays } : component;
      const prepared = options.skipOverlays === true ? undefined : await prepareComponent(plain, fetched, given);
      const files = await place(target, component.name, fetched, prepared);
      const { commit } = fetched.origin;
      return {
        component: component.name,
        folder: target,
        ...(commit === undefined ? {} : { commit }),
        files,
        // A file that was not fetched has no hash to compute.
        computed: options.skipSources === true ? [] : computed(component, fetched, prepared),
        warnings: prepared?.warnings ?? [],
      };
    };
    const report = await withSources(site, component, write, fetching(site, options.skipSources !== true));
    return { result: report, summary: `${report.files.length} files of ${component.name}`, cached: false };
  });
}

/** Checks that the folder may be written, and resolves links: it must not exist, be empty, or be a prepared folder that may be replaced. */
async function checkTarget(folder: string, force: boolean): Promise<string> {
  const target = await realpath(folder).catch(() => resolve(folder));
  let names: string[];
  try {
    const entries = await readdir(target, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory());
    names = files.map((entry) => relative(target, join(entry.parentPath, entry.name)).split(sep).join('/'));
    if (entries.length === 0) return target;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return target;
    if (code !== 'ENOTDIR') throw error;
    throw new WeirError('not-a-folder', 'this is a file, not a folder', {
      where: { file: target },
      exit: 2,
    });
  }
  const ours = await preparedFiles(target);
  if (ours === undefined || !force) {
    throw new WeirError('not-empty', 'the folder is not empty', {
      where: { file: target },
      hint:
        ours === undefined
          ? 'name a folder that does not exist; --force replaces only a folder that this command has prepared'
          : '--force replaces it: an earlier run has prepared it',
      exit: 2,
    });
  }
  const others = names.filter((name) => !ours.has(name)).sort();
  if (others.length > 0) {
    throw new WeirError('not-prepared', `the folder has files that this command did not write: ${others.join(', ')}`, {
      where: { file: target },
      hint: 'move them, or name another folder',
      exit: 2,
    });
  }
  return target;
}

/** Names of the files that an earlier run wrote to a folder; undefined if it is not a prepared folder. */
async function preparedFiles(folder: string): Promise<Set<string> | undefined> {
  const text = await readIfExists(join(folder, marker));
  try {
    const { files } = JSON.parse(text ?? '{}') as { readonly files?: readonly string[] };
    return files === undefined ? undefined : new Set([marker, ...files]);
  } catch {
    return undefined;
  }
}

/** Writes everything to a folder beside the target, which then replaces the target. @returns names, sorted */
async function place(
  target: string,
  name: string,
  fetched: FetchedSources,
  prepared: PreparedComponent | undefined,
): Promise<string[]> {
  const fresh = temporaryName(target);
  const written = new Set<string>();
  try {
    await mkdir(fresh, { recursive: true });
    const put = async (file: string, bytes: Uint8Array | string): Promise<void> => {
      written.add(file);
      await writeFile(join(fresh, file), bytes);
    };
    if (prepared !== undefined) {
      await put(`${name}.spec`, specBytes(prepared.spec));
      if (prepared.listed.length > 0) await put('sources', formatSourcesFile(prepared.listed));
    }
    const tree: SourceTree = prepared?.files ?? (await readTree(fetched.dir));
    for (const [file, entry] of tree) {
      if (entry.kind === 'link' || written.has(file)) continue;
      written.add(file);
      const path = join(fresh, file);
      await mkdir(dirname(path), { recursive: true });
      // Users edit this folder, so no file in it may share its inode with one of the cache.
      if (entry.kind === 'bytes') await writeFile(path, entry.bytes);
      else await copyFile(entry.path, path, constants.COPYFILE_FICLONE);
      await chmod(path, entry.executable ? 0o755 : 0o644);
    }
    const files = [...written].sort();
    await writeFile(join(fresh, marker), `${JSON.stringify({ component: name, files }, null, 2)}\n`);
    await swap(fresh, target);
    return files;
  } catch (error) {
    throw diskError(error, target);
  } finally {
    await removeTree(fresh);
  }
}

async function swap(fresh: string, target: string): Promise<void> {
  const there = await stat(target).catch(() => undefined);
  if (there === undefined) return rename(fresh, target);
  const old = temporaryName(target);
  await rename(target, old);
  try {
    await rename(fresh, target);
  } catch (error) {
    await rename(old, target);
    throw error;
  }
  await removeTree(old);
}

/** The hashes that are missing from the configuration, with their values. */
function computed(
  component: ResolvedComponent,
  fetched: FetchedSources,
  prepared: PreparedComponent | undefined,
): LookasideFile[] {
  const unhashed = new Set(fetched.unhashed);
  const overlaid = new Set(
    component.sourceFiles
      .filter(({ origin, hash }) => origin.type === 'overlay' && hash === undefined)
      .map(({ filename }) => filename),
  );
  // The hash of an archive that overlays change is known only after them.
  const after = (prepared?.listed ?? []).filter(({ filename }) => overlaid.has(filename));
  return [...fetched.files.filter(({ filename }) => unhashed.has(filename)), ...after];
}
