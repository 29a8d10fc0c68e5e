import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists, mapLimit } from '../base/files.ts';
import { run } from '../base/process.ts';
import { inStage } from '../base/progress.ts';
import { removeTree, withScratch } from '../engine/sandbox.ts';
import { checkRendered, orphanedFolders, type RenderedComponent, writeRendered } from '../overlay/render.ts';
import { findComponent } from '../project/select.ts';
import { fetchSources } from '../sources/fetch.ts';
import { renderedSpecsDir } from './build.ts';
import { prepareComponents } from './components.ts';
import type { ProjectWorkspace } from './workspace.ts';

/** What rendering did, paths relative to the rendered specs' folder. */
export interface RenderReport {
  readonly components: number;
  /** Files written or removed; with `check`, those that are not as they should be. */
  readonly changed: readonly { readonly path: string; readonly state: 'missing' | 'changed' | 'extra' | 'orphan' }[];
  readonly warnings: readonly { readonly component: string; readonly warning: string }[];
  readonly failed: readonly { readonly component: string; readonly error: WeirError }[];
}

/**
 * Renders components into the folder that the project keeps in git; one that fails does not keep the others from it.
 * @param names all components where none is named; only then are rendered folders without a component looked for
 */
export async function renderComponents(
  workspace: ProjectWorkspace,
  names: readonly string[],
  options: { /** Writes nothing. */ readonly check?: boolean /** Removes orphans. */; readonly clean?: boolean } = {},
): Promise<RenderReport> {
  const { project, progress } = workspace;
  const root = renderedSpecsDir(workspace);
  const chosen = names.length === 0 ? [...project.components.keys()] : [...new Set(names)];
  for (const name of chosen) findComponent(project, name);
  return inStage(progress, 'specs', async (stage) => {
    const changed: RenderReport['changed'][number][] = [];
    const warnings: RenderReport['warnings'][number][] = [];
    const failed: RenderReport['failed'][number][] = [];
    let done = 0;
    await mapLimit(chosen, 4, async (name) => {
      try {
        const rendered = await renderOne(workspace, name);
        warnings.push(...rendered.warnings.map((warning) => ({ component: name, warning })));
        changed.push(...(await checkRendered(root, rendered)));
        if (options.check !== true) await writeRendered(root, rendered);
      } catch (error) {
        if (!(error instanceof WeirError) || error.code === 'interrupted') throw error;
        failed.push({ component: name, error });
      }
      stage.update(`${++done} of ${chosen.length}`);
    });
    if (names.length === 0) {
      for (const path of await orphanedFolders(root, new Set(project.components.keys()))) {
        if (options.check === true || options.clean === true) changed.push({ path, state: 'orphan' });
        else stage.note(`${path} is rendered but no component; --clean removes it`);
        if (options.check !== true && options.clean === true) await removeTree(join(root, path));
      }
    }
    const byName = <T extends { readonly component: string }>(list: T[]): T[] =>
      list.sort((a, b) => (a.component < b.component ? -1 : a.component > b.component ? 1 : 0));
    const word = options.check === true ? 'stale' : 'written';
    return {
      result: {
        components: chosen.length,
        changed: changed.sort((a, b) => (a.path < b.path ? -1 : 1)),
        warnings: byName(warnings),
        failed: byName(failed),
      },
      summary: `${chosen.length} components, ${changed.length} files ${word}${failed.length === 0 ? '' : `, ${failed.length} failed`}`,
      cached: false,
    };
  });
}

async function renderOne(workspace: ProjectWorkspace, name: string): Promise<RenderedComponent> {
  const [ready] = await prepareComponents(workspace, undefined, [name]);
  return ready!.rendered;
}

/** What the distribution changes in a component: upstream's files against the rendered ones, as a unified diff. */
export async function diffComponent(workspace: ProjectWorkspace, name: string): Promise<string> {
  const { project, engine, cache } = workspace;
  const component = findComponent(project, name);
  const rendered = await renderOne(workspace, name);
  return withScratch(engine.scratch, async (work) => {
    const upstream = join(work, 'upstream');
    await fetchSources(component, project, { store: engine.store, cache, withLookaside: false }, upstream);
    let text = '';
    for (const [file, { bytes }] of rendered.files) {
      const [before, after] = [join(upstream, file), join(work, 'rendered', file)];
      await mkdir(dirname(after), { recursive: true });
      await writeFile(after, bytes);
      const there = await exists(before);
      const labels = ['--label', there ? `upstream/${file}` : '/dev/null', '--label', `rendered/${file}`];
      const result = await run(['diff', '-u', ...labels, there ? before : '/dev/null', after]);
      if (result.code > 1) throw new WeirError('tool-failed', 'diff failed', { details: [result.stderr.trim()] });
      text += result.stdout;
    }
    return text;
  });
}
