import type { ChildProcess } from 'node:child_process';
import { WeirError } from '../base/errors.ts';
import { converse, interrupted, isStopping } from '../base/process.ts';
import { gitArgv, gitEnvironment, gitFailed } from './git-run.ts';

/** An object of a repository. */
export interface GitObject {
  /** 40 hex digits, or 64 in a repository with SHA-256 ids. */
  readonly id: string;
  readonly type: 'commit' | 'tree' | 'blob' | 'tag';
  readonly bytes: Buffer;
}

/** Reads objects by name through one long-lived `git cat-file --batch`. */
export interface GitReader {
  /**
   * Reads an object by name: an id, a prefix of an id, a ref, `<id>:<path>`. Undefined if there is no such object.
   * @throws WeirError `ambiguous-commit`, `git-failed`
   */
  readonly read: (name: string) => Promise<GitObject | undefined>;
  /** Ends the process once pending requests are answered. */
  readonly close: () => void;
}

/** Limit in bytes: objects are read into memory. */
const largestObject = 2 ** 30;

interface Request {
  readonly name: string;
  readonly resolve: (object: GitObject | undefined) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Starts reading a repository. The child does not keep our process alive while it is idle.
 * @param others `objects` folders of further repositories to search
 */
export function openReader(gitDir: string, others: readonly string[] = []): GitReader {
  const argv = gitArgv(gitDir, ['cat-file', '--batch']);
  const env = gitEnvironment();
  const more = others.length === 0 ? {} : { GIT_ALTERNATE_OBJECT_DIRECTORIES: others.join(':') };
  const child = converse(argv, { env: { ...env, ...more } });
  const waiting: Request[] = [];
  const output = new Chunks();
  let header: { readonly id: string; readonly type: string; readonly size: number } | undefined;
  let said = '';
  let ended: Error | undefined;
  let closing = false;
  let unsent = '';

  // Requests made together are sent in one write: a write for each costs more time than git's answer.
  const send = (): void => {
    child.stdin!.write(unsent);
    unsent = '';
    if (closing) child.stdin!.end();
  };

  const settle = (act: (request: Request) => void): void => {
    act(waiting.shift()!);
    if (waiting.length === 0) hold(child, false);
  };
  const fail = (error: Error): void => {
    ended ??= error;
    while (waiting.length > 0) settle((request) => request.reject(error));
  };
  const parse = (): void => {
    while (waiting.length > 0) {
      if (header === undefined) {
        const line = output.line();
        if (line === undefined) return;
        const [id = '', type = '', size = ''] = line.split(' ');
        if (/^\d+$/.test(size)) {
          header = { id, type, size: Number(size) };
          if (header.size > largestObject) {
            fail(new WeirError('too-large', `object ${id} is too large: ${size} bytes, the limit is ${largestObject}`));
            child.stdin!.end();
            return;
          }
        } else if (line.endsWith(' missing')) settle((request) => request.resolve(undefined));
        else if (line.endsWith(' ambiguous')) settle((request) => request.reject(ambiguous(request.name)));
        else {
          fail(gitFailed(`unexpected output of git cat-file: ${line}`, said));
          return;
        }
      } else {
        // Each object is followed by a line feed.
        const bytes = output.take(header.size + 1);
        if (bytes === undefined) return;
        const { id, type, size } = header;
        header = undefined;
        settle((request) => request.resolve({ id, type: type as GitObject['type'], bytes: bytes.subarray(0, size) }));
      }
    }
  };
  child.stdout!.on('data', (chunk: Buffer) => {
    output.push(chunk);
    parse();
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdin!.on('error', () => {});
  child.on('error', (error) => fail(new WeirError('no-program', 'git was not found', { cause: error })));
  child.on('close', () => fail(isStopping() ? interrupted(argv) : gitFailed(`git could not read ${gitDir}`, said)));
  hold(child, false);
  return {
    read: (name) => {
      if (ended !== undefined) return Promise.reject(ended);
      if (name.includes('\n')) return Promise.resolve(undefined);
      return new Promise((resolve, reject) => {
        if (waiting.length === 0) hold(child, true);
        waiting.push({ name, resolve, reject });
        if (unsent === '') queueMicrotask(send);
        unsent += `${name}\n`;
      });
    },
    close: () => {
      if (!closing && unsent === '') child.stdin!.end();
      closing = true;
    },
  };
}

function ambiguous(name: string): WeirError {
  const start = name.replace(/\^\{commit\}$/, '');
  return new WeirError('ambiguous-commit', `${start} matches more than one commit`, {
    hint: 'use more digits',
    exit: 2,
  });
}

/** Sets whether the child keeps our process alive. */
function hold(child: ChildProcess, held: boolean): void {
  for (const part of [child, child.stdin, child.stdout, child.stderr] as ({ ref(): void; unref(): void } | null)[]) {
    if (held) part?.ref();
    else part?.unref();
  }
}

/** A buffer of incoming bytes, which are taken out in units. */
class Chunks {
  #chunks: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The first `size` bytes, as soon as all have arrived. */
  take(size: number): Buffer | undefined {
    if (this.#length < size) return undefined;
    const all = this.#joined();
    this.#rest(all, size);
    return all.subarray(0, size);
  }

  /** The first line without its end, as soon as it has arrived. */
  line(): string | undefined {
    if (this.#length === 0) return undefined;
    const all = this.#joined();
    const end = all.indexOf(10);
    if (end < 0) return undefined;
    this.#rest(all, end + 1);
    return all.toString('utf8', 0, end);
  }

  #joined(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  #rest(all: Buffer, from: number): void {
    this.#chunks = from === all.length ? [] : [all.subarray(from)];
    this.#length = all.length - from;
  }
}

/** The fields of a commit. */
export interface CommitData {
  readonly id: string;
  readonly tree: string;
  /** The first one is the parent on the branch. */
  readonly parents: readonly string[];
  readonly author: string;
  readonly email: string;
  /** When it was written, in seconds since 1970. */
  readonly authorTime: number;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  /** The whole message. */
  readonly message: string;
}

/** Parses a commit object. @throws WeirError `git-failed` if it is not one */
export function parseCommit(object: GitObject): CommitData {
  const { data, encoding } = readCommit(object, object.bytes.toString('utf8'));
  const decoded = encoding === undefined || /^utf-?8$/i.test(encoding) ? undefined : textIn(encoding, object.bytes);
  const commit = decoded === undefined ? data : (readCommit(object, decoded).data ?? data);
  if (commit === undefined) throw new WeirError('git-failed', `${object.id} is not a commit`);
  return commit;
}

function readCommit(
  object: GitObject,
  text: string,
): { readonly data: CommitData | undefined; readonly encoding: string | undefined } {
  const end = text.indexOf('\n\n');
  const head = end < 0 ? text : text.slice(0, end);
  const parents: string[] = [];
  let tree: string | undefined;
  let author: Person | undefined;
  let committer: Person | undefined;
  let encoding: string | undefined;
  for (const line of head.split('\n')) {
    // The lines of a signature begin with a space.
    const space = line.indexOf(' ');
    const value = line.slice(space + 1);
    const key = line.slice(0, space);
    if (key === 'tree') tree = value;
    else if (key === 'parent') parents.push(value);
    else if (key === 'author') author = personOf(value);
    else if (key === 'committer') committer = personOf(value);
    else if (key === 'encoding') encoding = value;
  }
  if (object.type !== 'commit' || tree === undefined || committer === undefined) return { data: undefined, encoding };
  const data = {
    id: object.id,
    tree,
    parents,
    author: author?.name ?? '',
    email: author?.email ?? '',
    authorTime: author?.time ?? 0,
    time: committer.time,
    message: end < 0 ? '' : text.slice(end + 2),
  };
  return { data, encoding };
}

interface Person {
  readonly name: string;
  readonly email: string;
  readonly time: number;
}

/** `NAME <EMAIL> SECONDS ZONE`; takes the first address that a time follows, because names can contain brackets. */
function personOf(text: string): Person | undefined {
  let behind = 0;
  for (let close = text.indexOf('>'); close >= 0; close = text.indexOf('>', behind)) {
    const open = text.indexOf('<', behind);
    const time = /^ (-?\d{1,15})(?!\d)/.exec(text.slice(close + 1, close + 20))?.[1];
    if (open >= 0 && open < close && time !== undefined) {
      const name = text.slice(0, open);
      return {
        name: name.endsWith(' ') ? name.slice(0, -1) : name,
        email: text.slice(open + 1, close),
        time: Number(time),
      };
    }
    behind = close + 1;
  }
  return undefined;
}

/** The decoded text, or undefined if the encoding is unknown. */
function textIn(encoding: string, bytes: Buffer): string | undefined {
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    return undefined;
  }
}

/** An entry of a tree object. */
export interface TreeEntry {
  readonly mode: 'file' | 'executable' | 'link' | 'folder' | 'submodule';
  /** As bytes: git does not define their encoding. */
  readonly name: Buffer;
  readonly id: string;
}

/** The kind by the bits of a Unix mode, which old repositories write in several ways. */
function entryMode(octal: string): TreeEntry['mode'] | undefined {
  if (!/^[0-7]+$/.test(octal)) return undefined;
  const bits = Number.parseInt(octal, 8);
  if ((bits & 0o170000) === 0o100000) return (bits & 0o100) === 0 ? 'file' : 'executable';
  return kinds.get(bits & 0o170000);
}

// Not an object literal: the formatter turns octal keys into other numbers.
const kinds = new Map<number, TreeEntry['mode']>([
  [0o040000, 'folder'],
  [0o120000, 'link'],
  [0o160000, 'submodule'],
]);

/** Parses a tree object. @throws WeirError `git-failed` if it is not one */
export function parseTree(object: GitObject): TreeEntry[] {
  const { bytes } = object;
  const idLength = object.id.length / 2;
  const entries: TreeEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at);
    const zero = bytes.indexOf(0, space);
    const mode = entryMode(bytes.toString('latin1', at, space));
    const next = zero + 1 + idLength;
    if (object.type !== 'tree' || space < 0 || zero < 0 || next > bytes.length || mode === undefined) {
      throw new WeirError('git-failed', `${object.id} is not a valid tree`);
    }
    entries.push({ mode, name: bytes.subarray(space + 1, zero), id: bytes.toString('hex', zero + 1, next) });
    at = next;
  }
  return entries;
}
