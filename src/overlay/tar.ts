import { WeirError } from '../base/errors.ts';

/** What a tar archive has under a name. */
export interface TarEntry {
  /** As the archive has it, a character a byte. */
  readonly raw: string;
  readonly kind: 'file' | 'directory' | 'link';
  readonly mode: number;
  /** Of a link, a character a byte. It is kept and never followed. */
  readonly target: string;
  readonly bytes: Uint8Array;
}

function broken(archive: string, what: string): WeirError {
  return new WeirError('bad-archive', `${archive}: ${what}`, { exit: 2 });
}

const block = 512;

const kinds: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  // Contiguous files, which nobody stores otherwise than others.
  '7': 'file',
  '5': 'directory',
  '2': 'link',
};

/** What else can be in an archive, and can't be packed again as it was. */
const refused: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '3': 'a device',
  '4': 'a device',
  '6': 'a named pipe',
  S: 'a sparse file',
  V: 'a volume label',
  M: 'a part of a larger file',
};

/** One entry as the archive has it, with what headers before it say of it. */
interface RawEntry {
  readonly type: string;
  readonly name: string;
  readonly target: string;
  readonly mode: number;
  readonly sparse: boolean;
  readonly content: Buffer;
}

/**
 * Reads a tar archive: ustar, pax and GNU long names (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual).
 * @returns what it has by name, without the one top folder that all may be in
 * @throws WeirError `bad-archive` for damage, names that lead out, and what can't be packed again as it was
 */
export function readTar(tar: Uint8Array, archive: string): Map<string, TarEntry> {
  const found = new Map<string, TarEntry>();
  for (const { type, name, target, mode, sparse, content } of rawEntries(tar, archive)) {
    const raw = name
      .split('/')
      .filter((part, index) => part !== '.' && (part !== '' || index === 0))
      .join('/');
    // Before ustar, a folder was told by the slash alone.
    const kind = kinds[type] === 'file' && name.endsWith('/') ? 'directory' : kinds[type];
    if (raw === '' && kind === 'directory') continue;
    const shown = fromBytes(raw);
    if (raw === '') throw broken(archive, 'a file has no name');
    if (raw.startsWith('/') || raw.split('/').includes('..')) throw broken(archive, `${shown} points out of it`);
    if (kind === undefined || sparse) {
      const what = sparse ? 'a sparse file' : (refused[type] ?? `an entry of type ${JSON.stringify(type)}`);
      throw broken(archive, `${shown} is ${what}, which can't be packed again`);
    }
    // As when unpacking, a later entry replaces an earlier one of the same name.
    const before = found.get(raw);
    if (before !== undefined && (before.kind === 'directory') !== (kind === 'directory')) {
      throw broken(archive, `${shown} is in it as a folder and as a file`);
    }
    found.set(raw, {
      raw,
      kind,
      mode: kind === 'link' ? 0o777 : mode & 0o777,
      target: kind === 'link' ? target : '',
      bytes: kind === 'file' ? content : new Uint8Array(),
    });
  }
  if (found.size === 0) throw broken(archive, 'there is nothing in it');
  return named(found, archive);
}

function* rawEntries(tar: Uint8Array, archive: string): Generator<RawEntry> {
  const buffer = Buffer.from(tar.buffer, tar.byteOffset, tar.byteLength);
  let pax = new Map<string, string>();
  for (let at = 0; at < buffer.length; ) {
    const head = buffer.subarray(at, at + block);
    if (head.every((byte) => byte === 0)) return;
    const field = (from: number, length: number): string => {
      const bytes = head.subarray(from, from + length);
      const end = bytes.indexOf(0);
      return bytes.toString('latin1', 0, end < 0 ? length : end);
    };
    if (head.length < block || !checksumFits(head, field(148, 8))) {
      throw broken(archive, at === 0 ? 'this is no tar archive' : 'the tar archive is damaged');
    }
    const type = String.fromCharCode(head[156]!);
    const isExtension = 'xgLK'.includes(type);
    const size = isExtension || !pax.has('size') ? numberOf(head, 124, 12) : Number(pax.get('size'));
    const end = at + block + size;
    if (!Number.isSafeInteger(size) || size < 0 || end > buffer.length) {
      throw broken(archive, 'the tar archive is damaged');
    }
    const content = buffer.subarray(at + block, end);
    at += block + Math.ceil(size / block) * block;
    // A global header is about what every entry has: times, owners, a comment.
    if (type === 'x') for (const [key, value] of paxRecords(content)) pax.set(key, value);
    else if (type === 'L') pax.set('path', upToNul(content));
    else if (type === 'K') pax.set('linkpath', upToNul(content));
    if (isExtension) continue;
    const isUstar = field(257, 6) === 'ustar' && head[262] === 0;
    const prefix = isUstar ? field(345, 155) : '';
    yield {
      type,
      name: pax.get('path') ?? (prefix === '' ? field(0, 100) : `${prefix}/${field(0, 100)}`),
      target: pax.get('linkpath') ?? field(157, 100),
      mode: numberOf(head, 100, 8),
      sparse: [...pax.keys()].some((key) => key.startsWith('GNU.sparse.')),
      content,
    };
    pax = new Map();
  }
}

function upToNul(content: Buffer): string {
  return content.toString('latin1').replace(/\0.*$/s, '');
}

/** By the name that overlays know: without the one top folder. */
function named(found: ReadonlyMap<string, TarEntry>, archive: string): Map<string, TarEntry> {
  const tops = new Set<string>();
  for (const { raw } of found.values()) {
    tops.add(raw.split('/')[0]!);
    for (let slash = raw.indexOf('/'); slash > 0; slash = raw.indexOf('/', slash + 1)) {
      const above = found.get(raw.slice(0, slash));
      if (above === undefined || above.kind === 'directory') continue;
      const what = above.kind === 'link' ? 'a symbolic link' : 'a file';
      throw broken(archive, `${fromBytes(raw)} lies below ${what}`);
    }
  }
  const [top] = tops;
  const single = tops.size === 1 && (found.get(top!)?.kind ?? 'directory') === 'directory';
  return new Map([...found.values()].map((one) => [fromBytes(single ? one.raw.slice(top!.length + 1) : one.raw), one]));
}

/** The checksum is the sum of the header's bytes, its own field as blanks; some old writers took them as signed. */
function checksumFits(head: Buffer, field: string): boolean {
  let unsigned = 0;
  let signed = 0;
  for (const [index, byte] of head.entries()) {
    const value = index >= 148 && index < 156 ? 0x20 : byte;
    unsigned += value;
    signed += value > 127 ? value - 256 : value;
  }
  const said = Number.parseInt(field.trim(), 8);
  return said === unsigned || said === signed;
}

/** A number in octal digits, or, for large ones, in the bits behind the first (GNU, star). NaN where it is neither. */
function numberOf(head: Buffer, from: number, length: number): number {
  const first = head[from]!;
  if ((first & 0x80) !== 0) {
    if (first !== 0x80) return Number.NaN;
    return head.subarray(from + 1, from + length).reduce((value, byte) => value * 256 + byte, 0);
  }
  const text = head
    .toString('latin1', from, from + length)
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (text === '') return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

function paxRecords(content: Buffer): [string, string][] {
  const records: [string, string][] = [];
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(0x20, at);
    const length = Number.parseInt(content.toString('latin1', at, space), 10);
    if (space < 0 || !(length > 0)) break;
    const record = content.toString('latin1', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    records.push([record.slice(0, equals), record.slice(equals + 1)]);
    at += length;
  }
  return records;
}

/** A name for people and globs: as UTF-8 where it is. */
function fromBytes(raw: string): string {
  const bytes = Buffer.from(raw, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : raw;
}

/** Writes a tar archive (ustar, with pax headers for long names): sorted by name, time 0, owner 0. */
export function writeTar(entries: readonly TarEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const sorted = entries
    .map((one) => ({ one, name: one.kind === 'directory' ? `${one.raw}/` : one.raw }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
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

function header(name: string, type: string, mode: number, size: number, target: string): Buffer {
  const head = Buffer.alloc(block);
  head.write(name, 0, 'latin1');
  head.write(`${mode.toString(8).padStart(7, '0')}\0${'0'.repeat(7)}\0${'0'.repeat(7)}\0`, 100, 'latin1');
  head.write(`${size.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0${' '.repeat(8)}${type}`, 124, 'latin1');
  head.write(target, 157, 'latin1');
  head.write('ustar\x0000', 257, 'latin1');
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return head;
}

function padding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}
