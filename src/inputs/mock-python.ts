import { defaultOptions, optionName } from './mock-defaults.ts';
import {
  combined,
  evaluate,
  isText,
  isTrue,
  keyOf,
  kindOf,
  type Names,
  type Value,
  wholeNumber,
} from './mock-evaluate.ts';
import {
  expectOperator,
  peek,
  place,
  type Reader,
  readExpression,
  readExpressions,
  readerOf,
  take,
  takeOperator,
  unexpected,
} from './mock-expression.ts';
import { Budget, type FilePosition, fileSource, mockError } from './mock-text.ts';
import { pythonTokens } from './mock-tokens.ts';

/** Reads the files of a configuration. */
export interface MockFiles {
  /** The included file, or undefined if it does not exist. @param by the file that includes it */
  readonly include: (name: string, by: string) => { readonly path: string; readonly content: string } | undefined;
  /** Where includes are looked for, for messages. */
  readonly includeFolders: (by: string) => readonly string[];
}

/** `config_opts` after all files were read; templates are not expanded yet. */
export interface MockOptions {
  readonly options: Map<string, Value>;
  /** Options that the files set, and the place where each was set last. */
  readonly setAt: ReadonlyMap<string, FilePosition>;
  /** The files, in the order of reading. */
  readonly files: readonly string[];
  readonly budget: Budget;
}

interface State {
  readonly options: Map<string, Value>;
  readonly setAt: Map<string, FilePosition>;
  readonly files: Set<string>;
  /** Stack of the files being read, the outermost first. */
  readonly open: string[];
  readonly names: Names;
  readonly access: MockFiles;
}

const maxIncludes = 100;
const maxIncludeDepth = 10;

/**
 * Reads assignments to `config_opts`, in the order in which mock would execute them. Nothing is executed: a statement
 * that is not such an assignment is an error with its place.
 * @param files read one after the other
 * @param arch value of `target_arch` if no file sets it
 */
export function readOptions(
  files: readonly { readonly path: string; readonly content: string }[],
  access: MockFiles,
  arch: string,
): MockOptions {
  const options = defaultOptions(arch);
  const budget = new Budget();
  const names: Names = {
    budget,
    lenient: false,
    keyOf: (of, key) => (of === options ? optionName(key) : key),
    valueOf: (name, position) => {
      if (name === 'config_opts') return options;
      if (name === 'int') return { kind: 'callable', call: ([value], at) => wholeOf(value, at) };
      throw mockError(position, `unsupported: the name ${name}`);
    },
  };
  const state: State = { options, setAt: new Map(), files: new Set(), open: [], names, access };
  for (const { path, content } of files) readFile(state, path, content);
  setRepoArch(options);
  return { options, setAt: state.setAt, files: [...state.files], budget };
}

/** The architecture in URLs: the target's, unless a file says otherwise. */
function setRepoArch(options: Map<string, Value>): void {
  const target = options.get('target_arch')!;
  const map = options.get('repo_arch_map');
  if (isTrue(options.get('repo_arch') ?? null)) return;
  const mapped = map instanceof Map && isText(target) ? map.get(target.text) : undefined;
  options.set('repo_arch', mapped ?? target);
}

/** Python's `int(…)`. */
function wholeOf(value: Value | undefined, position: FilePosition): number {
  const number = value === undefined ? undefined : wholeNumber(value);
  if (number !== undefined && !(isText(value!) && /[.eE]/.test(value.text))) return number;
  const what = value !== undefined && isText(value) ? JSON.stringify(value.text.slice(0, 80)) : kindOf(value ?? null);
  throw mockError(position, `int() of ${what}: not a whole number`, 'write the number itself');
}

function readFile(state: State, path: string, content: string): void {
  state.files.add(path);
  state.open.push(path);
  const source = fileSource(path, content);
  const reader = readerOf(source, pythonTokens(source), 'python');
  let newLine = true;
  while (peek(reader).type !== 'end') {
    if (peek(reader).type === 'newline') {
      // A semicolon ends a statement as well; what follows it does not begin a line.
      newLine = take(reader).word !== ';';
      continue;
    }
    readStatement(state, reader, newLine);
    if (peek(reader).type !== 'newline') throw trailing(reader);
  }
  state.open.pop();
}

function trailing(reader: Reader): Error {
  const token = peek(reader);
  const at = place(reader);
  if (['%', '/', '//', '**', '&', '|', '^', '<<', '>>', '@'].includes(token.word)) {
    return mockError(at, `unsupported operator: ${token.word}`);
  }
  if (token.word === '.') {
    const name = peek(reader, 1).word;
    return mockError(at, `unsupported: the method or attribute .${name}`);
  }
  if (token.word === '=') return mockError(at, 'unsupported: an assignment to several names', 'assign each of them');
  if (token.word === 'for') return mockError(at, 'unsupported: comprehension');
  return unexpected(reader, 'the end of the line');
}

const statements = new Map([
  ['if', 'if statement'],
  ['elif', 'if statement'],
  ['else', 'if statement'],
  ['for', 'loop'],
  ['while', 'loop'],
  ['def', 'function definition'],
  ['class', 'class definition'],
  ['import', 'import'],
  ['from', 'import'],
  ['with', 'with statement'],
  ['try', 'try statement'],
  ['del', 'del statement'],
  ['lambda', 'lambda'],
  ['async', 'function definition'],
]);

function readStatement(state: State, reader: Reader, newLine: boolean): void {
  const token = peek(reader);
  const position = place(reader);
  const includes = token.word === 'include' && peek(reader, 1).word === '(';
  if (newLine && position.column > 1 && !includes) {
    throw mockError(position, 'unexpected indentation', 'begin the statement in the first column');
  }
  // A string alone is a comment in Python.
  if (token.type === 'text') {
    while (peek(reader).type === 'text') reader.next++;
    return;
  }
  const unsupported = token.type === 'name' ? statements.get(token.word) : undefined;
  if (unsupported !== undefined) throw mockError(position, `unsupported Python: ${unsupported}`);
  if (token.word === 'pass' && token.type === 'name') reader.next++;
  else if (includes) readInclude(state, reader);
  else if (token.type === 'name' && token.word === 'config_opts') readChange(state, reader);
  else throw otherStatement(reader);
}

function otherStatement(reader: Reader): Error {
  const token = peek(reader);
  const position = place(reader);
  if (token.type !== 'name') return unexpected(reader, 'config_opts or include');
  let name = token.word;
  let next = 1;
  while (peek(reader, next).word === '.' && peek(reader, next + 1).type === 'name' && next < 20) {
    name += `.${peek(reader, next + 1).word}`;
    next += 2;
  }
  const after = peek(reader, next).word;
  if (after === '(') return mockError(position, `unsupported Python: the call ${name}(...)`);
  if (after === '=') return mockError(position, `unsupported Python: the variable ${name}`);
  return mockError(position, `unsupported Python: ${name}`);
}

function readInclude(state: State, reader: Reader): void {
  reader.next += 2;
  const position = place(reader);
  const name = keyOf(evaluate(readExpression(reader), state.names), position);
  expectOperator(reader, ')');
  const by = state.open.at(-1)!;
  const found = state.access.include(name, by);
  if (found === undefined) {
    const folders = state.access.includeFolders(by);
    const hint = name.startsWith('/')
      ? 'put the file into the project and include it by a relative path'
      : `looked in: ${folders.join(', ')}`;
    throw mockError(position, `the included file ${name} was not found`, hint);
  }
  if (state.open.includes(found.path)) {
    const circle = [...state.open.slice(state.open.indexOf(found.path)), found.path];
    throw mockError(position, 'the includes form a cycle', circle.join(' includes '));
  }
  // mock reads a file once, too.
  if (state.files.has(found.path)) return;
  if (state.open.length > maxIncludeDepth || state.files.size >= maxIncludes) {
    const limits = `at most ${maxIncludeDepth} files deep and ${maxIncludes} files in all`;
    throw mockError(position, 'too many includes', limits);
  }
  readFile(state, found.path, found.content);
}

/** `config_opts['a']['b'] = …`, `+= …` or `.append(…)`. */
function readChange(state: State, reader: Reader): void {
  const start = place(reader);
  reader.next++;
  let container: Value = state.options;
  let key: string | number | undefined;
  for (let depth = 0; takeOperator(reader, '['); depth++) {
    const position = place(reader);
    if (key !== undefined) container = itemOf(container, key, position);
    const value = evaluate(readExpression(reader), state.names);
    key = typeof value === 'number' ? value : keyOf(value, position);
    if (depth === 0 && typeof key === 'string') key = optionName(key);
    if (depth === 0) state.setAt.set(String(key), start);
    expectOperator(reader, ']');
  }
  const position = place(reader);
  if (key === undefined)
    throw mockError(position, 'unsupported: config_opts as a whole', "name an option: config_opts['x']");
  if (takeOperator(reader, '=')) {
    const value = evaluate(readExpressions(reader), state.names);
    assign(container, key, value, position);
  } else if (takeOperator(reader, '+=')) {
    const right = evaluate(readExpressions(reader), state.names);
    const left = itemOf(container, key, position);
    if (Array.isArray(left) && Array.isArray(right)) append(left, right, state, position);
    else assign(container, key, combined('+', left, right, state.names.budget, position), position);
  } else if (takeOperator(reader, '.')) change(state, itemOf(container, key, position), reader);
  else throw unexpected(reader, '= or +=');
}

function itemOf(container: Value, key: string | number, position: FilePosition): Value {
  const found =
    container instanceof Map && typeof key === 'string'
      ? container.get(key)
      : Array.isArray(container) && typeof key === 'number'
        ? container.at(key)
        : undefined;
  if (found !== undefined) return found;
  const hint = 'set it first; Weir knows those of the defaults of mock that configurations usually extend';
  throw mockError(position, `config_opts has no ${JSON.stringify(key)} here`, hint);
}

function assign(container: Value, key: string | number, value: Value, position: FilePosition): void {
  if (container instanceof Map && typeof key === 'string') container.set(key, value);
  else
    throw mockError(
      position,
      `cannot set ${JSON.stringify(key)}: this is ${kindOf(container)}`,
      'assign the whole value',
    );
}

function append(list: Value[], items: readonly Value[], state: State, position: FilePosition): void {
  state.names.budget.spend(position, items.length * 16);
  // A list can be appended to itself.
  for (const item of [...items]) list.push(item);
}

/** Methods that change a list or a dictionary in place. */
function change(state: State, value: Value, reader: Reader): void {
  const position = place(reader);
  const method = take(reader).word;
  expectOperator(reader, '(');
  const argument = evaluate(readExpression(reader), state.names);
  takeOperator(reader, ',');
  expectOperator(reader, ')');
  if (method === 'append' && Array.isArray(value)) append(value, [argument], state, position);
  else if (method === 'extend' && Array.isArray(value) && Array.isArray(argument))
    append(value, argument, state, position);
  else if (method === 'update' && value instanceof Map && argument instanceof Map) {
    state.names.budget.spend(position, argument.size * 16);
    for (const [key, item] of [...argument]) value.set(key, item);
  } else {
    const hint = 'Weir knows append and extend of a list and update of a dictionary';
    throw mockError(position, `unsupported: ${method}(...) of ${kindOf(value)} with ${kindOf(argument)}`, hint);
  }
}
