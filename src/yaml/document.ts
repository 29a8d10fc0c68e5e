import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { type Place, WeirError } from '../base/errors.ts';

/** The path of a value: keys and indexes. */
export type YamlPath = readonly (string | number)[];

/** What errors about a file have in common. */
export interface YamlErrors {
  readonly code: string;
  /** The hint of errors that have none of their own. */
  readonly hint?: string;
}

/** A YAML or JSON file with the places of its values. */
export interface YamlDocument {
  readonly file: string;
  readonly errors: YamlErrors;
  /** Objects, arrays, strings, numbers, booleans and null; null for an empty file. */
  readonly value: unknown;
  /** The place of a value; that of the nearest one above it if there is none. */
  readonly placeOf: (path: YamlPath) => Place;
  /** The place of a key in the table at a path. */
  readonly placeOfKey: (table: YamlPath, key: string) => Place;
}

/**
 * Reads YAML 1.2, which JSON is part of. Keys must be unique.
 * @param file its name, for errors
 * @param mostAliases an alias could make a small file a huge value @param mostBytes longer texts are refused
 * @throws WeirError with the code of `errors` (exit 2) and the place
 */
export function parseYaml(
  text: string,
  file: string,
  errors: YamlErrors,
  { mostAliases, mostBytes }: { readonly mostAliases: number; readonly mostBytes: number },
): YamlDocument {
  if (Buffer.byteLength(text) > mostBytes) throw yamlError(errors, { file }, 'the file is too large');
  const counter = new LineCounter();
  // The parser would print its warnings, such as one about a table as a key, to stderr itself.
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true, logLevel: 'error' });
  const at = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [wrong] = document.errors;
  if (wrong !== undefined) {
    const what = wrong.message.split('\n')[0]!.replace(/ at line \d.*$/, '');
    throw yamlError(errors, at(wrong.pos[0]), `invalid YAML: ${what}`);
  }
  return {
    file,
    errors,
    value: jsValue(document, mostAliases, errors, file),
    placeOf: (path) => at(nodeAt(document, path)?.range?.[0] ?? 0),
    placeOfKey: (table, key) => {
      const node = nodeAt(document, table);
      const pair = isMap(node)
        ? node.items.find(({ key: each }) => isScalar(each) && String(each.value) === key)
        : undefined;
      return at((pair?.key as Node | undefined)?.range?.[0] ?? 0);
    },
  };
}

function jsValue(document: Document, mostAliases: number, errors: YamlErrors, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: mostAliases }) as unknown;
  } catch (cause) {
    const what = mostAliases === 0 ? 'aliases are not allowed here' : 'the file has too many aliases';
    throw new WeirError(errors.code, what, { where: { file }, hint: 'write the values out', exit: 2, cause });
  }
}

function nodeAt(document: Document, path: YamlPath): Node | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (typeof node === 'object' && node !== null) return node as Node;
  }
  return undefined;
}

/** An error about a value of a YAML file. */
export function yamlError({ code, hint: common }: YamlErrors, where: Place, message: string, own?: string): WeirError {
  const hint = own ?? common;
  return new WeirError(code, message, { where, exit: 2, ...(hint === undefined ? {} : { hint }) });
}
