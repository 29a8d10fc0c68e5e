import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists, mapLimit } from '../base/files.ts';
import { behindLinks } from '../base/links.ts';
import { compareText } from '../base/order.ts';
import { inStage } from '../base/progress.ts';
import { type DescribedPackage, describeSpec, type SpecDescription, type SpecFolder } from '../build/specquery.ts';
import { definedIn } from '../build/unknown-macros.ts';
import { type PreparedComponent, prepareComponent, type RenderOptions, writePrepared } from '../overlay/render.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import type { Spec } from '../spec/parse.ts';
import { expandPlain, imbalances, patches, plainMacros, requirements, sources, type Tag, tags } from '../spec/query.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type ProjectWorkspace, toolboxStage } from '../workspace/workspace.ts';
import { needsLookaside, openSite, type PrepareSite, withSources } from './render/site.ts';
import { type UpstreamOptions, upstreamSources } from './upstream.ts';

export interface QueryOptions extends UpstreamOptions {
  /** Macro files of the distribution, loaded before the spec; those of the buildroot's own components are added automatically. */
  readonly macros?: readonly string[];
}

/** Sections that a macro generates, so that the spec does not name their packages. */
export interface MacroMade {
  readonly macro: string;
  /** 1-based, in the rendered spec. */
  readonly line: number;
  /** As headers, with unknown parts as a macro or `*`: `%files -n *-devel`. */
  readonly sections: readonly string[];
}

/** A component's spec after its overlays, macros expanded. */
export interface QueriedComponent extends SpecDescription {
  readonly component: string;
  /** `text` if rpm could not parse the spec: the answer then covers all branches of conditionals, and few macros are expanded. */
  readonly by: 'rpm' | 'text';
  /** Why rpm could not parse the spec. */
  readonly problem: WeirError | undefined;
  readonly macroMade: readonly MacroMade[];
}

/** A rendered component, without files of the lookaside that no overlay needs. */
function withPrepared<T>(
  site: PrepareSite,
  component: ResolvedComponent,
  options: UpstreamOptions,
  use: (prepared: PreparedComponent, work: string) => Promise<T>,
): Promise<T> {
  const prepare = async (fetched: FetchedSources, given: RenderOptions, work: string): Promise<T> =>
    use(await prepareComponent(component, fetched, given), work);
  const from = { ...options, lookaside: needsLookaside(component) };
  return withSources(site, component, prepare, (one, into) => upstreamSources(site, one, into, from));
}

/** A component's rendered spec. */
export async function renderedSpec(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  options: UpstreamOptions = {},
): Promise<Spec> {
  const site = await openSite(workspace, [component]);
  return withPrepared(site, component, options, async (prepared) => prepared.spec);
}

/** The result of a query: the facts about each component's spec, and the components whose spec could not be parsed. */
export interface QueryReport {
  readonly components: readonly QueriedComponent[];
  readonly failed: readonly { readonly component: string; readonly error: WeirError }[];
}

/** Queries the components' specs after overlays with the toolbox's rpm; a component that fails does not stop the others. */
export async function queryComponents(
  workspace: ProjectWorkspace,
  components: readonly ResolvedComponent[],
  options: QueryOptions = {},
): Promise<QueryReport> {
  const macros = await macroFiles(workspace, options.macros ?? []);
  const toolbox = await toolboxStage(workspace, 'core');
  const site = await openSite(workspace, components);
  return inStage(workspace.progress, 'query', async (stage) => {
    const found: QueriedComponent[] = [];
    const failed: QueryReport['failed'][number][] = [];
    let done = 0;
    await mapLimit(components, 4, async (component) => {
      try {
        found.push(await queryOne(workspace, toolbox, component, { macros, site, options }));
      } catch (error) {
        if (!(error instanceof WeirError) || error.code === 'interrupted') throw error;
        failed.push({ component: component.name, error });
      }
      stage.update(`${++done} of ${components.length}`);
    });
    const sort = <T extends { readonly component: string }>(list: T[]): T[] =>
      list.sort((a, b) => compareText(a.component, b.component));
    const summary = `${found.length} components${failed.length === 0 ? '' : `, ${failed.length} failed`}`;
    return { result: { components: sort(found), failed: sort(failed) }, summary, cached: false };
  });
}

type MacroFile = SpecFolder['macros'][number];

/** The macro files of components that are in every buildroot, then the requested macro files. */
async function macroFiles(workspace: ProjectWorkspace, named: readonly string[]): Promise<MacroFile[]> {
  const { project } = workspace;
  const paths: string[] = [];
  for (const name of project.release?.buildRoot ?? []) {
    const spec = project.components.get(name)?.spec;
    if (spec?.type !== 'local') continue;
    const dir = dirname(spec.path);
    if (!(await exists(dir))) continue;
    const names = (await readdir(dir)).filter((file) => /^macros\./.test(file)).sort();
    for (const file of names) paths.push(await behindLinks(join(dir, file), project.root));
  }
  const files: MacroFile[] = [];
  for (const path of [...paths, ...named]) {
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new WeirError('no-macro-file', `the macro file ${path} cannot be read`, { exit: 2, cause: error });
    });
    files.push({ path, sha256: sha256(bytes) });
  }
  return files;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function queryOne(
  workspace: ProjectWorkspace,
  toolbox: Toolbox,
  component: ResolvedComponent,
  given: { readonly macros: readonly MacroFile[]; readonly site: PrepareSite; readonly options: QueryOptions },
): Promise<QueriedComponent> {
  const { macros, site, options } = given;
  return withPrepared(site, component, options, async (prepared, work) => {
    const dir = join(work, 'prepared');
    await writePrepared(prepared, dir);
    const names = (await readdir(dir, { withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
    const files: Record<string, string> = {};
    const defined = new Set<string>();
    for (const name of names.sort()) {
      const bytes = await readFile(join(dir, name));
      files[name] = sha256(bytes);
      if (loads(prepared.spec, name)) for (const macro of definedIn(bytes.toString('latin1'))) defined.add(macro);
    }
    const { spec } = prepared;
    const common = { component: component.name, macroMade: macroMade(spec) };
    const clock = workspace.project.release?.epoch ?? 0;
    try {
      const folder: SpecFolder = {
        component: component.name,
        spec,
        dir,
        files,
        macros,
        arch: workspace.arch,
        clock,
        defined,
      };
      return { ...common, by: 'rpm', problem: undefined, ...(await describeSpec(workspace.engine, toolbox, folder)) };
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'bad-spec') throw error;
      return { ...common, by: 'text', problem: error, ...textDescription(spec) };
    }
  });
}

/** Whether a spec reads macros from a file: it loads the file by name, or the file's own name is that of a macro file. */
function loads(spec: Spec, name: string): boolean {
  if (/(^|\.)macros(\.|$)|\.inc$/.test(name)) return true;
  const listed = sources(spec).filter((source) => basename(source.value) === name);
  const forms = [name, ...listed.flatMap(({ number }) => [`SOURCE${number}}`, `S:${number}}`])];
  return spec.lines.some(
    ({ text }) => /^\s*%(?:include\s|\{load:)/.test(text) && forms.some((form) => text.includes(form)),
  );
}

function macroMade(spec: Spec): MacroMade[] {
  const found = new Map<number, { macro: string; line: number; sections: string[] }>();
  for (const { maker, header, name, wholeName, package: packageName } of spec.sections) {
    if (maker === undefined) continue;
    const made = found.get(header) ?? { macro: maker.macro, line: header + 1, sections: [] };
    made.sections.push(`${name} ${wholeName ? '-n ' : ''}${packageName}`.trim());
    found.set(header, made);
  }
  return [...found.values()];
}

/** The facts that can be read from the text alone. */
function textDescription(spec: Spec): SpecDescription {
  const macros = plainMacros(spec);
  const all = tags(spec).map((tag) => ({ ...tag, value: expandPlain(tag.value, macros) }));
  const first = (name: string, packageName = ''): string | undefined =>
    all.find((tag) => tag.package === packageName && tag.name.toLowerCase() === name)?.value;
  const values = (packageName: string | undefined, name: string): Tag[] =>
    all.filter(
      (tag) => tag.name.toLowerCase().replace(/\(.*/, '') === name && (packageName ?? tag.package) === tag.package,
    );
  const list = (packageName: string | undefined, name: string): string[] => [
    ...new Set(values(packageName, name).flatMap((tag) => requirements(tag.value))),
  ];
  const main = first('name') ?? '';
  const seen = new Set<string>();
  const packages: DescribedPackage[] = [];
  for (const section of spec.sections) {
    if (section.key !== '%package' || seen.has(section.package)) continue;
    seen.add(section.package);
    const own = section.package;
    const plain = expandPlain(own, macros);
    const name = section.wholeName ? plain : own === '' ? main : `${main}-${plain}`;
    const epoch = first('epoch', own) ?? first('epoch');
    const version = first('version', own) ?? first('version') ?? '';
    const release = first('release', own) ?? first('release') ?? '';
    const arch = first('buildarch', own) ?? first('buildarch') ?? '';
    const types = new Map<string, Set<string>>();
    for (const tag of values(own, 'requires')) {
      for (const dependency of requirements(tag.value)) {
        const known = types.get(dependency) ?? new Set();
        for (const type of (tag.qualifier ?? 'manual').split(',')) known.add(type);
        types.set(dependency, known);
      }
    }
    packages.push({
      ...{ name, epoch, version, release, arch },
      nevra: `${name}-${epoch === undefined ? '' : `${epoch}:`}${version}-${release}${arch === '' ? '' : `.${arch}`}`,
      summary: first('summary', own) ?? '',
      requires: [...types].map(([dependency, set]) => ({ name: dependency, types: [...set].sort() })),
      ...{ provides: list(own, 'provides'), recommends: list(own, 'recommends'), suggests: list(own, 'suggests') },
      ...{ supplements: list(own, 'supplements'), enhances: list(own, 'enhances') },
      ...{ conflicts: list(own, 'conflicts'), obsoletes: list(own, 'obsoletes') },
    });
  }
  const files = (listed: ReturnType<typeof sources>) =>
    listed.map(({ number, value }) => ({ number, url: expandPlain(value, macros) }));
  return {
    ...{ name: main, epoch: first('epoch'), version: first('version') ?? '', release: first('release') ?? '' },
    ...{ summary: first('summary') ?? '', license: first('license') ?? '', url: first('url') },
    ...{ exclusiveArch: list('', 'exclusivearch'), excludeArch: list('', 'excludearch'), packages },
    buildRequires: list(undefined, 'buildrequires').sort(),
    ...{ sources: files(sources(spec)), patches: files(patches(spec)), unknown: [], unset: [] },
    messages: imbalances(spec).map(({ line, problem }) => `line ${line + 1}: ${problem}`),
  };
}
