import { join } from 'node:path';
import type { WeirError } from '../../base/errors.ts';
import { withScratch } from '../../engine/scratch.ts';
import { workspaceChanges } from '../../history/release-changes.ts';
import { archiveOf } from '../../overlay/apply.ts';
import type { RenderOptions, RenderTools } from '../../overlay/render.ts';
import type { ProjectChange } from '../../overlay/upstream-history.ts';
import type { ResolvedComponent } from '../../project/model/component.ts';
import type { Project } from '../../project/model/project.ts';
import { type FetchedSources, fetchSources, type SourceContext } from '../../sources/fetch.ts';
import { renderTools } from '../../workspace/render-tools.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { sourceContext } from '../sources.ts';

/**
 * The context for preparing components, that is, for getting from a component's definition to its overlaid sources. Builds, rendering,
 * queries and explanations all use it. Plain data except for the store, scripts and tools, so that a thread can get a copy of the rest.
 */
export interface PrepareSite {
  /** The project; components, groups and images may be missing. */
  readonly project: Project;
  readonly sources: SourceContext;
  readonly scratch: string;
  /** Component → the project's commits that its release number counts, newest first. */
  readonly changes: ReadonlyMap<string, readonly ProjectChange[]>;
  /** Component → why its commits cannot be counted. */
  readonly failed?: ReadonlyMap<string, WeirError>;
  readonly tools?: RenderTools;
}

/** The site of a workspace for some components. @param sources where sources come from; by default the workspace's own */
export async function openSite(
  workspace: ProjectWorkspace,
  components: Iterable<ResolvedComponent>,
  sources?: SourceContext,
): Promise<PrepareSite> {
  const { project, engine } = workspace;
  const { changes, failed } = await workspaceChanges(workspace, components);
  const tools = renderTools(workspace);
  const from = sources ?? (await sourceContext(workspace));
  return { project, sources: from, scratch: engine.scratch, changes, failed, tools };
}

/** Whether rendering needs files of the lookaside: archives that overlays change, source files without a known hash. */
export function needsLookaside(component: ResolvedComponent): boolean {
  return (
    component.overlays.some((overlay) => archiveOf(overlay) !== undefined) ||
    component.sourceFiles.some((file) => file.hash === undefined && file.origin.type !== 'overlay')
  );
}

/** Fetches a component's sources into an empty folder. */
export type Fetch = (component: ResolvedComponent, into: string) => Promise<FetchedSources>;

/**
 * Fetches a component's sources into a scratch folder that is deleted when `use` ends.
 * @param use gets them, and the options that `prepareComponent` and its like take
 * @throws WeirError as `fetchSources`, `shallow-history`
 */
export function withSources<T>(
  site: PrepareSite,
  component: ResolvedComponent,
  use: (fetched: FetchedSources, options: RenderOptions, work: string) => Promise<T>,
  fetch: Fetch = fetching(site, needsLookaside(component)),
): Promise<T> {
  return withScratch(site.scratch, async (work) => {
    const uncounted = site.failed?.get(component.name);
    if (uncounted !== undefined) throw uncounted;
    const fetched = await fetch(component, join(work, 'sources'));
    const history = { commits: site.changes.get(component.name) ?? [] };
    const tools = site.tools === undefined ? {} : { tools: site.tools };
    return use(fetched, { history, retry: site.sources, ...tools }, work);
  });
}

/** Fetches sources as the project's configuration names them. @param withLookaside whether to fetch files of the lookaside too */
export function fetching({ project, sources }: PrepareSite, withLookaside: boolean): Fetch {
  return (component, into) => fetchSources(component, project, { ...sources, withLookaside }, into);
}
