import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { type Document, problem, type Reasons, readDocument } from './document.ts';
import { expandGlob, isGlob } from './glob.ts';
import { fileSchema, type RawFile } from './schema/file.ts';

/** Names of the root file, the first one wins where a folder has both. */
export const rootFileNames = ['weir.toml', 'azldev.toml'] as const;

/** The root file of the project that `dir` is in. @throws WeirError `no-project` */
export function findRootFile(dir: string): string {
  const start = resolve(dir);
  for (let folder = start; ; folder = dirname(folder)) {
    for (const name of rootFileNames) {
      const path = join(folder, name);
      if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path;
    }
    if (folder === dirname(folder)) break;
  }
  throw new WeirError('no-project', `there is no ${rootFileNames.join(' or ')} here or in a folder above`, {
    where: { file: start },
    hint: "change to a project's folder, or name it with -C DIR",
    exit: 2,
  });
}

export type ConfigDocument = Document<RawFile>;

/**
 * A file and all that it includes, in the order in which they merge: a file before what it includes, depth first.
 * @param reasons whether overlays in them must have descriptions
 * @param seen files read so far, with the file that included each; the same file twice is an error
 * @throws WeirError `circular-include`, `include-not-found`, and those of `readDocument`
 */
export function readWithIncludes(
  path: string,
  reasons: Reasons,
  seen: Map<string, string> = new Map(),
): ConfigDocument[] {
  const document = readDocument(path, fileSchema, reasons);
  const documents = [document];
  if (!seen.has(path)) seen.set(path, path);
  for (const [index, pattern] of (document.data.includes ?? []).entries()) {
    const at = ['includes', index];
    const matches = globIn(document, at, pattern);
    if (matches.length === 0 && !isGlob(pattern)) {
      throw problem(document, at, 'include-not-found', `there is no file "${pattern}" to include`, {
        hint: `the path is relative to ${document.dir}`,
      });
    }
    for (const match of matches) {
      const before = seen.get(match);
      if (before !== undefined) {
        const how = match === document.path ? 'the file includes itself' : `${match} is included a second time`;
        throw problem(document, at, 'circular-include', how, {
          hint:
            before === match ? 'it is the file that the project starts from' : `it is already included by ${before}`,
        });
      }
      seen.set(match, document.path);
      documents.push(...readWithIncludes(match, reasons, seen));
    }
  }
  return documents;
}

/** `expandGlob` relative to a document; a bad glob is an error at its place. */
export function globIn(document: Document, path: readonly (string | number)[], pattern: string): string[] {
  try {
    return expandGlob(pattern, document.dir);
  } catch (error) {
    if (error instanceof WeirError && error.code === 'invalid-glob') {
      throw problem(document, path, error.code, error.message);
    }
    throw error;
  }
}
