import { spawn } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { didYouMean, WeirError } from '../base/errors.ts';
import type { Bind } from '../engine/jail.ts';
import { sandboxArgv } from '../engine/sandbox.ts';
import type { DebPackage } from '../toolbox/apt.ts';
import { type ToolSet, toolSets } from '../toolbox/toolbox.ts';
import { readLock } from '../toolbox/toolbox-lock.ts';
import { type ProjectWorkspace, toolboxStage } from './workspace.ts';

/** One set of the toolbox, from the lock. */
export interface LockedTools {
  readonly set: ToolSet;
  /** Requested packages; the rest of `packages` are dependencies. */
  readonly roots: readonly string[];
  /** Empty if the set is not locked yet. */
  readonly packages: readonly Pick<DebPackage, 'name' | 'version' | 'arch' | 'sha256'>[];
}

/** The tools by set, from `toolbox.lock`; downloads nothing. */
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
  throw new WeirError('unknown-toolset', `unknown toolbox set ${name}`, {
    hint: didYouMean(name, Object.keys(toolSets)) ?? `known sets: ${Object.keys(toolSets).join(', ')}`,
    exit: 2,
  });
}

/** Options of `runOnTerminal`. */
export interface TerminalOptions {
  /** Shares the host's network. */
  readonly network?: boolean;
  /** Folders of the host that the tool sees, in addition to the working folder. */
  readonly binds?: readonly Bind[];
}

/**
 * Runs a tool on this process's terminal. It sees the toolbox's programs and the working folder, which it may write to.
 * @returns its exit code
 */
export async function runOnTerminal(
  workspace: ProjectWorkspace,
  set: ToolSet,
  argv: readonly string[],
  options: TerminalOptions = {},
): Promise<number> {
  const toolbox = await toolboxStage(workspace, set);
  const cwd = process.cwd();
  // A system folder is replaced by the toolbox's own inside.
  const bound = !/^\/(usr|etc|bin|sbin|lib|lib64|dev|proc|sys|)(\/|$)/.test(cwd);
  const cache = await realpath(workspace.cache);
  const within = (path: string, folder: string): boolean => `${path}/`.startsWith(`${folder}/`);
  if (bound && within(cwd, cache)) {
    throw new WeirError('bad-folder', 'the tool could write to the cache from this folder', {
      where: { file: cwd },
      hint: 'change to a folder outside of the cache',
      exit: 2,
    });
  }
  const command = sandboxArgv(toolbox.jail, {
    code: 'tool',
    root: toolbox.root,
    argv,
    network: options.network === true,
    binds: [...(bound ? [{ from: cwd, writable: true }] : []), ...(options.binds ?? [])],
    // If the working folder is a home folder, the cache is below it and must be hidden.
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
