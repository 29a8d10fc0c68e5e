import { type LuaToken, readLua } from './lua-syntax.ts';
import { type Effect, run } from './script-commands.ts';

/** Functions of rpm's Lua that start a program (rpm-lua(7)). */
const starting = new Set('rpm.spawn rpm.execute os.execute posix.exec posix.execp'.split(' '));

/** Read-only functions of libraries whose other functions change files or start programs. */
const looking = new Set(
  (
    'os.getenv os.time os.date os.clock os.difftime os.setlocale io.lines io.read io.write io.stdin io.stdout io.stderr io.type io.close ' +
    'posix.access posix.stat posix.files posix.dir posix.getcwd posix.chdir posix.uname posix.getenv posix.getpid ' +
    'posix.getprocessid posix.glob posix.readlink posix.getpasswd posix.getgroup posix.getlogin posix.sysconf posix.pathconf ' +
    'posix.times posix.ttyname posix.ctermid posix.umask posix.putenv posix.setenv posix.unsetenv posix.sleep posix.errno posix.wait ' +
    'rpm.isdefined rpm.vercmp rpm.glob rpm.next_file rpm.b64encode rpm.b64decode rpm.splitargs rpm.unsplitargs'
  ).split(' '),
);

/** Library tables: their fields are judged one by one. A use of the table itself gives access to every function. */
const libraries = new Set('os io posix rpm'.split(' '));
/** Globals that run other code, give access to all functions, or end the script with a failure. */
const opaque = new Set('require dofile load loadfile loadstring _G _ENV debug package macros error assert'.split(' '));

/**
 * The effects of a Lua script that rpm runs. A script with anything that is not known to be harmless has the effect `run`.
 * @param shell the effects of a shell command line
 * @param command the effect of a program and its arguments
 */
export function luaEffects(
  script: string,
  shell: (text: string) => Effect[],
  command: (words: readonly string[]) => Effect,
): Effect[] {
  const { tokens, problem } = readLua(script);
  // rpm stops at a script that it cannot parse.
  if (problem !== undefined) return [run(macroAt(script, problem) ?? `invalid Lua: ${problem}`)];
  const effects: Effect[] = [];
  for (const [at, { type, text }] of tokens.entries()) {
    const before = tokens[at - 1];
    if (type !== 'name' || isOperator(before, '.') || isOperator(before, ':')) continue;
    if (opaque.has(text)) effects.push(run(text));
    if (!libraries.has(text)) continue;
    const field = tokens[at + 2];
    if (!isOperator(tokens[at + 1], '.') || field?.type !== 'name') {
      effects.push(run(`${text} as a value`));
      continue;
    }
    const name = `${text}.${field.text}`;
    if (looking.has(name)) continue;
    const given = argumentsAt(tokens, at + 3);
    if (starting.has(name)) effects.push(...started(name, given, shell, command));
    else if (name === 'io.open') {
      if (!opensForReading(given)) effects.push(run('io.open for writing'));
    } else if (name !== 'rpm.expand' || !isPlainText(given)) effects.push(run(name));
  }
  return effects;
}

/** The spec macro that makes the script invalid Lua until it is expanded. */
function macroAt(script: string, problem: string): string | undefined {
  const line = /^unexpected "%" in line (\d+)$/.exec(problem)?.[1];
  return line === undefined
    ? undefined
    : /%(?:\{[?!]*[A-Za-z_]\w*|[A-Za-z_]\w*)/.exec(script.split('\n')[Number(line) - 1]!)?.[0].replace('{', '');
}

function started(
  name: string,
  given: readonly LuaToken[] | undefined,
  shell: (text: string) => Effect[],
  command: (words: readonly string[]) => Effect,
): Effect[] {
  const parts = given?.filter((token) => !['{', '}', ','].some((operator) => isOperator(token, operator)));
  if (parts?.[0]?.type !== 'string') return [run('a program named by a variable')];
  const words = parts.map(({ text }) => text);
  if (!parts.every(({ type, text }) => type === 'string' && !text.includes('\\'))) {
    return [run(`${words[0]!.trim()} with variables`)];
  }
  // os.execute takes one command line for a shell.
  return name === 'os.execute' ? shell(words[0]!) : [command(words)];
}

/** Whether these arguments of io.open open a file for reading: the name alone, or the mode "r" as the last argument. */
function opensForReading(given: readonly LuaToken[] | undefined): boolean {
  if (given === undefined || given.length === 0) return false;
  if (!given.some((token) => isOperator(token, ','))) return true;
  const mode = given.at(-1)!;
  return mode.type === 'string' && /^rb?$/.test(mode.text) && isOperator(given.at(-2), ',');
}

function isPlainText(given: readonly LuaToken[] | undefined): boolean {
  return given?.length === 1 && given[0]!.type === 'string' && !/%\(|\\|lua/.test(given[0]!.text);
}

/** The tokens of a call's arguments, without brackets. */
function argumentsAt(tokens: readonly LuaToken[], from: number): LuaToken[] | undefined {
  const first = tokens[from];
  if (first?.type === 'string') return [first];
  if (!isOperator(first, '(') && !isOperator(first, '{')) return undefined;
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    if (['(', '{'].some((operator) => isOperator(tokens[at], operator))) depth++;
    else if ([')', '}'].some((operator) => isOperator(tokens[at], operator)) && --depth === 0) {
      return tokens.slice(from + 1, at);
    }
  }
  return undefined;
}

function isOperator(token: LuaToken | undefined, text: string): boolean {
  return token?.type === 'operator' && token.text === text;
}
