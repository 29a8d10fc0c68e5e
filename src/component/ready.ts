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
import { fetching, openSite, withSources } from './render/site.ts';

/** A component with its sources fetched, overlays applied, and every file in the content store. */
export interface ReadyComponent {
  readonly component: ResolvedComponent;
  readonly input: BuildInput;
  readonly rendered: RenderedComponent;
  /** Upstream's own files from the lookaside. */
  readonly listed: readonly LookasideFile[];
}

/** Fetches sources, applies overlays, and writes the rendered specs that changed. */
export async function renderStage(workspace: Workspace, key: SigningKey): Promise<ReadyComponent[]> {
  return inStage(workspace.progress, 'specs', async (stage) => {
    stage.update(`rendering ${workspace.project.components.size} components`);
    const ready = await prepareComponents(workspace, key);
    const root = renderedSpecsDir(workspace.project);
    let written = 0;
    for (const { rendered } of ready) {
      if (writeRendered(root, rendered).stale.length > 0) written++;
      for (const warning of rendered.warnings) stage.note(`${rendered.name}: ${warning}`);
    }
    const orphans = orphanedFolders(root, new Set(workspace.project.components.keys()));
    for (const orphan of orphans)
      stage.note(`${orphan} is rendered, but there is no such component; weir component render --clean removes it`);
    return {
      result: ready,
      summary: `${ready.length} components, ${ready.reduce((sum, each) => sum + each.component.overlays.length, 0)} overlays, ${written} rendered again`,
      cached: written === 0,
    };
  });
}

/** Fetches and overlays the named components, or all. @param key its public half is added to the repository package */
export async function prepareComponents(
  workspace: ProjectWorkspace,
  key: SigningKey | undefined,
  names: readonly string[] = [...workspace.project.components.keys()],
): Promise<ReadyComponent[]> {
  const components = names.map((name) => findComponent(workspace.project, name));
  const site = await openSite(workspace, components);
  return mapLimit(components, 4, (component) => {
    const prepare = async (fetched: FetchedSources, options: RenderOptions): Promise<ReadyComponent> => {
      const prepared = await prepareComponent(component, fetched, options);
      const rendered = await renderPrepared(component, prepared);
      const input = await buildInput(workspace, component, prepared, key);
      return { component, rendered, listed: fetched.files, input };
    };
    return withSources(site, component, prepare, fetching(site, true));
  });
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
