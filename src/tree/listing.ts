// A tree as a file beside an image: JSON Lines, one entry per line, readable by jq as well as by Weir.

import { WeirError } from '../base/errors.ts';
import type { Entry, Tree } from './tree.ts';

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** An entry without its mtime, which changes on every rebuild without meaning a difference. */
export type ListedEntry = Without<Entry, 'mtime'>;

/** An entry in the file; optional keys are omitted if empty. */
export interface ListingLine {
  readonly path: string;
  readonly kind: Entry['kind'];
  /** Permission bits as four octal digits: `0755`, `4755`. */
  readonly mode: string;
  readonly user: string;
  readonly group: string;
  /** Size in bytes, for files only. */
  readonly size?: number;
  readonly sha256?: string;
  /** First path of the hard-link set, for its other members. */
  readonly hardlink?: string;
  /** File capabilities as text (`cap_net_raw=ep`). */
  readonly capabilities?: string;
  /** Target of a symbolic link. */
  readonly target?: string;
  /** SELinux context. */
  readonly label?: string;
  /** Names of the packages that own the path. */
  readonly packages?: readonly string[];
}

/** The tree's entries, one JSON object per line, in the tree's order: equal trees give equal text. */
export function printListing(tree: Pick<Tree, 'entries'>): string {
  let text = '';
  for (const entry of tree.entries) text += `${JSON.stringify(listingLine(entry))}\n`;
  return text;
}

/** An entry as its line in the file, keys in a fixed order. */
export function listingLine(entry: ListedEntry): ListingLine {
  const { path, kind, mode, user, group, label, packages } = entry;
  return {
    path,
    kind,
    mode: mode.toString(8).padStart(4, '0'),
    user,
    group,
    ...(entry.kind === 'file' ? { size: entry.size, sha256: entry.digest } : {}),
    ...(entry.kind === 'file' && entry.hardlink !== undefined ? { hardlink: entry.hardlink } : {}),
    ...(entry.kind === 'file' && entry.capabilities !== undefined ? { capabilities: entry.capabilities } : {}),
    ...(entry.kind === 'symlink' ? { target: entry.target } : {}),
    ...(label === undefined ? {} : { label }),
    ...(packages.length === 0 ? {} : { packages }),
  };
}

/**
 * Parses `printListing` output; ignores unknown keys.
 * @param file path of the text, for errors
 * @throws WeirError `bad-tree` with the line
 */
export function parseListing(text: string, file: string): ListedEntry[] {
  const entries: ListedEntry[] = [];
  let line = 0;
  for (const each of text.split('\n')) {
    line++;
    if (each === '') continue;
    const entry = parseLine(each);
    if (entry === undefined) {
      throw new WeirError('bad-tree', 'invalid tree entry', {
        where: { file, line },
        hint: 'the file is damaged: build the image again',
      });
    }
    entries.push(entry);
  }
  return entries;
}

function parseLine(text: string): ListedEntry | undefined {
  const line = parseObject(text);
  if (line === undefined) return undefined;
  const { path, kind, mode, user, group, label, packages = [] } = line;
  if (!isText(path) || !isText(user) || !isText(group) || !isText(mode) || !/^[0-7]{4}$/.test(mode)) return undefined;
  if (!isOptionalText(label) || !Array.isArray(packages) || !packages.every(isText)) return undefined;
  const base = {
    path,
    mode: Number.parseInt(mode, 8),
    user,
    group,
    packages,
    ...(label === undefined ? {} : { label }),
  };
  switch (kind) {
    case 'directory':
      return { ...base, kind };
    case 'symlink':
      return isText(line.target) ? { ...base, kind, target: line.target } : undefined;
    case 'file': {
      const { size, sha256, capabilities, hardlink } = line;
      if (typeof size !== 'number' || !isText(sha256)) return undefined;
      if (!isOptionalText(capabilities) || !isOptionalText(hardlink)) return undefined;
      return {
        ...base,
        kind,
        digest: sha256,
        size,
        ...(capabilities === undefined ? {} : { capabilities }),
        ...(hardlink === undefined ? {} : { hardlink }),
      };
    }
    default:
      return undefined;
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || isText(value);
}

/** Content size of an entry in bytes: a hard-link set counts once, at its first path. */
export function contentBytes(entry: ListedEntry): number {
  return entry.kind === 'file' && entry.hardlink === undefined ? entry.size : 0;
}

/** Content size of all entries of a tree in bytes. */
export function treeBytes(entries: readonly ListedEntry[]): number {
  return entries.reduce((sum, entry) => sum + contentBytes(entry), 0);
}
