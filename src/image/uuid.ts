import { sha256 } from '../base/digest.ts';

/**
 * A reproducible UUID derived from a seed, in lower case: version 8 of RFC 9562, whose bits are free to choose.
 * @param seed a digest of the image's inputs, for instance
 * @param purpose distinguishes the UUIDs of one image
 */
export function seededUuid(seed: string, purpose: string): string {
  const hex = sha256(`${purpose}\0${seed}`).slice(0, 32);
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  const digits = `${hex.slice(0, 12)}8${hex.slice(13, 16)}${variant}${hex.slice(17)}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
