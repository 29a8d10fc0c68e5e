import { badTar } from './tar-header.ts';

/** Records of extended headers by key, one character per byte; records about sparse files as an ordered list, because their keys repeat. */
export interface PaxRecords {
  readonly values: ReadonlyMap<string, string>;
  readonly sparse: readonly (readonly [key: string, value: string])[];
}

export const noRecords: PaxRecords = { values: new Map(), sparse: [] };

export const sparsePrefix = 'GNU.sparse.';

/**
 * Adds records of the form `LENGTH KEY=VALUE\n` (POSIX.1-2017, pax, "pax Extended Header") to the known records.
 * @param at offset of the records, for errors @throws WeirError `bad-tar`
 */
export function readPax(bytes: Buffer, at: number, before: PaxRecords): PaxRecords {
  const values = new Map(before.values);
  const sparse = [...before.sparse];
  for (let start = 0; start < bytes.length; ) {
    const wrong = (what: string) => badTar(`a pax record at byte ${at + start} ${what}`);
    const space = bytes.subarray(start, start + 20).indexOf(0x20);
    const digits = space < 0 ? '' : bytes.toString('latin1', start, start + space);
    if (!/^[0-9]+$/.test(digits)) throw wrong('has no length');
    const end = start + Number(digits);
    if (end > bytes.length) throw wrong('is longer than its header');
    const equals = bytes.indexOf(0x3d, start + space + 1);
    if (equals < 0 || equals >= end - 1 || bytes[end - 1] !== 0x0a) throw wrong('is not KEY=VALUE on a line');
    const key = bytes.toString('latin1', start + space + 1, equals);
    const value = bytes.toString('latin1', equals + 1, end - 1);
    if (key.startsWith(sparsePrefix)) sparse.push([key.slice(sparsePrefix.length), value]);
    else values.set(key, value);
    start = end;
  }
  return { values, sparse };
}

/** A non-negative integer. @throws WeirError `bad-tar` */
export function countOf(value: string, what: string, at: number): number {
  const count = /^[0-9]{1,20}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(count)) throw badTar(`invalid ${what} ${quoted(value)}, for the header at byte ${at}`);
  return count;
}

/** Seconds since 1970 from pax's decimal number, without the fraction. @throws WeirError `bad-tar` */
export function secondsOf(value: string, at: number): number {
  const seconds = /^-?[0-9]{1,20}(\.[0-9]*)?$/.test(value) ? Math.floor(Number(value)) : Number.NaN;
  if (!Number.isSafeInteger(seconds)) throw badTar(`invalid mtime ${quoted(value)}, for the header at byte ${at}`);
  return seconds;
}

function quoted(value: string): string {
  return value.length <= 40 ? JSON.stringify(value) : `${JSON.stringify(value.slice(0, 40))}…`;
}

/**
 * Extended attributes by name. star, GNU tar and libarchive write `SCHILY.xattr.`; libarchive also `LIBARCHIVE.xattr.`, in
 * base64; GNU tar writes `RHT.security.selinux` for just a context.
 */
export function xattrsOf(values: ReadonlyMap<string, string>): Map<string, Buffer> | undefined {
  let found: Map<string, Buffer> | undefined;
  const add = (name: string, value: Buffer): void => {
    found ??= new Map();
    found.set(name, value);
  };
  for (const [key, value] of values) {
    if (key.startsWith('SCHILY.xattr.')) {
      // GNU tar escapes the two characters that a key cannot contain.
      add(key.slice(13).replaceAll('%3D', '=').replaceAll('%25', '%'), Buffer.from(value, 'latin1'));
    } else if (key.startsWith('LIBARCHIVE.xattr.')) {
      const name = key
        .slice(17)
        .replace(/%([0-9A-Fa-f]{2})/g, (_all, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
      if (found?.has(name) !== true) add(name, Buffer.from(value, 'base64'));
    } else if (key === 'RHT.security.selinux') add('security.selinux', Buffer.from(value, 'latin1'));
  }
  return found;
}
