// `npm run tamper`: damages a copy of a cache and of a release in over a hundred places chosen by a seed, and reports what detects each.
//
//     npm run tamper -- --cache DIR --out DIR [--seed N] [--count N] [--image NAME] [--look] [--json]
//
// `--look` skips the builds and only runs the verify commands. Both folders stay unchanged: the damage is done to clones beside them, made of hard links, in which files are only replaced.

import { spawn } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isNoticed, randomFrom, type Tampered, tamperCache, tamperOutput } from './tampering.ts';

const { values } = parseArgs({
  options: {
    cache: { type: 'string' },
    out: { type: 'string' },
    project: { type: 'string' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '2' },
    image: { type: 'string' },
    look: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const home = join(import.meta.dirname, '..');
if (values.cache === undefined || values.out === undefined) {
  process.stderr.write('usage: npm run tamper -- --cache XDG_CACHE_HOME --out DIR (both from a finished build)\n');
  process.exit(2);
}
const from = { cache: resolve(values.cache), out: resolve(values.out) };
const work = join(from.cache, 'weir-tamper');
const project = values.project === undefined ? join(home, 'distro') : resolve(values.project);
const random = randomFrom(Number(values.seed));
const count = Number(values.count);

interface Row extends Tampered {
  readonly who: string;
}

/** Runs Weir on the clone. */
function weir(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(join(home, 'weir'), ['-C', join(work, 'project/distro'), ...args], {
    env: { ...process.env, XDG_CACHE_HOME: join(work, 'cache') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.stderr += chunk.toString();
  });
  return new Promise((done) => child.on('close', (code) => done({ code: code ?? 1, ...said })));
}

function run(argv: readonly string[]): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(argv[0]!, argv.slice(1), { stdio: 'inherit' });
    child.on('close', (code) => (code === 0 ? done() : failed(new Error(`${argv.join(' ')} failed`))));
  });
}

async function clone(): Promise<void> {
  await rm(work, { recursive: true, force: true });
  await mkdir(join(work, 'cache'), { recursive: true });
  await run(['cp', '-al', join(from.cache, 'weir'), join(work, 'cache/weir')]);
  await run(['cp', '-al', from.out, join(work, 'out')]);
  await mkdir(join(work, 'project'));
  for (const name of ['distro', 'seed', 'toolbox.lock']) {
    const source = name === 'distro' ? project : join(project, '..', name);
    await cp(source, join(work, 'project', name), { recursive: true, preserveTimestamps: true });
  }
}

async function faultsOf(args: readonly string[]): Promise<Map<string, string>> {
  const { stdout, stderr } = await weir([...args, '--json']);
  const { faults } = JSON.parse(stdout || '{}') as { faults?: { path: string; message: string }[] };
  if (faults === undefined) throw new Error(`${args.join(' ')}: ${stderr}`);
  return new Map(faults.map(({ path, message }) => [path, message]));
}

// With the network: what the damage cost the cache may have to be downloaded again.
const build = ['build', ...(values.image === undefined ? [] : ['--image', values.image])];
const rows: Row[] = [];
const record = async (out: string): Promise<string> => readFile(join(out, 'release.json'), 'utf8');

await clone();
const wanted = await record(join(work, 'out'));

// The locks: a modified lock must stop the build. First, while the cache has everything that the right ones name. Of the tools a build
// uses the set `core` only.
const otherHash = (text: string, from: number): string =>
  text.slice(0, from) + text.slice(from).replace(/[0-9a-f]{64}/, '0'.repeat(64));
for (const [lock, kind, change] of [
  ['toolbox.lock', 'content', (text: string) => otherHash(text, text.indexOf('[core]'))],
  ['toolbox.lock', 'size', (text: string) => text.slice(0, text.length >> 1)],
  ['seed/seed.lock', 'content', (text: string) => otherHash(text, 0)],
  ['seed/seed.lock', 'size', (text: string) => text.slice(0, text.length >> 1)],
] as const) {
  if (values.look) break;
  const path = join(work, 'project', lock);
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before === undefined || change(before) === before) continue;
  await writeFile(path, change(before));
  const { code, stderr } = await weir([...build, '--offline', '--out', join(work, 'locked')]);
  const why = /^error: (.*)$/m.exec(stderr)?.[1] ?? '';
  rows.push({ kind, where: 'lock', paths: [lock], who: code === 0 ? 'UNDETECTED' : `build: ${why.slice(0, 80)}` });
  await writeFile(path, before);
}

// The cache: `cache verify` must report each change; a build with it must give the same release or fail.
const inCache = await tamperCache(join(work, 'cache/weir'), count, random);
const cacheFaults = await faultsOf(['cache', 'verify']);
const rebuilt = values.look ? undefined : await weir([...build, '--out', join(work, 'rebuilt')]);
const same = rebuilt === undefined ? undefined : rebuilt.code === 0 && (await record(join(work, 'rebuilt'))) === wanted;
const byBuild = values.look ? '' : '; build';
const told = new Set(cacheFaults.keys());
for (const each of inCache) {
  const who = isNoticed(each, told)
    ? `cache verify${byBuild}`
    : each.harmless === true
      ? 'no effect: recreated'
      : 'UNDETECTED';
  rows.push({ ...each, who });
}

// The output folder: `release verify` must report each change; a build must repair it.
const inOutput = await tamperOutput(join(work, 'out'), count, random);
const outFaults = await faultsOf(['release', 'verify', '--out', join(work, 'out')]);
const repaired = values.look ? undefined : await weir([...build, '--out', join(work, 'out')]);
const all = values.look ? undefined : await faultsOf(['release', 'verify', '--out', join(work, 'out')]);
// Something beside the images may be the user's: a build leaves it, and `release verify` reports it.
const left = all && new Map([...all].filter(([, message]) => message !== 'not an image of this release'));
for (const each of inOutput)
  rows.push({ ...each, who: isNoticed(each, new Set(outFaults.keys())) ? `release verify${byBuild}` : 'UNDETECTED' });

const nobody = rows.filter(({ who }) => who === 'UNDETECTED');
if (values.json) process.stdout.write(`${JSON.stringify({ seed: values.seed, same, rows }, null, 2)}\n`);
else {
  for (const { kind, where, paths, who } of rows)
    process.stdout.write(`${kind.padEnd(8)} ${where.padEnd(24)} ${paths[0]!.slice(0, 60).padEnd(60)} ${who}\n`);
  const groups = Map.groupBy(rows, ({ where, who }) => `${where.replace(/ [a-z]+-.*/, '')}: ${who}`);
  for (const [name, each] of groups) process.stdout.write(`${String(each.length).padStart(4)} ${name}\n`);
}
const say = (text: string): boolean => process.stderr.write(`${text}\n`);
say(`${rows.length} tampered inputs (seed ${values.seed}), ${nobody.length} undetected`);
if (rebuilt !== undefined) {
  say(
    `a build on the tampered cache: ${same ? 'the same release.json' : `exit ${rebuilt.code}, ANOTHER RELEASE OR NONE`}`,
  );
  if (!same) say(rebuilt.stderr.split('\n').slice(-15).join('\n'));
}
if (repaired !== undefined && left !== undefined) {
  say(`a build into the tampered output: exit ${repaired.code}, then ${left.size} faults`);
  for (const [path, message] of left) say(`left: ${path}: ${message}`);
}
await rm(work, { recursive: true, force: true });
process.exitCode = nobody.length === 0 && same !== false && (left?.size ?? 0) === 0 ? 0 : 1;
