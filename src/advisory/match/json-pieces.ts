import { WeirError } from '../../base/errors.ts';
import { escaped } from './feed-fields.ts';

/** One value of a JSON stream. */
export interface JsonPiece {
  /** Its name, if it is a member of an object. */
  readonly key: string | undefined;
  /** JSON pointer (RFC 6901) in its document. */
  readonly pointer: string;
  /** 1-based line in which it begins. */
  readonly line: number;
  readonly value: unknown;
}

/**
 * What the pieces of a stream are: its values (one, or one a line), the elements of its one array, the members of its one
 * object, or the elements of the arrays with these names in its one object, whose other members are skipped.
 */
export type JsonParts = 'values' | 'elements' | 'members' | { readonly arrays: readonly string[] };

/** A piece must fit into memory several times. The longest real ones, all CVEs of the kernel in Debian's tracker, have some 10 MiB. */
const mostOfPiece = 64 << 20;

const deepest = 200;
const longestKey = 4096;

type State = 'start' | 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'in-key' | 'colon' | 'after' | 'piece' | 'end';

interface Open {
  readonly isArray: boolean;
  /** Of the member or element that is read. */
  index: number;
  key: string;
}

const quote = 34;
const backslash = 92;
const newline = 10;

/**
 * Cuts a JSON stream into pieces without holding more than one of them: feeds have hundreds of megabytes. The text between
 * the pieces is checked here, the pieces themselves by JSON.parse.
 */
export class JsonPieces {
  readonly #file: string;
  readonly #parts: JsonParts;
  readonly #opened: Open[] = [];
  #state: State = 'start';
  #line = 1;
  #count = 0;
  /** Parts of the key or piece that is read, from earlier chunks. */
  #kept: Buffer[] = [];
  #keptSize = 0;
  #pieceLine = 1;
  #isFirst = true;
  #isBegun = false;
  #isSkipped = false;
  #depth = 0;
  #inText = false;
  #isEscaped = false;

  constructor(file: string, parts: JsonParts) {
    this.#file = file;
    this.#parts = parts;
  }

  /** The pieces that end in the next bytes of the stream. @throws WeirError `bad-feed` */
  *push(chunk: Buffer): Generator<JsonPiece> {
    let at = 0;
    // A byte order mark.
    if (this.#isFirst && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf) at = 3;
    this.#isFirst = false;
    while (at < chunk.length) {
      if (this.#state !== 'piece' && this.#state !== 'in-key') {
        at = this.#step(chunk, at);
        continue;
      }
      const end = this.#endOfPiece(chunk, at);
      const bytes = this.#taken(chunk, at, end, this.#state === 'piece' ? mostOfPiece : longestKey);
      if (bytes === undefined) return;
      at = end!;
      if (this.#state === 'in-key') {
        this.#opened.at(-1)!.key = String(this.#parsed(bytes));
        this.#state = 'colon';
      } else {
        if (!this.#isSkipped) yield this.#piece(bytes);
        this.#state = this.#opened.length === 0 ? 'start' : 'after';
      }
    }
  }

  /** @throws WeirError `bad-feed` if the stream ends too early */
  *end(): Generator<JsonPiece> {
    // Only a number or a word at the top has no end of its own.
    if (this.#state === 'piece' && this.#opened.length === 0 && this.#depth === 0 && !this.#inText) {
      yield this.#piece(Buffer.concat(this.#kept));
      return;
    }
    if (this.#state === 'end' || (this.#state === 'start' && this.#count > 0)) return;
    throw this.#bad(this.#count === 0 && this.#state === 'start' ? 'the file is empty' : 'the file ends too early');
  }

  /** Reads one byte between pieces. @returns the next offset */
  #step(chunk: Buffer, at: number): number {
    const byte = chunk[at]!;
    if (byte === newline) this.#line++;
    if (byte === 32 || byte === newline || byte === 13 || byte === 9) return at + 1;
    const open = this.#opened.at(-1);
    switch (this.#state) {
      case 'start':
        return this.#beginTop(byte, at);
      case 'value-or-end':
      case 'key-or-end':
        if (byte === (open!.isArray ? 93 : 125)) return this.#close(at);
        this.#state = this.#state === 'key-or-end' ? 'key' : 'value';
        return at;
      case 'key':
        if (byte !== quote) throw this.#unexpected(chunk, at, 'the name of a member');
        this.#state = 'in-key';
        return at;
      case 'colon':
        if (byte !== 58) throw this.#unexpected(chunk, at, "':'");
        this.#state = 'value';
        return at + 1;
      case 'value':
        return this.#beginInside(byte, at);
      case 'after':
        if (byte === 44) {
          open!.index++;
          this.#state = open!.isArray ? 'value' : 'key';
          return at + 1;
        }
        if (byte !== (open!.isArray ? 93 : 125))
          throw this.#unexpected(chunk, at, `',' or '${open!.isArray ? ']' : '}'}'`);
        return this.#close(at);
      default:
        throw this.#unexpected(chunk, at, 'the end of the file');
    }
  }

  #beginTop(byte: number, at: number): number {
    if (this.#parts === 'values' || (byte !== 91 && byte !== 123)) return this.#begin(false, at);
    return this.#open(byte, at);
  }

  #beginInside(byte: number, at: number): number {
    const parts = this.#parts;
    if (typeof parts !== 'object' || this.#opened.length > 1) return this.#begin(false, at);
    if (byte === 91 && parts.arrays.includes(this.#opened[0]!.key)) return this.#open(byte, at);
    return this.#begin(true, at);
  }

  #open(byte: number, at: number): number {
    const isArray = byte === 91;
    this.#opened.push({ isArray, index: 0, key: '' });
    this.#state = isArray ? 'value-or-end' : 'key-or-end';
    return at + 1;
  }

  #close(at: number): number {
    this.#opened.pop();
    this.#count++;
    this.#state = this.#opened.length === 0 ? 'end' : 'after';
    return at + 1;
  }

  #begin(isSkipped: boolean, at: number): number {
    this.#state = 'piece';
    this.#isSkipped = isSkipped;
    this.#pieceLine = this.#line;
    return at;
  }

  /** The offset after the value that is read, or undefined if it goes on after the chunk. */
  #endOfPiece(chunk: Buffer, from: number): number | undefined {
    let depth = this.#depth;
    let inText = this.#inText;
    // A value without brackets or quotes ends before the byte that cannot belong to it.
    const isBare = depth === 0 && !inText && this.#isBegun;
    let at = from;
    const first = chunk[at]!;
    if (isBare || (depth === 0 && !inText && first !== quote && first !== 91 && first !== 123)) {
      while (at < chunk.length && !isDelimiter(chunk[at]!)) at++;
      if (at === chunk.length) return undefined;
      if (at === from && !isBare) throw this.#unexpected(chunk, at, 'a value');
      return at;
    }
    if (this.#isEscaped) {
      at++;
      this.#isEscaped = false;
    }
    while (at < chunk.length) {
      const byte = chunk[at++]!;
      if (inText) {
        if (byte === backslash) {
          if (at === chunk.length) this.#isEscaped = true;
          else at++;
        } else if (byte === quote) {
          inText = false;
          if (depth === 0) {
            this.#inText = false;
            return at;
          }
        }
      } else if (byte === quote) inText = true;
      else if (byte === 123 || byte === 91) {
        if (++depth > deepest) throw this.#bad(`it is nested deeper than ${deepest} levels`);
      } else if (byte === 125 || byte === 93) {
        if (--depth === 0) {
          this.#depth = 0;
          this.#inText = false;
          return at;
        }
      } else if (byte === newline) this.#line++;
    }
    this.#depth = depth;
    this.#inText = inText;
    return undefined;
  }

  /** Keeps what was read of a piece. @returns all of it once it is complete; nothing is kept of one that is skipped */
  #taken(chunk: Buffer, start: number, end: number | undefined, most: number): Buffer | undefined {
    this.#isBegun = end === undefined;
    if (this.#state === 'piece' && this.#isSkipped) return end === undefined ? undefined : chunk;
    const bytes = chunk.subarray(start, end);
    this.#keptSize += bytes.length;
    if (this.#keptSize > most) throw this.#bad(`one value has more than ${most} bytes, the limit`);
    if (end === undefined) {
      // A copy, because the reader may use the chunk's memory again.
      this.#kept.push(Buffer.from(bytes));
      return undefined;
    }
    const whole = this.#kept.length === 0 ? bytes : Buffer.concat([...this.#kept, bytes]);
    this.#kept = [];
    this.#keptSize = 0;
    return whole;
  }

  #piece(bytes: Buffer): JsonPiece {
    const value = this.#parsed(bytes);
    const pointer = this.#opened.map(({ isArray, index, key }) => `/${escaped(isArray ? index : key)}`).join('');
    const open = this.#opened.at(-1);
    if (open === undefined) this.#count++;
    return { key: open?.isArray === false ? open.key : undefined, pointer, line: this.#pieceLine, value };
  }

  #parsed(bytes: Buffer): unknown {
    const text = bytes.toString('utf8');
    try {
      return JSON.parse(text);
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      const position = /at position (\d+)/.exec(said)?.[1];
      const before = position === undefined ? text : text.slice(0, Number(position));
      const first = this.#state === 'in-key' ? this.#line : this.#pieceLine;
      const line = first + (before.match(/\n/g)?.length ?? 0);
      throw this.#bad(said.replace(/ in JSON at position .*| \(line .*/s, '').slice(0, 200), line, cause);
    }
  }

  #unexpected(chunk: Buffer, at: number, wanted: string): WeirError {
    const found = chunk.toString('latin1', at, at + 1);
    return this.#bad(`expected ${wanted}, found ${JSON.stringify(found)}`);
  }

  #bad(problem: string, line = this.#line, cause?: unknown): WeirError {
    return new WeirError('bad-feed', `invalid JSON: ${problem}`, { where: { file: this.#file, line }, cause });
  }
}

/** Space, a comma, a closing or opening bracket, a colon, or a quote. */
function isDelimiter(byte: number): boolean {
  return (
    byte <= 32 ||
    byte === 44 ||
    byte === 93 ||
    byte === 125 ||
    byte === 91 ||
    byte === 123 ||
    byte === 58 ||
    byte === quote
  );
}
