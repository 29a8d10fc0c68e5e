import type { Digest } from '../../base/digest.ts';
import { type PlainError, plainError, WeirError } from '../../base/errors.ts';
import { mapLimit } from '../../base/files.ts';
import { codeDigest } from '../../engine/code-digest.ts';
import { type RenderedComponent, renderComponent } from '../../overlay/render.ts';
import { checkRendered, type FolderState, writeRendered } from '../../overlay/rendered-folder.ts';
import type { ResolvedComponent } from '../../project/model.ts';
import { openGitStore, readTogether } from '../../sources/git.ts';
import { upstreamAddress } from '../../sources/upstream.ts';
import { needsLookaside, type PrepareSite, withSources } from './site.ts';

/** Where components are rendered. */
export interface RenderSite extends PrepareSite {
  /** The rendered specs' folder. */
  readonly root: string;
  /** Whether it is written; else only compared. */
  readonly write: boolean;
}

/** What became of a component's folder. */
export interface RenderedOne extends FolderState {
  readonly commit?: string;
  readonly warnings: readonly string[];
  /** Why it can't be rendered, where the same inputs will always say so; the folder is left as it is. */
  readonly failed?: PlainError;
}

/** Digest of the code that renders. */
export function rendererCode(): Digest {
  return codeDigest(import.meta.url);
}

/** Fetches, renders and writes one component. @throws WeirError as `fetchSources`, `renderComponent` and `writeRendered` */
export function renderOne(site: RenderSite, component: ResolvedComponent): Promise<RenderedOne> {
  return withSources(site, component, async (fetched, options) => {
    const commit = fetched.origin.commit === undefined ? {} : { commit: fetched.origin.commit };
    let rendered: RenderedComponent;
    try {
      rendered = await renderComponent(component, fetched, options);
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
