import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Resource usage of one run of the launcher. */
export interface Run {
  readonly wallSeconds: number;
  /** CPU time of Weir's own process and of the children it waited for; processes in a sandbox are not included. */
  readonly ownSeconds: number;
  readonly childSeconds: number;
  /** Peak resident memory of Weir's own process. */
  readonly peakMegabytes: number;
  readonly stdout: string;
}

/** Paths for the measurements. */
export interface Place {
  /** The launcher to measure. */
  readonly launcher: string;
  /** Copies of the project's folders, so the checkout is not written to. */
  readonly project: string;
  /** XDG_CACHE_HOME */
  readonly cache: string;
  readonly out: string;
  readonly scratch: string;
}

/** Copies the files that a build reads besides the sources to `place.project`. */
export async function copyProject(home: string, place: Place): Promise<void> {
  await rm(place.project, { recursive: true, force: true });
  await mkdir(place.project, { recursive: true });
  for (const name of ['distro', 'seed', 'toolbox.lock']) {
    await cp(join(home, name), join(place.project, name), { recursive: true, preserveTimestamps: true });
  }
}

/**
 * Runs `weir` to its end and measures the time from start to end of the launcher.
 * @param codes exit codes that are not a failure
 * @throws Error with the output if it fails
 */
export function weir(
  place: Place,
  args: readonly string[],
  measured = true,
  codes: readonly number[] = [0],
): Promise<Run> {
  return runMeasured(place, [place.launcher, ...args], measured, codes);
}

/** Runs a Node program to its end, like `weir`. */
export async function runMeasured(
  place: Place,
  argv: readonly string[],
  measured = true,
  codes: readonly number[] = [0],
): Promise<Run> {
  const usageFile = join(place.scratch, 'usage.json');
  await mkdir(place.scratch, { recursive: true });
  await rm(usageFile, { force: true });
  const preload = `--import=${pathToFileURL(join(import.meta.dirname, 'usage.ts')).href}`;
  const started = performance.now();
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: place.scratch,
    env: {
      ...process.env,
      XDG_CACHE_HOME: place.cache,
      ...(measured ? { NODE_OPTIONS: preload, WEIR_BENCH_USAGE: usageFile } : {}),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const wallSeconds = (performance.now() - started) / 1000;
  if (code === null || !codes.includes(code))
    throw new Error(`${argv.join(' ')} failed with exit code ${code}:\n${stderr.slice(-2000)}`);
  const none = { ownSeconds: 0, childSeconds: 0, peakMegabytes: 0 };
  const usage = measured ? (JSON.parse(await readFile(usageFile, 'utf8')) as typeof none) : none;
  return { wallSeconds, ...usage, stdout };
}

/** Deletes the results of actions of these kinds, so that they run again; the content store is kept. */
export async function forget(place: Place, kinds: readonly string[]): Promise<number> {
  const folder = join(place.cache, 'weir', 'actions');
  const starts = kinds.map((kind) => `{"kind":"${kind}"`);
  let count = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.json')) continue;
    const text = await readFile(join(folder, name), 'utf8');
    if (!starts.some((start) => text.startsWith(start))) continue;
    await rm(join(folder, name));
    count++;
  }
  return count;
}

/** Describes the machine of the measurements. */
export function machine(): Record<string, unknown> {
  return {
    processors: cpus().length,
    model: cpus()[0]?.model ?? '',
    memoryGigabytes: Math.round(totalmem() / 1e9),
    loadBefore: loadavg()[0],
  };
}
