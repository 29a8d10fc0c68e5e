import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheRoot } from '../src/base/paths.ts';
import type { ComponentResult } from '../src/component/outcome.ts';
import { type BuildSite, buildAll, differences, forgetBuilds, packagesOf } from './conformance/builds.ts';
import { openCheckout } from './conformance/checkout.ts';
import { type Candidate, findCandidates, sampled } from './conformance/choose.ts';
import { openDebian } from './conformance/debian.ts';
import { makeDistGit } from './conformance/dist-git.ts';
import { openLookaside } from './conformance/lookaside.ts';
import { macroPackages, writeProject } from './conformance/project.ts';
import { printTable, type Row, totals } from './conformance/table.ts';

const help = `WEIR_AZURELINUX=DIR npm run conformance:build -- [--count N] [--component NAME]… [--seed N] [--twice] [--jobs N] [--json FILE]

Builds real components of Fedora on the seed: specs of a checkout of microsoft/azurelinux (a work tree of branch tomls/base/main,
or a git directory that has it), with the tarballs of Debian's source packages whose hash is that of the spec's "sources".

--count N         components to build (default 200): the cheapest first
--component NAME  only these, and the macros that builds need (may be repeated)
--seed N          a sample chosen by this number
--twice           build each built one a second time, and compare every package
--jobs N          builds at the same time (default 2)
--no-check        skip %check
--most-mib N      skip components with a larger tarball (default 20)
--dir DIR         work folder, kept for the next run (default: weir-conformance in the cache folder)
--json FILE       write the results
`;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    component: { type: 'string', multiple: true },
    seed: { type: 'string' },
    twice: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '2' },
    'no-check': { type: 'boolean', default: false },
    'most-mib': { type: 'string', default: '20' },
    dir: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function whole(option: 'count' | 'seed' | 'jobs' | 'most-mib'): number {
  const number = Number(values[option]);
  if (Number.isSafeInteger(number) && number >= (option === 'seed' ? 0 : 1)) return number;
  throw new Error(`invalid --${option} ${values[option]}: not a whole number`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function conformance(azureLinux: string): Promise<void> {
  const dir = resolve(values.dir ?? join(cacheRoot(), '..', 'weir-conformance'));
  await mkdir(dir, { recursive: true });
  const checkout = await openCheckout(resolve(azureLinux));
  const debian = await openDebian(join(dir, 'debian'));
  const candidates = await findCandidates(checkout, debian);
  say(`${candidates.length} of ${checkout.components.size} components have every tarball's name in Debian`);
  const ordered = values.seed === undefined ? candidates : sampled(candidates, whole('seed'));
  const lookaside = await openLookaside({ dir, debian, mostBytes: whole('most-mib') << 20 });
  const chosen: Candidate[] = [];
  const lacking: Row[] = [];
  const wanted =
    values.component === undefined ? undefined : new Set([...Object.keys(macroPackages), ...values.component]);
  const count = wanted?.size ?? whole('count');
  const waiting = ordered.filter(({ name }) => wanted === undefined || wanted.has(name));
  while (waiting.length > 0 && chosen.length < count) {
    // apt reads its lists for each file, so several run at the same time.
    const some = waiting.splice(0, Math.min(6, count - chosen.length));
    const lacks = await Promise.all(some.map(lackOf));
    for (const [index, candidate] of some.entries()) {
      const lack = lacks[index];
      if (lack !== undefined) lacking.push({ component: candidate.name, result: 'no source', why: lack });
      else if (await makeDistGit(checkout, candidate, join(dir, 'dist-git'))) chosen.push(candidate);
      else lacking.push({ component: candidate.name, result: 'no source', why: 'the checkout lacks a file' });
    }
  }
  const known = new Set(candidates.map(({ name }) => name));
  for (const name of wanted ?? []) {
    if (!known.has(name)) lacking.push({ component: name, result: 'no source', why: 'no tarball of that name' });
  }
  say(`${chosen.length} chosen, ${lacking.length} without the very sources`);
  const names = chosen.map(({ name }) => name);
  const home = resolve(import.meta.dirname, '..');
  const project = await writeProject({ dir, home, components: names, lookaside: lookaside.template });
  const site: BuildSite = {
    ...{ launcher: join(home, 'weir'), project, cache: join(dir, 'cache') },
    ...{ jobs: whole('jobs'), check: !values['no-check'] },
  };
  const results = await buildAll(site, names);
  const compared = values.twice ? await buildTwice(site, results) : new Map<string, string>();
  const rows = [...results.map((result) => rowOf(result, chosen, compared)), ...lacking];
  printTable(rows);
  const sums = totals(rows);
  process.stdout.write(
    `\n${Object.entries(sums)
      .map(([name, number]) => `${name}: ${number}`)
      .join('\n')}\n`,
  );
  if (values.json !== undefined) {
    await writeFile(values.json, `${JSON.stringify({ totals: sums, check: site.check, components: rows }, null, 1)}\n`);
  }

  async function lackOf(candidate: Candidate): Promise<string | undefined> {
    for (const file of candidate.files) {
      const lack = await lookaside.obtain(candidate.name, file);
      if (lack !== undefined) return `${file.filename}: ${lack}`;
    }
    return undefined;
  }
}

/** Builds what was built once more, and says for each component how the packages compare. */
async function buildTwice(site: BuildSite, results: readonly ComponentResult[]): Promise<Map<string, string>> {
  const built = results
    .filter(({ state }) => state === 'built' || state === 'cached')
    .map(({ component }) => component);
  const compared = new Map<string, string>();
  if (built.length === 0) return compared;
  const first = await packagesOf(site, built);
  say(`forgot ${await forgetBuilds(site.cache, built)} builds`);
  const again = new Map((await buildAll(site, built)).map((result) => [result.component, result]));
  const rebuilt = built.filter((name) => again.get(name)?.state === 'built');
  const second = await packagesOf(site, rebuilt);
  for (const name of built) {
    const packages = second.get(name);
    if (packages === undefined) {
      compared.set(name, `second build: ${again.get(name)?.state ?? 'missing'} ${again.get(name)?.why ?? ''}`.trim());
      continue;
    }
    const other = differences(first.get(name)!, packages);
    compared.set(name, other.length === 0 ? 'equal' : `differs: ${other.join(', ')}`);
  }
  return compared;
}

function rowOf(result: ComponentResult, chosen: readonly Candidate[], compared: ReadonlyMap<string, string>): Row {
  const { component, state, seconds, why, log } = result;
  const signatures = chosen.find(({ name }) => name === component)?.signatures ?? [];
  const twice = compared.get(component);
  return {
    ...{ component, result: result.class === undefined ? state : `${state} (${result.class})` },
    ...(seconds === undefined ? {} : { seconds }),
    ...(twice === undefined ? {} : { twice }),
    ...(why === undefined ? {} : { why }),
    ...(log === undefined || state !== 'failed' ? {} : { log }),
    ...(signatures.length === 0 ? {} : { signaturesDropped: signatures }),
  };
}

const azureLinux = process.env.WEIR_AZURELINUX;
if (values.help) process.stdout.write(help);
else if (azureLinux === undefined || azureLinux === '') {
  say('skipped: set WEIR_AZURELINUX to a checkout of microsoft/azurelinux, branch tomls/base/main');
} else await conformance(azureLinux);
