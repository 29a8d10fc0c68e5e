import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/base/process.ts';
import { loadProject } from '../../src/project/load.ts';
import { upstreamFiles, writeRepository } from '../distgit.ts';
import { type Collection, writeDistGits } from './spec-history.ts';

/** The commits that are followed: the last ones of the collection. */
export const followed = 30;

/** A folder with dist-gits and the two projects that use them. */
export interface Site {
  /** A bare repository per package. */
  readonly distGit: string;
  /** The configuration file that points a checkout of Azure Linux to them. */
  readonly config: string;
  /** A project with a component for each spec that the last commits changed, pinned by locks before them. */
  readonly project: string;
  /** Its components, sorted. */
  readonly names: readonly string[];
}

/** Makes the dist-gits, once, and the projects. @param checkout of Azure Linux */
export async function openSite(dir: string, collection: Collection, checkout: string): Promise<Site> {
  const names = changedSince(collection, collection.commits.length - followed);
  const site = { distGit: join(dir, 'dist-git'), config: join(dir, 'azl.toml'), project: join(dir, 'changed'), names };
  const stamp = join(dir, 'made-of');
  const made = `${collection.commits.at(-1)!.id} ${checkout}\n`;
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === made) return site;
  await rm(dir, { recursive: true, force: true });
  await mkdir(site.distGit, { recursive: true });
  await makeDistGits(site, collection, checkout);
  await writeFile(stamp, made);
  return site;
}

/** Packages whose spec exists before the commit of this index and changes in it or later. */
function changedSince(collection: Collection, index: number): string[] {
  return [...collection.states]
    .filter(([, states]) => {
      const before = states.findLast(({ at }) => at < index);
      return before?.blob !== undefined && states.at(-1)!.at >= index;
    })
    .map(([name]) => name)
    .sort();
}

async function makeDistGits(site: Site, collection: Collection, checkout: string): Promise<void> {
  const project = await loadProject(checkout);
  const rendered = (name: string): string => join(checkout, 'specs', name.slice(0, 1).toLowerCase(), name);
  const upstream = [...project.components.values()].flatMap(({ name, spec }) =>
    spec?.type === 'upstream' ? [{ name, spec }] : [],
  );
  const branches = new Set<string>();
  const componentOf = new Map<string, string>();
  for (const { name, spec } of upstream) {
    const distro = project.distros.get(spec.distro.name);
    const branch = distro?.versions.get(spec.distro.version ?? distro.defaultVersion ?? '')?.distGitBranch;
    if (branch !== undefined) branches.add(branch);
    componentOf.set(spec.name, name);
  }
  const order = [...branches].sort();
  const all = [...new Set([...componentOf.keys(), ...site.names])].sort();
  const known = all.filter((name) => collection.states.has(name));
  // Two months before the snapshot of the project; all of the history would be ten times as much.
  const since = collection.commits.findIndex(({ time }) => time >= Date.parse('2026-01-01T00:00:00Z') / 1000);
  const missing = await writeDistGits(collection, site.distGit, known, order, since, (name) => {
    const component = componentOf.get(name);
    const folder = component === undefined ? '' : rendered(component);
    // Patches and `sources` of the real component, which the collection does not have.
    if (component === undefined || !existsSync(folder)) return [];
    return upstreamFiles(folder, `${component}.spec`, `${name}.spec`).filter((file) => !file.name.endsWith('.spec'));
  });
  for (const name of [...all.filter((one) => !known.includes(one)), ...missing]) {
    const component = componentOf.get(name);
    if (component === undefined || !existsSync(join(rendered(component), `${component}.spec`))) continue;
    const files = upstreamFiles(rendered(component), `${component}.spec`, `${name}.spec`);
    for (const branch of order) writeRepository(join(site.distGit, name), branch, files);
  }
  const lines = ['[distros.fedora]', `dist-git-base-uri = ${JSON.stringify(`${site.distGit}/$pkg`)}`];
  for (const { name, spec } of upstream) {
    if (spec.commit === undefined) continue;
    // The commits of the real repositories do not exist in these: the last one before the snapshot stands for them.
    const until = spec.distro.snapshot ?? '2026-02-24T08:00:00Z';
    const argv = ['git', '--git-dir', join(site.distGit, spec.name), 'rev-list', '-1', `--before=${until}`, 'HEAD'];
    const { code, stdout } = await run(argv);
    // A package that is younger than the snapshot: its first commit.
    const oldest = ['git', '--git-dir', join(site.distGit, spec.name), 'rev-list', '--max-parents=0', 'HEAD'];
    const commit = code === 0 && stdout.trim() !== '' ? stdout.trim() : (await run(oldest)).stdout.trim();
    if (commit !== '') lines.push(`[components.${JSON.stringify(name)}.spec]`, `upstream-commit = "${commit}"`);
  }
  await writeFile(site.config, `${lines.join('\n')}\n`);
}
