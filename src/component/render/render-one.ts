import { join } from 'node:path';
import type { Digest } from '../../base/digest.ts';
import { WeirError } from '../../base/errors.ts';
import { mapLimit } from '../../base/files.ts';
import { type PlainError, plainError } from '../../base/plain-error.ts';
import { codeDigest } from '../../engine/code.ts';
import { withScratch } from '../../engine/scratch.ts';
import { archiveOf } from '../../overlay/apply.ts';
import { type RenderedComponent, type RenderOptions, renderComponent } from '../../overlay/render.ts';
import { checkRendered, type FolderState, writeRendered } from '../../overlay/rendered-folder.ts';
import type { ProjectChange } from '../../overlay/upstream-history.ts';
import type { Project, ResolvedComponent } from '../../project/model.ts';
import { fetchSources, type SourceContext } from '../../sources/fetch.ts';
import { openGitStore, readTogether } from '../../sources/git.ts';
import { upstreamAddress } from '../../sources/upstream.ts';

/** Where components are rendered; plain data but for the store. */
export interface RenderSite {
  /** What sources need of it: its components, groups and images may be left out. */
  readonly project: Project;
  readonly sources: SourceContext;
  readonly scratch: string;
  /** The rendered specs' folder. */
  readonly root: string;
  /** Whether it is written; else only compared. */
  readonly write: boolean;
  /** Component → the project's commits that its release number counts, newest first. */
  readonly changes: ReadonlyMap<string, readonly ProjectChange[]>;
}

/** What became of a component's folder. */
export interface RenderedOne extends FolderState {
  readonly commit?: string;
  readonly warnings: readonly string[];
  /** Why it can't be rendered, where the same inputs will always say so; the folder is left as it is. */
  readonly failed?: PlainError;
}

/** Whether rendering needs files of the lookaside: archives that overlays change, source files without a known hash. */
export function needsLookaside(component: ResolvedComponent): boolean {
  return (
    component.overlays.some((overlay) => archiveOf(overlay) !== undefined) ||
    component.sourceFiles.some((file) => file.hash === undefined && file.origin.type !== 'overlay')
  );
}

/** Digest of the code that renders. */
export function rendererCode(): Digest {
  return codeDigest(import.meta.url);
}

/** Fetches, renders and writes one component. @throws WeirError as `fetchSources`, `renderComponent` and `writeRendered` */
export function renderOne(
  site: RenderSite,
  component: ResolvedComponent,
  options: RenderOptions = {},
): Promise<RenderedOne> {
  return withScratch(site.scratch, async (work) => {
    const context = { ...site.sources, withLookaside: needsLookaside(component) };
    const fetched = await fetchSources(component, site.project, context, join(work, 'sources'));
    const history = { commits: site.changes.get(component.name) ?? [] };
    const commit = fetched.origin.commit === undefined ? {} : { commit: fetched.origin.commit };
    let rendered: RenderedComponent;
    try {
      rendered = await renderComponent(component, fetched, { ...options, history, patience: site.sources });
    } catch (error) {
      // What the configuration is to blame for, and not a network, a disk or a tool.
      if (!(error instanceof WeirError) || error.exit !== 2 || needsLookaside(component)) throw error;
      // These are not told by the inputs: a file instead of a link, or what git lfs fetch brings, leaves them as they are.
      if (error.code === 'link-out' || error.code === 'lfs-pointer') throw error;
      return { stale: [], stamp: { files: [] }, warnings: [], failed: plainError(error), ...commit };
    }
    const state = site.write ? writeRendered(site.root, rendered) : checkRendered(site.root, rendered);
    return { ...state, warnings: rendered.warnings, ...commit };
  });
}

export type LotOutcome = { readonly rendered: RenderedOne } | { readonly error: unknown };

/**
 * Renders several components, some at a time: while git reads for one, another is rendered.
 * @param settle told of each as it is done; never throws
 */
export async function renderLot(
  site: RenderSite,
  components: readonly ResolvedComponent[],
  settle: (name: string, outcome: LotOutcome) => void,
): Promise<void> {
  const git = readTogether(
    openGitStore(site.sources.cache),
    components.flatMap((component) => upstreamAddress(component, site.project)),
  );
  try {
    await mapLimit(components, 4, async (component) => {
      let outcome: LotOutcome;
      try {
        outcome = { rendered: await renderOne(site, component) };
      } catch (error) {
        outcome = { error };
      }
      settle(component.name, outcome);
    });
  } finally {
    git.done();
  }
}
