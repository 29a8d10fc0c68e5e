/** A physical line: its text without the line end, and the line end as it stands in the file. */
export interface SpecLine {
  readonly text: string;
  readonly end: '\n' | '\r\n' | '';
}

/** Specs that are not valid UTF-8 are held one byte a character, so that printing gives every byte back. */
export type Encoding = 'utf-8' | 'latin1';

/** Decodes a file: as UTF-8 (a byte order mark stays) where it is valid, else byte by byte. */
export function decodeText(bytes: Uint8Array): { readonly text: string; readonly encoding: Encoding } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), encoding: 'utf-8' };
  } catch {
    return { text: Buffer.from(bytes).toString('latin1'), encoding: 'latin1' };
  }
}

/** The bytes of a text that `decodeText` gave. */
export function encodeText(text: string, encoding: Encoding): Uint8Array {
  return Buffer.from(text, encoding);
}

/** Text from outside (always Unicode) as it has to stand in a text of that encoding: its UTF-8 bytes. */
export function asStored(text: string, encoding: Encoding): string {
  return encoding === 'utf-8' ? text : Buffer.from(text, 'utf-8').toString('latin1');
}

/** Splits at LF and CRLF; a lone CR is part of the text. `joinLines` gives the same text back. */
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
  let text = '';
  for (const line of lines) text += line.text + line.end;
  return text;
}

/** The line end that new lines take: CRLF where most lines have it. */
export function lineEnd(lines: readonly SpecLine[]): '\n' | '\r\n' {
  const carriage = lines.filter((line) => line.end === '\r\n').length;
  return carriage * 2 > lines.length ? '\r\n' : '\n';
}
