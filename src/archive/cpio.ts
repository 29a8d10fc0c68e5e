import { WeirError } from '../base/errors.ts';

/** A member of a cpio archive. */
export interface CpioMember {
  /** As it stands in the archive. */
  readonly name: string;
  /** Type and permissions, as `st_mode` has them. */
  readonly mode: number;
  /** Where its content lies in the bytes. */
  readonly start: number;
  readonly end: number;
}

const headerSize = 110;
const longestName = 4096;

export function isCpio(bytes: Buffer, at = 0): boolean {
  return /^07070[12]$/.test(bytes.toString('latin1', at, at + 6));
}

/**
 * Walks a cpio archive of the "new" format, with or without checksums (`070701`, `070702`; cpio's manual, "Format"; kernel
 * documentation, "initramfs buffer format"), up to its trailer. Every size is held against what is there.
 * @param at where the archive begins @returns where it ends, as the generator's value @throws WeirError `bad-cpio`
 */
export function* readCpio(bytes: Buffer, at = 0): Generator<CpioMember, number> {
  for (;;) {
    const bad = (what: string) =>
      new WeirError('bad-cpio', `not a cpio archive that can be read: ${what} at byte ${at}`);
    if (at + headerSize > bytes.length) throw bad('it ends within the header');
    if (!isCpio(bytes, at)) throw bad('there is no header');
    const fields = bytes.toString('latin1', at + 6, at + headerSize);
    if (!/^[0-9a-fA-F]+$/.test(fields)) throw bad('no numbers in the header');
    const field = (index: number) => Number.parseInt(fields.slice(index * 8, index * 8 + 8), 16);
    const nameSize = field(11);
    if (nameSize < 1 || nameSize > longestName) throw bad(`a name of ${nameSize} bytes`);
    const nameEnd = at + headerSize + nameSize;
    const start = aligned(nameEnd);
    const end = start + field(6);
    if (end > bytes.length) throw bad(`it ends within the ${field(6)} bytes of the member`);
    const name = bytes.toString('utf8', at + headerSize, nameEnd - 1);
    at = aligned(end);
    if (name === 'TRAILER!!!') return Math.min(at, bytes.length);
    yield { name, mode: field(1), start, end };
  }
}

/** From the beginning of the bytes, which must be that of a file or of an aligned place in one. */
function aligned(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
