/**
 * Writes a database file of bbolt, the key-value store that Trivy reads. The format, from bbolt's sources (page, meta, bucket, node):
 *
 * - The file is pages of 4096 bytes; all numbers are little-endian. A page starts with 16 bytes: its number (8), kind (2), count of
 *   elements (2), and how many further pages it occupies (4).
 * - Pages 0 and 1 are two copies of the meta page, of which the one with the higher transaction number counts. Page 2 is the list
 *   of free pages, here empty.
 * - A leaf page has 16 bytes for each element (flags, position of the key from here, size of the key, size of the value), then the
 *   keys with their values. A branch page has 16 bytes for each child (position, size of its first key, number of its page).
 * - A bucket's value is the number of its root page and a counter (8 bytes each). With the number 0, its only page follows in place.
 *
 * Keys are sorted by their bytes.
 */

const pageSize = 4096;
const pageHeader = 16;
const elementSize = 16;
const bucketHeader = 16;

const branchPage = 0x01;
const leafPage = 0x02;
const metaPage = 0x04;
const freelistPage = 0x10;

const isBucket = 1;
/** bbolt itself keeps a bucket in its parent's page up to this size. */
const longestInline = pageSize / 4;
/** A page counts its elements in 16 bits, and bbolt reads the highest count as a sign. */
const mostElements = 0xfffe;

/** A bucket's keys with their values; a value is a text or a bucket. */
export interface BoltBucket extends ReadonlyMap<string, string | BoltBucket> {}

/** The bytes of a database whose root has these buckets. Keys must not be empty, and at most 32,768 bytes long. */
export function boltFile(root: BoltBucket): Buffer {
  const pages = new PageList(3);
  const rootPage = writeBucket(root, pages);
  const freelist = newPage(2, freelistPage, 0, 0);
  const metas = [0, 1].map((number) => metaOf(number, rootPage, pages.next));
  return Buffer.concat([...metas, freelist, ...pages.written]);
}

interface Element {
  readonly flags: number;
  readonly key: Buffer;
  readonly value: Buffer;
}

/** A page that a branch names by its first key. */
interface Child {
  readonly key: Buffer;
  readonly page: number;
}

/** Pages in the order of their numbers. */
class PageList {
  readonly written: Buffer[] = [];
  next: number;

  constructor(first: number) {
    this.next = first;
  }

  /** Adds one page, or several where the content is longer than a page. @returns its number */
  add(kind: number, count: number, content: readonly Buffer[]): number {
    const number = this.next;
    const body = Buffer.concat(content);
    const size = Math.ceil((pageHeader + body.length) / pageSize);
    const page = newPage(number, kind, count, size - 1);
    body.copy(page, pageHeader);
    this.written.push(page);
    this.next += size;
    return number;
  }
}

function newPage(number: number, kind: number, count: number, overflow: number): Buffer {
  const page = Buffer.alloc((overflow + 1) * pageSize);
  writePageHeader(page, number, kind, count, overflow);
  return page;
}

function writePageHeader(target: Buffer, number: number, kind: number, count: number, overflow: number): void {
  target.writeBigUInt64LE(BigInt(number), 0);
  target.writeUInt16LE(kind, 8);
  target.writeUInt16LE(count, 10);
  target.writeUInt32LE(overflow, 12);
}

/** Writes a bucket's pages, children first. @returns the number of its root page */
function writeBucket(bucket: BoltBucket, pages: PageList): number {
  return writeTree(elementsOf(bucket, pages), pages);
}

function elementsOf(bucket: BoltBucket, pages: PageList): readonly Element[] {
  const keyed = [...bucket].map(([key, value]) => ({ key: Buffer.from(key), value }));
  return keyed
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ key, value }) =>
      typeof value === 'string'
        ? { flags: 0, key, value: Buffer.from(value) }
        : { flags: isBucket, key, value: bucketValue(value, pages) },
    );
}

function bucketValue(bucket: BoltBucket, pages: PageList): Buffer {
  const inline = inlineBucket(bucket);
  if (inline !== undefined) return inline;
  const value = Buffer.alloc(bucketHeader);
  value.writeBigUInt64LE(BigInt(writeBucket(bucket, pages)), 0);
  return value;
}

/** A small bucket without buckets of its own, as its parent's value; undefined for others. */
function inlineBucket(bucket: BoltBucket): Buffer | undefined {
  if ([...bucket.values()].some((value) => typeof value !== 'string')) return undefined;
  const elements = elementsOf(bucket, new PageList(0));
  const content = Buffer.concat(leafContent(elements));
  if (pageHeader + content.length > longestInline) return undefined;
  const head = Buffer.alloc(bucketHeader + pageHeader);
  writePageHeader(head.subarray(bucketHeader), 0, leafPage, elements.length, 0);
  return Buffer.concat([head, content]);
}

/** Leaf pages, then branch pages above them until one page is left. @returns its number */
function writeTree(elements: readonly Element[], pages: PageList): number {
  const size = ({ key, value }: Element): number => elementSize + key.length + value.length;
  let level: Child[] = inPages(elements, size).map((part) => ({
    key: part[0]?.key ?? Buffer.alloc(0),
    page: pages.add(leafPage, part.length, leafContent(part)),
  }));
  while (level.length > 1) {
    level = inPages(level, ({ key }) => elementSize + key.length).map((part) => ({
      key: part[0]!.key,
      page: pages.add(branchPage, part.length, branchContent(part)),
    }));
  }
  return level[0]!.page;
}

/** Splits items so that each part fits a page; an item that is longer than a page is alone. At least one part. */
function inPages<T>(items: readonly T[], sizeOf: (item: T) => number): readonly (readonly T[])[] {
  const parts: T[][] = [[]];
  let used = pageHeader;
  for (const item of items) {
    const size = sizeOf(item);
    const last = parts.at(-1)!;
    if (last.length > 0 && (used + size > pageSize || last.length === mostElements)) {
      parts.push([item]);
      used = pageHeader + size;
    } else {
      last.push(item);
      used += size;
    }
  }
  return parts;
}

function leafContent(elements: readonly Element[]): readonly Buffer[] {
  const heads: Buffer[] = [];
  let position = elements.length * elementSize;
  for (const { flags, key, value } of elements) {
    const head = Buffer.alloc(elementSize);
    head.writeUInt32LE(flags, 0);
    head.writeUInt32LE(position - heads.length * elementSize, 4);
    head.writeUInt32LE(key.length, 8);
    head.writeUInt32LE(value.length, 12);
    heads.push(head);
    position += key.length + value.length;
  }
  return [...heads, ...elements.flatMap(({ key, value }) => [key, value])];
}

function branchContent(children: readonly Child[]): readonly Buffer[] {
  const heads: Buffer[] = [];
  let position = children.length * elementSize;
  for (const { key, page } of children) {
    const head = Buffer.alloc(elementSize);
    head.writeUInt32LE(position - heads.length * elementSize, 0);
    head.writeUInt32LE(key.length, 4);
    head.writeBigUInt64LE(BigInt(page), 8);
    heads.push(head);
    position += key.length;
  }
  return [...heads, ...children.map(({ key }) => key)];
}

/** The meta page: magic number, version, page size, flags, root bucket, list of free pages, end of the file, transaction, checksum. */
function metaOf(number: number, rootPage: number, end: number): Buffer {
  const page = newPage(number, metaPage, 0, 0);
  const meta = page.subarray(pageHeader);
  meta.writeUInt32LE(0xed0cdaed, 0);
  meta.writeUInt32LE(2, 4);
  meta.writeUInt32LE(pageSize, 8);
  meta.writeBigUInt64LE(BigInt(rootPage), 16);
  meta.writeBigUInt64LE(2n, 32);
  meta.writeBigUInt64LE(BigInt(end), 40);
  meta.writeBigUInt64LE(BigInt(number), 48);
  meta.writeBigUInt64LE(fnv1a(meta.subarray(0, 56)), 56);
  return page;
}

/** FNV-1a in 64 bits. */
function fnv1a(data: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of data) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash;
}
