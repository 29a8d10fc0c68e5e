import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { azureLinux, checkout } from './azurelinux.ts';
import { boots } from './boot.ts';
import { copyProject, forget, machine, type Place, type Run, weir } from './machine.ts';
import { median, type Result, timed } from './result.ts';

interface BuildReport {
  readonly components: readonly { readonly name: string; readonly cached: boolean }[];
  readonly images: readonly { readonly name: string; readonly cached: boolean }[];
  readonly stages: readonly { readonly name: string; readonly seconds: number; readonly cached: boolean }[];
}

const home = join(import.meta.dirname, '..');

type Measure = (place: Place) => Promise<Result | readonly Result[]>;

const measurements: Readonly<Record<string, Measure>> = {
  version: async (place) => {
    const times: number[] = [];
    for (let turn = 0; turn < 10; turn++) times.push((await weir(place, ['--version'], false)).wallSeconds * 1000);
    return { name: 'version', what: 'weir --version, median of 10', target: 100, measured: median(times), unit: 'ms' };
  },
  toolbox: async (place) => {
    const empty = { ...place, cache: join(place.scratch, 'toolbox-cache') };
    await rm(empty.cache, { recursive: true, force: true });
    const args = ['-C', join(place.project, 'distro'), 'toolbox', 'run', '--', 'true'];
    const first = await weir(empty, args);
    await rm(empty.cache, { recursive: true, force: true });
    return timed('toolbox', 'only the toolbox, with an empty cache and downloads', 60, first);
  },
  cold: async (place) => {
    await rm(place.cache, { recursive: true, force: true });
    await rm(place.out, { recursive: true, force: true });
    const run = await build(place);
    const stages = run.report.stages.map(({ name, seconds }) => `${name} ${seconds.toFixed(0)}`).join(', ');
    return timed('cold', 'everything, with an empty cache, with downloads', 360, run, `seconds a stage: ${stages}`);
  },
  unchanged: async (place) => {
    const runs: Run[] = [];
    for (let turn = 0; turn < 3; turn++) runs.push(await build(place));
    runs.sort((a, b) => a.wallSeconds - b.wallSeconds);
    return timed('unchanged', 'nothing changed, median of 3', 2, runs[1]!);
  },
  overlay: async (place) => {
    // A new text each time, lest an earlier run of the bench has built it.
    const overlay = [
      '',
      '[[components.hostname.overlays]]',
      'type = "spec-update-tag"',
      'description = "A change to measure"',
      'tag = "Summary"',
      `value = "The name of the machine, measured at ${Date.now()}"`,
      'metadata = { category = "weir-pruning", upstream-status = "inapplicable" }',
      '',
    ];
    await appendFile(join(place.project, 'distro/components/hostname/hostname.toml'), overlay.join('\n'));
    const run = await build(place);
    await copyProject(home, place);
    const fresh = (list: readonly { name: string; cached: boolean }[]): string =>
      list
        .filter((each) => !each.cached)
        .map((each) => each.name)
        .join(', ') || 'none';
    const { components, images, stages } = run.report;
    const anew = `rebuilt: components ${fresh(components)}; images ${fresh(images)}; stages ${fresh(stages)}`;
    return timed('overlay', 'one overlay of one component (hostname, in vm-base alone) changed', 60, run, anew);
  },
  'container-base': (place) => image(place, 'container-base', 'unpacked', 3),
  'container-base-packed': (place) => image(place, 'container-base', 'packed', 3),
  'vm-base': (place) => image(place, 'vm-base', 'unpacked', 20),
  'vm-base-packed': (place) => image(place, 'vm-base', 'packed', 20),
  family: (place) => family(place, 'unpacked'),
  'family-packed': (place) => family(place, 'packed'),
  boot: (place) => boots(place),
  seed: async (place) => {
    const before = await build(place, ['--no-images']);
    await forget(place, ['seed-set', 'seed-control']);
    const count = await forget(place, ['seed-convert']);
    const run = await build(place, ['--no-images']);
    const each = (run.ownSeconds + run.childSeconds - before.ownSeconds - before.childSeconds) / count;
    return {
      ...timed(
        'seed',
        `converting the seed, CPU for each of ${count} RPMs`,
        0.1,
        run,
        `${run.wallSeconds.toFixed(1)} s in all`,
      ),
      measured: each,
      unit: 's CPU',
    };
  },
};

/** One image whose RPMs are in the store; with `packed` nothing derived from them is cached, not even the SELinux policy. */
async function image(place: Place, name: string, state: 'packed' | 'unpacked', target: number): Promise<Result> {
  await build(place, ['--image', name]);
  await rm(join(place.out, 'images', name), { recursive: true, force: true });
  await forget(place, state === 'packed' ? ['finalise-tree', 'unpack-rpm', 'selinux-policy'] : ['finalise-tree']);
  const run = await build(place, ['--image', name]);
  const stage = run.report.stages.find((each) => each.name === name)!;
  const what =
    state === 'packed'
      ? `${name} from cached packages, none unpacked`
      : `${name} from cached packages, unpacked before`;
  const result = timed(state === 'packed' ? `${name}-packed` : name, what, target, run);
  return { ...result, measured: stage.seconds, notes: `whole run ${run.wallSeconds.toFixed(1)} s` };
}

/** All images, with and without cached results for their packages; also the slowest container and the slowest disk. */
async function family(place: Place, state: 'packed' | 'unpacked'): Promise<Result[]> {
  await build(place);
  await rm(join(place.out, 'images'), { recursive: true, force: true });
  await forget(place, state === 'packed' ? ['finalise-tree', 'unpack-rpm', 'selinux-policy'] : ['finalise-tree']);
  const run = await build(place);
  const suffix = state === 'packed' ? '-packed' : '';
  const said = state === 'packed' ? 'none unpacked' : 'unpacked before';
  const kinds = new Map<string, string>();
  for (const { name } of run.report.images) {
    const record = JSON.parse(await readFile(join(place.out, 'images', name, 'image.json'), 'utf8')) as {
      kind: string;
    };
    kinds.set(name, record.kind);
  }
  const stages = run.report.stages.filter(({ name }) => kinds.has(name));
  const each = stages.map(({ name, seconds }) => `${name} ${seconds.toFixed(1)}`).join(', ');
  const slowest = (kind: string, name: string, target: number): Result => {
    const [most] = stages.filter((stage) => kinds.get(stage.name) === kind).sort((a, b) => b.seconds - a.seconds);
    const what = `the slowest ${kind} of them`;
    return { name: `${name}${suffix}`, what, target, measured: most!.seconds, unit: 's', notes: most!.name };
  };
  const whole = `all ${stages.length} images from cached packages, ${said}`;
  return [
    timed(`family${suffix}`, whole, 180, run, each),
    slowest('container', 'any-container', 3),
    slowest('disk', 'any-disk', 25),
  ];
}

async function build(place: Place, args: readonly string[] = []): Promise<Run & { readonly report: BuildReport }> {
  const where = ['-C', join(place.project, 'distro')];
  const run = await weir(place, [...where, '--json', 'build', '--out', place.out, ...args]);
  return { ...run, report: JSON.parse(run.stdout) as BuildReport };
}

/** Peak memory of Weir's own process over all runs. */
function memory(results: readonly Result[]): Result[] {
  const ofReal = (result: Result): boolean => result.name in azureLinux;
  return [
    ...highest(
      'memory',
      500,
      results.filter((result) => !ofReal(result)),
    ),
    ...highest('azl-memory', 700, results.filter(ofReal)),
  ];
}

function highest(name: string, target: number, results: readonly Result[]): Result[] {
  const peaks = results.filter((result) => result.peak !== undefined);
  const most = [...peaks].sort((a, b) => b.peak! - a.peak!)[0];
  if (most === undefined) return [];
  const what = "peak memory of Weir's own process";
  return [{ name, what, target, measured: most.peak!, unit: 'MB', notes: `in ${most.name}` }];
}

function line(result: Result): string {
  const { name, what, target, measured, unit, own, peak, notes } = result;
  const digits = unit === 'ms' || unit === 'MB' ? 0 : measured < 1 ? 3 : 1;
  const cells = [
    measured <= target ? 'pass' : 'MISS',
    name.padEnd(22),
    `${measured.toFixed(digits)} ${unit}`.padStart(12),
    `${target} ${unit}`.padStart(10),
    (own === undefined ? '' : `${own.toFixed(1)} s`).padStart(9),
    (peak === undefined ? '' : `${peak.toFixed(0)} MB`).padStart(8),
    ` ${what}${notes === undefined ? '' : ` (${notes})`}`,
  ];
  return cells.join(' ');
}

const heading = `     ${'NAME'.padEnd(22)} ${'MEASURED'.padStart(12)} ${'TARGET'.padStart(10)} ${'OWN CPU'.padStart(9)} ${'MEMORY'.padStart(8)}  WHAT`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { json: { type: 'boolean' }, only: { type: 'string', multiple: true }, dir: { type: 'string' } },
    allowPositionals: false,
  });
  const only = (values.only ?? []).flatMap((names) => names.split(','));
  const all = { ...measurements, ...azureLinux };
  const unknown = only.find((name) => !(name in all));
  if (unknown !== undefined) {
    throw new Error(`unknown measurement ${unknown}; known: ${Object.keys(all).join(', ')}`);
  }
  const dir = values.dir ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'weir-bench');
  const place: Place = {
    launcher: join(home, 'weir'),
    project: join(dir, 'project'),
    cache: join(dir, 'cache'),
    out: join(dir, 'out'),
    scratch: join(dir, 'scratch'),
  };
  await mkdir(dir, { recursive: true });
  await copyProject(home, place);
  const host = machine();
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const wanted = Object.keys(all).filter((name) => only.length === 0 || only.includes(name));
  const real = wanted.filter((name) => name in azureLinux);
  if (checkout === undefined && real.length > 0) {
    say(`not measured, because WEIR_AZURELINUX is not set to a checkout: ${real.join(', ')}`);
  }
  const chosen = wanted.filter((name) => checkout !== undefined || !(name in azureLinux));
  // Measurements that need a warm cache but do not create one get it here, unmeasured.
  const alone = ['version', 'toolbox', 'cold', ...Object.keys(azureLinux)];
  if (!chosen.includes('cold') && chosen.some((name) => !alone.includes(name))) {
    say(existsSync(place.cache) ? 'updating the cache' : 'filling an empty cache');
    await build(place);
  }
  const results: Result[] = [];
  say(heading);
  for (const name of chosen) {
    for (const result of [await all[name]!(place)].flat()) {
      results.push(result);
      say(line(result));
    }
  }
  for (const result of memory(results)) {
    results.push(result);
    say(line(result));
  }
  const report = results.map((result) => ({ ...result, pass: result.measured <= result.target }));
  if (values.json === true) process.stdout.write(`${JSON.stringify({ machine: host, results: report }, null, 2)}\n`);
}

await main();
