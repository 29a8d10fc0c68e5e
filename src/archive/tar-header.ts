import { WeirError } from '../base/errors.ts';

/** Block size in bytes: a header is one block, contents are padded to the next. */
export const block = 512;

export function badTar(message: string): WeirError {
  return new WeirError('bad-tar', `invalid tar archive: ${message}`);
}

/** The fields of a header block that all formats share (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual). */
export interface TarHeader {
  /** One character; a NUL in archives from before ustar. */
  readonly type: string;
  /** With ustar's prefix; one character per byte. */
  readonly name: string;
  readonly link: string;
  readonly user: string;
  readonly group: string;
  /** GNU's own format, whose headers can contain a map of a sparse file. */
  readonly isGnu: boolean;
  /** In bytes. */
  readonly size: number;
}

/** @param at offset of the block, for errors @throws WeirError `bad-tar` */
export function readHeader(bytes: Buffer, at: number): TarHeader {
  if (!checksumHolds(bytes)) throw badTar(`wrong checksum in the header at byte ${at}`);
  const magic = bytes.toString('latin1', 257, 265);
  const isUstar = magic.startsWith('ustar\0');
  // In star's format, times follow a shorter prefix.
  const isStar = isUstar && bytes.toString('latin1', 508, 512) === 'tar\0';
  const prefix = isUstar ? text(bytes, 345, isStar ? 131 : 155) : '';
  const name = text(bytes, 0, 100);
  return {
    type: String.fromCharCode(bytes[156]!),
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: text(bytes, 157, 100),
    user: text(bytes, 265, 32),
    group: text(bytes, 297, 32),
    isGnu: magic === 'ustar  \0',
    size: sizeField(bytes, 124, at, 'size'),
  };
}

/** Up to the first NUL, one character per byte. */
export function text(bytes: Buffer, start: number, length: number): string {
  const end = bytes.indexOf(0, start);
  return bytes.toString('latin1', start, end < 0 || end > start + length ? start + length : end);
}

/** A number of bytes. @throws WeirError `bad-tar` if it is invalid, negative, or too large for a safe integer */
export function sizeField(bytes: Buffer, start: number, at: number, what: string, length = 12): number {
  const value = numberField(bytes, start, at, what, length);
  if (value < 0) throw badTar(`a negative ${what} (${value}) in the header at byte ${at}`);
  return value;
}

/**
 * An octal field (empty for 0), or a number in base 256 if the first bit is set (the GNU and star encoding for large and
 * negative values). @throws WeirError `bad-tar`
 */
export function numberField(bytes: Buffer, start: number, at: number, what: string, length: number): number {
  const first = bytes[start]!;
  const wrong = (): WeirError => badTar(`invalid ${what} in the header at byte ${at}`);
  if ((first & 0x80) !== 0) {
    // The first bit marks base 256, the second is the sign.
    const digits = BigInt(`0x${bytes.toString('hex', start, start + length)}`);
    const value = Number(BigInt.asIntN(length * 8 - 1, digits));
    if (!Number.isSafeInteger(value)) throw wrong();
    return value;
  }
  const digits = text(bytes, start, length).trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw wrong();
  return Number.parseInt(digits, 8);
}

/** The sum of the header's bytes, with the checksum field as blanks; some old writers summed signed bytes. */
function checksumHolds(bytes: Buffer): boolean {
  let unsigned = 0;
  let high = 0;
  for (let i = 0; i < block; i++) {
    const byte = i >= 148 && i < 156 ? 32 : bytes[i]!;
    unsigned += byte;
    if (byte > 127) high++;
  }
  const said = Number.parseInt(text(bytes, 148, 8).trim(), 8);
  return said === unsigned || said === unsigned - 256 * high;
}
