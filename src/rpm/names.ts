/**
 * Whether a text is valid as a package's name, version, release or architecture. What rpm allows there is always a safe part of
 * a file name (rpm's build/parsePreamble.c, ALLOWED_CHARS).
 */
export function isPackageWord(text: string): boolean {
  return text.length <= 255 && /^[A-Za-z0-9_+~^][A-Za-z0-9._+~^-]*$/.test(text);
}
