import { WeirError } from '../base/errors.ts';

/** A member of a cpio archive. */
export interface CpioMember {
  /** Exactly as in the archive. */
  readonly name: string;
  /** Type and permissions, as in `st_mode`. */
  readonly mode: number;
  /** Byte range of its content. */
  readonly start: number;
  readonly end: number;
}

const headerSize = 110;
const longestName = 4096;

export function isCpio(bytes: Buffer, at = 0): boolean {
  return /^07070[12]$/.test(bytes.toString('latin1', at, at + 6));
}

/**
 * Walks a cpio archive in the "new" format, with or without checksums (`070701`, `070702`; cpio's manual, "Format"; kernel
 * documentation, "initramfs buffer format"), up to its trailer. Every size is checked against the bytes available.
 * @param at offset of the archive @returns the offset after it, as the generator's value @throws WeirError `bad-cpio`
 */
export function* readCpio(bytes: Buffer, at = 0): Generator<CpioMember, number> {
  for (;;) {
    const bad = (what: string) => new WeirError('bad-cpio', `invalid cpio archive: ${what} at byte ${at}`);
    if (at + headerSize > bytes.length) throw bad('truncated header');
    if (!isCpio(bytes, at)) throw bad('missing header');
    const fields = bytes.toString('latin1', at + 6, at + headerSize);
    if (!/^[0-9a-fA-F]+$/.test(fields)) throw bad('invalid number in the header');
    const field = (index: number) => Number.parseInt(fields.slice(index * 8, index * 8 + 8), 16);
    const nameSize = field(11);
    if (nameSize < 1 || nameSize > longestName) throw bad(`invalid name length ${nameSize}`);
    const nameEnd = at + headerSize + nameSize;
    const start = aligned(nameEnd);
    const end = start + field(6);
    if (end > bytes.length) throw bad(`truncated member of ${field(6)} bytes`);
    const name = bytes.toString('utf8', at + headerSize, nameEnd - 1);
    at = aligned(end);
    if (name === 'TRAILER!!!') return Math.min(at, bytes.length);
    yield { name, mode: field(1), start, end };
  }
}

/** Rounds an offset up to a multiple of four: members are aligned from the beginning of the archive. */
function aligned(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
