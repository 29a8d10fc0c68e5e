/** A file of a small tar archive: text, bytes, or another member type. */
export type Content = string | Uint8Array | Member;

interface Member {
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly type?: string;
  readonly link?: string;
  /** Name of an extended attribute, whose value is `x`. */
  readonly xattr?: string;
}

/**
 * A ustar archive of files by absolute path, parents first; folders end with a slash.
 * @param parents whether folders that are not named are members too, and all are sorted; else as they stand
 */
export function tar(files: Readonly<Record<string, Content>>, { parents = true } = {}): Buffer {
  const folders = new Set<string>();
  for (const path of parents ? Object.keys(files) : []) {
    const parts = path.split('/').slice(1, -1);
    for (let depth = 1; depth <= parts.length; depth++) folders.add(`/${parts.slice(0, depth).join('/')}/`);
  }
  const all = new Map<string, Content>([
    ...[...folders].map((path): [string, Content] => [path, '']),
    ...Object.entries(files),
  ]);
  const parts: Buffer[] = [];
  for (const path of parents ? [...all.keys()].sort() : all.keys()) {
    const value = all.get(path)!;
    const plain = typeof value === 'string' || value instanceof Uint8Array;
    const member: Member = plain ? { content: value } : value;
    if (member.xattr !== undefined) parts.push(...block('pax', { type: 'x', content: paxRecord(member.xattr) }));
    const folder = path.endsWith('/');
    parts.push(...block(path.slice(1), { mode: folder ? 0o755 : 0o644, type: folder ? '5' : '0', ...member }));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function paxRecord(xattr: string): string {
  const rest = ` SCHILY.xattr.${xattr}=x\n`;
  // Two digits for any name.
  return `${rest.length + 2}${rest}`;
}

function block(
  name: string,
  { content = '', mode = 0o644, uid = 0, gid = 0, type = '0', link = '' }: Member,
): Buffer[] {
  const bytes = Buffer.from(content as string);
  const header = Buffer.alloc(512);
  const octal = (number: number, at: number, digits: number) =>
    header.write(number.toString(8).padStart(digits, '0'), at);
  header.write(name, 0);
  octal(mode, 100, 7);
  octal(uid, 108, 7);
  octal(gid, 116, 7);
  octal(bytes.length, 124, 11);
  octal(0, 136, 11);
  header.write(type, 156);
  header.write(link, 157);
  header.write('ustar\x0000', 257, 'latin1');
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  octal(sum, 148, 6);
  header.write('\0 ', 154, 'latin1');
  return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
}

export function symlink(link: string): Content {
  return { type: '2', link, mode: 0o777 };
}
