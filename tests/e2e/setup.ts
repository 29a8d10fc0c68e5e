import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { cacheRoot, installRoot } from '../../src/base/paths.ts';
import { run } from '../../src/base/process.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import { copyProjectTo } from './project-copy.ts';

/** What every end-to-end test starts from: one build, made once by the command that users type. */
export interface Shared {
  /** `XDG_CACHE_HOME` of the build. */
  readonly cacheHome: string;
  /** Folder for everything that tests write, on the cache's file system so that files can be hard links. */
  readonly work: string;
  /** A copy of `distro/`; the checkout's own is never written. */
  readonly project: string;
  readonly out: string;
  /** What the build printed with --json. */
  readonly built: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    shared: Shared;
  }
}

let work: string | undefined;

/** Builds the distribution once, for all test files. */
export async function setup(tests: TestProject): Promise<void> {
  const cacheHome = join(cacheRoot(), '..');
  await run(['mkdir', '-p', cacheHome]);
  work = await mkdtemp(join(cacheHome, 'weir-e2e-'));
  const project = await copyProjectTo(join(work, 'project'));
  const out = join(work, 'out');
  const started = performance.now();
  const argv = [join(installRoot, 'weir'), '-C', project, 'build', '--out', out, '--json'];
  const env = { ...(process.env as Record<string, string>), XDG_CACHE_HOME: cacheHome };
  const log = join(work, 'build.log');
  const built = await run(['sh', '-c', 'log=$1; shift; "$@" 2>"$log"', 'sh', log, ...argv], { env });
  if (built.code !== 0) {
    throw new Error(`the build that all tests use failed:\n${await readFile(log, 'utf8')}\n${built.stdout}`);
  }
  console.log(`built in ${Math.round((performance.now() - started) / 1000)} s: ${out}`);
  tests.provide('shared', { cacheHome, work, project, out, built: built.stdout });
}

/** Removes all that was written, unless `WEIR_KEEP` is set: then it can be looked at. */
export async function teardown(): Promise<void> {
  if (work !== undefined && process.env.WEIR_KEEP === undefined) await removeTree(work);
}
