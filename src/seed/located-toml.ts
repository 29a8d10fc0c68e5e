import { parse, TomlError } from 'smol-toml';
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';
import type { z } from 'zod';
import { WeirError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';

type Path = readonly (string | number)[];

/**
 * Reads a TOML file by a schema. @throws WeirError `seed-config` with file, line and column of what is wrong, or
 * `seed-missing` where the file is not there
 */
export async function readToml<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  const text = await readIfExists(file);
  if (text === undefined) {
    throw new WeirError('seed-missing', 'the seed has no such file', { where: { file }, exit: 2 });
  }
  return parseToml(file, text, schema);
}

/** The same for text that was read already. */
export function parseToml<T>(file: string, text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const said = error.message.split('\n')[0]!.replace('Invalid TOML document: ', '');
    throw new WeirError('seed-config', said, { where: { file, line: error.line, column: error.column }, exit: 2 });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const extra = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const full = extra === undefined ? path : [...path, extra];
  const said = extra === undefined ? issue.message : `there is no key ‘${extra}’ here`;
  throw new WeirError('seed-config', `${full.join('.')}: ${said}`, {
    where: { file, ...locate(text, full) },
    exit: 2,
  });
}

/** Line and column (1-based) of a key or array element, or of its nearest parent that is written out. */
export function locate(text: string, path: Path): { line: number; column: number } {
  let best = { depth: 0, line: 1, column: 1 };
  const offer = (depth: number, at: { line: number; column: number }): void => {
    if (depth > best.depth) best = { depth, line: at.line, column: at.column + 1 };
  };
  const below = (prefix: Path): boolean => prefix.length <= path.length && prefix.every((part, i) => part === path[i]);
  const walkValue = (node: ValueNode, at: Path): void => {
    if (!below(at)) return;
    offer(at.length, node.loc.start);
    if (node.type === 'TOMLArray') for (const [i, element] of node.elements.entries()) walkValue(element, [...at, i]);
    else if (node.type === 'TOMLInlineTable') for (const entry of node.body) walkEntry(entry, at);
  };
  const walkEntry = (entry: EntryNode, at: Path): void => {
    const full = [...at, ...(getStaticTOMLValue(entry.key) as string[])];
    if (below(full)) offer(full.length, entry.key.loc.start);
    walkValue(entry.value, full);
    // The value's own place is later than the key's, which is where people look.
    if (full.length === path.length && below(full)) {
      best = { depth: full.length, line: entry.key.loc.start.line, column: entry.key.loc.start.column + 1 };
    }
  };
  for (const node of parseTOML(text).body[0].body) {
    if (node.type === 'TOMLKeyValue') walkEntry(node, []);
    else {
      const at = node.resolvedKey;
      if (!below(at)) continue;
      offer(at.length, node.key.loc.start);
      for (const entry of node.body) walkEntry(entry, at);
    }
  }
  return { line: best.line, column: best.column };
}

type TopNode = ReturnType<typeof parseTOML>['body'][0]['body'][number];
type EntryNode = Extract<TopNode, { type: 'TOMLKeyValue' }>;
type ValueNode = EntryNode['value'];
