import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { isCpio, readCpio } from '../archive/cpio.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { moduleName } from '../image/kernel-modules.ts';
import { unreadable } from './rule.ts';

/** Decompresses formats that Node does not support. @param most limit in bytes @throws WeirError `unreadable` */
export type Decompress = (kind: 'xz' | 'lz4', packed: Buffer, most: number) => Promise<Buffer>;

/** A file of an initramfs. */
export interface InitrdFile {
  /** Without a leading slash. */
  readonly path: string;
  readonly content: Buffer;
}

/** Decompression limit in bytes, more than any machine's memory would hold at boot. */
const mostUnpacked = 384 << 20;

/** Limit on nested archives; the kernel supports one level. */
const mostNested = 3;

/**
 * The files of an initramfs: cpio archives ("newc") one after another, each plain or compressed, as the kernel reads them
 * (kernel documentation, "initramfs buffer format"). @throws WeirError `unreadable`
 */
export async function initrdFiles(bytes: Buffer, decompress: Decompress): Promise<InitrdFile[]> {
  const files: InitrdFile[] = [];
  let rest = bytes;
  let at = 0;
  for (let nested = 0; ; ) {
    // Archives can be padded with zeros.
    while (at < rest.length && rest[at] === 0) at++;
    if (at === rest.length) return files;
    if (isCpio(rest, at)) at = readArchive(rest, at, files);
    else {
      if (++nested > mostNested) throw unreadable('the initrd is compressed more than once');
      // A compressed archive has no length, so it must be the last. There may be more archives inside it.
      rest = await unpack(rest.subarray(at), decompress);
      at = 0;
    }
  }
}

async function unpack(packed: Buffer, decompress: Decompress): Promise<Buffer> {
  const magic = packed.toString('hex', 0, 6);
  try {
    if (magic.startsWith('28b52ffd')) return zstdDecompressSync(packed, { maxOutputLength: mostUnpacked });
    if (magic.startsWith('1f8b')) return gunzipSync(packed, { maxOutputLength: mostUnpacked });
  } catch (error) {
    if (systemCode(error) === 'ERR_BUFFER_TOO_LARGE') {
      throw unreadable(`the initrd decompresses to more than ${mostUnpacked} bytes, the limit`, error);
    }
    throw unreadable('cannot decompress the initrd', error);
  }
  if (magic === 'fd377a585a00') return decompress('xz', packed, mostUnpacked);
  if (magic.startsWith('02214c18') || magic.startsWith('04224d18')) return decompress('lz4', packed, mostUnpacked);
  throw unreadable(`unknown format of the initrd (it starts with ${magic})`);
}

/** Adds an archive's regular files to `files`. @returns its end */
function readArchive(bytes: Buffer, at: number, files: InitrdFile[]): number {
  try {
    // The alignment is relative to the archive's start.
    const own = bytes.subarray(at);
    const members = readCpio(own);
    for (;;) {
      const next = members.next();
      if (next.done === true) return at + next.value;
      const { name, mode, start, end } = next.value;
      if ((mode & 0o170000) === 0o100000)
        files.push({ path: name.replace(/^(\.?\/)+/, ''), content: own.subarray(start, end) });
    }
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'bad-cpio') throw error;
    throw unreadable(`the initrd is ${error.message}`, error);
  }
}

/** The kernel modules of an initramfs, by normalised name. */
export function initrdModules(files: readonly InitrdFile[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { path, content } of files) {
    if (!/\.ko(\.\w+)?$/.test(path)) continue;
    names.add(moduleName(path));
    // File names may have an order number; a module contains its own name.
    const own = content.indexOf('\0name=');
    if (own >= 0)
      names.add(
        content.toString('latin1', own + 6, Math.min(own + 70, content.indexOf(0, own + 6))).replaceAll('-', '_'),
      );
  }
  return names;
}
