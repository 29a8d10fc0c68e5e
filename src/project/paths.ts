import { join, resolve } from 'node:path';
import { type Document, isTable } from '../toml/document.ts';
import type { Keys, PathKind } from './keys.ts';
import type { Project } from './model/project.ts';

/** Makes the path in a document's text absolute; a URI and an empty text stay as they are. */
export function absolutePath({ dir }: Pick<Document, 'dir'>, text: string, kind: PathKind): string {
  // `host:path` is git's own way to write a URI.
  if (text === '' || (kind === 'uri' && /^[^/]*:/.test(text))) return text;
  return resolve(dir, text);
}

/** A document's value with every path and URI in it made absolute. Globs stay relative, for the code that expands them. */
export function withAbsolutePaths<T>(document: Pick<Document, 'dir'>, value: T, keys: Keys): T {
  return absolute(document, value, keys) as T;
}

function absolute(document: Pick<Document, 'dir'>, value: unknown, keys: Keys): unknown {
  const { path } = keys.rule;
  if (typeof value === 'string') {
    return path === undefined || path === 'glob' ? value : absolutePath(document, value, path);
  }
  if (!keys.hasPaths) return value;
  if (Array.isArray(value)) return value.map((item, index) => absolute(document, item, keys.at(index)));
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, absolute(document, inner, keys.at(key))]),
  );
}

/** The folder of a project's rendered specs. It may not exist. */
export function renderedSpecsDir({ project, root }: Pick<Project, 'project' | 'root'>): string {
  return project.renderedSpecsDir ?? join(root, 'specs');
}
