import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { AST } from 'toml-eslint-parser';
import { WeirError } from '../base/errors.ts';
import { parseDocument, problem } from '../toml/document.ts';
import { pathMatcher } from './glob.ts';
import type { Configuration } from './resolve.ts';
import { fileSchema } from './schema/file.ts';
import { nameSchema } from './schema/words.ts';

/** A component to add. */
export interface NewComponent {
  readonly name: string;
  /** Its `spec` table, in the keys of the file. Without it, the component inherits its spec source. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

/**
 * Checks the names of new components against the project.
 * @throws WeirError (exit 2) `invalid-name`, `component-exists`
 */
export function checkNew({ project }: Configuration, names: readonly string[]): void {
  for (const name of names) {
    const checked = nameSchema.safeParse(name);
    if (!checked.success) {
      throw new WeirError('invalid-name', `invalid component name "${name}"`, {
        hint: checked.error.issues[0]?.message ?? '',
        exit: 2,
      });
    }
    const before = project.components.get(name);
    if (before === undefined) continue;
    throw new WeirError('component-exists', `component ${name} already exists`, {
      where: { ...before.origin, component: name },
      hint: `weir component show ${name} shows it`,
      exit: 2,
    });
  }
}

/** The project file for new components without settings: the one that has most of them, else the root file. */
export function fileForComponents({ project, collected }: Configuration): string {
  const own = new Set(
    project.configFiles.filter(({ from }) => from === 'root' || from === 'include').map(({ path }) => path),
  );
  let best = { path: project.file, count: 0 };
  for (const { path, data } of collected.documents) {
    const count = Object.values(data.components ?? {}).filter((table) => Object.keys(table).length === 0).length;
    if (own.has(path) && count > best.count) best = { path, count };
  }
  return best.path;
}

/**
 * Where a component with files of its own is defined: a new file `NAME/NAME.comp.toml` or `NAME/NAME.toml` beside `file`,
 * if the project includes such a file by a glob; else `file` itself.
 */
export function homeOf({ collected }: Configuration, file: string, name: string): string {
  const folder = join(dirname(file), name);
  const globs = collected.documents.flatMap(({ data, dir }) =>
    (data.includes ?? []).map((glob) => pathMatcher(glob, dir)),
  );
  const candidates = [join(folder, `${name}.comp.toml`), join(folder, `${name}.toml`)];
  return candidates.find((path) => globs.some((matches) => matches(path))) ?? file;
}

/**
 * Adds tables for new components to a file's text; everything else stays byte for byte. If the components of the file are
 * more or less sorted, new ones go to their sorted place, else after the last one.
 * @throws WeirError (exit 2) `cant-add` if the way the file writes its components leaves no place for a table
 */
export function withComponents(path: string, text: string, components: readonly NewComponent[]): string {
  const before = parseDocument(path, text, fileSchema, { reasons: 'optional' }).data;
  const edited = components.reduce((before, component) => insert(before, component), text);
  const refused = (): WeirError =>
    problem({ path, text }, ['components'], 'cant-add', 'cannot add a component table to this file', {
      hint: 'its components may be one inline table; choose another file with --file',
    });
  let after: typeof before;
  try {
    after = parseDocument(path, edited, fileSchema, { reasons: 'optional' }).data;
  } catch (error) {
    if (error instanceof WeirError) throw refused();
    throw error;
  }
  const added = Object.fromEntries(components.map(({ name, spec }) => [name, spec === undefined ? {} : { spec }]));
  const expected = { ...before, components: { ...before.components, ...added } };
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(after)), JSON.parse(JSON.stringify(expected)))) throw refused();
  return edited;
}

/** The lines of one component in a file: from its first header to its last line. */
interface Block {
  readonly name: string;
  /** From 0. */
  readonly first: number;
  readonly last: number;
}

function insert(text: string, component: NewComponent): string {
  // Lines keep their trailing CR; new lines get one if the file uses CRLF.
  const lines = text.split('\n');
  const end = text.includes('\r\n') ? '\r' : '';
  const blocks = blocksIn(text);
  const table = tableOf(component, /^\s*\[components\.'/m.test(text));
  const before = blocks[placeFor(blocks, component.name) - 1];
  if (before === undefined && blocks[0] !== undefined) {
    const space = table.length > 1 || isLong(blocks[0]) ? [''] : [];
    lines.splice(startOf(lines, blocks[0].first), 0, ...[...table, ...space].map((line) => line + end));
    return lines.join('\n');
  }
  const last = before?.last ?? lines.findLastIndex((line) => line.trim() !== '');
  const spaceBefore = before === undefined ? last >= 0 : table.length > 1 || isLong(before);
  const next = lines[last + 1];
  const spaceAfter = table.length > 1 && next !== undefined && next.trim() !== '';
  const added = [...(spaceBefore ? [''] : []), ...table, ...(spaceAfter ? [''] : [])];
  lines.splice(last + 1, 0, ...added.map((line) => line + end));
  if (lines.at(-1) !== '') lines.push('');
  return lines.join('\n');
}

function isLong({ first, last }: Block): boolean {
  return last > first;
}

function tableOf({ name, spec }: NewComponent, literal: boolean): string[] {
  const quote = literal && !name.includes("'") ? `'${name}'` : JSON.stringify(name);
  const header = `[components.${/^[A-Za-z0-9_-]+$/.test(name) ? name : quote}]`;
  return spec === undefined ? [header] : [header, `spec = ${inline(spec)}`];
}

function inline(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${key} = ${inline(inner)}`)
    .join(', ')} }`;
}

/** The first line of the comment directly above a line, or the line itself. */
function startOf(lines: readonly string[], first: number): number {
  let start = first;
  while (start > 0 && lines[start - 1]!.trimStart().startsWith('#')) start--;
  return start;
}

function blocksIn(text: string): Block[] {
  // Required when needed, as in `place.ts`.
  const parser = createRequire(import.meta.url)('toml-eslint-parser') as typeof import('toml-eslint-parser');
  let program: AST.TOMLProgram;
  try {
    program = parser.parseTOML(text, { tomlVersion: 'next' });
  } catch {
    // The reader accepted this text and this parser does not: new tables go to the end.
    return [];
  }
  const blocks: Block[] = [];
  for (const node of program.body[0].body) {
    if (node.type !== 'TOMLTable') continue;
    const [top, name] = node.resolvedKey;
    if (top !== 'components' || typeof name !== 'string') continue;
    const block = { name, first: node.loc.start.line - 1, last: node.loc.end.line - 1 };
    const before = blocks.at(-1);
    if (before?.name === name) blocks.splice(-1, 1, { ...before, last: block.last });
    else blocks.push(block);
  }
  return blocks;
}

/** How many of the blocks come before the new one. */
function placeFor(blocks: readonly Block[], name: string): number {
  const folded = (text: string): string => text.toLowerCase();
  const orders = [(text: string): string => text, folded];
  const sorted = orders
    .map((key) => {
      const names = blocks.map((block) => key(block.name));
      const wrong = names.filter((one, index) => index > 0 && one < names[index - 1]!).length;
      return { key, names, wrong };
    })
    .toSorted((a, b) => a.wrong - b.wrong)[0]!;
  if (sorted.wrong * 10 > blocks.length) return blocks.length;
  // The place with the fewest names on its wrong side, so that a few unsorted names do not mislead.
  const key = sorted.key(name);
  let wrong = sorted.names.filter((one) => one < key).length;
  let best = { at: 0, wrong };
  for (const [index, one] of sorted.names.entries()) {
    wrong += one < key ? -1 : 1;
    if (wrong <= best.wrong) best = { at: index + 1, wrong };
  }
  return best.at;
}

/** A minimal spec file: it builds one package without files. */
export function minimalSpec(name: string): string {
  const tag = (key: string, value: string): string => `${`${key}:`.padEnd(16)}${value}`;
  return [
    tag('Name', name),
    tag('Version', '0'),
    tag('Release', '1%{?dist}'),
    tag('Summary', name),
    tag('License', 'MIT'),
    tag('BuildArch', 'noarch'),
    '',
    '%description',
    `${name}.`,
    '',
    '%prep',
    '',
    '%build',
    '',
    '%install',
    '',
    '%files',
    '',
    '%changelog',
    '',
  ].join('\n');
}
