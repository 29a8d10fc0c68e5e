import { relative } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { evidenceFor } from '../component/overlay-check.ts';
import { needsLookaside } from '../component/render/site.ts';
import { withScratch } from '../engine/scratch.ts';
import { fileDigests } from '../history/file-digests.ts';
import { presentTime } from '../history/overlay-age.ts';
import { checkComponent, type Finding, type FindingKind } from '../overlay/check.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Overlay } from '../project/model/overlay.ts';
import type { SourceContext } from '../sources/fetch.ts';
import { renderTools } from '../workspace/render-tools.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';

/** What is wrong with an overlay on upstream's newest commit. */
export interface OverlayFinding {
  readonly kind: FindingKind;
  /** Its position in the component's list, from 1; undefined for a finding about the whole component. */
  readonly overlay?: number;
  readonly type?: Overlay['type'];
  /** file:line, relative to the project. */
  readonly place: string;
  readonly message: string;
  readonly advice: string;
  /** Whether it is so on the pinned commit, too. */
  readonly already: boolean;
}

/** Findings that another upstream commit can cause or end. */
const kinds: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'fails',
  'no-effect',
  'taken-in',
  'not-applied',
  'left-call',
  'archive-hash',
  'unchecked',
]);

/**
 * Digest of everything that determines the findings on given commits, except the code; undefined if more does: patches are
 * compared with archives, which may be in the cache or not, and archives are fetched.
 */
export async function overlaysDigest(component: ResolvedComponent): Promise<string | undefined> {
  const { overlays, sourceFiles } = component;
  const files = fileDigests();
  const contents: string[] = [];
  for (const overlay of overlays) {
    if (overlay.type === 'patch-add') return undefined;
    if (overlay.type === 'file-add') contents.push(await files.file(overlay.source));
  }
  return needsLookaside(component) ? undefined : valueDigest([overlays, sourceFiles, contents]);
}

/** Checks a component's overlays on the newest commit, and which findings are new since the pinned one. */
export async function overlayFindings(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  context: SourceContext,
  commits: { readonly pinned: string; readonly newest: string },
): Promise<OverlayFinding[]> {
  if (component.overlays.length === 0) return [];
  const after = await findingsAt(workspace, component, context, commits.newest);
  if (after.length === 0) return [];
  const before = await findingsAt(workspace, component, context, commits.pinned);
  const known = new Set(before.map(({ kind, overlay }) => `${kind} ${overlay}`));
  return after.map(({ kind, overlay, type, origin, message, advice }) => ({
    kind,
    ...(overlay === undefined ? {} : { overlay }),
    ...(type === undefined ? {} : { type }),
    place: `${relative(workspace.project.root, origin.file)}:${origin.line}`,
    message,
    advice,
    already: known.has(`${kind} ${overlay}`),
  }));
}

function findingsAt(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  context: SourceContext,
  commit: string,
): Promise<Finding[]> {
  const { project, engine } = workspace;
  const locks = new Map([[component.name, { manualBump: 0, upstreamCommit: commit }]]);
  const site = { project, sources: { ...context, skipLockValidation: true, locks } };
  const tools = renderTools(workspace);
  return withScratch(engine.scratch, async (work) => {
    const { evidence, unchecked } = await evidenceFor(workspace, site, component, work, {}, tools);
    const findings = await checkComponent(component, evidence, { now: presentTime(), tools });
    return [...findings, ...unchecked].filter(({ kind }) => kinds.has(kind));
  });
}
