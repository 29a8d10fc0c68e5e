import { crc32 } from 'node:zlib';
import { type HuffmanCode, huffmanCode } from './huffman.ts';

// Deflate (RFC 1951), with the same output, byte for byte, as Go's compress/flate at its best level: azldev packs archives with it, and
// a project records their hashes. The output does not depend on the version of any library.

const windowSize = 1 << 15;
const shortest = 4;
const longest = 258;
/** Lookahead in bytes: until the end of the input is reached, a position is processed only if this many bytes follow it. */
const ahead = shortest + longest;
/** The largest distance of a match of four bytes: with a larger one, the match takes more bits than it saves. */
const farForShortest = 4096;
const mostTries = 4096;
const tokensOfBlock = 1 << 14;
const mostStored = 0xffff;
const hashBits = 17;

/** RFC 1952: no name, no time, the best compression, operating system unknown. */
export function gzipAsGo(bytes: Uint8Array): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(bytes), 0);
  tail.writeUInt32LE(bytes.length % 2 ** 32, 4);
  return Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]), deflateAsGo(bytes), tail]);
}

/** A token is a literal, or a length (less 3) in bits 22 to 29 and a distance (less 1) below, with bit 30 set. */
const matchFlag = 1 << 30;

export function deflateAsGo(input: Uint8Array): Buffer {
  const out = new BitWriter();
  const size = input.length;
  // Hash chains of positions plus one; 0 ends a chain. `last`: the latest position of each hash; `before`: the previous position with the same hash.
  const last = new Uint32Array(1 << hashBits);
  const before = new Uint32Array(windowSize);
  /** Input offset at which the sliding-window buffer (2 × windowSize) begins; matches cannot refer to earlier bytes. */
  let base = 0;
  /** Input offset of the first token not yet written; undefined once it has slid out of the window. */
  let blockStart: number | undefined = 0;
  let tokens = new Uint32Array(tokensOfBlock);
  let count = 0;
  let head = 0;
  let length = shortest - 1;
  let distance = 0;
  let pending = false;

  const insert = (at: number): number => {
    const word = (input[at]! << 24) | (input[at + 1]! << 16) | (input[at + 2]! << 8) | input[at + 3]!;
    const hash = Math.imul(word, 0x1e35a7bd) >>> (32 - hashBits);
    const found = last[hash]!;
    before[at & (windowSize - 1)] = found;
    last[hash] = at + 1;
    return found;
  };
  const put = (token: number, upTo: number): void => {
    tokens[count++] = token;
    if (count === tokensOfBlock) flush(upTo);
  };
  const flush = (upTo: number): void => {
    if (count > 0)
      writeBlock(
        out,
        tokens.subarray(0, count),
        blockStart === undefined ? undefined : input.subarray(blockStart, upTo),
      );
    blockStart = upTo;
    tokens = new Uint32Array(tokensOfBlock);
    count = 0;
  };

  let at = 0;
  for (; at < size; ) {
    // Slides the window if too little lookahead is left in it and the input continues.
    const end = Math.min(size, base + 2 * windowSize);
    if (end < size && end - at < ahead) {
      base += windowSize;
      if (blockStart !== undefined && blockStart < base) blockStart = undefined;
      continue;
    }
    const left = end - at;
    if (at < end - (shortest - 1)) head = insert(at);
    const [previousLength, previousDistance]: readonly [number, number] = [length, distance];
    length = shortest - 1;
    distance = 0;
    const limit = Math.max(base, at - windowSize);
    if (head - 1 >= limit && left > previousLength && previousLength < longest) {
      [length, distance] = longestMatch(input, before, at, head - 1, Math.min(longest, left), base);
    }
    if (previousLength >= shortest && length <= previousLength) {
      const next = at + previousLength - 1;
      for (at++; at < next; at++) if (at < end - (shortest - 1)) insert(at);
      pending = false;
      length = shortest - 1;
      put((matchFlag | ((previousLength - 3) << 22) | (previousDistance - 1)) >>> 0, at);
    } else {
      if (pending) put(input[at - 1]!, at);
      pending = true;
      at++;
    }
  }
  if (pending) tokens[count++] = input[at - 1]!;
  if (count > 0) flush(at);
  out.put(1, 3);
  out.align();
  out.put(0, 16);
  out.put(0xffff, 16);
  return out.end();
}

function longestMatch(
  input: Uint8Array,
  before: Uint32Array,
  at: number,
  head: number,
  most: number,
  base: number,
): readonly [length: number, distance: number] {
  let length = shortest - 1;
  let distance = 0;
  const limit = at - windowSize;
  for (let from = head, tries = mostTries; tries > 0; tries--) {
    if (input[at + length] === input[from + length]) {
      let same = 0;
      while (same < most && input[from + same] === input[at + same]) same++;
      if (same > length && (same > shortest || at - from <= farForShortest)) {
        length = same;
        distance = at - from;
        if (same >= most) break;
      }
    }
    if (from === limit) break;
    from = before[from & (windowSize - 1)]! - 1;
    if (from < limit || from < base) break;
  }
  return [length, distance];
}

const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceExtra = Array.from({ length: 30 }, (_, code) => Math.max(0, (code >> 1) - 1));
const lengthBase = bases(lengthExtra).with(28, 255);
const distanceBase = bases(distanceExtra);
const lengthCodes = codesOf(lengthBase, 256);
const nearCodes = codesOf(distanceBase, 256);

function bases(extra: readonly number[]): number[] {
  let base = 0;
  return extra.map((bits) => {
    base += 2 ** bits;
    return base - 2 ** bits;
  });
}

function codesOf(base: readonly number[], size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, value) => base.findLastIndex((one) => one <= value));
}

function distanceCode(distance: number): number {
  if (distance < 256) return nearCodes[distance]!;
  // Larger distances: the table is indexed by the distance divided by 128, and then by 128².
  return distance < 256 << 7 ? nearCodes[distance >> 7]! + 14 : nearCodes[distance >> 14]! + 28;
}

const endOfBlock = 256;
const lengthStart = 257;
const fixedLiterals = huffmanOfLengths(
  Uint8Array.from({ length: 286 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
  288,
);
const fixedDistances = huffmanOfLengths(new Uint8Array(30).fill(5), 32);

/** The canonical Huffman code (RFC 1951, 3.2.2). @param size number of symbols, including unused ones, which get codes too */
function huffmanOfLengths(lengths: Uint8Array, size: number): HuffmanCode {
  const all = Uint8Array.from({ length: size }, (_, symbol) => lengths[symbol] ?? lengths.at(-1)!);
  const bits = new Uint16Array(size);
  let code = 0;
  for (let length = 1; length <= 15; length++) {
    code <<= 1;
    for (let symbol = 0; symbol < size; symbol++) {
      if (all[symbol] !== length) continue;
      for (let bit = 0; bit < length; bit++) bits[symbol]! |= ((code >> bit) & 1) << (length - 1 - bit);
      code++;
    }
  }
  return { bits, lengths: all };
}

function bitsOf({ lengths }: HuffmanCode, frequencies: ArrayLike<number>): number {
  let total = 0;
  for (let symbol = 0; symbol < frequencies.length; symbol++) total += frequencies[symbol]! * lengths[symbol]!;
  return total;
}

/** Writes a block in the smallest form: stored, fixed Huffman or dynamic Huffman. @param input the block's raw bytes, if still in the window */
function writeBlock(out: BitWriter, tokens: Uint32Array, input: Uint8Array | undefined): void {
  const literals = new Uint32Array(286);
  const distances = new Uint32Array(30);
  literals[endOfBlock] = 1;
  for (const token of tokens) {
    if (token < matchFlag) {
      literals[token]!++;
      continue;
    }
    literals[lengthStart + lengthCodes[(token >>> 22) & 0xff]!]!++;
    distances[distanceCode(token & 0x3fffff)]!++;
  }
  const literalCount = literals.findLastIndex((one) => one > 0) + 1;
  let distanceCount = distances.findLastIndex((one) => one > 0) + 1;
  if (distanceCount === 0) {
    distances[0] = 1;
    distanceCount = 1;
  }
  const own = { literals: huffmanCode(literals, 15), distances: huffmanCode(distances, 15) };
  const storable = input !== undefined && input.length <= mostStored;
  let extra = 0;
  if (storable) {
    for (let code = 8; code < literalCount - lengthStart; code++)
      extra += literals[lengthStart + code]! * lengthExtra[code]!;
    for (let code = 4; code < distanceCount; code++) extra += distances[code]! * distanceExtra[code]!;
  }
  const fixed = 3 + bitsOf(fixedLiterals, literals) + bitsOf(fixedDistances, distances) + extra;
  const table = lengthTable([
    ...own.literals.lengths.subarray(0, literalCount),
    ...own.distances.lengths.subarray(0, distanceCount),
  ]);
  const dynamic = 14 + 3 + table.bits + bitsOf(own.literals, literals) + bitsOf(own.distances, distances) + extra;
  const smaller = Math.min(fixed, dynamic);
  if (storable && (input.length + 5) * 8 < smaller) {
    out.put(0, 3);
    out.align();
    out.put(input.length, 16);
    out.put(input.length ^ 0xffff, 16);
    out.bytes(input);
    return;
  }
  const isFixed = fixed <= dynamic;
  out.put(isFixed ? 2 : 4, 3);
  if (!isFixed) writeTable(out, table, literalCount, distanceCount);
  const codes = isFixed ? { literals: fixedLiterals, distances: fixedDistances } : own;
  for (const token of tokens) {
    if (token < matchFlag) {
      out.put(codes.literals.bits[token]!, codes.literals.lengths[token]!);
      continue;
    }
    const [length, distance] = [(token >>> 22) & 0xff, token & 0x3fffff];
    const [lengthOf, distanceOf] = [lengthCodes[length]!, distanceCode(distance)];
    out.put(codes.literals.bits[lengthStart + lengthOf]!, codes.literals.lengths[lengthStart + lengthOf]!);
    out.put(length - lengthBase[lengthOf]!, lengthExtra[lengthOf]!);
    out.put(codes.distances.bits[distanceOf]!, codes.distances.lengths[distanceOf]!);
    out.put(distance - distanceBase[distanceOf]!, distanceExtra[distanceOf]!);
  }
  out.put(codes.literals.bits[endOfBlock]!, codes.literals.lengths[endOfBlock]!);
}

const tableOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** The code lengths in a dynamic block's header: run-length encoded, then Huffman-coded with a separate code (RFC 1951, 3.2.7). */
interface LengthTable {
  readonly items: readonly (readonly [symbol: number, extra: number, extraBits: number])[];
  readonly code: HuffmanCode;
  /** How many code lengths of the separate code are written. */
  readonly written: number;
  readonly bits: number;
}

function lengthTable(lengths: readonly number[]): LengthTable {
  const items: [number, number, number][] = [];
  for (let from = 0; from < lengths.length; ) {
    const value = lengths[from]!;
    let run = 1;
    while (lengths[from + run] === value) run++;
    from += run;
    if (value !== 0) {
      items.push([value, 0, 0]);
      for (run--; run >= 3; ) {
        const some = Math.min(6, run);
        items.push([16, some - 3, 2]);
        run -= some;
      }
    } else {
      while (run >= 11) {
        const some = Math.min(138, run);
        items.push([18, some - 11, 7]);
        run -= some;
      }
      if (run >= 3) {
        items.push([17, run - 3, 3]);
        run = 0;
      }
    }
    for (; run > 0; run--) items.push([value, 0, 0]);
  }
  const frequencies = new Uint32Array(19);
  for (const [symbol] of items) frequencies[symbol]!++;
  const code = huffmanCode(frequencies, 7);
  let written = 19;
  while (written > 4 && frequencies[tableOrder[written - 1]!] === 0) written--;
  const extra = items.reduce((sum, [, , bits]) => sum + bits, 0);
  return { items, code, written, bits: 3 * written + bitsOf(code, frequencies) + extra };
}

function writeTable(out: BitWriter, { items, code, written }: LengthTable, literals: number, distances: number): void {
  out.put(literals - 257, 5);
  out.put(distances - 1, 5);
  out.put(written - 4, 4);
  for (const symbol of tableOrder.slice(0, written)) out.put(code.lengths[symbol]!, 3);
  for (const [symbol, extra, extraBits] of items) {
    out.put(code.bits[symbol]!, code.lengths[symbol]!);
    out.put(extra, extraBits);
  }
}

class BitWriter {
  #buffer = Buffer.alloc(1 << 16);
  #length = 0;
  #bits = 0;
  #count = 0;

  /** @param count at most 16 */
  put(bits: number, count: number): void {
    this.#bits |= bits << this.#count;
    this.#count += count;
    for (; this.#count >= 8; this.#count -= 8) {
      this.#byte(this.#bits & 0xff);
      this.#bits >>>= 8;
    }
  }

  align(): void {
    if (this.#count > 0) this.#byte(this.#bits & 0xff);
    this.#bits = 0;
    this.#count = 0;
  }

  /** After `align`, and after whole bytes. */
  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  end(): Buffer {
    this.align();
    return this.#buffer.subarray(0, this.#length);
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#buffer[this.#length++] = byte;
  }

  #room(more: number): void {
    if (this.#length + more <= this.#buffer.length) return;
    const larger = Buffer.alloc(Math.max(2 * this.#buffer.length, this.#length + more));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
