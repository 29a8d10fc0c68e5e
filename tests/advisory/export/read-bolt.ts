import type { BoltBucket } from '../../../src/advisory/export/bolt.ts';

/** Reads a bbolt file by its format, for tests of the writer: every page once, keys in order, checksums. */
export function readBolt(file: Buffer): BoltBucket {
  const pageSize = file.readUInt32LE(16 + 8);
  const metas = [0, 1].map((number) => metaAt(file, number * pageSize));
  const meta = metas[0]!.transaction > metas[1]!.transaction ? metas[0]! : metas[1]!;
  if (file.length !== meta.end * pageSize) throw new Error('the file ends elsewhere');
  const reader = new Reader(file, pageSize);
  const root = reader.bucketAt(meta.root);
  // The two metas and the list of free pages are the others.
  if (reader.seen.size !== meta.end - 3) throw new Error(`${meta.end - 3 - reader.seen.size} pages belong to nothing`);
  return root;
}

function metaAt(file: Buffer, at: number): { root: number; end: number; transaction: bigint } {
  const meta = file.subarray(at + 16, at + 16 + 64);
  if (meta.readUInt32LE(0) !== 0xed0cdaed || meta.readUInt32LE(4) !== 2) throw new Error('not a meta page');
  let hash = 0xcbf29ce484222325n;
  for (const byte of meta.subarray(0, 56)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  if (hash !== meta.readBigUInt64LE(56)) throw new Error('wrong checksum');
  return {
    root: Number(meta.readBigUInt64LE(16)),
    end: Number(meta.readBigUInt64LE(40)),
    transaction: meta.readBigUInt64LE(48),
  };
}

class Reader {
  readonly seen = new Set<number>();
  private readonly file: Buffer;
  private readonly pageSize: number;

  constructor(file: Buffer, pageSize: number) {
    this.file = file;
    this.pageSize = pageSize;
  }

  bucketAt(page: number): BoltBucket {
    const found: [string, string | BoltBucket][] = [];
    this.walk(page, found);
    return ordered(found);
  }

  private walk(number: number, found: [string, string | BoltBucket][]): void {
    const at = number * this.pageSize;
    const overflow = this.file.readUInt32LE(at + 12);
    for (let page = number; page <= number + overflow; page++) {
      if (this.seen.has(page)) throw new Error(`page ${page} is used twice`);
      this.seen.add(page);
    }
    const page = this.file.subarray(at, at + (overflow + 1) * this.pageSize);
    if (Number(page.readBigUInt64LE(0)) !== number) throw new Error('a page has a wrong number');
    const kind = page.readUInt16LE(8);
    if (kind === 2) found.push(...this.leaf(page));
    else if (kind !== 1) throw new Error(`page ${number} is of kind ${kind}`);
    else {
      for (let index = 0; index < page.readUInt16LE(10); index++) {
        const head = 16 + index * 16;
        const start = head + page.readUInt32LE(head);
        const key = page.toString('utf8', start, start + page.readUInt32LE(head + 4));
        const before = found.length;
        this.walk(Number(page.readBigUInt64LE(head + 8)), found);
        if (found[before]?.[0] !== key) throw new Error('a branch has a wrong key');
      }
    }
  }

  private leaf(page: Buffer): [string, string | BoltBucket][] {
    return Array.from({ length: page.readUInt16LE(10) }, (_, index) => {
      const head = 16 + index * 16;
      const start = head + page.readUInt32LE(head + 4);
      const end = start + page.readUInt32LE(head + 8);
      const value = page.subarray(end, end + page.readUInt32LE(head + 12));
      const key = page.toString('utf8', start, end);
      return [key, page.readUInt32LE(head) === 1 ? this.bucket(value) : value.toString()];
    });
  }

  private bucket(value: Buffer): BoltBucket {
    const root = Number(value.readBigUInt64LE(0));
    return root === 0 ? ordered(this.leaf(value.subarray(16))) : this.bucketAt(root);
  }
}

function ordered(found: readonly [string, string | BoltBucket][]): BoltBucket {
  for (const [index, [key]] of found.entries()) {
    const next = found[index + 1]?.[0];
    if (next !== undefined && Buffer.compare(Buffer.from(key), Buffer.from(next)) >= 0) {
      throw new Error(`${JSON.stringify(key)} is not before ${JSON.stringify(next)}`);
    }
  }
  return new Map(found);
}
