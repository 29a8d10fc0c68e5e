import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import type { z } from 'zod';
import { didYouMean, type Place, systemCode, WeirError } from '../base/errors.ts';
import { type DiskInputs, noteFile } from './disk-inputs.ts';
import { type LineIndex, lineIndex, locate, type Origin, type TomlPath } from './place.ts';
import { type Problems, together } from './problems.ts';

/** Whether an overlay must have a description. Weir's projects require one; azldev's format does not. */
export type Reasons = 'required' | 'optional';

/** How files are read: what counts as an error, and where errors go. */
export interface Reading {
  readonly reasons: Reasons;
  /** If missing, the first error is thrown. */
  readonly problems?: Problems;
  /** Records the files that are read, so that a cached result can be checked against them. */
  readonly inputs?: DiskInputs;
  /** Whether the project follows the draft Distro TOML specification: its root file has `spec-version`. */
  readonly specified?: boolean;
}

/** A TOML file that was read and matches its schema. */
export interface Document<T = unknown> extends Reading {
  /** Absolute. */
  readonly path: string;
  /** The folder that relative paths in the file start from. */
  readonly dir: string;
  readonly text: string;
  readonly data: T;
  readonly lines: LineIndex;
}

export interface ProblemOptions {
  readonly hint?: string;
  readonly component?: string;
  readonly overlay?: string;
  readonly details?: readonly string[];
}

type Source = Pick<Document, 'path' | 'text'>;

/** An error about a well-formed document whose content is invalid. Exit code 2. */
export function problem(
  document: Source,
  path: TomlPath,
  code: string,
  message: string,
  options: ProblemOptions = {},
): WeirError {
  return new WeirError(code, message, {
    where: placeOf(document, path, options),
    ...(options.hint === undefined ? {} : { hint: options.hint }),
    ...(options.details === undefined ? {} : { details: options.details }),
    exit: 2,
  });
}

function placeOf(document: Source, path: TomlPath, options: ProblemOptions): Place {
  const component = options.component ?? (path[0] === 'components' && path.length > 1 ? `${path[1]}` : undefined);
  return {
    file: document.path,
    ...locate(document.text, path),
    ...(component === undefined ? {} : { component }),
    ...(options.overlay === undefined ? {} : { overlay: options.overlay }),
  };
}

/** "Did you mean …" for a word that is none of `candidates`; without a similar one, all candidates if they are few. */
export function suggestion(word: string, candidates: Iterable<string>): string | undefined {
  const known = [...candidates];
  const near = didYouMean(word, known);
  if (near !== undefined) return near;
  if (known.length === 0 || known.length > 30) return undefined;
  return `known here: ${known.toSorted().join(', ')}`;
}

/** Where the table or array element at `path` begins. */
export function originOf(document: Document, path: TomlPath): Origin {
  const line = document.lines(path) ?? locate(document.text, path)?.line ?? 1;
  return { file: document.path, line };
}

/** Runs a step on a document. If errors are collected, its error is recorded and the result is undefined. */
export function attempt<T>({ problems }: Reading, step: () => T): T | undefined {
  return problems === undefined ? step() : problems.attempt(step);
}

/** `attempt`, with errors that a permissive load turns into warnings. */
export function check<T>({ problems }: Reading, step: () => T): T | undefined {
  return problems === undefined ? step() : problems.check(step);
}

/**
 * Reads a TOML file and validates it by a schema.
 * @throws WeirError (exit 2) `no-file`, `toml-syntax`, `unknown-key`, `missing-key`, `wrong-type`, `invalid-value`; if
 *   there are several, the first one with the others attached
 */
export function readDocument<S extends z.ZodType>(path: string, schema: S, reading: Reading): Document<z.output<S>> {
  let bytes: Buffer;
  try {
    checkFile(path);
    bytes = readFileSync(path);
    noteFile(reading.inputs, path, bytes);
  } catch (error) {
    if (error instanceof WeirError) throw error;
    const code = systemCode(error);
    const why = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'this is a folder' : undefined;
    throw new WeirError('no-file', why ?? `cannot read the file (${code})`, {
      where: { file: path },
      exit: 2,
      cause: error,
    });
  }
  const text = bytes.toString('utf8');
  if (!isUtf8(bytes)) {
    // The place of the first bytes that became the replacement character.
    const before = text.slice(0, Math.max(0, text.indexOf('\uFFFD'))).split('\n');
    throw new WeirError('toml-syntax', 'this is not TOML: the file is not UTF-8 text', {
      where: { file: path, line: before.length, column: before.at(-1)!.length + 1 },
      exit: 2,
    });
  }
  return parseDocument(path, text, schema, reading);
}

/** Size limit in bytes, far above any hand-written file. */
const mostBytes = 64 << 20;

/** Rejects devices and pipes, which could be endless or block. @throws WeirError `no-file` */
function checkFile(path: string): void {
  const info = statSync(path);
  const why = info.isFile()
    ? `the file is too large for a configuration: ${info.size} bytes`
    : info.isDirectory()
      ? 'this is a folder'
      : 'this is not a regular file';
  if (info.isFile() && info.size <= mostBytes) return;
  throw new WeirError('no-file', why, { where: { file: path }, exit: 2 });
}

/** `readDocument` for text in memory; `path` is for messages and relative paths. */
export function parseDocument<S extends z.ZodType>(
  path: string,
  text: string,
  schema: S,
  reading: Reading = { reasons: 'required' },
): Document<z.output<S>> {
  const source: Source = { path, text };
  const data = parseToml(source);
  rejectOddValues(source, data);
  let index: LineIndex | undefined;
  return {
    path,
    dir: dirname(path),
    text,
    data: valid(source, schema, data, reading.problems),
    ...reading,
    lines: (at) => {
      index ??= lineIndex(text);
      return index(at);
    },
  };
}

function valid<S extends z.ZodType>(
  source: Source,
  schema: S,
  data: Record<string, unknown>,
  problems: Problems | undefined,
): z.output<S> {
  for (;;) {
    const known = new Map<string, readonly string[]>();
    const result = schema.safeParse(data, {
      error: (issue) => {
        if (issue.code === 'unrecognized_keys') known.set((issue.path ?? []).join('\0'), knownKeys(issue.inst));
        return describe(issue);
      },
    });
    if (result.success) return result.data;
    const { issues } = result.error;
    const unknown = issues.filter((issue) => issue.code === 'unrecognized_keys');
    const wrong = issues.filter((issue) => issue.code !== 'unrecognized_keys');
    const errors = (of: typeof issues): WeirError[] => of.flatMap((issue) => issueErrors(source, issue, known));
    if (problems?.permissive === true) {
      for (const error of errors(unknown)) problems.warn(error);
      for (const { path, keys } of unknown) removeKeys(data, path as TomlPath, keys);
      if (wrong.length === 0) continue;
    }
    // A misspelt key is the likely cause of a missing one, so it is reported first.
    const [first, ...others] = errors(problems?.permissive === true ? wrong : [...unknown, ...wrong]);
    if (problems === undefined) throw together(first!, others);
    for (const error of others) problems.add(error);
    throw first!;
  }
}

function removeKeys(data: Record<string, unknown>, path: TomlPath, keys: readonly string[]): void {
  const table = path.reduce<unknown>((value, part) => (value as Record<string | number, unknown>)[part], data);
  for (const key of keys) delete (table as Record<string, unknown>)[key];
}

function parseToml(source: Source): Record<string, unknown> {
  const text = source.text.startsWith('\uFEFF') ? source.text.slice(1) : source.text;
  try {
    const data = parse(text);
    if (isDeeper(data, deepest)) throw tooDeep(source);
    return data;
  } catch (error) {
    // The parser is recursive, so deep nesting overflows the stack.
    if (error instanceof RangeError) throw tooDeep(source);
    if (!(error instanceof TomlError)) throw error;
    const said = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
    throw new WeirError('toml-syntax', `this is not TOML: ${said}`, {
      where: { file: source.path, line: error.line, column: error.column },
      details: excerpt(text, error.line, error.column),
      exit: 2,
      cause: error,
    });
  }
}

/** Limit on nesting, more than twice as deep as any table of the format; deeper nesting could overflow the stack later. */
const deepest = 50;

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((inner) => isDeeper(inner, levels - 1));
  for (const key in value) if (isDeeper((value as Record<string, unknown>)[key], levels - 1)) return true;
  return false;
}

function tooDeep({ path }: Source): WeirError {
  return new WeirError('toml-syntax', `tables are nested more than ${deepest} deep`, {
    where: { file: path },
    hint: 'no key of the format is that deep',
    exit: 2,
  });
}

/** A line of a text with a mark below the column. If the line is long, only the part around the column. */
function excerpt(text: string, line: number, column: number): string[] {
  const whole = (text.split('\n', line)[line - 1] ?? '').replace(/\r$/, '').replaceAll('\t', ' ');
  const from = Math.max(0, Math.min(column - 40, whole.length - 80));
  const cut = from === 0 ? whole.slice(0, 80) : `…${whole.slice(from + 1, from + 80)}`;
  const number = String(line);
  return [`${number} | ${cut}`, `${' '.repeat(number.length)} | ${' '.repeat(Math.max(0, column - from - 1))}^`];
}

// Two things that schemas can't reject: a date is an object to them, and they skip a key named __proto__.
function rejectOddValues(source: Source, data: unknown): void {
  const path = oddPath(data)?.reverse();
  if (path === undefined) return;
  if (path.at(-1) === '__proto__') throw problem(source, path, 'unknown-key', 'unknown key "__proto__"');
  throw problem(source, path, 'wrong-type', `${lastKey(path)} must not be a bare date`, {
    hint: 'put the date in quotes',
  });
}

// The path to an invalid value, innermost key first: nothing is allocated for the thousands of valid ones.
function oddPath(value: unknown): (string | number)[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof Date) return [];
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const found = oddPath(value[index]);
      if (found !== undefined) return [...found, index];
    }
    return undefined;
  }
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return [key];
    const found = oddPath((value as Record<string, unknown>)[key]);
    if (found !== undefined) return [...found, key];
  }
  return undefined;
}

function knownKeys(schema: unknown): readonly string[] {
  const definition = (schema as { _zod?: { def?: { shape?: Record<string, unknown> } } } | undefined)?._zod?.def;
  return Object.keys(definition?.shape ?? {});
}

function lastKey(path: TomlPath): string {
  const name = path.findLast((part) => typeof part === 'string') ?? 'the file';
  return typeof path.at(-1) === 'number' ? `an element of "${name}"` : `"${name}"`;
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text in quotes',
  boolean: 'true or false',
  array: 'an array',
  object: 'a table',
  record: 'a table',
  number: 'a number',
};

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  return { string: 'text', boolean: 'a boolean', object: 'a table' }[typeof value as string] ?? 'a number';
}

// The message of one issue; codeOf derives the code of the WeirError from the same facts.
function describe(issue: z.core.$ZodRawIssue): string | undefined {
  const path = (issue.path ?? []) as TomlPath;
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return `${lastKey(path)} is missing`;
    return `${lastKey(path)} must be ${typeNames[issue.expected] ?? issue.expected}, not ${typeName(issue.input)}`;
  }
  if (issue.code === 'invalid_value') {
    if (issue.input === undefined) return `${lastKey(path)} is missing`;
    return choiceMessage(path, issue.input, issue.values.map(String));
  }
  if (issue.code === 'invalid_union') {
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
    const key = path.at(-1);
    const given =
      typeof issue.input === 'object' && issue.input !== null && key !== undefined
        ? (issue.input as Record<string | number, unknown>)[key]
        : issue.input;
    if (given === undefined) return `${lastKey(path)} is missing; it is one of ${quotedList(options)}`;
    return choiceMessage(path, given, options);
  }
  if (issue.code === 'invalid_key') {
    const said = issue.issues[0]?.message;
    return `"${String(path.at(-1))}" is not a valid name here${said === undefined ? '' : `: ${said}`}`;
  }
  return undefined;
}

function choiceMessage(path: TomlPath, given: unknown, options: readonly string[]): string {
  const shown = typeof given === 'string' ? `"${given}"` : typeName(given);
  const near = typeof given === 'string' ? didYouMean(given, options) : undefined;
  const help = near ?? `it is one of ${quotedList(options)}`;
  return `${lastKey(path)} can't be ${shown}; ${help}`;
}

function quotedList(options: readonly string[]): string {
  return options
    .filter((option) => option !== '')
    .map((option) => `"${option}"`)
    .join(', ');
}

function codeOf(issue: z.core.$ZodIssue): string {
  if (/ is missing(;|$)/.test(issue.message)) return 'missing-key';
  return issue.code === 'invalid_type' ? 'wrong-type' : 'invalid-value';
}

function issueErrors(
  source: Source,
  issue: z.core.$ZodIssue,
  known: ReadonlyMap<string, readonly string[]>,
): WeirError[] {
  const path = issue.path as TomlPath;
  if (issue.code === 'unrecognized_keys') {
    const where = path.length === 0 ? '' : ` in ${tableName(path)}`;
    return issue.keys.map((key) => {
      const hint = suggestion(key, known.get(path.join('\0')) ?? []);
      return problem(source, [...path, key], 'unknown-key', `unknown key "${key}"${where}`, {
        ...(hint === undefined ? {} : { hint }),
      });
    });
  }
  // Messages of the schema itself do not name the key.
  const own = issue.code === 'invalid_format' || issue.code === 'too_small' || issue.code === 'custom';
  const message = own ? `${lastKey(path)}: ${issue.message}` : issue.message;
  return [problem(source, path, codeOf(issue), message)];
}

function tableName(path: TomlPath): string {
  return `[${path.filter((part) => typeof part === 'string').join('.')}]`;
}

/** Whether a value read from TOML or JSON is a table: an object that is not an array. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
