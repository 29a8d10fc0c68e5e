/** A file of a small tar archive: text, bytes, or what else a member can be. */
export type Content =
  | string
  | Uint8Array
  | { readonly content?: string | Uint8Array; readonly mode?: number; readonly type?: string; readonly link?: string };

/** A ustar archive of files by absolute path, parents first; folders end with a slash. */
export function tar(files: Readonly<Record<string, Content>>): Buffer {
  const folders = new Set<string>();
  for (const path of Object.keys(files)) {
    const parts = path.split('/').slice(1, -1);
    for (let depth = 1; depth <= parts.length; depth++) folders.add(`/${parts.slice(0, depth).join('/')}/`);
  }
  const all = new Map<string, Content>([
    ...[...folders].map((path): [string, Content] => [path, '']),
    ...Object.entries(files),
  ]);
  const parts: Buffer[] = [];
  for (const path of [...all.keys()].sort()) {
    const value = all.get(path)!;
    const plain = typeof value === 'string' || value instanceof Uint8Array;
    const folder = path.endsWith('/');
    const {
      content = '',
      mode = folder ? 0o755 : 0o644,
      type = folder ? '5' : '0',
      link = '',
    } = plain ? { content: value } : value;
    const bytes = Buffer.from(content as string);
    const header = Buffer.alloc(512);
    header.write(path.slice(1), 0);
    for (const [number, at, length] of [
      [mode, 100, 8],
      [0, 108, 8],
      [0, 116, 8],
      [bytes.length, 124, 12],
      [0, 136, 12],
    ] as const) {
      header.write(number.toString(8).padStart(length - 1, '0'), at);
    }
    header.write(type, 156);
    header.write(link, 157);
    header.write('ustar\x0000', 257, 'latin1');
    header.fill(0x20, 148, 156);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    parts.push(header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export function symlink(link: string): Content {
  return { type: '2', link, mode: 0o777 };
}
