import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { mapLimit } from '../base/files.ts';
import { isOffline } from '../base/network.ts';
import { inStage } from '../base/progress.ts';
import { type BuildContext, type Buildroot, planBuildroot } from '../build/buildroot.ts';
import { buildOrder, inOrder } from '../build/order.ts';
import { type Built, buildComponent } from '../build/rpmbuild.ts';
import { type BuildInput, querySpec, type SpecFacts } from '../build/specquery.ts';
import { withScratch } from '../engine/scratch.ts';
import { putBytes, putStream } from '../engine/store.ts';
import { type PreparedComponent, prepareComponent, type RenderedComponent, renderPrepared } from '../overlay/render.ts';
import type { ResolvedComponent } from '../project/model.ts';
import { findComponent } from '../project/select.ts';
import type { RepoPackage } from '../repo/metadata.ts';
import type { RepoSource } from '../repo/resolve.ts';
import { fetchTarball, loadLookaside } from '../seed/lookaside.ts';
import { fetchSources, type SourceContext } from '../sources/fetch.ts';
import type { LookasideFile } from '../sources/listing.ts';
import { specBytes } from '../spec/parse.ts';
import { sources as specSources } from '../spec/query.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import type { SigningKey } from '../trust/gpg.ts';
import { archiveTools } from './archive-tools.ts';
import { cachedRepository } from './cached-repository.ts';
import { releaseOptions } from './history.ts';
import { scriptRunner } from './scripts.ts';
import type { SeedRepository } from './seed.ts';
import { type ProjectWorkspace, seedApt, type Workspace } from './workspace.ts';

/** A component with its sources fetched, overlays applied, and every file in the content store. */
export interface ReadyComponent {
  readonly component: ResolvedComponent;
  readonly input: BuildInput;
  readonly rendered: RenderedComponent;
  /** Files from the lookaside, upstream's own. */
  readonly listed: readonly LookasideFile[];
}

/** Everything built, and the repository folder in the cache that holds it. */
export interface BuiltComponents {
  readonly components: readonly Built[];
  readonly ready: ReadonlyMap<string, ReadyComponent>;
  readonly source: RepoSource;
}

/** Fetches and overlays the named components, or all. @param key its public half goes into the repository package */
export async function prepareComponents(
  workspace: ProjectWorkspace,
  key: SigningKey | undefined,
  names: readonly string[] = [...workspace.project.components.keys()],
): Promise<ReadyComponent[]> {
  const { project, engine } = workspace;
  const context = await sourceContext(workspace);
  const tools = archiveTools(workspace);
  const components = names.map((name) => findComponent(project, name));
  const release = await releaseOptions(workspace, components);
  return mapLimit(components, 4, (component) =>
    withScratch(engine.scratch, async (work) => {
      const fetched = await fetchSources(component, project, context, join(work, 'sources'));
      const prepared = await prepareComponent(component, fetched, {
        ...{ tools, patience: context },
        ...release.of(component.name),
      });
      const rendered = await renderPrepared(component, prepared);
      return {
        component,
        rendered,
        listed: fetched.files,
        input: await buildInput(workspace, component, prepared, key),
      };
    }),
  );
}

/**
 * Where a workspace's sources come from: its caches, the seed's tarballs where the project has one, and a sandbox for scripts.
 * Nothing is fetched where `WEIR_OFFLINE` is set; lookasides in `WEIR_LOOKASIDE`, apart by blanks, are asked after the
 * distro's own.
 */
export async function sourceContext(workspace: ProjectWorkspace): Promise<SourceContext> {
  const { project, engine, cache } = workspace;
  const seedDir = join(project.root, '..', 'seed');
  const tarballs = await loadLookaside(
    project.seed?.mappings[0] === undefined ? seedDir : dirname(project.seed.mappings[0]),
  );
  const runScript = scriptRunner(workspace);
  return {
    store: engine.store,
    cache,
    offline: isOffline(),
    skipLockValidation: workspace.skipLockValidation === true,
    mirrors: (process.env.WEIR_LOOKASIDE ?? '').split(/\s+/).filter((template) => template !== ''),
    ...(runScript === undefined ? {} : { runScript }),
    lookaside: async ({ filename }) => {
      const tarball = tarballs.get(filename);
      if (tarball === undefined || project.seed === undefined) return undefined;
      const seed = project.seed;
      return fetchTarball(engine, () => seedApt(workspace, seed), tarball);
    },
  };
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
  // The release's key is made or named when the release is built, so no project can hold it as a file.
  const keyFile = `RPM-GPG-KEY-${project.lifecycle?.id ?? 'weir'}`;
  if (key !== undefined && specSources(prepared.spec).some((source) => source.value === keyFile)) {
    files[keyFile] = (await putBytes(engine.store, key.publicKey)).digest;
  }
  return { name: component.name, spec, files };
}

/**
 * Builds every component: first those that the buildroot needs and the inputs do not have (the distribution's macros),
 * then the rest, each as soon as what it needs is built, two at a time.
 */
export async function buildStage(
  workspace: Workspace,
  toolbox: Toolbox,
  seed: SeedRepository,
  ready: readonly ReadyComponent[],
): Promise<BuiltComponents> {
  const { engine, cache, arch, clock, progress, release } = workspace;
  const context: BuildContext = { engine, toolbox, cache, arch, clock };
  return inStage(progress, 'packages', async (stage) => {
    const byName = new Map(ready.map((each) => [each.component.name, each]));
    const built = new Map<string, Built>();
    const builtSource = async (names: Iterable<string>): Promise<RepoSource> => {
      const packages = [...names]
        .flatMap((name) => built.get(name)!.packages)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const dir = join(cache, 'repos', `built-${valueDigest(packages.map((pkg) => pkg.rpm)).slice(0, 16)}`);
      const check = await cachedRepository(workspace, toolbox, dir, packages);
      // Lower than the seed's number: what the distribution builds hides the seed's package of the same name.
      return { id: 'built', dir, packages, priority: 10, check };
    };
    // A component sees the packages that it waits for and no others, whatever else happens to be built already: else
    // its buildroot, and so its digest, would depend on timing.
    const offered = async (names: ReadonlySet<string>): Promise<RepoSource[]> =>
      names.size === 0 ? [seed.source] : [seed.source, await builtSource(names)];
    const buildAll = async (
      names: readonly string[],
      facts: ReadonlyMap<string, SpecFacts>,
      base: readonly string[],
    ): Promise<void> => {
      const nodes = names.map((name) => ({
        name,
        needs: facts.get(name)!.buildRequires,
        provides: facts.get(name)!.provides,
      }));
      const waits = buildOrder(nodes);
      await inOrder(waits, 2, async (name) => {
        stage.update(`${built.size} of ${ready.length}, building ${name}`);
        const visible = new Set([...base, ...waitsFor(waits, name)]);
        const roots = release.buildRoot.filter((root) =>
          has(
            seed,
            [...visible].map((each) => built.get(each)!),
            root,
          ),
        );
        const wanted = [...new Set([...roots, ...facts.get(name)!.buildRequires])].sort();
        const root = await planBuildroot(context, await offered(visible), wanted, `building ${name}`);
        const result = await buildComponent(context, root, byName.get(name)!.input);
        built.set(name, result);
        return result;
      });
    };

    const bootstrap = await planBuildroot(
      context,
      [seed.source],
      release.buildRoot.filter((root) => has(seed, [], root)),
      'the buildroot',
    );
    const facts = await queryAll(context, bootstrap, ready);
    const inRoot = new Set(release.buildRoot);
    const missing = (name: string): boolean => inRoot.has(name) && !has(seed, [], name);
    const first = [...facts].filter(([, fact]) => fact.packages.some(missing)).map(([name]) => name);
    await buildAll(first, facts, []);
    // With the distribution's macros in the root, specs can say other things than they did without.
    const rest = ready.filter((each) => !first.includes(each.component.name));
    const root = await planBuildroot(context, await offered(new Set(first)), release.buildRoot, 'the buildroot');
    const restFacts = await queryAll(context, root, rest);
    for (const [name, { unapplied }] of new Map([...facts, ...restFacts])) {
      if (unapplied.length > 0) stage.note(`${name}: nothing applies ${unapplied.join(', ')}`);
    }
    await buildAll(
      rest.map((each) => each.component.name),
      restFacts,
      first,
    );
    const source = await builtSource(built.keys());
    const components = ready.map((each) => built.get(each.component.name)!);
    const fresh = components.filter((each) => !each.cached);
    return {
      result: { components, ready: byName, source },
      summary: `${source.packages.length} packages of ${components.length} components, ${fresh.length} built${fresh.length === 0 || fresh.length > 5 ? '' : ` (${fresh.map((each) => each.component).join(', ')})`}`,
      cached: fresh.length === 0,
    };
  });
}

/** All that a component waits for, directly or not. */
function waitsFor(waits: ReadonlyMap<string, readonly string[]>, name: string): Set<string> {
  const found = new Set<string>();
  const visit = (each: string): void => {
    for (const next of waits.get(each) ?? []) {
      if (found.has(next)) continue;
      found.add(next);
      visit(next);
    }
  };
  visit(name);
  return found;
}

/** Whether a name of the buildroot can be had yet: the distribution's own come with the first builds. */
function has(seed: SeedRepository, built: readonly Built[], name: string): boolean {
  const named = (pkg: RepoPackage): boolean => pkg.name === name;
  return seed.source.packages.some(named) || built.some((each) => each.packages.some(named));
}

async function queryAll(
  context: BuildContext,
  root: Buildroot,
  ready: readonly ReadyComponent[],
): Promise<Map<string, SpecFacts>> {
  const facts = await mapLimit(
    ready,
    4,
    async (each) => [each.component.name, await querySpec(context, root, each.input)] as const,
  );
  return new Map(facts);
}
