import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, sha256 } from '../../base/digest.ts';
import { revivedError, WeirError } from '../../base/errors.ts';
import { exists } from '../../base/files.ts';
import { isOffline } from '../../base/network.ts';
import { byPath, compareText } from '../../base/order.ts';
import { cachePath } from '../../base/paths.ts';
import { inStage, type Stage } from '../../base/progress.ts';
import { fileDigests } from '../../history/file-digests.ts';
import type { InputContext } from '../../history/input-parts.ts';
import { componentInputs } from '../../history/inputs.ts';
import { type ReleaseChanges, releaseChanges } from '../../history/release-changes.ts';
import { renderComponent, renderedDir } from '../../overlay/render.ts';
import { asStamped, orphanedFolders, removeOrphan } from '../../overlay/rendered-folder.ts';
import { unifiedDiff } from '../../overlay/unified-diff.ts';
import type { ResolvedComponent } from '../../project/model/component.ts';
import type { Project } from '../../project/model/project.ts';
import { renderedSpecsDir } from '../../project/paths.ts';
import { type ComponentLock, lockProblem, readLocks } from '../../sources/component-lock.ts';
import { knownRevision } from '../../sources/git-revision.ts';
import { localGitDir, localPath, openGitStore } from '../../sources/git-store.ts';
import { upstreamOf } from '../../sources/upstream.ts';
import { decodeText } from '../../spec/lines.ts';
import { renderTools } from '../../workspace/render-tools.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { sourceContext } from '../sources.ts';
import { type Move, type RenderedOne, type RenderSite, rendererCode, renderOne } from './render-one.ts';
import { renderOnThreads } from './render-pool.ts';
import { type RenderRecord, RenderRecords } from './render-record.ts';
import { needsLookaside, openSite, withSources } from './site.ts';

/** The result of rendering; paths are relative to the rendered specs' folder. */
export interface RenderReport {
  readonly components: number;
  /** How many of these components were up to date, so that nothing had to be done. */
  readonly unchanged: number;
  /** Files written or removed; with `check`, files that differ. */
  readonly changed: readonly { readonly path: string; readonly state: 'missing' | 'changed' | 'extra' | 'orphan' }[];
  readonly warnings: readonly { readonly component: string; readonly warning: string }[];
  readonly failed: readonly { readonly component: string; readonly error: WeirError }[];
}

export interface RenderSettings {
  /** Compares only: reports files that differ and writes nothing. */
  readonly check?: boolean;
  /** Removes rendered folders without a component. */
  readonly clean?: boolean;
  /** Whether these are all components of the project: only then are orphaned folders looked for. */
  readonly all?: boolean;
  /** Works without network access. */
  readonly offline?: boolean;
  /** Ignores a lock that is missing or names another commit than the configuration. */
  readonly skipLockValidation?: boolean;
  /**
   * Components that move to another upstream commit: rendered as if their locks or pins were written, which happens together
   * with their folders. Components with a pin come with the new commit in their definition.
   */
  readonly moves?: ReadonlyMap<string, Move>;
}

/** With fewer components, starting threads takes longer than rendering. */
const fewestForThreads = 12;

/**
 * Renders components into the folder that the project keeps in git; a component that fails does not stop the others. A component
 * whose inputs and files have not changed is not rendered again.
 */
export async function renderComponents(
  workspace: ProjectWorkspace,
  components: readonly ResolvedComponent[],
  settings: RenderSettings = {},
): Promise<RenderReport> {
  const { project, cache } = workspace;
  const root = renderedSpecsDir(project);
  return inStage(workspace.progress, 'specs', async (stage) => {
    const records = new RenderRecords(cachePath(cache, 'rendered', `${sha256(root).slice(0, 32)}.jsonl`));
    const plan = await planRendering(workspace, components, records, root, settings);
    if (plan.release.warning !== undefined) stage.note(plan.release.warning);
    const run = new Run(plan, records, stage, components.length, settings.check !== true);
    const site = await siteOf(workspace, root, settings, plan.release.changes);
    try {
      await renderAll(workspace, site, plan.due, run);
    } finally {
      await records.close();
    }
    if (settings.all === true) {
      for (const path of orphanedFolders(root, new Set(project.components.keys()))) {
        if (settings.check === true || settings.clean === true) run.changed.push({ path, state: 'orphan' });
        else stage.note(`${path} is rendered, but there is no such component; --clean removes it`);
        if (settings.check !== true && settings.clean === true) removeOrphan(root, path);
      }
    }
    const { changed, warnings, failed } = run;
    const unchanged = components.length - plan.due.length - plan.failed.length;
    const word = settings.check === true ? 'stale' : 'written';
    const count = failed.length === 0 ? '' : `, ${failed.length} failed`;
    return {
      result: {
        components: components.length,
        unchanged,
        changed: changed.sort(byPath),
        warnings: byComponent(warnings),
        failed: byComponent(failed),
      },
      summary: `${components.length} components, ${unchanged} unchanged, ${changed.length} files ${word}${count}`,
      cached: plan.due.length === 0,
    };
  });
}

function byComponent<T extends { readonly component: string }>(list: T[]): T[] {
  return list.sort((a, b) => compareText(a.component, b.component));
}

/** The inputs for the record of the next rendering. */
type Known = Pick<RenderRecord, 'inputs' | 'commit' | 'refs'>;

interface Plan {
  readonly release: ReleaseChanges;
  readonly due: readonly ResolvedComponent[];
  readonly known: ReadonlyMap<string, Known>;
  readonly warnings: readonly { readonly component: string; readonly warning: string }[];
  /** Recorded failures that would occur again. */
  readonly failed: readonly { readonly component: string; readonly error: WeirError }[];
}

/** Finds out which components have to be rendered, without running git or contacting upstream. */
async function planRendering(
  workspace: ProjectWorkspace,
  components: readonly ResolvedComponent[],
  records: RenderRecords,
  root: string,
  settings: RenderSettings,
): Promise<Plan> {
  const { project, cache, engine } = workspace;
  const locks = new Map([...(await readLocks(project)), ...movedLocks(settings)]);
  // All at once: with thousands of components, waiting for each in turn costs more than the work.
  const files = { ...fileDigests(), has: (path: string) => Promise.resolve(existsSync(path)) };
  const context: InputContext = { project, locks, files };
  const release = await releaseChanges(project, components, { scratch: engine.scratch, cache, context });
  const renderer = rendererCode();
  const due: ResolvedComponent[] = [];
  const known = new Map<string, Known>();
  const warnings: { component: string; warning: string }[] = [];
  const failed: { component: string; error: WeirError }[] = [];
  for (const component of components) {
    const { name } = component;
    const uncounted = release.failed.get(name);
    if (uncounted !== undefined) {
      failed.push({ component: name, error: uncounted });
      continue;
    }
    // The release number counts the commits, and a changelog names them.
    const counted = sha256(`${renderer} ${(release.changes.get(name) ?? []).map(({ commit }) => commit).join(' ')}`);
    const lock = locks.get(name);
    const now = await knownInputs(component, context, lock, counted, cache);
    known.set(name, now);
    const record = records.get(name);
    // Rendering reports a lock that contradicts the configuration, even if the folder was rendered from the same commit.
    const checked = settings.skipLockValidation !== true && locks.size > 0 && now.refs !== 'none';
    const doubtful = checked && lockProblem(component, lock) !== undefined;
    if (record === undefined || doubtful || !isCurrent(record, now)) {
      due.push(component);
      continue;
    }
    if (record.failed !== undefined) {
      if (record.failed.places === placesOf(component))
        failed.push({ component: name, error: revivedError(record.failed) });
      else due.push(component);
      continue;
    }
    const folder = asStamped(join(root, renderedDir(name)), record.folder);
    if (folder === undefined) {
      due.push(component);
      continue;
    }
    if (folder !== record.folder || record.refs !== now.refs) records.add({ ...record, ...now, folder });
    for (const warning of record.warnings) warnings.push({ component: name, warning });
  }
  return { due, known, warnings, failed, release };
}

/** The locks of components that move. */
function movedLocks({ moves = new Map() }: RenderSettings): Map<string, ComponentLock> {
  const locks = new Map<string, ComponentLock>();
  for (const [name, { lock }] of moves) if (lock !== undefined) locks.set(name, lock);
  return locks;
}

function isCurrent(record: RenderRecord, now: Known): boolean {
  if (record.inputs !== now.inputs) return false;
  // Without a commit or refs, only upstream could tell whether the record is current.
  if (now.commit !== undefined) return record.commit === now.commit;
  return now.refs !== undefined && record.refs === now.refs;
}

/** Digest of what an error may quote from a component that is not an input: places of definitions, and reasons. */
function placesOf(component: ResolvedComponent): Digest {
  const overlays = component.overlays.map(({ origin, description }) => [origin, description]);
  return sha256(JSON.stringify([component.origin, overlays]));
}

async function knownInputs(
  component: ResolvedComponent,
  context: InputContext,
  lock: ComponentLock | undefined,
  renderer: Digest,
  cache: string,
): Promise<Known> {
  const inputs = sha256(`${renderer} ${(await componentInputs(component, context)).digest}`);
  let upstream: ReturnType<typeof upstreamOf>;
  try {
    upstream = upstreamOf(component, context.project, lock);
  } catch (error) {
    // Rendering reports this error.
    if (error instanceof WeirError) return { inputs };
    throw error;
  }
  // A folder's files are among the inputs.
  if (upstream === undefined) return { inputs, refs: 'none' };
  const { name, uri, revision } = upstream;
  const local = localPath(uri);
  if (local === undefined) return { inputs, ...knownRevision(openGitStore(cache), uri, revision) };
  const folder = [local, join(local, name)].find((each) => localGitDir(each) !== undefined);
  if (folder === undefined) return { inputs, refs: 'none' };
  return { inputs, ...knownRevision(openGitStore(cache), folder, revision) };
}

/** The state of a running rendering. */
class Run {
  readonly changed: { path: string; state: 'missing' | 'changed' | 'extra' | 'orphan' }[] = [];
  readonly warnings: { component: string; warning: string }[];
  readonly failed: { component: string; error: WeirError }[];
  readonly #plan: Plan;
  readonly #records: RenderRecords;
  readonly #stage: Stage;
  readonly #total: number;
  readonly #write: boolean;
  #done: number;

  constructor(plan: Plan, records: RenderRecords, stage: Stage, total: number, write: boolean) {
    this.#plan = plan;
    this.#records = records;
    this.#stage = stage;
    this.#total = total;
    this.#write = write;
    this.#done = total - plan.due.length;
    this.warnings = [...plan.warnings];
    this.failed = [...plan.failed];
  }

  settle(component: ResolvedComponent, outcome: RenderedOne | WeirError): void {
    this.#stage.update(`${++this.#done} of ${this.#total}`);
    if (outcome instanceof WeirError) {
      if (outcome.code === 'interrupted') throw outcome;
      this.failed.push({ component: component.name, error: outcome });
      return;
    }
    const { stale, stamp, warnings, commit, failed } = outcome;
    this.changed.push(...stale);
    for (const warning of warnings) this.warnings.push({ component: component.name, warning });
    if (failed !== undefined) this.failed.push({ component: component.name, error: revivedError(failed) });
    if (stale.length > 0 && !this.#write) return;
    this.#records.add({
      component: component.name,
      ...this.#plan.known.get(component.name)!,
      ...(commit === undefined ? {} : { commit }),
      warnings,
      folder: stamp,
      ...(failed === undefined ? {} : { failed: { ...failed, places: placesOf(component) } }),
    });
  }
}

async function siteOf(
  workspace: ProjectWorkspace,
  root: string,
  settings: RenderSettings,
  changes: RenderSite['changes'],
): Promise<RenderSite> {
  const { project, engine, cache } = workspace;
  const write = settings.check !== true;
  if (write) await mkdir(root, { recursive: true });
  const none: ReadonlyMap<string, never> = new Map<string, never>();
  // A thread gets a copy: of the project only what is needed to find sources.
  const small: Project = { ...project, files: [], components: none, groups: none, images: none, warnings: [] };
  const { offline = isOffline(), skipLockValidation = false, moves } = settings;
  const sources = { store: engine.store, cache, offline, skipLockValidation, locks: movedLocks(settings) };
  const site = { project: small, sources, scratch: engine.scratch, root, write, changes };
  return moves === undefined ? site : { ...site, moves };
}

/** Renders many components on threads; a few, and those that need tools that threads do not have, on this thread. */
async function renderAll(
  workspace: ProjectWorkspace,
  site: RenderSite,
  due: readonly ResolvedComponent[],
  run: Run,
): Promise<void> {
  const threaded = due.length < fewestForThreads ? [] : due.filter((component) => !needsLookaside(component));
  const rest = due.filter((component) => threaded.length === 0 || needsLookaside(component));
  const byName = new Map(threaded.map((component) => [component.name, component]));
  await renderOnThreads(site, threaded, (name, outcome) => {
    if (outcome === 'needs-tools') rest.push(byName.get(name)!);
    else run.settle(byName.get(name)!, outcome);
  });
  if (rest.length === 0) return;
  const sources = { ...(await sourceContext(workspace)), ...site.sources };
  const here = { ...site, sources, tools: renderTools(workspace) };
  for (const component of rest) {
    let outcome: RenderedOne | WeirError;
    try {
      outcome = await renderOne(here, component);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      outcome = error;
    }
    run.settle(component, outcome);
  }
}

/** What the distribution changes in a component: upstream's files against the rendered ones, as a unified diff. */
export async function diffComponent(workspace: ProjectWorkspace, component: ResolvedComponent): Promise<string> {
  const site = await openSite(workspace, [component]);
  return withSources(site, component, async (fetched, options) => {
    const upstream = fetched.dir;
    const rendered = await renderComponent(component, fetched, options);
    let text = '';
    for (const [file, { bytes }] of rendered.files) {
      const there = await exists(join(upstream, file));
      const before = there ? decodeText(await readFile(join(upstream, file))).text : '';
      const labels = [there ? `upstream/${file}` : '/dev/null', `rendered/${file}`] as const;
      text += unifiedDiff(before, decodeText(bytes).text, labels);
    }
    return text;
  });
}
