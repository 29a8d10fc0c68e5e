// Resolves a buildroot from a repository of the size of Fedora's.
//
//     node bench/inputs.ts DIR    (DIR: as bench/large-repository.ts writes it)

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createProgress } from '../src/base/progress.ts';
import { openInput } from '../src/inputs/source.ts';
import { resolvePackages } from '../src/repo/resolve.ts';
import { openProjectWorkspace, toolboxStage } from '../src/workspace/workspace.ts';

const [dir] = process.argv.slice(2);
if (dir === undefined) {
  process.stderr.write('usage: node bench/inputs.ts DIR\n');
  process.exit(2);
}
const directory = join(import.meta.dirname, '../distro');
const workspace = await openProjectWorkspace({ directory, progress: createProgress('quiet', false, () => {}) });
const toolbox = await toolboxStage(workspace, 'core');
const lock = join(await mkdtemp(join(tmpdir(), 'weir-inputs-')), 'inputs.lock');
const context = { engine: workspace.engine, toolbox, cache: workspace.cache, lock, arch: 'x86_64', note: () => {} };
const address = { kind: 'baseurl', urls: [`file://${resolve(dir)}`] } as const;
const repository = { id: 'large', address, keys: [], checksSignatures: false, priority: 99 };
const wanted = ['bash', 'gcc', 'make', 'rpm-build', 'package-60000-libs'];

for (const round of ['first', 'second']) {
  const started = performance.now();
  const source = await openInput(context, repository);
  const opened = performance.now();
  const packages = await resolvePackages(toolbox, [source], wanted, { arch: 'x86_64', purpose: 'a bench' });
  const ended = performance.now();
  const seconds = (from: number, to: number): string => ((to - from) / 1000).toFixed(2);
  const memory = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(
    `${round}: opened ${source.size} packages in ${seconds(started, opened)} s, resolved ${packages.length} in ${seconds(opened, ended)} s, peak ${memory} MiB\n`,
  );
}
