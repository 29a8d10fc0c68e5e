import { spawn } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { closest, WeirError } from '../base/errors.ts';
import type { Bind } from '../engine/jail.ts';
import { sandboxArgv } from '../engine/sandbox.ts';
import type { DebPackage } from '../toolbox/apt.ts';
import { type ToolSet, toolSets } from '../toolbox/toolbox.ts';
import { readLock } from '../toolbox/toolbox-lock.ts';
import { type ProjectWorkspace, toolboxStage } from './workspace.ts';

/** One set of the toolbox as the lock has it. */
export interface LockedTools {
  readonly set: ToolSet;
  /** What was asked for; the rest of `packages` comes with it. */
  readonly roots: readonly string[];
  /** Empty where the set is not locked yet. */
  readonly packages: readonly Pick<DebPackage, 'name' | 'version' | 'arch' | 'sha256'>[];
}

/** The tools by set, as `toolbox.lock` has them; nothing is fetched. */
export async function lockedTools(workspace: Pick<ProjectWorkspace, 'project'>): Promise<LockedTools[]> {
  const lock = join(workspace.project.root, '..', 'toolbox.lock');
  const sets: LockedTools[] = [];
  for (const set of Object.keys(toolSets) as ToolSet[]) {
    const locked = await readLock(lock, set);
    const packages = (locked?.packages ?? []).map(({ name, version, arch, sha256 }) => ({
      name,
      version,
      arch,
      sha256,
    }));
    sets.push({ set, roots: toolSets[set], packages });
  }
  return sets;
}

/** @throws WeirError `unknown-toolset` */
export function toolSet(name: string): ToolSet {
  if (Object.hasOwn(toolSets, name)) return name as ToolSet;
  const near = closest(name, Object.keys(toolSets))[0];
  throw new WeirError('unknown-toolset', `the toolbox has no set ${name}`, {
    hint: near === undefined ? `there are: ${Object.keys(toolSets).join(', ')}` : `did you mean ${near}?`,
    exit: 2,
  });
}

/** How `runOnTerminal` runs a tool. */
export interface TerminalOptions {
  /** Shares the host's network. */
  readonly network?: boolean;
  /** Folders of the host that it sees, beside the working folder. */
  readonly binds?: readonly Bind[];
}

/**
 * Runs one of the tools on this process's terminal. It sees the toolbox's programs and the working folder, which it may
 * write. @returns its exit code
 */
export async function runOnTerminal(
  workspace: ProjectWorkspace,
  set: ToolSet,
  argv: readonly string[],
  options: TerminalOptions = {},
): Promise<number> {
  const toolbox = await toolboxStage(workspace, set);
  const cwd = process.cwd();
  // A folder of the system has the toolbox's own in its place.
  const bound = !/^\/(usr|etc|bin|sbin|lib|lib64|dev|proc|sys|)(\/|$)/.test(cwd);
  const cache = await realpath(workspace.cache);
  const within = (path: string, folder: string): boolean => `${path}/`.startsWith(`${folder}/`);
  if (bound && within(cwd, cache)) {
    throw new WeirError('bad-folder', 'the tool would see the cache, and could write it', {
      where: { file: cwd },
      hint: 'change to a folder outside of it',
      exit: 2,
    });
  }
  const command = sandboxArgv(toolbox.jail, {
    code: 'tool',
    root: toolbox.root,
    argv,
    network: options.network === true,
    binds: [...(bound ? [{ from: cwd, writable: true }] : []), ...(options.binds ?? [])],
    // Who works in their home folder has the cache below it.
    ...(bound ? { cwd, hidden: within(cache, cwd) ? [cache] : [] } : {}),
  });
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    LANG: 'C.UTF-8',
    TERM: process.env.TERM ?? 'dumb',
  };
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: 'inherit', env });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
