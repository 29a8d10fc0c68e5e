/** A member of a cpio archive. */
export type CpioEntry = {
  /** Without a leading slash. */
  readonly path: string;
  /** 0o0000–0o7777 */
  readonly mode: number;
} & (
  | { readonly kind: 'file'; readonly content: Uint8Array }
  | { readonly kind: 'directory' }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'character'; readonly major: number; readonly minor: number }
);

const types = { file: 0o100000, directory: 0o040000, symlink: 0o120000, character: 0o020000 } as const;

/**
 * Writes a cpio archive in the "newc" format that the kernel accepts as an initramfs (kernel documentation, "initramfs buffer
 * format"). All entries are owned by root and have the same time. They keep their order; parents must precede children.
 * @param epoch seconds since 1970
 */
export function cpioArchive(entries: readonly CpioEntry[], epoch: number): Buffer {
  const parts: Buffer[] = [];
  for (const [index, entry] of entries.entries()) {
    const content =
      entry.kind === 'file' ? entry.content : entry.kind === 'symlink' ? Buffer.from(entry.target) : Buffer.alloc(0);
    const device = entry.kind === 'character' ? [entry.major, entry.minor] : [0, 0];
    // Folders have two links as on disk. The kernel uses the link count only for files, to detect hard links.
    const links = entry.kind === 'directory' ? 2 : 1;
    parts.push(...member(entry.path, index + 1, types[entry.kind] | entry.mode, links, epoch, content, device));
  }
  parts.push(...member('TRAILER!!!', 0, 0, 1, 0, Buffer.alloc(0), [0, 0]));
  return Buffer.concat(parts);
}

function member(
  path: string,
  inode: number,
  mode: number,
  links: number,
  mtime: number,
  content: Uint8Array,
  device: readonly number[],
): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, links, mtime, content.length, 0, 0, device[0]!, device[1]!, name.length, 0];
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [head, name, padding(head.length + name.length), Buffer.from(content), padding(content.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
