import type { PackageScript, ScriptName } from '../rpm/scripts.ts';
import { luaEffects } from './lua-effects.ts';
import { type Effect, effectOf, systemUsers } from './script-commands.ts';
import { type ShellCommand, shellCommands } from './shell-commands.ts';

/**
 * What composing a tree does with a scriptlet. `finaliser`: skipped, because a finaliser does its work or it changes nothing. `run`:
 * run by rpm in the sandbox. `refused`: skipped, because it cannot work on a tree.
 */
export interface ScriptClass {
  readonly class: 'finaliser' | 'run' | 'refused';
  /** The finalisers that do the script's work, the programs that the script runs, or why it is refused. */
  readonly reason: string;
}

/** Scripts that rpm runs when packages are installed into an empty root (rpm-scriptlets(7), "Execution order"). */
const atInstall: ReadonlySet<ScriptName> = new Set([
  'pretrans',
  'pre',
  'post',
  'posttrans',
  'triggerprein',
  'triggerin',
  'filetriggerin',
  'transfiletriggerin',
]);

/** Whether composing a tree can run the script; the others belong to removals, upgrades and `rpm -V`. */
export function runsAtInstall(name: ScriptName): boolean {
  return atInstall.has(name);
}

/**
 * Whether rpm runs the script when it installs a tree. A `%pre` that makes system users is run although a finaliser makes them, too:
 * rpm gives the package's files to root if their owner does not exist yet.
 */
export function isRunByRpm({ name, class: kind, reason }: Pick<PackageScript, 'name'> & ScriptClass): boolean {
  return (
    runsAtInstall(name) && (kind === 'run' || (name === 'pre' && kind === 'finaliser' && reason.includes(systemUsers)))
  );
}

/** Classifies a script by the commands in it. Every script has a class: `run`, unless it certainly needs another. */
export function classifyScript({ interpreter, script }: Pick<PackageScript, 'interpreter' | 'script'>): ScriptClass {
  const [program = '/bin/sh', ...options] = interpreter;
  const name = program.slice(program.lastIndexOf('/') + 1);
  if (program === '<lua>')
    return judge(luaEffects(script, shellEffects, ([name = '', ...rest]) => effectOf([baseName(name), ...rest])));
  if (['sh', 'bash', 'dash', 'ksh'].includes(name)) return judge(shellEffects(script));
  if (script.trim() === '') return judge([effectOf([name, ...options])]);
  return { class: 'run', reason: `a ${name} script` };
}

function judge(effects: readonly Effect[]): ScriptClass {
  const by = (kind: Effect['kind']): string[] => [
    ...new Set(effects.filter((effect) => effect.kind === kind).map((effect) => effect.by)),
  ];
  const fetching = by('network');
  if (fetching.length > 0) return { class: 'refused', reason: `needs the network: ${some(fetching)}` };
  const running = by('run');
  if (running.length > 0) return { class: 'run', reason: some(running) };
  const kernel = by('kernel');
  if (kernel.length > 0) return { class: 'refused', reason: `needs ${some(kernel)}` };
  const covered = by('finaliser');
  return { class: 'finaliser', reason: covered.length === 0 ? 'changes nothing' : some(covered) };
}

/** A few names, for a line of text. */
function some(all: readonly string[]): string {
  const names = all.map((name) => (name.length <= 60 ? name : `${name.slice(0, 60)}…`));
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;
}

function shellEffects(script: string): Effect[] {
  const functions = new Set(
    [...script.matchAll(/^[ \t]*(?:function[ \t]+)?([A-Za-z_][\w-]*)[ \t]*\(\)/gm)].map(([, name]) => name!),
  );
  const variables = fixedVariables(script);
  return shellCommands(script).flatMap((command) => commandEffects(command, functions, variables));
}

/** Variables that are set only once, on a line of their own, so that their value is known. */
function fixedVariables(script: string): ReadonlyMap<string, string> {
  const mentions = new Map<string, number>();
  for (const [name] of script.matchAll(/(?<![\w$]|\$\{)[A-Za-z_]\w*/g)) {
    mentions.set(name, (mentions.get(name) ?? 0) + 1);
  }
  const set = [...script.matchAll(/^[ \t]*([A-Za-z_]\w*)=([^\s`$]+)[ \t]*$/gm)];
  return new Map(set.flatMap(([, name, value]) => (mentions.get(name!) === 1 ? [[name!, value!] as const] : [])));
}

function commandEffects(
  { words, writes, expanded, unread }: ShellCommand,
  functions: ReadonlySet<string>,
  variables: ReadonlyMap<string, string>,
): Effect[] {
  if (unread !== undefined) return [{ kind: 'run', by: unread }];
  const effects: Effect[] = writes
    .filter((file) => !/^\/dev\/(?:null|stdout|stderr|tty|console)$/.test(file))
    .map((file) => ({ kind: 'run', by: `writes ${file}` }));
  const [first, ...rest] = words;
  if (first === undefined || functions.has(first)) return effects;
  // A command substitution in place of a command name.
  if (/^[`(]|^\$\(/.test(first)) return [...effects, { kind: 'run', by: 'a command made by another' }];
  const variable = /^\$\{?([A-Za-z_]\w*)\}?$/.exec(first)?.[1];
  const program = variable === undefined ? first : (variables.get(variable) ?? first);
  if (program === 'trap') return [...effects, ...trapEffects(rest, expanded)];
  return [...effects, effectOf([baseName(program), ...rest], expanded)];
}

/** A trap runs its first argument: `trap 'rm -f x' EXIT`. */
function trapEffects(args: readonly string[], expanded: ReadonlySet<number> | undefined): Effect[] {
  const at = args[0] === '--' ? 1 : 0;
  const action = args[at] ?? '';
  if (expanded?.has(at + 1)) return [{ kind: 'run', by: 'trap' }];
  return action === '-' || args.length === at + 1 || /^-[lp]+$/.test(action) ? [] : shellEffects(action);
}

/** `%{_sbindir}/ldconfig` and `/sbin/ldconfig` are `ldconfig`. */
function baseName(program: string): string {
  return program.slice(program.lastIndexOf('/') + 1);
}
