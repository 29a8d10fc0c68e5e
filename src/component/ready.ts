import { createReadStream } from 'node:fs';
import { mapLimit } from '../base/files.ts';
import { inStage } from '../base/progress.ts';
import type { BuildInput } from '../build/specquery.ts';
import { putBytes, putStream } from '../engine/store.ts';
import {
  type PreparedComponent,
  prepareComponent,
  type RenderedComponent,
  type RenderOptions,
  renderPrepared,
} from '../overlay/render.ts';
import { orphanedFolders, writeRendered } from '../overlay/rendered-folder.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import { renderedSpecsDir } from '../project/paths.ts';
import { findComponent } from '../project/select.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import type { LookasideFile } from '../sources/listing.ts';
import { specBytes } from '../spec/parse.ts';
import { sources as specSources } from '../spec/query.ts';
import type { SigningKey } from '../trust/gpg.ts';
import type { ProjectWorkspace, Workspace } from '../workspace/workspace.ts';
import { type Failure, failureOf } from './outcome.ts';
import { fetching, openSite, type PrepareSite, withSources } from './render/site.ts';

/** A component with its sources fetched, overlays applied, and every file in the content store. */
export interface ReadyComponent {
  readonly component: ResolvedComponent;
  readonly input: BuildInput;
  readonly rendered: RenderedComponent;
  /** Where the spec before overlays is from. */
  readonly origin: Omit<FetchedSources['origin'], 'repository'>;
  /** Upstream's own files from the lookaside. */
  readonly listed: readonly LookasideFile[];
}

/** A component's sources and spec, or the error that prevented preparing them. */
export type Prepared = ReadyComponent | Failure;

/**
 * Fetches sources, applies overlays, and writes the rendered specs that changed. A component that fails does not
 * stop the others.
 * @param names by default all components; only then are rendered folders without a component reported
 */
export async function renderStage(
  workspace: Workspace,
  key: SigningKey,
  names?: readonly string[],
): Promise<Map<string, Prepared>> {
  return inStage(workspace.progress, 'specs', async (stage) => {
    const all = [...workspace.project.components.keys()];
    stage.update(`rendering ${(names ?? all).length} components`);
    const prepared = await prepareEach(workspace, key, names ?? all);
    const { written, warnings } = writeEach(workspace, prepared);
    for (const warning of warnings) stage.note(warning);
    const orphans = names === undefined ? orphanedFolders(renderedSpecsDir(workspace.project), new Set(all)) : [];
    for (const orphan of orphans)
      stage.note(`${orphan} is rendered, but there is no such component; weir component render --clean removes it`);
    const ready = [...prepared.values()].flatMap((each) => ('error' in each ? [] : [each]));
    const overlays = ready.reduce((sum, each) => sum + each.component.overlays.length, 0);
    const failed = prepared.size === ready.length ? '' : `, ${prepared.size - ready.length} failed`;
    return {
      result: prepared,
      summary: `${ready.length} components, ${overlays} overlays, ${written} rendered again${failed}`,
      cached: written === 0,
    };
  });
}

/** Writes the rendered specs that changed. */
export function writeEach(
  workspace: ProjectWorkspace,
  prepared: ReadonlyMap<string, Prepared>,
): { readonly written: number; readonly warnings: readonly string[] } {
  const root = renderedSpecsDir(workspace.project);
  let written = 0;
  const warnings: string[] = [];
  for (const each of prepared.values()) {
    if ('error' in each) continue;
    if (writeRendered(root, each.rendered).stale.length > 0) written++;
    for (const warning of each.rendered.warnings) warnings.push(`${each.rendered.name}: ${warning}`);
  }
  return { written, warnings };
}

/**
 * Fetches and overlays the named components, or all. @param key its public half is added to the repository package
 * @throws WeirError of the first component that fails
 */
export async function prepareComponents(
  workspace: ProjectWorkspace,
  key: SigningKey | undefined,
  names: readonly string[] = [...workspace.project.components.keys()],
): Promise<ReadyComponent[]> {
  const prepared = await prepareEach(workspace, key, names);
  return [...prepared.values()].map((each) => {
    if ('error' in each) throw each.error;
    return each;
  });
}

/** Fetches and overlays the named components; a component that fails does not stop the others. */
export async function prepareEach(
  workspace: ProjectWorkspace,
  key: SigningKey | undefined,
  names: readonly string[],
): Promise<Map<string, Prepared>> {
  const components = names.map((name) => findComponent(workspace.project, name));
  const site = await openSite(workspace, components);
  const prepared = await mapLimit(components, 4, (component) => prepareOne(workspace, site, component, key));
  return new Map(names.map((name, index) => [name, prepared[index]!]));
}

async function prepareOne(
  workspace: ProjectWorkspace,
  site: PrepareSite,
  component: ResolvedComponent,
  key: SigningKey | undefined,
): Promise<Prepared> {
  let failsAt: 'source' | 'render' = 'source';
  const prepare = async (fetched: FetchedSources, options: RenderOptions): Promise<ReadyComponent> => {
    failsAt = 'render';
    const prepared = await prepareComponent(component, fetched, options);
    const rendered = await renderPrepared(component, prepared);
    const input = await buildInput(workspace, component, prepared, key);
    const { repository: _, ...origin } = fetched.origin;
    return { component, rendered, origin, listed: fetched.files, input };
  };
  try {
    return await withSources(site, component, prepare, fetching(site, true));
  } catch (error) {
    return failureOf(failsAt, error);
  }
}

/** Puts the spec and every file that rpmbuild needs into the store. */
async function buildInput(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  prepared: PreparedComponent,
  key: SigningKey | undefined,
): Promise<BuildInput> {
  const { engine, project } = workspace;
  const spec = `${component.name}.spec`;
  const files: Record<string, string> = { [spec]: (await putBytes(engine.store, specBytes(prepared.spec))).digest };
  for (const [name, entry] of prepared.files) {
    if (name === 'sources' || entry.kind === 'link' || name.includes('/')) continue;
    const blob =
      entry.kind === 'bytes'
        ? await putBytes(engine.store, entry.bytes)
        : await putStream(engine.store, createReadStream(entry.path));
    files[name] = blob.digest;
  }
  // The release's key is created or chosen when the release is built, so a project can't have it as a file.
  const keyFile = `RPM-GPG-KEY-${project.lifecycle?.id ?? 'weir'}`;
  if (key !== undefined && specSources(prepared.spec).some((source) => source.value === keyFile)) {
    files[keyFile] = (await putBytes(engine.store, key.publicKey)).digest;
  }
  return { name: component.name, spec, files };
}
