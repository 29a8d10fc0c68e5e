import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, inject } from 'vitest';
import { installRoot } from '../../src/base/paths.ts';
import { type RunResult, run, runOk } from '../../src/base/process.ts';
import { createProgress } from '../../src/base/progress.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import { builtRelease, readImage } from '../../src/release/published.ts';
import type { ImageRecord, ReleaseRecord } from '../../src/release/record-schema.ts';
import type { Toolbox } from '../../src/toolbox/tool.ts';
import type { ToolSet } from '../../src/toolbox/toolbox.ts';
import { openWorkspace, toolboxStage, type Workspace } from '../../src/workspace/workspace.ts';
import { copyProjectTo, type Edits } from './project-copy.ts';

export const shared = inject('shared');

export const isRoot = process.getuid?.() === 0;

export interface WeirOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the command, such as `unshare -n`. */
  readonly within?: readonly string[];
  readonly cwd?: string;
}

const command = [process.execPath, '--disable-warning=ExperimentalWarning', join(installRoot, 'src/cli/main.ts')];

function environment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { ...(process.env as Record<string, string>), XDG_CACHE_HOME: shared.cacheHome, ...extra };
}

/** Runs weir to its end, in the shared cache unless `env` says otherwise. */
export function weir(args: readonly string[], options: WeirOptions = {}): Promise<RunResult> {
  const cwd = options.cwd ?? shared.work;
  return run([...(options.within ?? []), ...command, ...args], { env: environment(options.env), cwd });
}

/** Runs weir and expects it to end well. @returns what it printed with --json */
export async function weirOk(args: readonly string[], options: WeirOptions = {}): Promise<BuildResult> {
  const result = await weir([...args, '--json'], options);
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as BuildResult;
}

/** Starts weir, for tests that end it. */
export function startWeir(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(command[0]!, [...command.slice(1), ...args], {
    cwd: shared.work,
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export async function exitOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode ?? child.signalCode ?? -1;
}

/** What `weir build --json` prints. */
export interface BuildResult {
  readonly snapshot: string;
  readonly repository: string;
  readonly images: readonly {
    readonly name: string;
    readonly dir: string;
    readonly cached: boolean;
    readonly files: ImageRecord['files'];
  }[];
  readonly components: readonly { readonly name: string; readonly cached: boolean }[];
  readonly stages: readonly { readonly name: string; readonly cached: boolean; readonly summary: string }[];
}

/** The record of what was built. */
export async function releaseRecord(out = shared.out): Promise<ReleaseRecord> {
  return builtRelease({ out });
}

export async function imageRecord(name: string, out = shared.out): Promise<ImageRecord> {
  const record = await readImage({ out }, name);
  if (record === undefined) throw new Error(`${name} is not built`);
  return record;
}

const folders: string[] = [];

// Each file's folders go when it ends: all files together write more than a small machine's disk holds.
afterAll(async () => {
  if (process.env.WEIR_KEEP === undefined) await Promise.all(folders.splice(0).map((folder) => removeTree(folder)));
}, 120_000);

/** A new empty folder below the shared one, there until the test file ends. */
export async function newFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(shared.work, `${name}-`));
  folders.push(folder);
  return folder;
}

/** A copy of the project with edits. @returns its folder, for -C */
export async function projectWith(edits: Edits): Promise<string> {
  return copyProjectTo(await newFolder('project'), edits);
}

/** The workspace of the shared build, for tests that call rooms directly. */
export async function sharedWorkspace(): Promise<Workspace> {
  process.env.XDG_CACHE_HOME = shared.cacheHome;
  return openWorkspace({
    directory: shared.project,
    out: shared.out,
    progress: createProgress('quiet', false, () => {}),
  });
}

/** A set of the real tools. */
export async function tools(set: ToolSet = 'core'): Promise<Toolbox> {
  return toolboxStage(await sharedWorkspace(), set);
}

/** What is kept of a cache: enough that nothing is downloaded, and that a build has no more to do than the test wants. */
const cloned = ['actions', 'store', 'hashes', 'keys', 'repos'];

/**
 * The shared cache once more, as hard links: what is removed or replaced in it stays in the shared one.
 * @returns its `XDG_CACHE_HOME`
 */
export async function cloneCache(parts: readonly string[] = cloned): Promise<string> {
  const home = await newFolder('cache');
  await mkdir(join(home, 'weir'));
  for (const part of parts) await runOk(['cp', '-al', join(shared.cacheHome, 'weir', part), join(home, 'weir', part)]);
  // A hard link would change the time by which a toolbox is known to be as it was unpacked.
  await symlink(join(shared.cacheHome, 'weir/toolbox'), join(home, 'weir/toolbox'));
  return home;
}

interface StoredAction {
  readonly kind: string;
  readonly value: unknown;
  readonly files: Readonly<Record<string, { readonly digest: string }>>;
}

/** Forgets results of actions in a cloned cache, so that a build has to do them again. @returns how many */
export async function forget(
  cacheHome: string,
  which: (action: StoredAction, index: number) => boolean,
): Promise<number> {
  const dir = join(cacheHome, 'weir', 'actions');
  let index = 0;
  let count = 0;
  for (const name of (await readdir(dir, { recursive: true })).sort()) {
    if (!name.endsWith('.json')) continue;
    const action = JSON.parse(await readFile(join(dir, name), 'utf8')) as StoredAction;
    if (!which(action, index++)) continue;
    await rm(join(dir, name));
    count++;
  }
  return count;
}

/** Whether an action is the build of one of these components. */
export function buildsAny(names: readonly string[]): (action: StoredAction) => boolean {
  return ({ kind, value }) =>
    kind === 'rpmbuild' && Array.isArray(value) && value.some((pkg: { name: string }) => names.includes(pkg.name));
}

/** Expects one clear error for people: its place and words, a hint, the exit code, and no trace of a bug. */
export function expectError(
  result: RunResult,
  expected: { readonly exit: 1 | 2; readonly says: RegExp; readonly hint?: RegExp; readonly details?: RegExp },
): void {
  const lines = result.stderr.split('\n');
  const errors = lines.filter((line) => line.startsWith('error:'));
  expect(errors, result.stderr).toHaveLength(1);
  expect(errors[0]).toMatch(expected.says);
  expect(result.stderr).not.toMatch(/bug in weir|^\s+at .*\.ts:/m);
  if (expected.hint !== undefined) expect(lines.find((line) => line.startsWith('hint:')) ?? '').toMatch(expected.hint);
  if (expected.details !== undefined) expect(result.stderr).toMatch(expected.details);
  expect(result.code).toBe(expected.exit);
}

/** Files below a folder, relative, sorted; none where it is not there. */
export async function filesBelow(dir: string): Promise<string[]> {
  const names = await readdir(dir, { recursive: true }).catch(() => []);
  const files: string[] = [];
  for (const name of names.sort()) if ((await stat(join(dir, name))).isFile()) files.push(name);
  return files;
}

/** The Debian mirror that this host's apt is configured with. */
export async function hostMirror(): Promise<string> {
  if (process.env.WEIR_MIRROR !== undefined) return process.env.WEIR_MIRROR;
  const format = ['--format', '$(REPO_URI) $(COMPONENT) $(RELEASE)', 'Created-By: Packages'];
  const { stdout } = await run(['apt-get', 'indextargets', ...format]);
  const line = stdout.split('\n').find((each) => / main \w+$/.test(each) && !/security|-/.test(each.split(' ')[2]!));
  if (line === undefined) throw new Error('the host has no Debian mirror');
  return line.split(' ')[0]!.replace(/\/$/, '');
}
