import { closest, WeirError } from '../base/errors.ts';
import { type ArchiveTools, type Compression, compress, compressionOf, decompress, store } from './compression.ts';
import { checkedName, readEntry, removeFiles, type SourceEntry, type SourceTree, searchReplaceFiles } from './files.ts';
import { readArchive, type TarEntry, writeTar, writeTarByName } from './tar.ts';

/** A change to the files of an archive. */
export type ArchiveEdit =
  | { readonly type: 'file-remove'; readonly file: string }
  | {
      readonly type: 'file-search-replace';
      readonly file: string;
      readonly regex: string;
      readonly replacement: string;
    };

/** An archive of the sources, with its files in memory. */
export interface OpenArchive {
  readonly name: string;
  readonly compression: Compression;
  /** Folders, files and links by name, relative to the root. */
  readonly entries: ReadonlyMap<string, TarEntry>;
  /** The files and links: the entries that overlays can change. */
  readonly tree: SourceTree;
}

/**
 * Reads a tar archive (plain, gzip, xz or zstd, detected from its bytes). If everything is in one top folder, names are
 * relative to it.
 * @throws WeirError `overlay-no-match` if the sources have no such archive, `bad-archive`, `not-supported-yet`
 */
export async function openArchive(files: SourceTree, name: string, tools: ArchiveTools): Promise<OpenArchive> {
  checkedName(name);
  const entry = files.get(name);
  if (entry?.kind === 'link') {
    throw new WeirError('bad-archive', `${name} is a symbolic link among the sources, and links are not followed`, {
      hint: 'replace the link with the archive',
      exit: 2,
    });
  }
  if (entry === undefined) {
    const near = closest(name, files.keys())[0];
    throw new WeirError('overlay-no-match', `the sources have no archive ${name}`, {
      details: near === undefined ? [] : [`closest: ${near}`],
      hint: near === undefined ? 'check whether it was fetched from the lookaside' : 'correct the name of the archive',
      exit: 2,
    });
  }
  const packed = await readEntry(entry);
  const compression = compressionOf(packed, name);
  const entries = readArchive(await decompress(packed, compression, name, tools), name);
  const tree = new Map<string, SourceEntry>();
  for (const [path, one] of entries) {
    if (one.kind === 'link') tree.set(path, { kind: 'link' });
    else if (one.kind === 'file') {
      tree.set(path, { kind: 'bytes', bytes: one.bytes, executable: (one.mode & 0o100) !== 0 });
    }
  }
  return { name, compression, entries, tree };
}

/** @throws WeirError like the same overlay on plain files */
export async function editArchive(
  archive: OpenArchive,
  edit: ArchiveEdit,
): Promise<{ readonly archive: OpenArchive; readonly names: readonly string[] }> {
  const { tree, names } =
    edit.type === 'file-remove'
      ? removeFiles(archive.tree, edit.file, archive.name, true)
      : await searchReplaceFiles(archive.tree, edit.file, edit.regex, edit.replacement, archive.name);
  return { archive: { ...archive, tree }, names };
}

/**
 * Packs an archive as azldev does: sorted, time 0, owner 0, with its original compression. The same content must give the same
 * bytes on every machine and with every version, so gzip is compressed by Weir itself. For xz and zstd there is no such
 * compressor: their content is stored uncompressed. Folders are kept when their last file is removed.
 * @param isWanted whether bytes have the hash that the project names. If only the archive in Weir's earlier format has it, that
 *   archive is returned
 */
export function packArchive(archive: OpenArchive, isWanted: (bytes: Uint8Array) => boolean = () => true): Uint8Array {
  const kept = keptEntries(archive);
  const packed = compress(writeTar(kept), archive.compression);
  if (isWanted(packed)) return packed;
  const before = store(writeTarByName(kept), archive.compression);
  return isWanted(before) ? before : packed;
}

function keptEntries(archive: OpenArchive): TarEntry[] {
  const kept: TarEntry[] = [];
  for (const [path, one] of archive.entries) {
    const after = archive.tree.get(path);
    if (one.kind === 'directory') kept.push(one);
    else if (after !== undefined) kept.push(after.kind === 'bytes' ? { ...one, bytes: after.bytes } : one);
  }
  return kept;
}
