// The time until a buildroot is ready, beside `dnf5 --installroot` of the same packages from the same repositories.
//
//     node bench/buildroot.ts SNAPSHOT [package]…    (SNAPSHOT: a published one, such as out/repo/4.0/latest)
//
// Four roots, each as a user would wait for it: the first on this machine, the same again, one with a further package (as the next
// component's), and that one again. Weir has an empty store and cache but for its tools; dnf5 keeps its metadata from the second on.
// dnf5 runs as root in a sandbox, with the scriptlets and rpm macros of the packages; both read the repositories from a folder.

import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createProgress } from '../src/base/progress.ts';
import { planBuildroot } from '../src/build/buildroot.ts';
import { openEngine } from '../src/engine/engine.ts';
import { type InputRepository, inputPriority } from '../src/inputs/input-repository.ts';
import { openInput } from '../src/inputs/source.ts';
import { openWorkspace, toolboxStage } from '../src/workspace/workspace.ts';
import { dnfRoot } from '../tests/e2e/dnf-root.ts';

const [snapshot, ...named] = process.argv.slice(2);
if (snapshot === undefined) {
  process.stderr.write('usage: node bench/buildroot.ts SNAPSHOT [package]…\n');
  process.exit(2);
}
const directory = join(import.meta.dirname, '../distro');
const workspace = await openWorkspace({ directory, progress: createProgress('quiet', false, () => {}) });
const toolbox = await toolboxStage(workspace, 'core');
const { arch, clock, cache, release } = workspace;
const wanted = named.length > 0 ? named : release.buildRoot;
const more = [...wanted, 'zlib-devel'];
const published = await realpath(snapshot);
const folders = ['base', 'sdk'].map((id) => ({ id, dir: join(published, id, arch), priority: inputPriority }));
const repositories = folders.map(
  ({ id, dir, priority }): InputRepository => ({
    ...{ id, priority, keys: [], checksSignatures: false },
    address: { kind: 'baseurl', urls: [`file://${dir}`] },
  }),
);
const work = await mkdtemp(join(cache, 'weir-buildroot-'));
try {
  /** As a new process would: nothing is known but what is in the cache. */
  const weirRoot = async (packages: readonly string[]): Promise<number> => {
    const own = join(work, 'cache');
    const engine = await openEngine(own, () => {});
    const inputs = { engine, toolbox, cache: own, lock: join(work, 'inputs.lock'), arch, note: () => {} };
    const sources = [];
    for (const repository of repositories) sources.push(await openInput(inputs, repository));
    const root = await planBuildroot({ engine, toolbox, cache: own, arch, clock }, sources, packages, 'a bench');
    await root.open();
    return root.packages.length;
  };
  let number = 0;
  const kept = join(work, 'dnf');
  const dnf = async (packages: readonly string[]): Promise<number> => {
    const folder = join(work, `root-${number++}`);
    await mkdir(folder);
    const { code, stdout, stderr } = await dnfRoot(toolbox, folders, packages, folder, clock, kept);
    const count = /^ Installing: +(\d+) packages?$/m.exec(stdout)?.[1];
    if (count === undefined) throw new Error(`dnf5 ended with ${code}: ${stderr}`);
    return Number(count);
  };
  const rounds = [
    ['first', wanted],
    ['again', wanted],
    ['one package more', more],
    ['that again', more],
  ] as const;
  for (const [round, packages] of rounds) {
    const figures: string[] = [];
    for (const [who, make] of [
      ['weir', weirRoot],
      ['dnf5', dnf],
    ] as const) {
      const started = performance.now();
      const count = await make(packages);
      figures.push(`${who} ${((performance.now() - started) / 1000).toFixed(2)} s (${count} packages)`);
    }
    process.stdout.write(`${round.padEnd(17)} ${figures.join('   ')}\n`);
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
