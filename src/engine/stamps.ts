import { type BigIntStats, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { isTemporary, temporaryName } from '../base/files.ts';
import { type Seal, sealed, unsealed } from './seal.ts';

/**
 * File stamps (inode, size, mtime, ctime) from the last verification; a match skips rehashing. Writing to a file changes its
 * ctime, and only the kernel sets that, so a matching stamp proves that the content is unchanged. One index covers files of
 * one file system only.
 *
 * The index is a folder of small signed files, one for each run that learnt something. A file that was modified, or written
 * just before a crash of the machine (another boot id, and no guarantee that the data had reached the disk), is ignored; the
 * blobs are then hashed once more.
 */
export class Stamps {
  readonly #dir: string;
  readonly #seal: Seal;
  /** By inode, in decimal: parsing a hundred thousand numbers would take longer than reading the files. */
  #known: Map<string, string> | undefined;
  #pending: string[] = [];
  /** Index files that were read; `fleeting` ones are invalid after a crash. */
  #segments: { readonly name: string; readonly fleeting: boolean }[] = [];

  constructor(dir: string, seal: Seal) {
    this.#dir = dir;
    this.#seal = seal;
    opened.add(this);
  }

  /** The digest of a file's content; undefined if its stamp does not match. @param info from `lstat`, as bigints */
  digestOf(info: BigIntStats): Digest | undefined {
    const known = this.#load().get(info.ino.toString());
    if (known === undefined || !known.startsWith(stampOf(info))) return undefined;
    return known.slice(-64);
  }

  /** Records the digest of a file with this stamp. */
  add(info: BigIntStats, digest: Digest): void {
    const stamp = `${stampOf(info)}${digest}`;
    const known = this.#load();
    const ino = info.ino.toString();
    if (known.get(ino) === stamp) return;
    known.set(ino, stamp);
    this.#pending.push(`${ino} ${stamp}`);
    if (this.#pending.length >= mostPending) this.flush(false);
  }

  /**
   * Writes what was added. Failing to write is never an error: unknown files are hashed again.
   * @param durable all stamped files are on the disk by now, so the stamps stay valid after a crash
   */
  flush(durable: boolean): void {
    const whole = this.#segments.length >= mostSegments || (durable && this.#segments.some(({ fleeting }) => fleeting));
    if (this.#pending.length === 0 && !whole) return;
    const lines = whole ? newest(this.#load()) : this.#pending;
    const name = `${Date.now().toString(36)}-${process.pid}-${++count}`;
    const temporary = temporaryName(join(this.#dir, 'x'));
    try {
      mkdirSync(this.#dir, { recursive: true });
      const text = `${durable ? 'durable' : bootId()}\n${lines.join('\n')}\n`;
      writeFileSync(temporary, sealed(this.#seal, subject, text), { mode: 0o600 });
      renameSync(temporary, join(this.#dir, name));
      this.#pending = [];
      if (whole) for (const segment of this.#segments) rmSync(join(this.#dir, segment.name), { force: true });
      this.#segments = [...(whole ? [] : this.#segments), { name, fleeting: !durable }];
    } catch {
      rmSync(temporary, { force: true });
    }
  }

  /** Forgets everything, also on disk; for a caller that rehashes all files. */
  clear(): void {
    rmSync(this.#dir, { recursive: true, force: true });
    this.#known = new Map();
    this.#pending = [];
    this.#segments = [];
  }

  #load(): Map<string, string> {
    if (this.#known !== undefined) return this.#known;
    const known = new Map<string, string>();
    this.#known = known;
    for (const name of readNames(this.#dir)) {
      if (isTemporary(name)) continue;
      const text = unsealed(this.#seal, subject, readText(join(this.#dir, name)));
      const [head, ...lines] = text?.split('\n') ?? [''];
      const fleeting = head !== 'durable';
      if (fleeting && head !== bootId()) {
        rmSync(join(this.#dir, name), { force: true });
        continue;
      }
      this.#segments.push({ name, fleeting });
      for (const line of lines) {
        const space = line.indexOf(' ');
        if (space < 1) continue;
        const ino = line.slice(0, space);
        const stamp = line.slice(space + 1);
        const other = known.get(ino);
        // An inode has one state at a time: the later one wins.
        if (other === undefined || changeTime(other) < changeTime(stamp)) known.set(ino, stamp);
      }
    }
    return known;
  }
}

const subject = 'stamps';
/** The most entries that a killed run can lose. */
const mostPending = 8192;
/** With more files than this, the index is merged into one. */
const mostSegments = 8;
/** Deleted inodes leave stale entries behind; this bounds the size of the index. */
const mostStamps = 400_000;
let count = 0;

const opened = new Set<Stamps>();
process.on('exit', () => {
  for (const stamps of opened) stamps.flush(false);
});

function stampOf({ size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ctimeNs} ${mtimeNs} ${size} `;
}

function changeTime(stamp: string): bigint {
  return BigInt(stamp.slice(0, stamp.indexOf(' ')));
}

function newest(known: ReadonlyMap<string, string>): string[] {
  let stamps = [...known];
  if (stamps.length > mostStamps) {
    stamps = stamps.sort(([, a], [, b]) => (changeTime(a) > changeTime(b) ? -1 : 1)).slice(0, mostStamps / 2);
  }
  return stamps.map(([ino, stamp]) => `${ino} ${stamp}`);
}

let boot: string | undefined;

/** Identifies the current boot of the machine. */
export function bootId(): string {
  boot ??= readText('/proc/sys/kernel/random/boot_id').trim() || 'unknown';
  return boot;
}

function readNames(dir: string): string[] {
  try {
    return readdirSync(dir).sort();
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
