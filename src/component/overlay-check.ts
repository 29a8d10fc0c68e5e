import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists, mapLimit } from '../base/files.ts';
import { inStage } from '../base/progress.ts';
import { withScratch } from '../engine/scratch.ts';
import { blobFile } from '../engine/store.ts';
import { overlayTimes, presentTime, unknownAges } from '../history/overlay-age.ts';
import { openArchive } from '../overlay/archive.ts';
import { type CheckEvidence, checkComponent, type Finding } from '../overlay/check.ts';
import type { ArchiveTools } from '../overlay/compression.ts';
import type { SourceTree } from '../overlay/files.ts';
import { isPatched } from '../overlay/patched.ts';
import type { UpstreamCommit } from '../overlay/taken-in.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import { knownBlob } from '../sources/download.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import { readCommit } from '../sources/git-readers.ts';
import { renderTools } from '../workspace/render-tools.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { needsLookaside, type PrepareSite } from './render/site.ts';
import { sourceContext } from './sources.ts';
import { type UpstreamOptions, upstreamSources } from './upstream.ts';

export interface OverlayCheckOptions {
  /** A folder with upstream's sources, used instead of fetching them. */
  readonly sources?: string;
  /** Checks the configuration only, without the sources. */
  readonly withoutSources?: boolean;
  readonly olderThanDays?: number;
}

export interface OverlayCheckReport {
  /** Components with overlays. */
  readonly components: number;
  readonly overlays: number;
  readonly findings: readonly Finding[];
  readonly warnings: readonly string[];
}

/** Checks the overlays of components against upstream's sources and history. */
export async function checkOverlays(
  workspace: ProjectWorkspace,
  components: readonly ResolvedComponent[],
  options: OverlayCheckOptions = {},
): Promise<OverlayCheckReport> {
  const { project, progress } = workspace;
  const chosen = components.filter((component) => component.overlays.length > 0);
  const times = await overlayTimes(project.root, chosen);
  const tools = renderTools(workspace);
  const site = { project, sources: await sourceContext(workspace) };
  const fixed = {
    now: presentTime(),
    tools,
    ...(options.olderThanDays === undefined ? {} : { olderThanDays: options.olderThanDays }),
  };
  return inStage(progress, 'overlays', async (stage) => {
    let done = 0;
    // If upstream can't be reached, the next component can't reach it either, so it does not retry.
    let retry: Pick<UpstreamOptions, 'attempts'> = {};
    const found = await mapLimit(chosen, 4, (component) =>
      withScratch(workspace.engine.scratch, async (work) => {
        const introduced: CheckEvidence['introduced'] = (overlay) => {
          const time = times.get(overlay);
          return time === 'uncommitted' ? fixed.now : time;
        };
        const { evidence, unchecked } = await evidenceFor(
          workspace,
          site,
          component,
          work,
          { ...options, ...retry },
          tools,
        );
        if (unchecked.length > 0) retry = { attempts: 1 };
        const findings = await checkComponent(component, { introduced, ...evidence }, fixed);
        stage.update(`${++done} of ${chosen.length}`);
        return [...findings, ...unchecked];
      }),
    );
    const findings = found.flat();
    const all = chosen.flatMap((component) => component.overlays);
    const overlays = all.length;
    const ageless = all.filter((overlay) => !times.has(overlay)).length;
    const warnings = options.olderThanDays === undefined ? [] : unknownAges(ageless);
    const report = { components: chosen.length, overlays, findings, warnings };
    return {
      result: report,
      summary: `${overlays} overlays of ${chosen.length} components, ${findings.length} findings`,
      cached: false,
    };
  });
}

/**
 * Fetches what a component's overlays are checked against.
 * @param work an empty folder
 * @returns the evidence; or, if the sources cannot be fetched, a finding that says so
 */
export async function evidenceFor(
  workspace: ProjectWorkspace,
  site: Pick<PrepareSite, 'project' | 'sources'>,
  component: ResolvedComponent,
  work: string,
  options: OverlayCheckOptions & Pick<UpstreamOptions, 'attempts'>,
  tools: ArchiveTools,
): Promise<{ readonly evidence: CheckEvidence; readonly unchecked: readonly Finding[] }> {
  if (options.withoutSources === true) return { evidence: {}, unchecked: [] };
  try {
    const from: UpstreamOptions = {
      lookaside: needsLookaside(component),
      ...(options.sources === undefined ? {} : { sources: options.sources }),
      ...(options.attempts === undefined ? {} : { attempts: options.attempts }),
    };
    const fetched = await upstreamSources(site, component, join(work, 'sources'), from);
    const history = await historyFor(fetched);
    const evidence = {
      fetched,
      ...(history === undefined ? {} : { history }),
      patchedArchive: patchedArchive(workspace, fetched, work, tools),
    };
    return { evidence, unchecked: [] };
  } catch (error) {
    if (!(error instanceof WeirError) || error.code === 'interrupted') throw error;
    const finding: Finding = {
      kind: 'unchecked',
      component: component.name,
      origin: component.origin,
      message: `cannot fetch its sources: ${error.message}`,
      advice: error.hint ?? 'name a folder with the sources by --sources',
    };
    return { evidence: {}, unchecked: [finding] };
  }
}

/** The history of the dist-git along first parents, from the pinned commit. */
async function historyFor(fetched: FetchedSources): Promise<UpstreamCommit[] | undefined> {
  const { origin } = fetched;
  if (origin.kind !== 'git' || origin.repository === undefined) return undefined;
  const commits: UpstreamCommit[] = [];
  for (let next = origin.commit; next !== undefined; ) {
    const commit = await readCommit(origin.repository, next);
    if (commit === undefined) break;
    commits.push(commit);
    next = commit.parents[0];
  }
  return commits;
}

const archiveName = /\.(?:tar|tar\.gz|tgz|tar\.xz|txz|tar\.zst|tzst)$/;

/** Looks for a patch's change in the archives on this machine: beside the spec, or in the cache. Downloads nothing. */
function patchedArchive(
  workspace: ProjectWorkspace,
  fetched: FetchedSources,
  work: string,
  tools: ArchiveTools,
): (patch: Uint8Array) => Promise<string | undefined> {
  let trees: Promise<readonly (readonly [string, SourceTree])[]> | undefined;
  const open = async (): Promise<readonly (readonly [string, SourceTree])[]> => {
    const found: [string, SourceTree][] = [];
    for (const file of fetched.files.filter(({ filename }) => archiveName.test(filename))) {
      const beside = join(fetched.dir, file.filename);
      const blob = await knownBlob(file, { store: workspace.engine.store, cache: workspace.cache });
      const path = (await exists(beside))
        ? beside
        : blob === undefined
          ? undefined
          : await blobFile(workspace.engine.store, blob);
      if (path === undefined) continue;
      const files: SourceTree = new Map([[file.filename, { kind: 'disk', path, executable: false }]]);
      try {
        found.push([file.filename, (await openArchive(files, file.filename, tools)).tree]);
      } catch (error) {
        // Archives that overlays can't change can't be read here either; the patch is then not checked against them.
        if (!(error instanceof WeirError) || !['bad-archive', 'not-supported-yet'].includes(error.code)) throw error;
      }
    }
    return found;
  };
  return async (patch) => {
    trees ??= open();
    for (const [name, tree] of await trees) if (await isPatched(tree, patch, work)) return name;
    return undefined;
  };
}
