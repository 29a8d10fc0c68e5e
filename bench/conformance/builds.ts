import { spawn } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileDigest } from '../../src/base/digest.ts';
import type { ComponentResult } from '../../src/component/outcome.ts';

export interface BuildSite {
  /** The launcher. */
  readonly launcher: string;
  readonly project: string;
  /** XDG_CACHE_HOME of the run. */
  readonly cache: string;
  readonly jobs: number;
  readonly check: boolean;
}

/** Builds components with `--keep-going`. @returns what became of each. @throws Error if nothing could be built at all */
export async function buildAll(site: BuildSite, names: readonly string[]): Promise<ComponentResult[]> {
  const answer = await weirBuild(site, names);
  if (Array.isArray(answer)) return answer.map(({ name, ...rest }) => ({ component: name, ...rest }));
  if (answer.components === undefined) throw new Error('weir component build failed: see above');
  return [...answer.components];
}

/** SHA-256 of every package of built components, by component and file name; they come from the cache. */
export async function packagesOf(
  site: BuildSite,
  names: readonly string[],
): Promise<Map<string, ReadonlyMap<string, string>>> {
  const answer = await weirBuild(site, names);
  if (!Array.isArray(answer)) throw new Error('components that had been built could not be read from the cache');
  const digests = new Map<string, ReadonlyMap<string, string>>();
  for (const { name, packages } of answer) {
    const own = new Map<string, string>();
    for (const path of packages) own.set(basename(path), await fileDigest(path));
    digests.set(name, own);
  }
  return digests;
}

type Answer =
  | (Omit<ComponentResult, 'component'> & { readonly name: string; readonly packages: readonly string[] })[]
  | { readonly components?: readonly ComponentResult[] };

async function weirBuild(site: BuildSite, names: readonly string[]): Promise<Answer> {
  const options = [
    '--keep-going',
    '--prefer-inputs',
    '--jobs',
    String(site.jobs),
    ...(site.check ? [] : ['--no-check']),
  ];
  const child = spawn(site.launcher, ['-C', site.project, '--json', 'component', 'build', ...options, ...names], {
    env: { ...process.env, XDG_CACHE_HOME: site.cache },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const text = Buffer.concat(chunks).toString();
  if (text === '' || code === null || code > 1) throw new Error(`weir component build failed with exit code ${code}`);
  return JSON.parse(text) as Answer;
}

/**
 * Removes the results of the builds of these components, and of every `%generate_buildrequires`, so that they run again; sources,
 * seed and buildroots are kept. @returns how many
 */
export async function forgetBuilds(cache: string, names: readonly string[]): Promise<number> {
  const folder = join(cache, 'weir', 'actions');
  const forgotten = new Set(names);
  let count = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.json')) continue;
    const text = await readFile(join(folder, name), 'utf8');
    if (!text.startsWith('{"kind":"rpmbuild"')) continue;
    const { value } = JSON.parse(text) as { readonly value: unknown };
    const packages = Array.isArray(value) ? (value as { readonly name: string; readonly isSource: boolean }[]) : [];
    const source = packages.find(({ isSource }) => isSource)?.name;
    if (source !== undefined && !forgotten.has(source)) continue;
    await rm(join(folder, name));
    count++;
  }
  return count;
}

/** The packages that differ or are missing in one of two builds, sorted. */
export function differences(first: ReadonlyMap<string, string>, second: ReadonlyMap<string, string>): string[] {
  const names = new Set([...first.keys(), ...second.keys()]);
  return [...names].filter((name) => first.get(name) !== second.get(name)).sort();
}
