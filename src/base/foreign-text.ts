/**
 * A text from elsewhere as it may be shown: control characters, which a terminal would obey, and marks that turn the direction
 * of writing (Unicode's bidirectional controls, UAX #9) as `\u{1b}`. Line ends and tabs stay.
 */
export function shownText(text: string): string {
  return text.replace(unsafe, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

const unsafe = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A text in one line, without spaces around it and with single ones between its words, as it may be shown. */
export function shownLine(text: string): string {
  return shownText(text.replace(/\s+/g, ' ').trim());
}
