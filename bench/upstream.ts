// Following upstream, measured on dist-gits made from the history of a public collection of specs.
//
//     WEIR_AZURELINUX=DIR node bench/upstream.ts --collection GITDIR [--dir DIR] [--json FILE] [--only status,follow]

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheRoot } from '../src/base/paths.ts';
import type { StatusReport } from '../src/upstream/status-model.ts';
import { machine, type Place, type Run, weir } from './machine.ts';
import { median } from './result.ts';
import { follow } from './upstream/follow.ts';
import { openSite, type Site } from './upstream/projects.ts';
import { readCollection } from './upstream/spec-history.ts';

const { values } = parseArgs({
  options: {
    collection: { type: 'string' },
    dir: { type: 'string' },
    json: { type: 'string' },
    only: { type: 'string', default: 'status,follow' },
  },
});

function usage(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

const seconds = (run: Run): string =>
  `${run.wallSeconds.toFixed(1)} s, CPU ${run.ownSeconds.toFixed(1)} s + git ${run.childSeconds.toFixed(1)} s, peak ${Math.round(run.peakMegabytes)} MB`;

async function status(place: Place, site: Site, checkout: string): Promise<Record<string, unknown>> {
  const argv = ['-C', checkout, '--config-file', site.config, '--json', 'upstream', 'status'];
  const once = (): Promise<Run> => weir(place, argv, true, [0, 1]);
  await rm(place.cache, { recursive: true, force: true });
  const first = await once();
  const again = [await once(), await once(), await once()];
  const states: Record<string, number> = {};
  const findings: Record<string, number> = {};
  const { components } = JSON.parse(first.stdout) as StatusReport;
  for (const { state, overlays } of components) {
    states[state] = (states[state] ?? 0) + 1;
    for (const { kind } of overlays) findings[kind] = (findings[kind] ?? 0) + 1;
  }
  const wall = median(again.map((run) => run.wallSeconds));
  const middle = again.find((run) => run.wallSeconds === wall)!;
  const same = again.every(({ stdout }) => stdout === first.stdout);
  process.stdout.write(`status of ${components.length} components, nothing cached: ${seconds(first)} (target 60 s)\n`);
  process.stdout.write(`the same again, median of 3: ${seconds(middle)} (target 5 s); the same answer: ${same}\n`);
  process.stdout.write(`states ${JSON.stringify(states)}, findings ${JSON.stringify(findings)}\n`);
  if (!same) process.exitCode = 1;
  const figures = ({ stdout: _, ...run }: Run): unknown => run;
  return { components: components.length, states, findings, first: figures(first), again: figures(middle), same };
}

async function main(gitDir: string, checkout: string): Promise<void> {
  const dir = resolve(values.dir ?? join(cacheRoot(), '..', 'weir-bench', 'upstream'));
  const collection = await readCollection(gitDir);
  process.stderr.write('making dist-gits, unless they are there from an earlier run\n');
  const site = await openSite(join(dir, 'site'), collection, checkout);
  const place = {
    launcher: join(import.meta.dirname, '..', 'weir'),
    project: join(dir, 'project'),
    cache: join(dir, 'cache'),
    out: join(dir, 'out'),
    scratch: join(dir, 'scratch'),
  };
  await mkdir(place.scratch, { recursive: true });
  const only = values.only.split(',');
  const results: Record<string, unknown> = { machine: machine() };
  if (only.includes('status')) results.status = await status(place, site, checkout);
  if (only.includes('follow')) {
    const found = await follow({ ...place, cache: join(dir, 'follow-cache') }, site, collection);
    const { changes, moved, left, words, wrong, commits } = found;
    const reasons = [...left].map(([code, count]) => `${code} ${count}`).join(', ');
    process.stdout.write(
      `${commits} commits with ${changes} changed specs followed: ${moved} moves, left in the end: ${reasons || 'none'}\n` +
        `${found.wallSeconds.toFixed(0)} s, CPU ${found.ownSeconds.toFixed(0)} s + git ${found.childSeconds.toFixed(0)} s\n` +
        `${words} words held against git diff, ${wrong.length} wrong\n`,
    );
    for (const message of wrong.slice(0, 50)) process.stdout.write(`  ${message}\n`);
    results.follow = { ...found, left: Object.fromEntries(left) };
    if (wrong.length > 0) process.exitCode = 1;
  }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`);
}

const { collection, dir: _ } = values;
const checkout = process.env.WEIR_AZURELINUX;
if (collection === undefined || checkout === undefined || checkout === '') {
  usage(
    'set WEIR_AZURELINUX to a checkout of microsoft/azurelinux, and name a git directory of a spec collection with --collection',
  );
}
await main(resolve(collection), resolve(checkout));
