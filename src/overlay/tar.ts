import { bytesReader, type ReadAt } from '../archive/read-at.ts';
import { decoded, readTar, type TarKind, type TarMember } from '../archive/tar.ts';
import { WeirError } from '../base/errors.ts';
import { byName, compareText } from '../base/order.ts';

/** An entry of a tar archive. */
export interface TarEntry {
  /** Name as in the archive, one character per byte. */
  readonly raw: string;
  readonly kind: 'file' | 'directory' | 'link';
  readonly mode: number;
  /** Target of a link, one character per byte. Kept and never followed. */
  readonly target: string;
  readonly bytes: Uint8Array;
}

function broken(archive: string, what: string): WeirError {
  return new WeirError('bad-archive', `${archive}: ${what}`, { exit: 2 });
}

const block = 512;

const kinds: Readonly<Partial<Record<TarKind, TarEntry['kind']>>> = {
  file: 'file',
  directory: 'directory',
  symlink: 'link',
};

/** Other kinds of entries, which cannot be packed again unchanged. */
const refused: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '3': 'a device',
  '4': 'a device',
  '6': 'a named pipe',
  S: 'a sparse file',
  V: 'a volume label',
  M: 'a part of a larger file',
};

/**
 * Reads a tar archive in memory.
 * @returns the entries by name, without the single top folder if everything is in one
 * @throws WeirError `bad-archive` for damage, names that leave the archive, and entries that can't be packed again
 */
export function readArchive(tar: Uint8Array, archive: string): Map<string, TarEntry> {
  const found = new Map<string, TarEntry>();
  const read = bytesReader(Buffer.from(tar.buffer, tar.byteOffset, tar.byteLength));
  for (const member of members(read, archive)) {
    const { rawName, type, rawTarget, mode, extents } = member;
    const kind = kinds[member.kind];
    const raw = rawName
      .split('/')
      .filter((part, index) => part !== '.' && (part !== '' || index === 0))
      .join('/');
    if (raw === '' && kind === 'directory') continue;
    const shown = decoded(raw);
    if (raw === '') throw broken(archive, 'a file has no name');
    if (raw.startsWith('/') || raw.split('/').includes('..')) throw broken(archive, `${shown} is outside of it`);
    if (kind === undefined || extents !== undefined) {
      const what = extents !== undefined ? refused.S : (refused[type] ?? `an entry of type ${JSON.stringify(type)}`);
      throw broken(archive, `${shown} is ${what}, which can't be packed again`);
    }
    // As when unpacking, a later entry replaces an earlier one of the same name.
    const before = found.get(raw);
    if (before !== undefined && (before.kind === 'directory') !== (kind === 'directory')) {
      throw broken(archive, `${shown} is both a folder and a file`);
    }
    found.set(raw, {
      raw,
      kind,
      mode: kind === 'link' ? 0o777 : mode & 0o777,
      target: kind === 'link' ? rawTarget : '',
      bytes: kind === 'file' ? read(member.offset, member.size) : new Uint8Array(),
    });
  }
  if (found.size === 0) throw broken(archive, 'it is empty');
  return named(found, archive);
}

function* members(read: ReadAt, archive: string): Generator<TarMember> {
  try {
    yield* readTar(read);
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'bad-tar') throw error;
    throw new WeirError('bad-archive', `${archive}: ${error.message}`, { exit: 2, cause: error });
  }
}

/** Names below a folder, and the archive's entry for the folder. */
interface Below {
  readonly entry?: TarEntry;
  readonly names: Map<string, Below>;
}

/** Keyed by the name that overlays use: without the single top folder. */
function named(found: ReadonlyMap<string, TarEntry>, archive: string): Map<string, TarEntry> {
  const root: Below = { names: new Map() };
  // Shorter names first, so that parents are known; one step per part, because names can be long.
  const byDepth = [...found.values()].map((entry) => ({ entry, parts: entry.raw.split('/') }));
  byDepth.sort((a, b) => a.parts.length - b.parts.length);
  for (const { entry, parts } of byDepth) {
    let at = root;
    for (const [index, part] of parts.entries()) {
      let next = at.names.get(part);
      if (next === undefined) {
        next = { names: new Map(), ...(index === parts.length - 1 ? { entry } : {}) };
        at.names.set(part, next);
      }
      const kind = index === parts.length - 1 ? 'directory' : (next.entry?.kind ?? 'directory');
      if (kind !== 'directory') {
        const what = kind === 'link' ? 'a symbolic link' : 'a file';
        throw broken(archive, `${decoded(entry.raw)} is below ${what}`);
      }
      at = next;
    }
  }
  const [top] = root.names.keys();
  const single = root.names.size === 1 && (found.get(top!)?.kind ?? 'directory') === 'directory';
  return new Map([...found.values()].map((one) => [decoded(single ? one.raw.slice(top!.length + 1) : one.raw), one]));
}

/**
 * Writes a tar archive as azldev packs one, byte for byte: GNU format, each folder before its content and both sorted by
 * name, including folders that the archive did not list, time 0, owner 0.
 */
export function writeTar(entries: readonly TarEntry[]): Uint8Array {
  const all = new Map(entries.map((one) => [one.raw, one]));
  for (const { raw } of entries) {
    for (let end = raw.lastIndexOf('/'); end > 0; end = raw.lastIndexOf('/', end - 1)) {
      const folder = raw.slice(0, end);
      if (all.has(folder)) break;
      all.set(folder, { raw: folder, kind: 'directory', mode: 0o755, target: '', bytes: new Uint8Array() });
    }
  }
  const parts: Uint8Array[] = [];
  const long = (type: 'L' | 'K', text: string): void => {
    if (text.length <= 100) return;
    const content = Buffer.from(`${text}\0`, 'latin1');
    const head = header('././@LongLink', type, 0, content.length, '', 'gnu');
    // Go's archive/tar leaves out device numbers here.
    head.fill(0, 329, 345);
    parts.push(summed(head), content, padding(content.length));
  };
  // In the order of a folder walk: a folder's content comes before its siblings.
  const walked = [...all.values()].map((one) => ({ one, key: one.raw.replaceAll('/', '\0') }));
  for (const { one } of walked.sort((a, b) => compareText(a.key, b.key))) {
    const name = one.kind === 'directory' ? `${one.raw}/` : one.raw;
    long('L', name);
    long('K', one.target);
    const type = one.kind === 'file' ? '0' : one.kind === 'directory' ? '5' : '2';
    const short = name.length > 100 ? name.slice(0, 100).replace(/\/+$/, '') : name;
    const head = header(short, type, one.mode, one.bytes.length, one.target.slice(0, 100), 'gnu');
    parts.push(head, one.bytes, padding(one.bytes.length));
  }
  parts.push(Buffer.alloc(2 * block));
  return Buffer.concat(parts);
}

/**
 * Writes a tar archive in Weir's earlier format (ustar, with pax headers for long names): sorted by full name, and only with
 * the archive's own folders. Projects contain hashes of such archives.
 */
export function writeTarByName(entries: readonly TarEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const sorted = entries.map((one) => ({ one, name: one.kind === 'directory' ? `${one.raw}/` : one.raw })).sort(byName);
  for (const { one, name } of sorted) {
    const records: string[] = [];
    if (name.length > 100) records.push(paxRecord('path', name));
    if (one.target.length > 100) records.push(paxRecord('linkpath', one.target));
    if (records.length > 0) {
      const content = Buffer.from(records.join(''), 'latin1');
      parts.push(header('pax', 'x', 0o644, content.length, ''), content, padding(content.length));
    }
    const type = one.kind === 'file' ? '0' : one.kind === 'directory' ? '5' : '2';
    const head = header(name.slice(0, 100), type, one.mode, one.bytes.length, one.target.slice(0, 100));
    parts.push(head, one.bytes, padding(one.bytes.length));
  }
  parts.push(Buffer.alloc(2 * block));
  return Buffer.concat(parts);
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function header(
  name: string,
  type: string,
  mode: number,
  size: number,
  target: string,
  format: 'gnu' | 'ustar' = 'ustar',
): Buffer {
  const head = Buffer.alloc(block);
  head.write(name, 0, 'latin1');
  head.write(`${mode.toString(8).padStart(7, '0')}\0${'0'.repeat(7)}\0${'0'.repeat(7)}\0`, 100, 'latin1');
  head.write(`${size.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0${' '.repeat(8)}${type}`, 124, 'latin1');
  head.write(target, 157, 'latin1');
  if (format === 'ustar') {
    head.write('ustar\x0000', 257, 'latin1');
  } else {
    head.write('ustar  \0', 257, 'latin1');
    head.write(`${'0'.repeat(7)}\0${'0'.repeat(7)}\0`, 329, 'latin1');
  }
  return summed(head);
}

function summed(head: Buffer): Buffer {
  head.write(' '.repeat(8), 148, 'latin1');
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return head;
}

function padding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}
