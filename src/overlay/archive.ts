import { promisify } from 'node:util';
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import { closest, WeirError } from '../base/errors.ts';
import { checkedName, readEntry, removeFiles, type SourceEntry, type SourceTree, searchReplaceFiles } from './files.ts';

/** Programs that Node has no codec for; bytes in, bytes out. */
export interface ArchiveTools {
  readonly unxz?: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly xz?: (bytes: Uint8Array) => Promise<Uint8Array>;
}

/** A change to the files of an archive. */
export type ArchiveEdit =
  | { readonly type: 'file-remove'; readonly file: string }
  | {
      readonly type: 'file-search-replace';
      readonly file: string;
      readonly regex: string;
      readonly replacement: string;
    };

interface TarEntry {
  /** Without the archive's top folder. */
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link';
  readonly mode: number;
  readonly target: string;
  readonly bytes: Uint8Array;
}

/**
 * Changes files inside a tar archive (plain, gzip, xz or zstd) and packs it again: sorted, time 0, owner 0, so that
 * the same input gives the same bytes. A single top folder is the root that names are relative to.
 */
export async function editArchive(
  files: SourceTree,
  archive: string,
  edit: ArchiveEdit,
  tools: ArchiveTools,
): Promise<SourceTree> {
  checkedName(archive);
  const entry = files.get(archive);
  if (entry === undefined || entry.kind === 'link') {
    const near = closest(archive, files.keys())[0];
    throw new WeirError('overlay-no-match', `the sources have no archive ${archive}`, {
      details: near === undefined ? [] : [`closest: ${near}`],
      exit: 2,
    });
  }
  const codec = codecOf(archive, tools);
  const { top, entries } = readTar(await codec.unpack(await readEntry(entry)), archive);
  const inside = new Map<string, SourceEntry>(
    entries
      .filter((one) => one.kind !== 'directory')
      .map((one) => [
        one.name,
        one.kind === 'link'
          ? { kind: 'link' }
          : { kind: 'bytes', bytes: one.bytes, executable: (one.mode & 0o100) !== 0 },
      ]),
  );
  const { tree } =
    edit.type === 'file-remove'
      ? removeFiles(inside, edit.file)
      : await searchReplaceFiles(inside, edit.file, edit.regex, edit.replacement);
  const kept: TarEntry[] = [];
  for (const one of entries) {
    const after = tree.get(one.name);
    if (one.kind === 'directory') kept.push(one);
    else if (after !== undefined) kept.push(after.kind === 'bytes' ? { ...one, bytes: after.bytes } : one);
  }
  const bytes = await codec.pack(writeTar(top, kept));
  return new Map(files).set(archive, { kind: 'bytes', bytes, executable: entry.executable });
}

interface Codec {
  readonly unpack: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly pack: (bytes: Uint8Array) => Promise<Uint8Array>;
}

function codecOf(name: string, tools: ArchiveTools): Codec {
  if (/\.(tar\.gz|tgz)$/.test(name)) {
    return { unpack: promisify(gunzip), pack: (bytes) => promisify(gzip)(bytes, { level: 9 }) };
  }
  if (/\.(tar\.zst|tzst)$/.test(name)) return { unpack: promisify(zstdDecompress), pack: promisify(zstdCompress) };
  if (/\.(tar\.xz|txz)$/.test(name) && tools.unxz !== undefined && tools.xz !== undefined) {
    return { unpack: tools.unxz, pack: tools.xz };
  }
  const same = (bytes: Uint8Array): Promise<Uint8Array> => Promise.resolve(bytes);
  if (name.endsWith('.tar')) return { unpack: same, pack: same };
  throw new WeirError('not-supported-yet', `overlays can't change ${name}: no codec for this kind of archive`, {
    hint: 'tar, tar.gz and tar.zst work everywhere, tar.xz with the toolbox',
    exit: 2,
  });
}

function broken(archive: string, what: string): WeirError {
  return new WeirError('bad-archive', `${archive}: ${what}`, { exit: 2 });
}

const block = 512;

/** Reads ustar, pax and GNU long names (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual). */
function readTar(tar: Uint8Array, archive: string): { top: string; entries: TarEntry[] } {
  const raw: TarEntry[] = [];
  let at = 0;
  let pax: Map<string, string> = new Map();
  const buffer = Buffer.from(tar.buffer, tar.byteOffset, tar.byteLength);
  const text = (from: number, length: number): string => {
    const end = buffer.subarray(from, from + length).indexOf(0);
    return buffer.toString('latin1', from, from + (end < 0 ? length : end));
  };
  while (at < buffer.length) {
    if (at + block > buffer.length) throw broken(archive, 'the tar archive is damaged');
    if (buffer.subarray(at, at + block).every((byte) => byte === 0)) break;
    const size = (buffer[at + 124]! & 0x80) === 0 ? Number.parseInt(text(at + 124, 12).trim() || '0', 8) : Number.NaN;
    const end = at + block + size;
    if (!Number.isSafeInteger(size) || end > buffer.length) throw broken(archive, 'the tar archive is damaged');
    const content = buffer.subarray(at + block, end);
    const type = String.fromCharCode(buffer[at + 156]!);
    const prefix = text(at + 257, 6) === 'ustar' && buffer[at + 262] === 0 ? text(at + 345, 155) : '';
    const shortName = prefix === '' ? text(at, 100) : `${prefix}/${text(at, 100)}`;
    const mode = Number.parseInt(text(at + 100, 8).trim() || '0', 8) & 0o777;
    const link = text(at + 157, 100);
    at = at + block + Math.ceil(size / block) * block;
    if (type === 'g') continue;
    if (type === 'x') {
      pax = new Map([...pax, ...paxRecords(content)]);
      continue;
    }
    if (type === 'L' || type === 'K') {
      pax.set(type === 'L' ? 'path' : 'linkpath', content.toString('latin1').replace(/\0.*$/s, ''));
      continue;
    }
    const name = (pax.get('path') ?? shortName).replace(/^(\.\/)+/, '').replace(/\/+$/, '');
    const target = pax.get('linkpath') ?? link;
    pax = new Map();
    if (name === '' || name === '.') continue;
    if (name.startsWith('/') || name.split('/').includes('..')) throw broken(archive, `${name} points out of it`);
    if (type === '0' || type === '\0' || type === '7')
      raw.push({ name, kind: 'file', mode, target: '', bytes: content });
    else if (type === '5') raw.push({ name, kind: 'directory', mode, target: '', bytes: new Uint8Array() });
    else if (type === '2') raw.push({ name, kind: 'link', mode: 0o777, target, bytes: new Uint8Array() });
    else throw broken(archive, `${name} is a hard link or a device, which overlays can't pack again`);
  }
  const tops = new Set(raw.map((one) => one.name.split('/')[0]!));
  const [only] = tops;
  if (tops.size !== 1 || only === undefined || raw.some((one) => one.name === only && one.kind !== 'directory')) {
    return { top: '', entries: raw };
  }
  return {
    top: only,
    entries: raw.map((one) => ({ ...one, name: one.name.slice(only.length + 1) })),
  };
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

/** Names are held as latin1, so that bytes that are no UTF-8 come out as they went in. */
function writeTar(top: string, entries: readonly TarEntry[]): Uint8Array {
  const parts: Buffer[] = [];
  const full = (one: TarEntry): string =>
    (top === '' ? one.name : one.name === '' ? top : `${top}/${one.name}`) + (one.kind === 'directory' ? '/' : '');
  const sorted = entries.map((one) => ({ one, name: full(one) })).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { one, name } of sorted) {
    const records: string[] = [];
    if (name.length > 100) records.push(paxRecord('path', name));
    if (one.target.length > 100) records.push(paxRecord('linkpath', one.target));
    if (records.length > 0) {
      const content = Buffer.from(records.join(''), 'latin1');
      parts.push(header('pax', 'x', 0o644, content.length, ''), padded(content));
    }
    const type = one.kind === 'file' ? '0' : one.kind === 'directory' ? '5' : '2';
    parts.push(
      header(name.slice(0, 100), type, one.mode, one.bytes.length, one.target.slice(0, 100)),
      padded(one.bytes),
    );
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

function padded(bytes: Uint8Array): Buffer {
  const rest = (block - (bytes.length % block)) % block;
  return Buffer.concat([bytes, Buffer.alloc(rest)]);
}
