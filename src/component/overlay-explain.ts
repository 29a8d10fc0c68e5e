import { join } from 'node:path';
import { isOffline } from '../base/network.ts';
import { withScratch } from '../engine/scratch.ts';
import { releaseOptions } from '../history/history.ts';
import { type Explanation, explainComponent } from '../overlay/explain.ts';
import type { ResolvedComponent } from '../project/model.ts';
import { archiveTools } from '../workspace/archive-tools.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { needsLookaside } from './render/render-one.ts';
import { type UpstreamOptions, upstreamSources } from './upstream.ts';

/** What each overlay of a component does to upstream's sources, which are fetched where they are not there yet. */
export function explainOverlays(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  options: UpstreamOptions = {},
): Promise<Explanation> {
  return withScratch(workspace.engine.scratch, async (work) => {
    const from = { ...options, lookaside: needsLookaside(component) };
    const fetched = await upstreamSources(workspace, component, join(work, 'sources'), from);
    const release = (await releaseOptions(workspace, [component])).of(component.name);
    return explainComponent(component, fetched, {
      tools: archiveTools(workspace),
      patience: { offline: isOffline() },
      ...release,
    });
  });
}
