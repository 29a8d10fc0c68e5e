import { posix } from 'node:path';
import { byKey } from '../base/order.ts';
import type { FileNode, Files } from './files.ts';
import { unreadable } from './rule.ts';

/** A file to add to a root, and how to read its content. */
export interface PlacedFile {
  readonly node: FileNode;
  readonly read: () => Buffer | Promise<Buffer>;
}

interface Place {
  file: PlacedFile;
  /** Number of the last layer that contains it. */
  layer: number;
  /** Folders only. */
  readonly inside: Map<string, Place>;
  /** Why the content is unreadable. */
  unseen?: string;
}

/** The kernel's limit on symlinks in a path. */
const mostLinks = 40;

/** Linux's limit in bytes, for paths and symlinks. */
const longestPath = 4096;

/** Limit on folder depth: above any real system, but small enough to walk. */
const deepest = 2048;

const folder: FileNode = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0 };
const noContent = (): Buffer => Buffer.alloc(0);
const isFolder = (place: Place): boolean => place.file.node.kind === 'directory';
const newFolder = (layer: number): Place => ({
  file: { node: folder, read: noContent },
  layer,
  inside: new Map(),
});

/**
 * Builds a root file system as containerd, umoci and tar do on disk. A path follows existing symlinks but never leaves the root,
 * missing parent folders are created, and later entries replace earlier ones. All artefacts are read with it: container layers,
 * archives, and the file systems of a disk.
 */
export class RootBuilder {
  readonly #root = newFolder(0);
  #layer = 0;

  /** Starts a new layer: later entries go on top of all earlier ones. */
  nextLayer(): void {
    this.#layer++;
  }

  /** Adds a file, folder or symlink. @throws WeirError `unreadable` if the path leads through a file or a symlink loop */
  place(path: string, file: PlacedFile): void {
    const { parent, name } = this.#parentOf(path);
    if (name === '') {
      this.#root.file = { ...file, node: { ...file.node, kind: 'directory' } };
      return;
    }
    const there = parent.inside.get(name);
    // A folder that occurs again keeps its content.
    if (there !== undefined && isFolder(there) && file.node.kind === 'directory') {
      there.file = file;
      there.layer = this.#layer;
    } else parent.inside.set(name, { file, layer: this.#layer, inside: new Map() });
  }

  /** Adds a hard link. @throws WeirError `unreadable` if its target does not exist */
  link(path: string, target: string): void {
    const from = this.#parentOf(target);
    const there = from.name === '' ? this.#root : from.parent.inside.get(from.name);
    if (there === undefined) throw unreadable(`${path} is a hard link to ${target}, which does not exist`);
    if (isFolder(there)) throw unreadable(`${path} is a hard link to ${target}, which is a folder`);
    const { parent, name } = this.#parentOf(path);
    if (name === '') throw unreadable(`the root is a hard link to ${target}`);
    if (parent.inside.get(name) !== there) {
      parent.inside.set(name, { ...there, layer: this.#layer, inside: new Map() });
    }
  }

  /** A whiteout: removes what earlier layers have at a path. */
  remove(path: string): void {
    const { parent, name } = this.#parentOf(path);
    const there = parent.inside.get(name);
    if (there !== undefined && !this.#removeOlder(there)) parent.inside.delete(name);
  }

  /** An opaque whiteout: removes everything that earlier layers have in a folder. */
  clear(path: string): void {
    this.#removeOlder(this.#folderAt(path));
  }

  /** Mounts a whole file system at a folder and covers the folder's content. */
  mount(path: string, files: Files): void {
    const at = this.#folderAt(path);
    at.inside.clear();
    const inner = new RootBuilder();
    for (const [each, node] of files.nodes) inner.place(each, { node, read: () => files.read(each) });
    for (const [each, why] of files.unseen) inner.hide(each, why);
    at.file = inner.#root.file;
    for (const [name, place] of inner.#root.inside) at.inside.set(name, place);
    if (inner.#root.unseen !== undefined) at.unseen = inner.#root.unseen;
  }

  /** Marks a path as unreadable, with the reason for later readers. */
  hide(path: string, why: string): void {
    const { parent, name } = this.#parentOf(path);
    const place = name === '' ? this.#root : (parent.inside.get(name) ?? newFolder(this.#layer));
    place.inside.clear();
    place.unseen = why;
    if (name !== '') parent.inside.set(name, place);
  }

  files(): Files {
    const nodes = new Map<string, FileNode>();
    const reads = new Map<string, PlacedFile['read']>();
    const unseen = new Map<string, string>();
    const waiting: [string, Place][] = [['/', this.#root]];
    const all: [string, Place][] = [];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      all.push(next);
      const [path, place] = next;
      for (const [name, inner] of place.inside) waiting.push([path === '/' ? `/${name}` : `${path}/${name}`, inner]);
    }
    all.sort(byKey);
    for (const [path, place] of all) {
      nodes.set(path, place.file.node);
      reads.set(path, place.file.read);
      if (place.unseen !== undefined) unseen.set(path, place.unseen);
    }
    return { nodes, unseen, read: async (path) => reads.get(path)!() };
  }

  /** The parent folder of a path, created if missing, and the last name; '' for the root. */
  #parentOf(path: string): { readonly parent: Place; readonly name: string } {
    const plain = posix.resolve('/', path);
    return plain === '/'
      ? { parent: this.#root, name: '' }
      : { parent: this.#folderAt(posix.dirname(plain)), name: posix.basename(plain) };
  }

  /** The folder that a path resolves to, created if missing. */
  #folderAt(path: string): Place {
    if (path.length > longestPath) throw unreadable(`a path of ${path.length} bytes exceeds Linux's limit`);
    let waiting = posix.resolve('/', path).split('/');
    const above: Place[] = [];
    let at = this.#root;
    for (let links = 0; waiting.length > 0; ) {
      const name = waiting.shift()!;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        at = above.pop() ?? this.#root;
        continue;
      }
      let next = at.inside.get(name);
      if (next === undefined) {
        next = newFolder(this.#layer);
        at.inside.set(name, next);
      }
      const { kind, target = '' } = next.file.node;
      if (kind === 'symlink') {
        if (++links > mostLinks || target.length > longestPath) {
          throw unreadable(`${path} leads through an unresolvable symlink`);
        }
        if (target.startsWith('/')) {
          above.length = 0;
          at = this.#root;
        }
        waiting = [...target.split('/'), ...waiting];
        continue;
      }
      if (kind !== 'directory') throw unreadable(`${path} leads through ${name}, which is not a folder`);
      if (above.push(at) > deepest) throw unreadable(`${path} has more than ${deepest} nested folders`);
      at = next;
    }
    return at;
  }

  /** @returns whether anything of this layer remains */
  #removeOlder(place: Place): boolean {
    for (const [name, inner] of place.inside) if (!this.#removeOlder(inner)) place.inside.delete(name);
    return place.layer === this.#layer || place.inside.size > 0;
  }
}
