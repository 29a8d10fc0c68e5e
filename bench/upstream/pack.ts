import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, crc32, deflateSync } from 'node:zlib';

const types = { commit: 1, tree: 2, blob: 3 } as const;

/** The objects of a repository, written as one pack (gitformat-pack(5)), without git: there are thousands of repositories. */
export class Pack {
  readonly #objects = new Map<string, { readonly type: keyof typeof types; readonly bytes: Uint8Array }>();

  /** @returns the object's id */
  add(type: keyof typeof types, bytes: Uint8Array): string {
    const id = createHash('sha1').update(`${type} ${bytes.length}\0`).update(bytes).digest('hex');
    this.#objects.set(id, { type, bytes });
    return id;
  }

  /** Adds a tree of files, with the ids of their contents. */
  addTree(files: ReadonlyMap<string, { readonly id: string; readonly executable: boolean }>): string {
    const entries = [...files].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const parts = entries.flatMap(([name, { id, executable }]) => [
      Buffer.from(`${executable ? '100755' : '100644'} ${name}\0`),
      Buffer.from(id, 'hex'),
    ]);
    return this.add('tree', Buffer.concat(parts));
  }

  /** Writes a bare repository. @param head the commit of all branches */
  write(dir: string, branches: readonly string[], head: string): void {
    for (const below of ['objects/pack', 'refs/heads']) mkdirSync(join(dir, below), { recursive: true });
    const start = Buffer.alloc(12);
    start.write('PACK');
    start.writeUInt32BE(2, 4);
    start.writeUInt32BE(this.#objects.size, 8);
    const parts: Buffer[] = [start];
    const index: { readonly id: string; readonly crc: number; readonly offset: number }[] = [];
    let offset = start.length;
    for (const [id, { type, bytes }] of this.#objects) {
      const data = Buffer.concat([
        entryHead(types[type], bytes.length),
        deflateSync(bytes, { level: constants.Z_BEST_SPEED }),
      ]);
      index.push({ id, crc: crc32(data), offset });
      parts.push(data);
      offset += data.length;
    }
    const pack = Buffer.concat(parts);
    const sum = createHash('sha1').update(pack).digest();
    const path = join(dir, 'objects/pack', `pack-${sum.toString('hex')}`);
    writeFileSync(`${path}.pack`, Buffer.concat([pack, sum]));
    writeFileSync(`${path}.idx`, indexOf(index, sum));
    writeFileSync(join(dir, 'HEAD'), `ref: refs/heads/${branches[0]}\n`);
    for (const branch of branches) writeFileSync(join(dir, 'refs/heads', branch), `${head}\n`);
    writeFileSync(join(dir, 'config'), '[core]\n\trepositoryformatversion = 0\n\tbare = true\n');
  }
}

/** Three bits of type and the size, seven bits a byte after the first four. */
function entryHead(type: number, size: number): Buffer {
  const bytes = [(type << 4) | (size & 15)];
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1]! |= 0x80;
    bytes.push(rest & 0x7f);
  }
  return Buffer.from(bytes);
}

function indexOf(
  objects: readonly { readonly id: string; readonly crc: number; readonly offset: number }[],
  sum: Buffer,
): Buffer {
  const sorted = objects.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const words = (values: readonly number[]): Buffer => {
    const buffer = Buffer.alloc(4 * values.length);
    for (const [at, value] of values.entries()) buffer.writeUInt32BE(value, 4 * at);
    return buffer;
  };
  const fanout = Array.from(
    { length: 256 },
    (_, first) => sorted.filter(({ id }) => Number.parseInt(id.slice(0, 2), 16) <= first).length,
  );
  const index = Buffer.concat([
    Buffer.from([0xff, 0x74, 0x4f, 0x63]),
    words([2, ...fanout]),
    Buffer.from(sorted.map(({ id }) => id).join(''), 'hex'),
    words(sorted.map(({ crc }) => crc)),
    words(sorted.map(({ offset }) => offset)),
    sum,
  ]);
  return Buffer.concat([index, createHash('sha1').update(index).digest()]);
}
