import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { type LoadOptions, loadProject } from '../../src/project/load.ts';
import type { Project } from '../../src/project/model/project.ts';

const made: string[] = [];

afterAll(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A folder with these files in it, gone after the test file. */
export function folder(files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'weir-project-'));
  made.push(dir);
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return dir;
}

/** A project of one `weir.toml`, or of several files. */
export function load(files: string | Readonly<Record<string, string>>, options?: LoadOptions): Promise<Project> {
  const dir = folder(typeof files === 'string' ? { 'weir.toml': files } : files);
  // What the one who runs the tests has configured is none of their business.
  return loadProject(dir, { env: {}, ...options });
}

/** The error that loading ends in. */
export async function failure(
  files: string | Readonly<Record<string, string>>,
  options?: LoadOptions,
): Promise<WeirError> {
  try {
    await load(files, options);
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('the project loads, although it must not');
}

/** Everything that an inherited upstream spec needs, to put before a test's own tables. */
export const distros = `
[project]
default-distro = { name = "ours" }
[distros.ours]
default-version = "1"
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "fedora", snapshot = "2026-01-02T00:00:00Z" } }
[distros.fedora]
default-version = "43"
dist-git-base-uri = "https://example.org/rpms/$pkg.git"
[distros.fedora.versions.43]
[distros.fedora.versions.44]
`;
