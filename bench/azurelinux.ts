import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadProject } from '../src/project/load.ts';
import { upstreamFiles, writeRepository } from './distgit.ts';
import { type Place, type Run, runMeasured, weir } from './machine.ts';
import { median, type Result, timed } from './result.ts';

/** A checkout of Microsoft's Azure Linux, if any; it is only read. */
export const checkout = process.env.WEIR_AZURELINUX;

interface RenderReport {
  readonly components: number;
  readonly unchanged: number;
  readonly changed: readonly unknown[];
  readonly failed: readonly { readonly component: string; readonly error: { readonly code: string } }[];
}

/** Measurements with the real project. */
export const azureLinux: Readonly<Record<string, (place: Place) => Promise<Result>>> = {
  'azl-list': async (place) => {
    const runs: Run[] = [];
    for (let turn = 0; turn < 5; turn++) runs.push(await weir(place, ['-C', checkout!, 'component', 'list', '--json']));
    const components = (JSON.parse(runs[0]!.stdout) as unknown[]).length;
    const what = `component list --json of ${components} components, median of 5`;
    return timed('azl-list', what, 0.6, middle(runs));
  },
  'azl-specs': async (place) => {
    // A small young generation, because each spec is garbage once it is printed.
    const flag = '--max-semi-space-size=4';
    const script = [process.execPath, flag, join(import.meta.dirname, 'specs.ts'), join(checkout!, 'specs')];
    const runs: Run[] = [];
    for (let turn = 0; turn < 3; turn++) runs.push(await runMeasured(place, script));
    const what = `parsing and printing ${runs[0]!.stdout.trim()} specs, median of 3`;
    return timed('azl-specs', what, 4, middle(runs));
  },
  'azl-render': async (place) => {
    const site = await renderSite(place);
    for (const dir of [site.place.cache, site.specs]) await rm(dir, { recursive: true, force: true });
    const { run, report } = await render(site);
    const what = `component render -a of ${report.components} components from local dist-gits, with an empty cache`;
    return timed('azl-render', what, 60, run, said(report, run));
  },
  'azl-render-unchanged': async (place) => {
    const site = await renderSite(place);
    if (!existsSync(site.place.cache) || !existsSync(site.specs)) await render(site);
    const runs: Run[] = [];
    let report: RenderReport | undefined;
    for (let turn = 0; turn < 3; turn++) {
      const one = await render(site);
      runs.push(one.run);
      report = one.report;
    }
    return timed(
      'azl-render-unchanged',
      'the same when nothing changed, median of 3',
      4,
      middle(runs),
      said(report!, middle(runs)),
    );
  },
};

function middle(runs: readonly Run[]): Run {
  const time = median(runs.map((run) => run.wallSeconds));
  return runs.find((run) => run.wallSeconds === time)!;
}

function said({ unchanged, changed, failed }: RenderReport, { childSeconds }: Run): string {
  const codes = new Map<string, number>();
  for (const { error } of failed) codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
  const reasons = [...codes].sort((a, b) => b[1] - a[1]).map(([code, count]) => `${code} ${count}`);
  return `git ${childSeconds.toFixed(1)} s CPU; ${changed.length} files written, ${unchanged} components as before, ${failed.length} failed: ${reasons.join(', ')}`;
}

interface RenderSite {
  readonly place: Place;
  readonly config: string;
  readonly specs: string;
}

async function render(site: RenderSite): Promise<{ readonly run: Run; readonly report: RenderReport }> {
  const where = ['-C', checkout!, '--config-file', site.config, '--json'];
  const run = await weir(site.place, [...where, 'component', 'render', '-a'], true, [0, 1]);
  return { run, report: JSON.parse(run.stdout) as RenderReport };
}

/** Creates dist-gits from the rendered specs, and a configuration file that points the project at them. */
async function renderSite(place: Place): Promise<RenderSite> {
  const dir = join(place.scratch, '..', 'azurelinux');
  const site = {
    place: { ...place, cache: join(dir, 'cache') },
    config: join(dir, 'bench.toml'),
    specs: join(dir, 'specs'),
  };
  const stamp = join(dir, 'made-of');
  const made = existsSync(stamp) ? await readFile(stamp, 'utf8') : undefined;
  if (made === checkout) return site;
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const pins: string[] = [];
  const project = await loadProject(checkout!);
  for (const { name, spec } of project.components.values()) {
    if (spec?.type !== 'upstream') continue;
    const rendered = join(checkout!, 'specs', name.slice(0, 1).toLowerCase(), name);
    // A mirror of the checkout may lack the largest ones.
    if (!existsSync(join(rendered, `${name}.spec`))) continue;
    const distro = project.distros.get(spec.distro.name);
    const branch = distro?.versions.get(spec.distro.version ?? distro.defaultVersion ?? '')?.distGitBranch ?? 'main';
    const files = upstreamFiles(rendered, `${name}.spec`, `${spec.name}.spec`);
    const commit = writeRepository(join(dir, 'dist-git', spec.name), branch, files);
    // The commits of the real repository do not exist in this one.
    if (spec.commit !== undefined)
      pins.push(`[components.${JSON.stringify(name)}.spec]`, `upstream-commit = "${commit}"`);
  }
  const config = [
    '[project]',
    'rendered-specs-dir = "specs"',
    '[distros.fedora]',
    'dist-git-base-uri = "dist-git/$pkg"',
    ...pins,
  ];
  await writeFile(site.config, `${config.join('\n')}\n`);
  await writeFile(stamp, checkout!);
  return site;
}
