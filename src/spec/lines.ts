import { isAscii, isUtf8 } from 'node:buffer';

/** A physical line: its text without the line end, and the line end as in the file. */
export interface SpecLine {
  readonly text: string;
  readonly end: '\n' | '\r\n' | '';
}

/** Specs that are not valid UTF-8 are held as one character per byte, so that printing returns the same bytes. */
export type Encoding = 'utf-8' | 'latin1';

/** Decodes a file: as UTF-8 (a byte order mark stays) if it is valid, else byte by byte. */
export function decodeText(bytes: Uint8Array): { readonly text: string; readonly encoding: Encoding } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const encoding = isUtf8(bytes) ? 'utf-8' : 'latin1';
  // ASCII is the same in both, and Latin-1 decodes faster.
  return { text: buffer.toString(isAscii(bytes) ? 'latin1' : encoding), encoding };
}

/** The bytes of a text from `decodeText`. */
export function encodeText(text: string, encoding: Encoding): Uint8Array {
  // ASCII is one byte per character: encoding it as Latin-1 gives the same bytes, twice as fast.
  if (encoding === 'utf-8' && Buffer.byteLength(text, 'utf-8') > text.length) return Buffer.from(text, 'utf-8');
  return Buffer.from(text, 'latin1');
}

/** A text held byte by byte, as characters. */
export interface DecodedText {
  readonly text: string;
  /** For each UTF-16 unit of `text`, and for its end, the index of its first byte. */
  readonly at: Uint32Array;
}

/**
 * The characters of a text that is held byte by byte, as RE2 and Go see them: valid UTF-8 sequences, and U+FFFD for each
 * other byte. Edits use the indexes of `at`, so all other bytes stay as they are.
 */
export function decodeBytes(bytes: string): DecodedText {
  const at = new Uint32Array(bytes.length + 1);
  const parts: string[] = [];
  let units = 0;
  let plain = 0;
  for (let from = 0; from < bytes.length; ) {
    if (bytes.charCodeAt(from) < 0x80) {
      at[units++] = from++;
      continue;
    }
    parts.push(bytes.slice(plain, from));
    const length = sequenceLength(bytes, from);
    const code =
      length === 0
        ? 0xfffd
        : Buffer.from(bytes.slice(from, from + length), 'latin1')
            .toString()
            .codePointAt(0)!;
    at[units++] = from;
    if (code > 0xffff) at[units++] = from;
    parts.push(String.fromCodePoint(code));
    from += Math.max(length, 1);
    plain = from;
  }
  parts.push(bytes.slice(plain));
  at[units] = bytes.length;
  return { text: parts.join(''), at: at.subarray(0, units + 1) };
}

/** The length in bytes of the UTF-8 character at an index (Unicode 16, table 3-7); 0 if there is none. */
function sequenceLength(bytes: string, from: number): number {
  const [first, second, ...rest] = [0, 1, 2, 3].map((index) => bytes.charCodeAt(from + index)) as [number, number];
  const follows = (code: number): boolean => code >= 0x80 && code <= 0xbf;
  if (first < 0xc2 || first > 0xf4 || !follows(second)) return 0;
  if (first < 0xe0) return 2;
  const low: Readonly<Record<number, number>> = { 224: 0xa0, 240: 0x90 };
  const high: Readonly<Record<number, number>> = { 237: 0x9f, 244: 0x8f };
  if (second < (low[first] ?? 0x80) || second > (high[first] ?? 0xbf)) return 0;
  const length = first < 0xf0 ? 3 : 4;
  return rest.slice(0, length - 2).every(follows) ? length : 0;
}

/** Converts text from outside (always Unicode) to that encoding: one character per UTF-8 byte. */
export function asStored(text: string, encoding: Encoding): string {
  return encoding === 'utf-8' ? text : Buffer.from(text, 'utf-8').toString('latin1');
}

/** Splits at LF and CRLF; a lone CR is part of the text. `joinLines` returns the same text. */
export function splitLines(text: string): SpecLine[] {
  const lines: SpecLine[] = [];
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf('\n', start);
    if (newline < 0) {
      lines.push({ text: text.slice(start), end: '' });
      break;
    }
    const carriage = newline > start && text.charCodeAt(newline - 1) === 13;
    lines.push({ text: text.slice(start, carriage ? newline - 1 : newline), end: carriage ? '\r\n' : '\n' });
    start = newline + 1;
  }
  return lines;
}

export function joinLines(lines: readonly SpecLine[]): string {
  const texts = new Array<string>(lines.length + 1);
  for (let index = 0; index < lines.length; index++) {
    const { text, end } = lines[index]!;
    if (end !== '\n') return joinMixed(lines);
    texts[index] = text;
  }
  texts[lines.length] = '';
  return texts.join('\n');
}

/** Lines that do not all end in LF. */
function joinMixed(lines: readonly SpecLine[]): string {
  let text = '';
  for (const line of lines) text += line.text + line.end;
  return text;
}

/** The line end for new lines: CRLF if most lines have it. */
export function lineEnd(lines: readonly SpecLine[]): '\n' | '\r\n' {
  const carriage = lines.filter((line) => line.end === '\r\n').length;
  return carriage * 2 > lines.length ? '\r\n' : '\n';
}
