import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { distGitBranch } from './dist-git.ts';

/**
 * Components with macros and without tarballs, and their packages that every buildroot has: in Fedora redhat-rpm-config and
 * python3-devel require them.
 */
export const macroPackages: Readonly<Record<string, readonly string[]>> = {
  'lua-rpm-macros': ['lua-srpm-macros'],
  'perl-srpm-macros': ['perl-srpm-macros'],
  'pyproject-rpm-macros': ['pyproject-srpm-macros'],
  'python-rpm-macros': ['python-srpm-macros', 'python3-rpm-macros'],
};

/** Lines for components that cannot be built first as they are: their tests need what they build. */
const settings: Readonly<Record<string, readonly string[]>> = {
  'pyproject-rpm-macros': ['build.without = ["tests"]'],
};

export interface ProjectOptions {
  /** The work folder. */
  readonly dir: string;
  /** Weir's own folder, with `distro/` and `seed/`. */
  readonly home: string;
  readonly components: readonly string[];
  readonly lookaside: string;
}

/**
 * Writes the project that builds the components on a copy of the seed, with the macros of `distro/` in the place of
 * redhat-rpm-config. The seed's lock in the work folder is kept, unless Weir's own changed.
 * @returns the project's folder
 */
export async function writeProject({ dir, home, components, lookaside }: ProjectOptions): Promise<string> {
  const project = join(dir, 'project');
  await copySeed(home, dir);
  await mkdir(join(project, 'local'), { recursive: true });
  await cp(join(home, 'toolbox.lock'), join(dir, 'toolbox.lock'));
  await cp(join(home, 'distro/components/weir-rpm-config'), join(project, 'local'), { recursive: true });
  await rm(join(project, 'local/weir-rpm-config.toml'), { force: true });
  const macros = components.flatMap((name) => macroPackages[name] ?? []);
  const buildRoot = [...(await buildRootOf(join(home, 'distro/weir.toml'))), ...macros];
  const list = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
  const lines = [
    '[project]',
    'description = "Components of Azure Linux, built from the dist-gits and the lookaside beside this folder"',
    'default-distro = { name = "conformance", version = "1" }',
    'default-author-email = "conformance@weir.invalid"',
    'rendered-specs-dir = "specs"',
    'output-dir = "../out"',
    '[distros.conformance]',
    'default-version = "1"',
    '[distros.conformance.versions.1]',
    'release-ver = "1"',
    'default-component-config = { spec = { type = "upstream", upstream-distro = { name = "fedora", version = "43" } } }',
    '[distros.fedora]',
    'default-version = "43"',
    'dist-git-base-uri = "../dist-git/$pkg"',
    `lookaside-base-uri = ${JSON.stringify(`../${lookaside}`)}`,
    '[distros.fedora.versions.43]',
    'release-ver = "43"',
    `dist-git-branch = ${JSON.stringify(distGitBranch)}`,
    '[release]',
    'version = "1"',
    'snapshot = "2026-11-20"',
    'arches = ["x86_64"]',
    'channels = [{ name = "base", description = "Everything" }]',
    `build-root = ${list(buildRoot)}`,
    '[seed]',
    `mappings = ${list(seedFiles.map((name) => `../seed/${name}`))}`,
    'allow-expired = true',
    '[toolbox]',
    'allow-expired = true',
    '[default-package-config.publish]',
    'rpm-channel = "base"',
    '[components.weir-rpm-config]',
    'spec = { type = "local", path = "local/weir-rpm-config.spec" }',
    'release.calculation = "static"',
    ...components.flatMap((name) => [`[components.${JSON.stringify(name)}]`, ...(settings[name] ?? [])]),
  ];
  await writeFile(join(project, 'weir.toml'), `${lines.join('\n')}\n`);
  return project;
}

const seedFiles = ['defaults.toml', 'packages.toml', 'own.toml', 'roots.toml'];

/** Copies the seed's mapping. A run that asks for more packages writes a longer lock into the copy. */
async function copySeed(home: string, dir: string): Promise<void> {
  const folder = join(dir, 'seed');
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(join(home, 'seed'))) {
    if (name.endsWith('.toml')) await cp(join(home, 'seed', name), join(folder, name));
  }
  const own = await readFile(join(home, 'seed/seed.lock'), 'utf8');
  const began = join(folder, 'seed.lock.before');
  if (existsSync(began) && (await readFile(began, 'utf8')) === own) return;
  await writeFile(join(folder, 'seed.lock'), own);
  await writeFile(began, own);
}

/** The `build-root` of a project's release, in its words. */
async function buildRootOf(file: string): Promise<string[]> {
  const [, list = ''] = /^build-root = \[([^\]]*)\]/m.exec(await readFile(file, 'utf8')) ?? [];
  const names = [...list.matchAll(/"([^"]+)"/g)].map((match) => match[1]!);
  if (names.length === 0) throw new Error(`${file} has no build-root`);
  return names;
}
