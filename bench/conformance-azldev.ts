// `WEIR_AZLDEV=FILE npm run conformance:azldev [-- --count N --seed N --part NAME --from N --dir DIR --keep]`: runs azldev and Weir on the
// same random inputs and compares what they make of them.
//
// - overlays: a random component with random overlays of all types, on small specs, and with WEIR_AZURELINUX, a checkout of
//   microsoft/azurelinux, on real ones
// - projects: small projects of several files: includes, merging, globs, groups, images, tests
// - globs, regexes: what a pattern finds, what an expression changes
//
// Each difference is one of the known kinds that docs/azldev.md explains, or is printed with its input; then the exit code is 1.
// A number and the seed reproduce an input: `--part overlays --from NUMBER --count 1 --keep`. azldev refuses to run as root, so root runs
// it as nobody.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { compareGlobs, globKindOf } from './conformance/azldev/globs.ts';
import { kindOf } from './conformance/azldev/kinds.ts';
import { compareCase, type Outcome } from './conformance/azldev/overlays.ts';
import { compareProject, projectKindOf } from './conformance/azldev/projects.ts';
import { compareRegexes, regexKindOf } from './conformance/azldev/regexes.ts';
import { type Azldev, openAzldev, openFolder } from './conformance/azldev/run.ts';
import { makeSpec } from './conformance/azldev/specs.ts';
import { openCheckout } from './conformance/checkout.ts';
import type { Random } from './fuzz/random.ts';

const parts = ['overlays', 'real-overlays', 'projects', 'globs', 'regexes'] as const;
type Part = (typeof parts)[number];

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    part: { type: 'string', multiple: true },
    dir: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Numbers of inputs by the kind of their difference. */
type Counts = Map<string, number>;

interface Run {
  readonly azldev: Azldev;
  readonly dir: string;
  readonly from: number;
  readonly count: number;
  readonly seed: number;
  /** Counts a comparison; one that is not known is printed. */
  readonly add: (counts: Counts, kind: string | undefined, number: number, detail: () => unknown) => void;
}

/** How many globs or expressions azldev gets at once. */
const lot = 100;

async function overlays(run: Run, specOf: (random: Random) => Promise<string | Uint8Array>): Promise<Counts> {
  const counts: Counts = new Map();
  for (let number = run.from; number < run.from + run.count; number++) {
    const compared = await compareCase(run.azldev, join(run.dir, 'overlays'), number, run.seed, specOf);
    const { made, azldev, weir } = compared;
    run.add(counts, kindOf(compared), number, () => ({ overlays: made.overlays, ...onlyIn(azldev, weir) }));
  }
  return counts;
}

/** What differs between two results, in short: refusals, lines of the spec and names of files that only one has. */
function onlyIn(azldev: Outcome, weir: Outcome): Record<string, unknown> {
  if (azldev.kind === 'refused' || weir.kind === 'refused') {
    const shown = (one: Outcome): unknown => (one.kind === 'refused' ? one : 'accepts');
    return { azldev: shown(azldev), weir: shown(weir) };
  }
  const lines = (one: typeof azldev, other: typeof azldev): string[] => {
    const known = new Set(other.spec.split('\n'));
    return one.spec.split('\n').filter((line) => !known.has(line));
  };
  const files = (one: typeof azldev, other: typeof azldev): string[] =>
    Object.keys(one.files).filter((name) => one.files[name] !== other.files[name]);
  return {
    azldev: { lines: lines(azldev, weir).slice(0, 20), files: files(azldev, weir) },
    weir: { lines: lines(weir, azldev).slice(0, 20), files: files(weir, azldev) },
  };
}

/** A function that picks a spec of a checkout. */
async function realSpecs(checkoutFolder: string): Promise<(random: Random) => Promise<Uint8Array>> {
  const checkout = await openCheckout(resolve(checkoutFolder));
  const names = [...checkout.components.keys()].sort();
  return async (random) => {
    for (;;) {
      const component = random.pick(names);
      const [spec] = await checkout.read([{ component, name: `${component}.spec` }]);
      if (spec !== undefined) return spec.bytes;
    }
  };
}

async function projects(run: Run): Promise<Counts> {
  const counts: Counts = new Map();
  for (let number = run.from; number < run.from + run.count; number++) {
    const compared = await compareProject(run.azldev, join(run.dir, 'projects'), number, run.seed);
    const { azldev, weir } = compared;
    run.add(counts, projectKindOf(compared), number, () => ({ azldev, weir }));
  }
  return counts;
}

/** Compares inputs of which azldev gets many at once. */
async function inLots<T extends object>(
  run: Run,
  name: string,
  compare: (azldev: Azldev, dir: string, from: number, count: number, seed: number) => Promise<readonly T[]>,
  kind: (compared: T) => string | undefined,
): Promise<Counts> {
  const counts: Counts = new Map();
  for (let from = run.from; from < run.from + run.count; from += lot) {
    const compared = await compare(run.azldev, join(run.dir, name), from, lot, run.seed);
    for (const [index, one] of compared.entries()) run.add(counts, kind(one), from + index, () => one);
  }
  return counts;
}

async function compare(binary: string, dir: string): Promise<boolean> {
  await openFolder(dir);
  const azldev = await openAzldev(resolve(binary), dir);
  say(`azldev ${azldev.isNew ? '0.4 or later' : 'before 0.4'}; seed ${values.seed}`);
  let unknown = 0;
  const add: Run['add'] = (counts, kind, number, detail) => {
    counts.set(kind ?? 'unknown', (counts.get(kind ?? 'unknown') ?? 0) + 1);
    if (kind !== undefined) return;
    unknown++;
    process.stdout.write(`${JSON.stringify({ number, ...(detail() as object) })}\n`);
  };
  const [from, count, seed] = [Number(values.from), Number(values.count), Number(values.seed)];
  const run: Run = { azldev, dir, from, count, seed, add };
  const asked = values.part ?? parts;
  for (const part of parts) {
    if (!asked.includes(part)) continue;
    const started = performance.now();
    const counts = await runPart(part, run);
    if (counts === undefined) continue;
    const shown = [...counts].sort(([, a], [, b]) => b - a).map(([kind, many]) => `${many} ${kind}`);
    say(`${part}: ${shown.join(', ')} (${Math.round((performance.now() - started) / 1000)} s)`);
  }
  say(unknown === 0 ? 'every difference is of a known kind' : `${unknown} differences are not known`);
  return unknown === 0;
}

async function runPart(part: Part, run: Run): Promise<Counts | undefined> {
  if (part === 'overlays') return overlays(run, async (random) => makeSpec(random));
  if (part === 'projects') return projects(run);
  if (part === 'globs') return inLots(run, part, compareGlobs, globKindOf);
  if (part === 'regexes') return inLots(run, part, compareRegexes, regexKindOf);
  const checkout = process.env.WEIR_AZURELINUX ?? '';
  if (checkout !== '') return overlays(run, await realSpecs(checkout));
  say('not checked: real specs, which need WEIR_AZURELINUX');
  return undefined;
}

const binary = process.env.WEIR_AZLDEV ?? '';
const wrong = values.part?.find((part) => !parts.some((known) => known === part));
if (wrong !== undefined) {
  say(`unknown part ${wrong}: ${parts.join(', ')}`);
  process.exitCode = 2;
} else if (binary === '') {
  say('not checked: azldev, whose program WEIR_AZLDEV must name');
} else if (!existsSync(binary)) {
  say(`WEIR_AZLDEV names ${binary}, which does not exist`);
  process.exitCode = 2;
} else {
  const dir = values.dir === undefined ? await mkdtemp(join(tmpdir(), 'weir-azldev-')) : resolve(values.dir);
  try {
    process.exitCode = (await compare(binary, dir)) ? 0 : 1;
  } finally {
    if (!values.keep) await rm(dir, { recursive: true, force: true });
  }
}
