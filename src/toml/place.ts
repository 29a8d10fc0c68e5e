import { createRequire } from 'node:module';
import type { AST } from 'toml-eslint-parser';

/** A path into a TOML document: keys, and indexes of arrays. */
export type TomlPath = readonly (string | number)[];

/** Where something is defined, for error messages. Lines and columns count from 1. */
export interface Origin {
  readonly file: string;
  readonly line: number;
}

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * Position of a path in the text, or of the nearest enclosing table that exists. Parses the text a second time with a
 * parser that keeps positions: for errors only, because it is ten times slower than the one that reads projects.
 */
export function locate(text: string, path: TomlPath): Position | undefined {
  if (latest?.text !== text) latest = { text, positions: positionsIn(text) };
  for (let length = path.length; length > 0; length--) {
    const found = latest.positions.get(path.slice(0, length).join('\0'));
    if (found !== undefined) return found;
  }
  return undefined;
}

// Keeps the last parsed text, because callers that need one position usually need several.
let latest: { readonly text: string; readonly positions: ReadonlyMap<string, Position> } | undefined;

function positionsIn(text: string): Map<string, Position> {
  const found = new Map<string, Position>();
  const program = parseWithPositions(text);
  if (program === undefined) return found;
  for (const [path, { loc }] of positions(program)) {
    const key = path.join('\0');
    if (!found.has(key)) found.set(key, { line: loc.start.line, column: loc.start.column + 1 });
  }
  return found;
}

function parseWithPositions(text: string): AST.TOMLProgram | undefined {
  try {
    // Loaded when needed: most runs have no error and should not pay for loading the parser.
    const parser = createRequire(import.meta.url)('toml-eslint-parser') as typeof import('toml-eslint-parser');
    return parser.parseTOML(text, { tomlVersion: 'next' });
  } catch {
    // The other parser accepted this text and this one does not: report the error without a line.
    return undefined;
  }
}

type Located = readonly [path: TomlPath, node: AST.TOMLNode];

function* positions(program: AST.TOMLProgram): Generator<Located> {
  for (const entry of program.body[0].body) {
    if (entry.type === 'TOMLKeyValue') {
      yield* keyPositions([], entry);
      continue;
    }
    let next = 0;
    for (const [index, part] of entry.resolvedKey.entries()) {
      // An index in the resolved key stands for the element that this header opens: same node as the key before it.
      const node = typeof part === 'number' ? entry.key.keys[next - 1] : entry.key.keys[next++];
      if (node !== undefined) yield [entry.resolvedKey.slice(0, index + 1), node];
    }
    for (const item of entry.body) yield* keyPositions(entry.resolvedKey, item);
  }
}

function* keyPositions(base: TomlPath, item: AST.TOMLKeyValue): Generator<Located> {
  const path = [...base];
  for (const key of item.key.keys) {
    path.push(key.type === 'TOMLBare' ? key.name : key.value);
    yield [[...path], key];
  }
  yield* valuePositions(path, item.value);
}

function* valuePositions(path: TomlPath, value: AST.TOMLContentNode): Generator<Located> {
  if (value.type === 'TOMLArray') {
    for (const [index, element] of value.elements.entries()) {
      yield [[...path, index], element];
      yield* valuePositions([...path, index], element);
    }
  } else if (value.type === 'TOMLInlineTable') {
    for (const item of value.body) yield* keyPositions(path, item);
  }
}

/** The line (from 1) of the table, array element or key at a path, or undefined if unknown. */
export type LineIndex = (path: TomlPath) => number | undefined;

const bareOrQuoted = String.raw`(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')`;
const dotted = String.raw`${bareOrQuoted}(?:\s*\.\s*${bareOrQuoted})*`;
const headerLine = new RegExp(String.raw`^\s*\[(\[)?\s*(${dotted})\s*\]`);
const plainHeader = /^\[([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\]$/;
const keyLine = new RegExp(String.raw`^\s*(${dotted})\s*=`);
const arrayOpens = /=\s*\[\s*(\{?)/;
const keyPart = new RegExp(bareOrQuoted, 'g');

/**
 * Lines of tables and keys, found by the first characters of lines: quick enough for every file of a project. A
 * multi-line string with lines that look like headers can lead to a wrong line number, but to nothing else.
 */
export function lineIndex(text: string): LineIndex {
  const lines = new Map<string, number>();
  const counts = new Map<string, number>();
  let table: (string | number)[] = [];
  // The array that is open, if its elements begin on their own lines, and the number of elements so far.
  let array: (string | number)[] | undefined;
  let elements = 0;
  const note = (path: readonly (string | number)[], line: number): void => {
    const key = path.join('\0');
    if (!lines.has(key)) lines.set(key, line);
  };
  let line = 0;
  for (const content of text.split('\n')) {
    line++;
    // Most lines of a large project are such headers, or empty.
    const plain = array === undefined ? plainHeader.exec(content) : null;
    if (plain !== null && counts.size === 0) {
      const [, first, second] = plain as unknown as readonly [string, string, string];
      if (!lines.has(first)) lines.set(first, line);
      const both = `${first}\0${second}`;
      if (!lines.has(both)) lines.set(both, line);
      table = [first, second];
      continue;
    }
    if (content === '' || content.startsWith('#')) continue;
    const header = headerLine.exec(content);
    if (header !== null && array === undefined) {
      const keys = splitKey(header[2]!);
      table = [];
      for (const [index, key] of keys.entries()) {
        table.push(key);
        const last = index === keys.length - 1;
        const name = table.join('\0');
        if (last && header[1] !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
        note(table, line);
        // Inside an array of tables, the latest element is meant.
        const count = counts.get(name);
        if (count !== undefined) table.push(count - 1);
      }
      note(table, line);
      continue;
    }
    if (array !== undefined) {
      const first = content.trimStart()[0];
      if (first === '{') note([...array, elements++], line);
      if (first !== ']') continue;
      array = undefined;
    }
    const key = keyLine.exec(content);
    if (key === null) continue;
    const path = [...table];
    for (const part of splitKey(key[1]!)) {
      path.push(part);
      note(path, line);
    }
    const opened = arrayOpens.exec(content);
    if (opened === null || content.includes(']')) continue;
    array = path;
    elements = 0;
    if (opened[1] !== '') note([...array, elements++], line);
  }
  return (path) => lines.get(path.join('\0'));
}

function splitKey(key: string): string[] {
  return (key.match(keyPart) ?? []).map((part) => {
    if (part.startsWith("'")) return part.slice(1, -1);
    if (!part.startsWith('"')) return part;
    return part.slice(1, -1).replaceAll(/\\(["\\])/g, '$1');
  });
}
