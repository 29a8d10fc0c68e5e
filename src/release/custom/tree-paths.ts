import { WeirError } from '../../base/errors.ts';
import { compareText } from '../../base/order.ts';
import { freedNames } from '../../tree/hard-links.ts';
import type { Entry, Tree } from '../../tree/tree.ts';

/** As many as the kernel follows. */
const mostLinks = 40;

/** Entries that are added to a tree, with the folders that they need. */
export class TreePaths {
  readonly #entries: Map<string, Entry>;
  readonly #added = new Map<string, Entry>();
  readonly #clock: number;

  constructor(tree: Tree, clock: number) {
    this.#entries = new Map(tree.entries.map((entry) => [entry.path, entry]));
    this.#clock = clock;
  }

  get added(): Entry[] {
    return [...this.#added.values()];
  }

  /** The entry at a path whose folders may be links, or undefined. */
  find(path: string): Entry | undefined {
    return this.#entries.get(this.real(path));
  }

  /** Entries below a folder, parents first. */
  below(folder: string): Entry[] {
    const within = [...this.#entries.values()].filter(({ path }) => path.startsWith(`${folder}/`));
    return within.sort((a, b) => compareText(a.path, b.path));
  }

  /** A path without links among its folders. The last part is not followed. @throws WeirError `bad-path` for a circle of links */
  real(path: string): string {
    let at = '';
    let links = 0;
    const rest = parts(path);
    while (rest.length > 0) {
      const next = `${at}/${rest.shift()!}`;
      const entry = this.#entries.get(next);
      if (entry?.kind !== 'symlink' || rest.length === 0) {
        at = next;
        continue;
      }
      if (++links > mostLinks) throw new WeirError('bad-path', `${path}: too many links`, { exit: 2 });
      // `..` in a target leads back from the link's own folder.
      const target = entry.target.startsWith('/') ? parts(entry.target) : [...parts(at), ...parts(entry.target)];
      const clean: string[] = [];
      for (const part of target) {
        if (part === '..') clean.pop();
        else clean.push(part);
      }
      rest.unshift(...clean);
      at = '';
    }
    return at;
  }

  /**
   * Adds or replaces an entry; folders that are missing above it are made.
   * @throws WeirError `bad-path` (exit 2) if a folder is replaced by something else or the other way round
   */
  put(entry: Entry): void {
    const path = this.real(entry.path);
    const before = this.#entries.get(path);
    if (before !== undefined && (before.kind === 'directory') !== (entry.kind === 'directory')) {
      const is = before.kind === 'directory' ? 'a folder' : 'not a folder';
      throw new WeirError('bad-path', `${entry.path} is ${is} in the image`, { exit: 2 });
    }
    this.folders(path.slice(0, path.lastIndexOf('/')));
    if (before?.kind === 'file') {
      for (const other of freedNames(this.#entries.values(), path)) this.#set(other);
    }
    const made = { ...entry, path, packages: before?.packages ?? entry.packages };
    this.#set(made);
  }

  #set(entry: Entry): void {
    this.#entries.set(entry.path, entry);
    this.#added.set(entry.path, entry);
  }

  /** Makes the folders of a real path that are missing. */
  folders(path: string): void {
    if (path === '') return;
    const entry = this.#entries.get(path);
    if (entry?.kind === 'directory') return;
    if (entry !== undefined) throw new WeirError('bad-path', `${path} is not a folder in the image`, { exit: 2 });
    const attributes = { mode: 0o755, user: 'root', group: 'root', mtime: this.#clock, packages: [] };
    this.put({ kind: 'directory', path, ...attributes });
  }
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
