import type { PackageScript, ScriptName } from '../rpm/scripts.ts';
import { type Effect, effectOf, systemUsers } from './script-commands.ts';
import { type ShellCommand, shellCommands } from './shell-commands.ts';

/**
 * What composing a tree does with a scriptlet. `finaliser`: skipped, because a finaliser does its work or it changes nothing. `run`:
 * run by rpm in the sandbox. `refused`: skipped, because it cannot work on a tree.
 */
export interface ScriptClass {
  readonly class: 'finaliser' | 'run' | 'refused';
  /** The finalisers, the programs that it runs, or why it is refused. */
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

/** Classes a script by the commands in it. Every script has a class; what is not known to be covered is run. */
export function classifyScript({ interpreter, script }: Pick<PackageScript, 'interpreter' | 'script'>): ScriptClass {
  const [program = '/bin/sh', ...options] = interpreter;
  const name = program.slice(program.lastIndexOf('/') + 1);
  if (program === '<lua>') return judge(luaEffects(script));
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
  const variables = new Map(
    [...script.matchAll(/^[ \t]*([A-Za-z_]\w*)=(\S+)[ \t]*$/gm)].map(([, name, value]) => [name!, value!]),
  );
  return shellCommands(script).flatMap((command) => commandEffects(command, functions, variables));
}

function commandEffects(
  { words, writes }: ShellCommand,
  functions: ReadonlySet<string>,
  variables: ReadonlyMap<string, string>,
): Effect[] {
  const effects: Effect[] = writes
    .filter((file) => !/^\/dev\/(?:null|stdout|stderr|tty|console)$/.test(file))
    .map((file) => ({ kind: 'run', by: `writes ${file}` }));
  const [first, ...rest] = words;
  if (first === undefined || functions.has(first)) return effects;
  // The output of a command as a command.
  if (/^[`(]|^\$\(/.test(first)) return [...effects, { kind: 'run', by: 'a command made by another' }];
  const variable = /^\$\{?([A-Za-z_]\w*)\}?$/.exec(first)?.[1];
  const program = variable === undefined ? first : (variables.get(variable) ?? first);
  return [...effects, effectOf([baseName(program), ...rest])];
}

/** `%{_sbindir}/ldconfig` and `/sbin/ldconfig` are `ldconfig`. */
function baseName(program: string): string {
  return program.slice(program.lastIndexOf('/') + 1);
}

/** Functions of rpm's Lua that start a program (rpm-lua(7)), with the text of their arguments. */
const luaCall = /\b(?:rpm\.(?:spawn|execute)|os\.execute|posix\.exec[ep]*)[ \t]*\(([^)]{0,4000})\)/g;
const luaText = /"([^"]*)"|'([^']*)'|\[\[([\s\S]*?)\]\]/g;

const luaString = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|--/g;

/** Lua without its comments; what looks like one in a string stays. */
function withoutComments(script: string): string {
  let code = '';
  let from = 0;
  for (luaString.lastIndex = 0; ; ) {
    const match = luaString.exec(script);
    if (match === null) return code + script.slice(from);
    if (match[0] !== '--') continue;
    code += script.slice(from, match.index);
    const mark = script.startsWith('[[', match.index + 2) ? ']]' : '\n';
    const end = script.indexOf(mark, match.index);
    if (end < 0) return code;
    from = end + (mark === ']]' ? 2 : 0);
    luaString.lastIndex = from;
  }
}

/** Functions of rpm's Lua that change files. */
const luaChange =
  /\b(?:posix\.(?:mkdir|symlink|link|chmod|chown|unlink|rmdir|mkfifo|utime|mkstemp)|os\.(?:remove|rename|tmpname)|io\.(?:popen|output)|require|dofile|loadstring|load|macros\.\w+)\b/g;
const luaWriting = /\bio\.open[ \t]*\([^),]{0,4000},\s*["'](?:w|a|r\+)[^"']*["']\s*\)/;

function luaEffects(script: string): Effect[] {
  const code = withoutComments(script);
  const effects: Effect[] = [];
  for (const [, text = ''] of code.matchAll(luaCall)) {
    const words = [...text.matchAll(luaText)].map(([, double, single, long]) => double ?? single ?? long ?? '');
    if (words.length === 0) effects.push({ kind: 'run', by: 'a program named by a variable' });
    // os.execute has one text for a shell.
    else if (words.length === 1 && /\s/.test(words[0]!)) effects.push(...shellEffects(words[0]!));
    else effects.push(effectOf([baseName(words[0]!), ...words.slice(1)]));
  }
  for (const [name] of code.matchAll(luaChange)) effects.push({ kind: 'run', by: name });
  if (luaWriting.test(code)) effects.push({ kind: 'run', by: 'io.open for writing' });
  return effects;
}
