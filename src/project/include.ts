import { basename } from 'node:path';
import { z } from 'zod';
import { WeirError } from '../base/errors.ts';
import { noteGlob } from '../toml/disk-inputs.ts';
import { attempt, type Document, problem, type Reading, readDocument } from '../toml/document.ts';
import { expandGlob, mayMatchNothing } from './glob.ts';
import type { ConfigFile } from './model/project.ts';
import { fileSchema, type RawFile } from './schema/file.ts';

export interface ConfigDocument extends Document<RawFile> {
  readonly read: ConfigFile;
}

/**
 * A file and all that it includes, in merge order: a file before what it includes, depth first. If the reading collects
 * errors, a file with errors is left out, but its includes are still read.
 * @param strict how it is read; `azldev.toml` and what it includes are always read as azldev reads them
 * @param seen files read so far, with the file that included each. Including a file twice is an error, unless the project
 *   follows the specification: there it adds nothing, and only a circle is an error
 * @throws WeirError `circular-include`, `include-not-found`, `spec-version`, and those of `readDocument`
 */
export function readWithIncludes(
  read: ConfigFile,
  strict: Reading,
  seen: Map<string, string> = new Map(),
): ConfigDocument[] {
  return readTree(read, strict, { seen, above: [] });
}

interface Reached {
  readonly seen: Map<string, string>;
  /** The files that lead here, from the root. */
  readonly above: readonly string[];
}

function readTree(read: ConfigFile, strict: Reading, { seen, above }: Reached): ConfigDocument[] {
  const { path } = read;
  // A Weir project may extend an azldev project, which keeps azldev's rules.
  const given: Reading =
    read.from === 'include' && basename(path) === 'azldev.toml' ? { ...strict, reasons: 'optional' } : strict;
  if (!seen.has(path)) seen.set(path, path);
  const first = attempt(given, () => readDocument(path, fileSchema, given));
  const isRoot = above.length === 0 && read.from === 'root';
  const reading: Reading = isRoot && first?.data['spec-version'] !== undefined ? { ...given, specified: true } : given;
  if (first !== undefined && !isRoot) attempt(reading, () => refuseVersion(first));
  const documents: ConfigDocument[] = first === undefined ? [] : [{ ...first, ...reading, read }];
  const document = first ?? includesAlone(path);
  if (document === undefined) return [];
  for (const [index, pattern] of (document.data.includes ?? []).entries()) {
    for (const match of attempt(reading, () => includedBy(document, index, pattern)) ?? []) {
      attempt(reading, () => {
        const before = seen.get(match);
        if (before !== undefined && reading.specified === true && match !== path && !above.includes(match)) return;
        if (before !== undefined) throw twice(document, index, match, before);
        seen.set(match, path);
        const next: ConfigFile = { path: match, from: 'include', by: path };
        documents.push(...readTree(next, reading, { seen, above: [...above, path] }));
      });
    }
  }
  return documents;
}

function refuseVersion(document: Document<RawFile>): void {
  if (document.data['spec-version'] === undefined) return;
  throw problem(document, ['spec-version'], 'spec-version', '"spec-version" belongs in the root file only', {
    hint: 'remove it here',
  });
}

/** The includes of a file with errors, as far as they can be read. */
function includesAlone(path: string): Document<Pick<RawFile, 'includes'>> | undefined {
  try {
    return readDocument(path, z.looseObject({ includes: fileSchema.shape.includes }), { reasons: 'optional' });
  } catch (error) {
    if (error instanceof WeirError) return undefined;
    throw error;
  }
}

function includedBy(document: Document, index: number, pattern: string): string[] {
  const at = ['includes', index];
  const matches = globIn(document, at, pattern);
  if (matches.length > 0 || mayMatchNothing(pattern)) return matches;
  throw problem(document, at, 'include-not-found', `included file "${pattern}" not found`, {
    hint: `the path is relative to ${document.dir}`,
  });
}

function twice(document: Document, index: number, match: string, before: string): Error {
  const how = match === document.path ? 'the file includes itself' : `${match} is included a second time`;
  return problem(document, ['includes', index], 'circular-include', how, {
    hint:
      before === match ? 'loading starts with this file: remove the include' : `it is already included by ${before}`,
  });
}

/** `expandGlob` relative to a document; an invalid glob is an error at its place. */
export function globIn(document: Document, path: readonly (string | number)[], pattern: string): string[] {
  try {
    return noteGlob(document.inputs, pattern, document.dir, expandGlob(pattern, document.dir));
  } catch (error) {
    if (error instanceof WeirError && error.code === 'invalid-glob') {
      throw problem(document, path, error.code, error.message, error.hint === undefined ? {} : { hint: error.hint });
    }
    throw error;
  }
}
