import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Digest } from '../../base/digest.ts';
import { type PlainError, plainError, WeirError } from '../../base/errors.ts';
import { mapLimit, readIfExists, writeAtomicSync } from '../../base/files.ts';
import { codeDigest } from '../../engine/code-digest.ts';
import { type RenderedComponent, renderComponent } from '../../overlay/render.ts';
import { checkRendered, type FolderState, writeRendered } from '../../overlay/rendered-folder.ts';
import type { ResolvedComponent } from '../../project/model/component.ts';
import type { ComponentLock } from '../../sources/component-lock.ts';
import { readTogether } from '../../sources/git-readers.ts';
import { openGitStore } from '../../sources/git-store.ts';
import { upstreamAddress } from '../../sources/upstream.ts';
import { needsLookaside, type PrepareSite, withSources } from './site.ts';

/** A component's move to another upstream commit: its new lock or pin, as a file. */
export interface Move {
  readonly path: string;
  readonly text: string;
  /** For a lock: its content. A pin is part of the component's definition. */
  readonly lock?: ComponentLock;
}

/** Where components are rendered. */
export interface RenderSite extends PrepareSite {
  /** The folder of rendered specs. */
  readonly root: string;
  /** Whether to write the result, or only to compare it. */
  readonly write: boolean;
  /** Locks and pins that are written together with a component's folder, by component. */
  readonly moves?: ReadonlyMap<string, Move>;
}

/** The result of rendering one component's folder. */
export interface RenderedOne extends FolderState {
  readonly commit?: string;
  readonly warnings: readonly string[];
  /** Why it can't be rendered, if the same inputs always fail; the folder is left as it is. */
  readonly failed?: PlainError;
}

/** Thrown where a component needs a tool that a thread does not have. */
export class NeedsTools extends Error {}

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
      // Errors whose cause is the configuration, not a network, a disk or a tool.
      if (!(error instanceof WeirError) || error.exit !== 2 || needsLookaside(component)) throw error;
      // Not recorded, because fixing these errors does not change the inputs: replacing a link with a file, or running git lfs fetch.
      if (error.code === 'link-out' || error.code === 'lfs-pointer') throw error;
      return { stale: [], stamp: { files: [] }, warnings: [], failed: plainError(error), ...commit };
    }
    const state = site.write ? await write(site, rendered) : checkRendered(site.root, rendered);
    return { ...state, warnings: rendered.warnings, ...commit };
  });
}

/** Writes a component's folder; if it moves, its lock or pin right before, so that only a kill can come between them. */
async function write({ root, moves }: RenderSite, rendered: RenderedComponent): Promise<FolderState> {
  const move = moves?.get(rendered.name);
  if (move === undefined) return writeRendered(root, rendered);
  await mkdir(dirname(move.path), { recursive: true });
  const before = await readIfExists(move.path);
  // Without a pause, in which a kill would be more likely.
  writeAtomicSync(move.path, move.text);
  try {
    return writeRendered(root, rendered);
  } catch (error) {
    if (before === undefined) rmSync(move.path, { force: true });
    else writeAtomicSync(move.path, before);
    throw error;
  }
}

export type LotOutcome = { readonly rendered: RenderedOne } | { readonly error: unknown };

/**
 * Renders several components concurrently: while git reads for one, another is rendered.
 * @param settle called for each component when it is done; must not throw
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
