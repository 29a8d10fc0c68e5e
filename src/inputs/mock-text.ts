import { WeirError } from '../base/errors.ts';

/** A place in a file. Line and column count from 1. */
export interface FilePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A source-map entry: from character `at` up to the next mark, the text comes from this position on one line. */
export interface Mark {
  readonly at: number;
  readonly position: FilePosition;
}

/** A text whose every character has a place: a file, or a part of a template. Marks are in order, the first is at 0. */
export interface Source {
  readonly text: string;
  readonly marks: readonly Mark[];
}

/** A string of a mock configuration with its source position; for a joined string the position is computed only when needed. */
export interface Text {
  readonly kind: 'text';
  readonly text: string;
  readonly origin: { readonly marks: readonly Mark[] } | { readonly left: Text; readonly right: Text };
}

/** A file's text. Line ends become `\n`, as Python reads them. */
export function fileSource(file: string, content: string): Source {
  const text = content.replace(/^\ufeff/, '').replaceAll(/\r\n?/g, '\n');
  const marks: Mark[] = [{ at: 0, position: { file, line: 1, column: 1 } }];
  for (let at = text.indexOf('\n') + 1; at > 0; at = text.indexOf('\n', at) + 1) {
    marks.push({ at, position: { file, line: marks.length + 1, column: 1 } });
  }
  return { text, marks };
}

/** The place of a character. */
export function positionIn({ marks }: Source, offset: number): FilePosition {
  const mark = marks[markBefore(marks, offset)]!;
  return { ...mark.position, column: mark.position.column + offset - mark.at };
}

function markBefore(marks: readonly Mark[], offset: number): number {
  let low = 0;
  let high = marks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (marks[middle]!.at <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A part of a source. */
export function slice(source: Source, start: number, end: number): Text {
  const marks: Mark[] = [{ at: 0, position: positionIn(source, start) }];
  for (let index = markBefore(source.marks, start) + 1; index < source.marks.length; index++) {
    const { at, position } = source.marks[index]!;
    if (at >= end) break;
    marks.push({ at: at - start, position });
  }
  return { kind: 'text', text: source.text.slice(start, end), origin: { marks } };
}

/** A text that comes from one place as a whole. */
export function textAt(text: string, position: FilePosition): Text {
  return { kind: 'text', text, origin: { marks: [{ at: 0, position }] } };
}

export function join(left: Text, right: Text): Text {
  if (left.text === '') return right;
  if (right.text === '') return left;
  return { kind: 'text', text: left.text + right.text, origin: { left, right } };
}

/** The text with the places of all its parts. Takes time in proportion to their number. */
export function sourceOf(whole: Text): Source {
  const marks: Mark[] = [];
  const waiting: Text[] = [whole];
  let start = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if ('left' in next.origin) {
      waiting.push(next.origin.right, next.origin.left);
      continue;
    }
    for (const { at, position } of next.origin.marks) marks.push({ at: start + at, position });
    start += next.text.length;
  }
  return { text: whole.text, marks };
}

/** Where a text begins. */
export function startOf(text: Text): FilePosition {
  let first = text;
  while ('left' in first.origin) first = first.origin.left;
  return first.origin.marks[0]!.position;
}

/** How deep brackets, blocks and values may nest. */
export const maxDepth = 50;

/** How deep expressions, blocks and macros may nest while a template is expanded. */
const maxCalls = 400;

/** Limits how much work one configuration can cause: templates can loop, call themselves, and double their text. */
export class Budget {
  #left = 300_000;
  #depth = 0;

  /** Ends with {@link leave}, or with an error that ends all reading. */
  enter(position: FilePosition): void {
    this.spend(position);
    if (++this.#depth > maxCalls) throw mockError(position, `nested more than ${maxCalls} levels deep`);
  }

  leave(): void {
    this.#depth--;
  }

  /** @param text characters of text made, if any */
  spend(position: FilePosition, text = 0): void {
    this.#left -= 1 + (text >> 4);
    if (this.#left < 0) {
      throw mockError(position, 'the mock configuration asks for too much work', 'look for a loop that repeats itself');
    }
  }
}

const asData =
  'Weir reads a mock configuration as data: assign plain values to config_opts[...], or put the choice into a Jinja template';

/** An error in a mock configuration: exit code 2. */
export function mockError(position: FilePosition, message: string, hint: string = asData): WeirError {
  return new WeirError('mock-config', message, { where: position, hint, exit: 2 });
}
