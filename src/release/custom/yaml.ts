import { readFile } from 'node:fs/promises';
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { didYouMean, type Place, WeirError } from '../../base/errors.ts';
import { diskError } from '../../base/files.ts';

/** The path of a value: keys and indexes. */
export type YamlPath = readonly (string | number)[];

/** A YAML file that fits its schema, with the places of its values. */
export interface YamlFile<T> {
  readonly path: string;
  readonly data: T;
  /** The place of a value; that of the nearest one above it if there is none. */
  readonly placeOf: (path: YamlPath) => Place;
}

/** Keys that another tool knows and Weir does not do: the last key of their path → what to do instead. */
export type Unsupported = Readonly<Record<string, string>>;

/** More than a hand-written file has. */
const mostBytes = 4 << 20;

/**
 * Reads a YAML or JSON file.
 * @throws WeirError `bad-image-config` (exit 2) with the place, and all further problems behind the first; `not-readable`
 */
export async function readYaml<S extends z.ZodType>(
  path: string,
  schema: S,
  unsupported: Unsupported = {},
): Promise<YamlFile<z.output<S>>> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const known = diskError(error, path);
    if (known instanceof WeirError) throw known;
    throw new WeirError('not-readable', 'cannot read the file', { where: { file: path }, exit: 2, cause: error });
  });
  if (text.length > mostBytes)
    throw new WeirError('bad-image-config', 'the file is too large', { where: { file: path }, exit: 2 });
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true });
  const at = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { file: path, line, column: col };
  };
  const [wrong] = document.errors;
  if (wrong !== undefined) {
    throw new WeirError(
      'bad-image-config',
      `invalid YAML: ${wrong.message.split('\n')[0]!.replace(/ at line \d.*$/, '')}`,
      {
        where: at(wrong.pos[0]),
        exit: 2,
      },
    );
  }
  const nodeAt = (wanted: YamlPath): Node | undefined => {
    for (let length = wanted.length; length >= 0; length--) {
      const node = document.getIn(wanted.slice(0, length), true);
      if (typeof node === 'object' && node !== null) return node as Node;
    }
    return undefined;
  };
  const placeOf = (wanted: YamlPath): Place => at(nodeAt(wanted)?.range?.[0] ?? 0);
  const placeOfKey = (table: YamlPath, key: string): Place => {
    const node = nodeAt(table);
    const pair = isMap(node) ? node.items.find(({ key: each }) => isScalar(each) && each.value === key) : undefined;
    return at((pair?.key as Node | undefined)?.range?.[0] ?? 0);
  };
  // An alias could make a small file a huge value.
  const result = schema.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (result.success) return { path, data: result.data, placeOf };
  const problems = result.error.issues.flatMap((issue): WeirError[] => {
    const where = issue.path.filter((part): part is string | number => typeof part !== 'symbol');
    if (issue.code !== 'unrecognized_keys') {
      const name = where.length === 0 ? '' : `${dotted(where)}: `;
      return [problem(placeOf(where), `${name}${issue.message}`)];
    }
    return issue.keys.map((key) =>
      unknownKey(placeOfKey(where, key), [...where, key], unsupported, keysOf(schema, where)),
    );
  });
  const [first, ...others] = problems;
  throw new WeirError('bad-image-config', first!.message, {
    ...(first!.where === undefined ? {} : { where: first!.where }),
    ...(first!.hint === undefined ? {} : { hint: first!.hint }),
    others,
    exit: 2,
  });
}

/** An error about a value of a YAML file. */
export function problem(where: Place, message: string, hint?: string): WeirError {
  return new WeirError('bad-image-config', message, { where, exit: 2, ...(hint === undefined ? {} : { hint }) });
}

function unknownKey(where: Place, path: YamlPath, unsupported: Unsupported, known: readonly string[]): WeirError {
  const name = dotted(path);
  const instead = unsupported[String(path.at(-1))];
  if (instead !== undefined) return problem(where, `Weir does not do what "${name}" asks for`, instead);
  return problem(where, `unknown key "${name}"`, didYouMean(String(path.at(-1)), known));
}

function dotted(path: YamlPath): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** Keys that the schema has at a path. */
function keysOf(schema: unknown, path: YamlPath): string[] {
  let at = inner(schema);
  for (const part of path) at = inner(typeof part === 'number' ? at?.element : at?.shape?.[part]);
  return Object.keys(at?.shape ?? {});
}

interface Definition {
  readonly innerType?: unknown;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly element?: unknown;
}

function inner(schema: unknown): Definition | undefined {
  const definition = (schema as { _zod?: { def?: Definition } } | undefined)?._zod?.def;
  return definition?.innerType === undefined ? definition : inner(definition.innerType);
}
