import { WeirError } from '../base/errors.ts';
import { tag } from './tags.ts';

/** The value of a tag. `int64` values are numbers: rpm's sizes stay far below 2^53. */
export type HeaderValue =
  | { readonly type: 'int8' | 'int16' | 'int32' | 'int64'; readonly values: readonly number[] }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings' | 'i18n'; readonly values: readonly string[] }
  | { readonly type: 'binary'; readonly value: Uint8Array };

/** A header: values by tag number. */
export type Header = ReadonlyMap<number, HeaderValue>;

/** The magic number with four reserved bytes, the size of the intro, and the size of an index entry. */
const magic = Buffer.from('8eade80100000000', 'hex');
export const introSize = 16;
const entrySize = 16;

// rpm's own limits: what rpm rejects is rejected here too
const maxTags = 0xffff;
const maxData = 0x0fff_ffff;

/** Limit for all values of a header; the largest packages have some hundred thousand files with twenty values each. */
const maxValues = 1 << 23;

const typeNumbers = { int8: 2, int16: 3, int32: 4, int64: 5, string: 6, binary: 7, strings: 8, i18n: 9 } as const;
const integerSizes = { int8: 1, int16: 2, int32: 4, int64: 8 } as const;

function bad(reason: string): WeirError {
  return new WeirError('bad-rpm', `damaged RPM header: ${reason}`);
}

/** Size in bytes of a whole header, from its first `introSize` bytes. @throws WeirError `bad-rpm` */
export function headerSize(intro: Buffer): number {
  if (intro.length < introSize || !intro.subarray(0, 8).equals(magic)) throw bad('missing magic number');
  const count = intro.readUInt32BE(8);
  const data = intro.readUInt32BE(12);
  if (count < 1 || count > maxTags || data > maxData) throw bad('invalid size');
  return introSize + count * entrySize + data;
}

/**
 * Parses a header as stored in a package file: intro, index, data, wholly covered by an immutable region.
 * Format: rpm's docs/manual/format_header.md. @param region tag of the required region: 62 or 63
 * @throws WeirError `bad-rpm` without a place; the caller knows the file
 */
export function parseHeader(blob: Buffer, region: number): Header {
  if (blob.length !== headerSize(blob)) throw bad('wrong size');
  const count = blob.readUInt32BE(8);
  const data = blob.subarray(introSize + count * entrySize);
  checkRegion(blob, data, count, region);
  const header = new Map<number, HeaderValue>();
  // As in rpm, values must not overlap, so their total size is bounded by the data.
  let end = 0;
  let left = maxValues;
  for (let index = 1; index < count; index++) {
    const at = introSize + index * entrySize;
    const number = blob.readUInt32BE(at);
    if (header.has(number)) throw bad(`duplicate tag ${number}`);
    const offset = blob.readUInt32BE(at + 8);
    if (offset < end) throw bad(`tag ${number} overlaps the one before it`);
    const type = blob.readUInt32BE(at + 4);
    const values = blob.readUInt32BE(at + 12);
    if (type !== typeNumbers.binary) left -= values;
    if (left < 0) throw bad(`more than ${maxValues} values`);
    const { value, size } = parseValue(number, type, values, data, offset);
    header.set(number, value);
    end = offset + size;
  }
  return header;
}

function checkRegion(blob: Buffer, data: Buffer, count: number, region: number): void {
  const offset = blob.readUInt32BE(introSize + 8);
  const isRegion =
    blob.readUInt32BE(introSize) === region &&
    blob.readUInt32BE(introSize + 4) === typeNumbers.binary &&
    blob.readUInt32BE(introSize + 12) === entrySize;
  if (!isRegion || offset + entrySize > data.length) throw bad('missing immutable region');
  if (data.readInt32BE(offset + 8) !== -count * entrySize || offset + entrySize !== data.length) {
    throw bad('the immutable region does not cover the whole header');
  }
}

/** A value with its size in bytes. */
interface Parsed {
  readonly value: HeaderValue;
  readonly size: number;
}

function parseValue(number: number, type: number, count: number, data: Buffer, offset: number): Parsed {
  if (count < 1 || count > data.length || offset > data.length) throw bad(`tag ${number} is outside the data`);
  switch (type) {
    case 1:
    case typeNumbers.int8:
      return integers('int8', number, count, data, offset, (at) => data.readUInt8(at));
    case typeNumbers.int16:
      return integers('int16', number, count, data, offset, (at) => data.readUInt16BE(at));
    case typeNumbers.int32:
      return integers('int32', number, count, data, offset, (at) => data.readUInt32BE(at));
    case typeNumbers.int64:
      return integers('int64', number, count, data, offset, (at) => {
        const value = data.readUInt32BE(at) * 2 ** 32 + data.readUInt32BE(at + 4);
        if (!Number.isSafeInteger(value)) throw bad(`tag ${number} has an invalid size`);
        return value;
      });
    case typeNumbers.string: {
      if (count !== 1) throw bad(`tag ${number} is a single string but has several values`);
      const { values, size } = strings(number, 1, data, offset);
      return { value: { type: 'string', value: values[0]! }, size };
    }
    case typeNumbers.binary:
      if (offset + count > data.length) throw bad(`tag ${number} is outside the data`);
      return { value: { type: 'binary', value: data.subarray(offset, offset + count) }, size: count };
    case typeNumbers.strings:
    case typeNumbers.i18n: {
      const { values, size } = strings(number, count, data, offset);
      return { value: { type: type === typeNumbers.strings ? 'strings' : 'i18n', values }, size };
    }
    default:
      throw bad(`tag ${number} has the unknown type ${type}`);
  }
}

function integers(
  type: keyof typeof integerSizes,
  number: number,
  count: number,
  data: Buffer,
  offset: number,
  read: (at: number) => number,
): Parsed {
  const size = integerSizes[type];
  if (offset % size !== 0 || offset + count * size > data.length) throw bad(`tag ${number} is outside the data`);
  const values = Array.from({ length: count }, (_, index) => read(offset + index * size));
  return { value: { type, values }, size: count * size };
}

function strings(number: number, count: number, data: Buffer, offset: number): { values: string[]; size: number } {
  const values = new Array<string>(count);
  let at = offset;
  for (let index = 0; index < count; index++) {
    const end = data.indexOf(0, at);
    if (end < 0) throw bad(`tag ${number} has an unterminated string`);
    values[index] = data.toString('utf8', at, end);
    at = end + 1;
  }
  return { values, size: at - offset };
}

/**
 * Serialises a header: tags in ascending order, covered by one region. Equal values give equal bytes, and values of equal width
 * (numbers, digests) give headers of equal size.
 * @param region tag of the region: 62 for the signature header, 63 for the main one
 */
export function serializeHeader(header: Header, region: number): Buffer {
  const entries = [...header].sort(([a], [b]) => a - b);
  const index = Buffer.alloc((entries.length + 1) * entrySize);
  const data: Buffer[] = [];
  let offset = 0;
  entries.forEach(([number, value], position) => {
    const { bytes, count } = serializeValue(number, value);
    const padding = 'values' in value && value.type in integerSizes ? -offset & (integerWidth(value.type) - 1) : 0;
    if (padding > 0) data.push(Buffer.alloc(padding));
    offset += padding;
    writeEntry(index, (position + 1) * entrySize, number, typeNumbers[value.type], offset, count);
    data.push(bytes);
    offset += bytes.length;
  });
  writeEntry(index, 0, region, typeNumbers.binary, offset, entrySize);
  const trailer = Buffer.alloc(entrySize);
  writeEntry(trailer, 0, region, typeNumbers.binary, -index.length, entrySize);
  const intro = Buffer.alloc(introSize);
  magic.copy(intro);
  intro.writeUInt32BE(entries.length + 1, 8);
  intro.writeUInt32BE(offset + entrySize, 12);
  if (offset + entrySize > maxData)
    throw new WeirError('rpm-too-large', 'the package metadata exceeds the maximum header size');
  return Buffer.concat([intro, index, ...data, trailer]);
}

function integerWidth(type: HeaderValue['type']): number {
  return type in integerSizes ? integerSizes[type as keyof typeof integerSizes] : 1;
}

function writeEntry(into: Buffer, at: number, number: number, type: number, offset: number, count: number): void {
  into.writeUInt32BE(number, at);
  into.writeUInt32BE(type, at + 4);
  into.writeInt32BE(offset, at + 8);
  into.writeUInt32BE(count, at + 12);
}

function serializeValue(number: number, value: HeaderValue): { bytes: Buffer; count: number } {
  switch (value.type) {
    case 'string':
      return { bytes: stringBytes(number, value.value), count: 1 };
    case 'strings':
    case 'i18n': {
      if (value.values.length === 0) throw new TypeError(`header tag ${number} has no values`);
      return {
        bytes: Buffer.concat(value.values.map((text) => stringBytes(number, text))),
        count: value.values.length,
      };
    }
    case 'binary':
      return {
        bytes: Buffer.from(value.value.buffer, value.value.byteOffset, value.value.byteLength),
        count: value.value.length,
      };
    default: {
      if (value.values.length === 0) throw new TypeError(`header tag ${number} has no values`);
      const size = integerSizes[value.type];
      const bytes = Buffer.alloc(value.values.length * size);
      value.values.forEach((item, index) => {
        if (size === 8) {
          bytes.writeUInt32BE(Math.floor(item / 2 ** 32), index * 8);
          bytes.writeUInt32BE(item % 2 ** 32, index * 8 + 4);
        } else bytes.writeUIntBE(item, index * size, size);
      });
      return { bytes, count: value.values.length };
    }
  }
}

function stringBytes(number: number, text: string): Buffer {
  if (text.includes('\0')) throw new WeirError('bad-package', `the text for header tag ${number} contains a NUL`);
  return Buffer.from(`${text}\0`);
}

/** The text of a tag, the first one if there are several; undefined if the tag is missing. */
export function headerText(header: Header, number: number): string | undefined {
  const value = header.get(number);
  if (value === undefined) return undefined;
  if (value.type === 'string') return value.value;
  if (value.type === 'strings' || value.type === 'i18n') return value.values[0];
  throw bad(`tag ${number} is not a string`);
}

/** The texts of a tag; empty if the tag is missing. */
export function headerTexts(header: Header, number: number): readonly string[] {
  const value = header.get(number);
  if (value === undefined) return [];
  if (value.type === 'string') return [value.value];
  if (value.type === 'strings' || value.type === 'i18n') return value.values;
  throw bad(`tag ${number} is not a string`);
}

/** The numbers of a tag, unsigned; empty if the tag is missing. */
export function headerNumbers(header: Header, number: number): readonly number[] {
  const value = header.get(number);
  if (value === undefined) return [];
  if (value.type in integerSizes && 'values' in value) return value.values as readonly number[];
  throw bad(`tag ${number} is not a number`);
}

/** Regions of a package file's two headers. */
export const regions = { signature: tag.headerSignatures, main: tag.headerImmutable } as const;
