import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { moduleName } from '../kernel-modules.ts';
import { unreadable } from './rule.ts';

/** Decompresses what Node does not know. */
export type Decompress = (kind: 'xz' | 'lz4', packed: Buffer) => Promise<Buffer>;

/** A file in an initramfs. */
export interface InitrdFile {
  /** Without a leading slash. */
  readonly path: string;
  readonly content: Buffer;
}

/**
 * The files of an initramfs: cpio archives ("newc") one after another, each plain or compressed, as the kernel takes them
 * (kernel documentation, "initramfs buffer format"). @throws WeirError `unreadable`
 */
export async function initrdFiles(bytes: Buffer, decompress: Decompress): Promise<InitrdFile[]> {
  const files: InitrdFile[] = [];
  let rest = bytes;
  for (;;) {
    const start = rest.findIndex((byte) => byte !== 0);
    if (start < 0) return files;
    rest = rest.subarray(start);
    if (rest.toString('latin1', 0, 5) === '07070') rest = readCpio(rest, files);
    else {
      // Nothing says where a compressed archive ends, so it is the last one; in it, there can be more.
      files.push(...(await initrdFiles(await unpack(rest, decompress), decompress)));
      return files;
    }
  }
}

async function unpack(packed: Buffer, decompress: Decompress): Promise<Buffer> {
  const magic = packed.toString('hex', 0, 6);
  try {
    if (magic.startsWith('28b52ffd')) return zstdDecompressSync(packed);
    if (magic.startsWith('1f8b')) return gunzipSync(packed);
  } catch (error) {
    throw unreadable('the initrd does not decompress', error);
  }
  if (magic === 'fd377a585a00') return decompress('xz', packed);
  if (magic.startsWith('02214c18') || magic.startsWith('04224d18')) return decompress('lz4', packed);
  throw unreadable(`the initrd is neither a cpio archive nor compressed in a known way (it starts with ${magic})`);
}

/** Adds an archive's regular files to `files`. @returns what comes after it */
function readCpio(bytes: Buffer, files: InitrdFile[]): Buffer {
  for (let at = 0; ; ) {
    const magic = bytes.toString('latin1', at, at + 6);
    if (magic !== '070701' && magic !== '070702') throw unreadable('the initrd ends within a cpio archive');
    const field = (index: number) =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const nameEnd = at + 110 + field(11);
    const path = bytes.toString('utf8', at + 110, nameEnd - 1);
    const start = Math.ceil(nameEnd / 4) * 4;
    const end = start + field(6);
    if (!(end <= bytes.length)) throw unreadable('the initrd ends within a file');
    const regular = (field(1) & 0o170000) === 0o100000;
    at = Math.ceil(end / 4) * 4;
    if (path === 'TRAILER!!!') return bytes.subarray(at);
    if (regular) files.push({ path: path.replace(/^(\.?\/)+/, ''), content: bytes.subarray(start, end) });
  }
}

/** The kernel modules in an initramfs, by normalised name. */
export function initrdModules(files: readonly InitrdFile[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { path, content } of files) {
    if (!/\.ko(\.\w+)?$/.test(path)) continue;
    names.add(moduleName(path));
    // Files can be numbered for their order; an unpacked module says its own name.
    const own = content.indexOf('\0name=');
    if (own >= 0) names.add(content.toString('latin1', own + 6, content.indexOf(0, own + 6)).replaceAll('-', '_'));
  }
  return names;
}
