import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { type Digest, sha256 } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { isAbandoned, isTemporary, writeAtomic } from '../base/files.ts';
import { installRoot } from '../base/paths.ts';
import { openSeal, type Seal, sealedBytes, unsealedBytes } from '../engine/seal.ts';
import { type DiskInputs, type GlobInput, noInputs } from '../toml/disk-inputs.ts';
import { expandGlob } from './glob.ts';
import type { LoadOptions } from './load.ts';
import type { Project } from './model/project.ts';
import { rootFiles } from './root-file.ts';

/** Where loaded projects are kept. */
export interface ProjectCache {
  /** Folder of the entries, made at first use. */
  readonly dir: string;
  /** File of the key that seals them; see `openSeal`. */
  readonly key: string;
}

/**
 * `loadProject`, with the result cached for the next run. The result always equals that of `loadProject`:
 *
 * - **An entry is valid only while all its inputs are the same.** It lists every file that loading read, with its digest, every
 *   name at which no file existed, and every glob with the files that it matched. All of them are checked before the entry is
 *   used: files are hashed and globs expanded. Time stamps are not trusted.
 * - **The code is an input**: the modules that turn TOML into a project, and `package-lock.json`. What decides where loading
 *   starts (root file, user configuration, options) is looked up by each run and is part of the entry's name.
 * - **Only clean loads are cached**: no errors, no warnings. Loading finds and reports those.
 * - **An entry is sealed** with the cache's own key (`engine/seal.ts`): one that is damaged, truncated, or written by somebody
 *   else is ignored.
 * - **An entry is written atomically**: to a temporary file, then renamed. Concurrent runs replace each other's entries.
 * - **The cache is optional.** If it cannot be read or written, the project is loaded.
 *
 * The `mostEntries` most recently used entries are kept.
 * @throws WeirError as `loadProject` does
 */
export async function loadCached(dir: string, options: LoadOptions, cache: ProjectCache): Promise<Project> {
  const roots = rootFiles(dir, options);
  // Warnings are reported at each load and never cached.
  const seal = options.permissive === true ? undefined : optional(() => openSeal(cache.key));
  const { dialect, reasons } = options;
  const name = sha256(JSON.stringify([1, process.versions.v8, installRoot, roots, dialect, reasons]));
  const kept = seal && readEntry(cache, seal, name);
  if (kept !== undefined) return kept;
  const { loadProject } = await import('./load.ts');
  const inputs = noInputs();
  const project = await loadProject(dir, { ...options, inputs });
  if (seal !== undefined && project.warnings.length === 0) await writeEntry(cache, seal, name, inputs, project);
  return project;
}

/** What the seal of an entry covers besides its bytes. */
export function entrySubject(name: string): string {
  return `project ${name}`;
}

/** The first part of an entry, as JSON; the project follows, in the format of `v8.serialize`. */
interface Header {
  /** Path below the checkout → digest. */
  readonly code: Readonly<Record<string, Digest>>;
  readonly files: readonly (readonly [path: string, state: string])[];
  readonly globs: readonly GlobInput[];
}

const mostEntries = 16;

function readEntry(cache: ProjectCache, seal: Seal, name: string): Project | undefined {
  const file = optional(() => readFileSync(join(cache.dir, name)));
  const content = file && unsealedBytes(seal, entrySubject(name), file);
  if (content === undefined) return undefined;
  const end = content.indexOf(0x0a);
  const header = JSON.parse(content.toString('utf8', 0, end)) as Header;
  const holds =
    Object.entries(header.code).every(([path, digest]) => stateOf(join(installRoot, path)) === digest) &&
    header.files.every(([path, state]) => stateOf(path) === state) &&
    header.globs.every(isSame);
  return holds ? (deserialize(content.subarray(end + 1)) as Project) : undefined;
}

/** A file's state now, in the words of `DiskInputs.files`; undefined, which no recorded state equals, if it cannot be read. */
function stateOf(path: string): string | undefined {
  try {
    const info = statSync(path, { throwIfNoEntry: false });
    if (info === undefined) return 'absent';
    // Reading a pipe would block.
    return info.isFile() ? sha256(readFileSync(path)) : undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

function isSame({ pattern, dir, found }: GlobInput): boolean {
  const now = optional(() => expandGlob(pattern, dir));
  return now?.length === found.length && now.every((path, index) => path === found[index]);
}

async function writeEntry(
  cache: ProjectCache,
  seal: Seal,
  name: string,
  inputs: DiskInputs,
  project: Project,
): Promise<void> {
  try {
    const code = await codeStates();
    if (code === undefined) return;
    const header: Header = { code, files: [...inputs.files], globs: [...inputs.globs.values()] };
    const content = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), serialize(project)]);
    await writeAtomic(join(cache.dir, name), sealedBytes(seal, entrySubject(name), content), 0o600);
    removeOld(cache.dir);
  } catch (error) {
    if (!isOfDisk(error)) throw error;
  }
}

/** Digests of the code that makes projects; undefined if the code changed since this process loaded it. */
async function codeStates(): Promise<Record<string, Digest> | undefined> {
  const { reachableCode } = await import('../engine/code-digest.ts');
  const paths = Object.keys(reachableCode(import.meta.filename, installRoot).files);
  const states: Record<string, Digest> = {};
  for (const path of [...paths, 'package-lock.json']) {
    const file = join(installRoot, path);
    // The clock of a file system can lag by some milliseconds.
    if (statSync(file).ctimeMs > performance.timeOrigin - 100) return undefined;
    states[path] = sha256(readFileSync(file));
  }
  return states;
}

/** Removes the oldest entries, and leftovers of killed runs. */
function removeOld(dir: string): void {
  const entries: { readonly path: string; readonly written: number }[] = [];
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const written = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (written === undefined) continue;
    if (!isTemporary(name)) entries.push({ path, written });
    else if (isAbandoned(name, written)) rmSync(path, { recursive: true, force: true });
  }
  entries.sort((a, b) => b.written - a.written);
  for (const { path } of entries.slice(mostEntries)) rmSync(path, { recursive: true, force: true });
}

/** The result of a step, or undefined if it fails because of the disk. */
function optional<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (!isOfDisk(error)) throw error;
    return undefined;
  }
}

function isOfDisk(error: unknown): boolean {
  return error instanceof WeirError || systemCode(error) !== undefined;
}
