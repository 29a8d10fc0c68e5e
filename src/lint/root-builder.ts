import { posix } from 'node:path';
import { byKey } from '../base/order.ts';
import type { FileNode, Files } from './files.ts';
import { unreadable } from './rule.ts';

/** A file on its way into a root: what it is, and how its content is read. */
export interface PlacedFile {
  readonly node: FileNode;
  readonly read: () => Buffer | Promise<Buffer>;
}

interface Place {
  file: PlacedFile;
  /** Number of the layer that named it last. */
  layer: number;
  /** Of a folder. */
  readonly inside: Map<string, Place>;
  /** Why what is here could not be seen. */
  unseen?: string;
}

/** As many links as the kernel follows on one path. */
const mostLinks = 40;

/** bytes; Linux takes no longer one, and in no link either */
const longestPath = 4096;

/** Folders in each other: more than any system has, few enough to walk. */
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
 * Puts a root file system together as containerd, umoci and tar do on a disk: a path goes through the links that are there
 * already and never out of the root, folders that nobody names are made, and what comes later takes the place of what was
 * there. All that can be looked at is made by it: layers of a container, archives, and the file systems of a disk.
 */
export class RootBuilder {
  readonly #root = newFolder(0);
  #layer = 0;

  /** What is placed from now on lies over all that was placed before. */
  nextLayer(): void {
    this.#layer++;
  }

  /** Puts a file, folder or link. @throws WeirError `unreadable` where the path leads through a file or in a circle */
  place(path: string, file: PlacedFile): void {
    const { parent, name } = this.#parentOf(path);
    if (name === '') {
      this.#root.file = { ...file, node: { ...file.node, kind: 'directory' } };
      return;
    }
    const there = parent.inside.get(name);
    // A folder that is named again keeps what is in it.
    if (there !== undefined && isFolder(there) && file.node.kind === 'directory') {
      there.file = file;
      there.layer = this.#layer;
    } else parent.inside.set(name, { file, layer: this.#layer, inside: new Map() });
  }

  /** A second name for a file. @throws WeirError `unreadable` where there is no such file */
  link(path: string, target: string): void {
    const from = this.#parentOf(target);
    const there = from.name === '' ? this.#root : from.parent.inside.get(from.name);
    if (there === undefined) throw unreadable(`${path} is another name of ${target}, which is not there`);
    if (isFolder(there)) throw unreadable(`${path} is another name of ${target}, which is a folder`);
    const { parent, name } = this.#parentOf(path);
    if (name === '') throw unreadable(`the root is another name of ${target}`);
    if (parent.inside.get(name) !== there) {
      parent.inside.set(name, { ...there, layer: this.#layer, inside: new Map() });
    }
  }

  /** Takes away what the layers before this one have under a path: a whiteout. */
  remove(path: string): void {
    const { parent, name } = this.#parentOf(path);
    const there = parent.inside.get(name);
    if (there !== undefined && !this.#removeOlder(there)) parent.inside.delete(name);
  }

  /** Takes away all that the layers before this one have in a folder: an opaque whiteout. */
  clear(path: string): void {
    this.#removeOlder(this.#folderAt(path));
  }

  /** Puts a whole file system at a folder, as a mount does: what was in the folder is covered. */
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

  /** What lies at a path could not be seen: whoever looks there is told why. */
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

  /** The folder above a path's last name, made where it is missing, and that name; '' for the root. */
  #parentOf(path: string): { readonly parent: Place; readonly name: string } {
    const plain = posix.resolve('/', path);
    return plain === '/'
      ? { parent: this.#root, name: '' }
      : { parent: this.#folderAt(posix.dirname(plain)), name: posix.basename(plain) };
  }

  /** The folder that a path leads to, through links; made where it is missing. */
  #folderAt(path: string): Place {
    if (path.length > longestPath) throw unreadable(`a path of ${path.length} bytes is longer than Linux takes`);
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
          throw unreadable(`${path} leads through a link that nothing can follow`);
        }
        if (target.startsWith('/')) {
          above.length = 0;
          at = this.#root;
        }
        waiting = [...target.split('/'), ...waiting];
        continue;
      }
      if (kind !== 'directory') throw unreadable(`${path} leads through ${name}, which is no folder`);
      if (above.push(at) > deepest) throw unreadable(`${path} has more than ${deepest} folders in each other`);
      at = next;
    }
    return at;
  }

  /** @returns whether something of this layer is left */
  #removeOlder(place: Place): boolean {
    for (const [name, inner] of place.inside) if (!this.#removeOlder(inner)) place.inside.delete(name);
    return place.layer === this.#layer || place.inside.size > 0;
  }
}
