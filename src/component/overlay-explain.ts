import { type Explanation, explainComponent } from '../overlay/explain.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { needsLookaside, openSite, withSources } from './render/site.ts';
import { type UpstreamOptions, upstreamSources } from './upstream.ts';

/** Explains what each overlay of a component does to upstream's sources, which are fetched if missing. */
export async function explainOverlays(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  options: UpstreamOptions = {},
): Promise<Explanation> {
  const site = await openSite(workspace, [component]);
  const from = { ...options, lookaside: needsLookaside(component) };
  return withSources(
    site,
    component,
    (fetched, given) => explainComponent(component, fetched, given),
    (one, into) => upstreamSources(site, one, into, from),
  );
}
