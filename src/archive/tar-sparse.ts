import type { ReadAt } from './read-at.ts';
import { badTar, block, sizeField } from './tar-header.ts';
import { countOf, type PaxRecords } from './tar-pax.ts';

/** A range of a sparse file that has content; the rest is zeros. */
export interface Extent {
  /** Offset in the file. */
  readonly start: number;
  readonly size: number;
  /** Offset of its bytes in the archive. */
  readonly offset: number;
}

/** The layout of a sparse file in the archive. */
export interface SparseMap {
  /** Size of the file in bytes, including holes. */
  readonly size: number;
  /** In ascending order, none empty. */
  readonly extents: readonly Extent[];
  /** Offset of the stored bytes in the archive. */
  readonly offset: number;
}

type Stretches = [start: number, size: number][];

/** More extents than any file system produces in practice; bounds the memory for a map. */
const mostExtents = 1_000_000;

/**
 * Reads the sparse map from a header in GNU's format (type `S`) and the extension blocks after it (GNU tar manual, "Sparse
 * Formats": four extents in the header, 21 in each further block).
 * @param start offset after the header @param stored the header's size field @throws WeirError `bad-tar`
 */
export function gnuSparse(read: ReadAt, header: Buffer, start: number, stored: number): SparseMap {
  const at = start - block;
  const stretches: Stretches = [];
  const collect = (bytes: Buffer, from: number, count: number): void => {
    for (let i = from; i < from + count * 24; i += 24) {
      if (bytes[i + 12] === 0) return;
      stretches.push([sizeField(bytes, i, at, 'extent offset'), sizeField(bytes, i + 12, at, 'extent size')]);
      checkCount(stretches.length, at);
    }
  };
  collect(header, 386, 4);
  let offset = start;
  let goesOn = header[482] !== 0;
  while (goesOn) {
    const more = read(offset, block);
    if (more.length < block) throw badTar(`truncated sparse map at byte ${offset}`);
    collect(more, 0, 21);
    goesOn = more[504] !== 0;
    offset += block;
  }
  return checked(stretches, sizeField(header, 483, at, 'real size'), offset, stored, at);
}

/**
 * Reads the sparse map from pax headers (GNU's versions 0.0 and 0.1) or from the beginning of the content (1.0); undefined if
 * the file is not sparse. @param at offset of the header @throws WeirError `bad-tar`
 */
export function paxSparse(read: ReadAt, pax: PaxRecords, at: number, stored: number): SparseMap | undefined {
  if (pax.sparse.length === 0) return undefined;
  const last = new Map(pax.sparse);
  const start = at + block;
  const major = last.get('major');
  const minor = last.get('minor');
  if (major !== undefined || minor !== undefined) {
    if (major !== '1' || minor !== '0') throw badTar(`unsupported sparse file version ${major}.${minor} at byte ${at}`);
    const size = countOf(last.get('realsize') ?? '', 'GNU.sparse.realsize', at);
    const { stretches, length } = mapInContent(read, start, stored, at);
    return checked(stretches, size, start + length, stored - length, at);
  }
  const size = countOf(last.get('size') ?? last.get('realsize') ?? '', 'GNU.sparse.size', at);
  const numbers: number[] = [];
  if (last.has('map')) {
    for (const each of last.get('map')!.split(',')) numbers.push(countOf(each, 'number in GNU.sparse.map', at));
  } else {
    for (const [key, value] of pax.sparse) {
      if (key !== 'offset' && key !== 'numbytes') continue;
      if ((key === 'offset') !== (numbers.length % 2 === 0))
        throw badTar(`incomplete extent in the sparse map at byte ${at}`);
      numbers.push(countOf(value, `GNU.sparse.${key}`, at));
    }
  }
  if (numbers.length % 2 !== 0) throw badTar(`incomplete extent in the sparse map at byte ${at}`);
  checkCount(numbers.length / 2, at);
  const stretches: Stretches = [];
  for (let i = 0; i < numbers.length; i += 2) stretches.push([numbers[i]!, numbers[i + 1]!]);
  return checked(stretches, size, start, stored, at);
}

/** The number of extents, then offset and size of each: one decimal number per line, padded to a block. */
function mapInContent(
  read: ReadAt,
  start: number,
  stored: number,
  at: number,
): { stretches: Stretches; length: number } {
  let length = 0;
  let line = '';
  const numbers: number[] = [];
  let wanted = 1;
  while (numbers.length < wanted) {
    const bytes = length + block > stored ? Buffer.alloc(0) : read(start + length, block);
    if (bytes.length < block) throw badTar(`unterminated sparse map at byte ${at}`);
    length += block;
    for (const byte of bytes) {
      if (byte !== 0x0a) {
        line += String.fromCharCode(byte);
        if (line.length > 20) throw badTar(`invalid number in the sparse map at byte ${at}`);
        continue;
      }
      numbers.push(countOf(line, 'number in the sparse map', at));
      line = '';
      if (numbers.length === 1) {
        checkCount(numbers[0]!, at);
        wanted = 1 + 2 * numbers[0]!;
      }
      if (numbers.length === wanted) break;
    }
  }
  const stretches: Stretches = [];
  for (let i = 1; i < numbers.length; i += 2) stretches.push([numbers[i]!, numbers[i + 1]!]);
  return { stretches, length };
}

function checkCount(count: number, at: number): void {
  if (count > mostExtents) throw badTar(`more than ${mostExtents} extents in the sparse map at byte ${at}`);
}

function checked(stretches: Stretches, size: number, offset: number, stored: number, at: number): SparseMap {
  const extents: Extent[] = [];
  let end = 0;
  let sum = 0;
  for (const [start, length] of stretches) {
    if (start < end || start + length > size) {
      throw badTar(`invalid extent in the sparse map at byte ${at}: ${length} bytes at ${start}`);
    }
    end = start + length;
    if (length > 0) extents.push({ start, size: length, offset: offset + sum });
    sum += length;
  }
  if (sum !== stored) throw badTar(`the sparse map at byte ${at} covers ${sum} bytes, but ${stored} are stored`);
  return { size, extents, offset };
}
