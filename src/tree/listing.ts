// A tree as a file that stays beside an image: JSON Lines, an entry a line, for people with jq as well as for Weir.

import { WeirError } from '../base/errors.ts';
import type { Entry, Tree } from './tree.ts';

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** An entry without its time: every rebuild moves times, and none of them says that something differs. */
export type ListedEntry = Without<Entry, 'mtime'>;

/** An entry as the file has it; keys that say nothing are left out. */
export interface ListingLine {
  readonly path: string;
  readonly kind: Entry['kind'];
  /** Permission bits as four octal digits: `0755`, `4755`. */
  readonly mode: string;
  readonly user: string;
  readonly group: string;
  /** bytes, of files */
  readonly size?: number;
  readonly sha256?: string;
  /** First path of the hard-link set, for its other members. */
  readonly hardlink?: string;
  /** File capabilities as text (`cap_net_raw=ep`). */
  readonly capabilities?: string;
  /** What a symbolic link says. */
  readonly target?: string;
  /** SELinux context. */
  readonly label?: string;
  /** Names of the packages that own the path. */
  readonly packages?: readonly string[];
}

/** The tree's entries, one JSON object a line, in the tree's order: the same tree gives the same text. */
export function printListing(tree: Pick<Tree, 'entries'>): string {
  let text = '';
  for (const entry of tree.entries) text += `${JSON.stringify(listingLine(entry))}\n`;
  return text;
}

/** An entry as its line says it, keys in the order in which they stand. */
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
 * Reads what `printListing` wrote; keys that it does not know are passed over.
 * @param file what the text was read from, for errors
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
      throw new WeirError('bad-tree', 'this line is no entry of a tree', {
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

/** Bytes of content that an entry brings: those of a hard-link set count once, at its first path. */
export function contentBytes(entry: ListedEntry): number {
  return entry.kind === 'file' && entry.hardlink === undefined ? entry.size : 0;
}

/** The same for all entries of a tree. */
export function treeBytes(entries: readonly ListedEntry[]): number {
  return entries.reduce((sum, entry) => sum + contentBytes(entry), 0);
}
