import { shownText } from './foreign-text.ts';
import { compareText } from './order.ts';
/** Where an error happened: a file with line and column (1-based), or a named thing. */
export interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly component?: string;
  readonly package?: string;
  readonly overlay?: string;
}

export interface WeirErrorOptions {
  readonly where?: Place;
  /** What the user can do about it, one sentence. */
  readonly hint?: string;
  /** Further lines shown below the message, for example the end of a log. */
  readonly details?: readonly string[];
  /** Further errors found in the same pass, for example in the same configuration. */
  readonly others?: readonly WeirError[];
  /** 2 for wrong usage or configuration, 1 for everything else (the default). */
  readonly exit?: 1 | 2;
  readonly cause?: unknown;
}

/** An error meant for the user: what, where and what to do. Any other thrown error is a bug in Weir. */
export class WeirError extends Error {
  readonly code: string;
  readonly where: Place | undefined;
  readonly hint: string | undefined;
  readonly details: readonly string[];
  readonly others: readonly WeirError[];
  readonly exit: 1 | 2;

  /** @param code stable kebab-case name of the error kind, for scripts and tests */
  constructor(code: string, message: string, options: WeirErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'WeirError';
    this.code = code;
    this.where = options.where;
    this.hint = options.hint;
    this.details = options.details ?? [];
    this.others = options.others ?? [];
    this.exit = options.exit ?? 1;
  }
}

/**
 * A copy of an error with more context from a caller: a place, a hint or another exit code.
 * @param more overrides what the error has
 */
export function withContext(error: WeirError, more: Pick<WeirErrorOptions, 'where' | 'hint' | 'exit'>): WeirError {
  const { code, message, where, hint, details, others, exit } = error;
  const own = {
    ...(where === undefined ? {} : { where }),
    ...(hint === undefined ? {} : { hint }),
    details,
    others,
    exit,
  };
  return new WeirError(code, message, { ...own, ...more, cause: error });
}

/** `file:line:column` as far as known, then the component, package or overlay. */
export function formatPlace(place: Place): string {
  const parts: string[] = [];
  if (place.file !== undefined) {
    parts.push([place.file, place.line, place.column].filter((part) => part !== undefined).join(':'));
  }
  if (place.component !== undefined) parts.push(`component ${place.component}`);
  if (place.package !== undefined) parts.push(`package ${place.package}`);
  if (place.overlay !== undefined) parts.push(`overlay ${place.overlay}`);
  return parts.join(', ');
}

/**
 * The error as the terminal shows it: one `error:` line with the place, the details indented, then the hint; further errors
 * follow in the same form.
 */
export function formatError(error: WeirError, word: 'error' | 'warning' = 'error'): string {
  const place = error.where ? formatPlace(error.where) : '';
  const lines = [`${word}: ${place === '' ? '' : `${place}: `}${error.message}`];
  for (const detail of error.details) lines.push(`  ${detail}`);
  if (error.hint !== undefined) lines.push(`hint: ${error.hint}`);
  for (const other of error.others) lines.push(formatError(other, word));
  return lines.map(printable).join('\n');
}

/** Names and logs are untrusted: drops colours, and shows the rest of what a terminal would obey. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to replace
  return shownText(text.replace(/\x1b\[[0-9;]*m/g, ''));
}

/** The error as `--json` prints it. */
export function errorJson(error: WeirError): Record<string, unknown> {
  const shown = ({ code, message, where, hint, details }: PlainError) => ({ code, message, where, hint, details });
  const others = error.others.map((other) => shown(plainError(other)));
  return { error: shown(plainError(error)), ...(others.length === 0 ? {} : { others }) };
}

/** A WeirError as plain data, for messages between threads and for files. */
export interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly where?: Place;
  readonly hint?: string;
  readonly details: readonly string[];
  readonly exit: 1 | 2;
  readonly stack?: string;
}

export function plainError(error: WeirError): PlainError {
  const { code, message, where, hint, details, exit, stack } = error;
  return {
    code,
    message,
    details,
    exit,
    ...(where === undefined ? {} : { where }),
    ...(hint === undefined ? {} : { hint }),
    ...(stack === undefined ? {} : { stack }),
  };
}

/** The same without its stack, for results that are printed. */
export function shownError(error: WeirError): PlainError {
  const { stack: _, ...rest } = plainError(error);
  return rest;
}

export function revivedError(plain: PlainError): WeirError {
  const { code, message, where, hint, details, exit, stack } = plain;
  const error = new WeirError(code, message, {
    details,
    exit,
    ...(where === undefined ? {} : { where }),
    ...(hint === undefined ? {} : { hint }),
  });
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** The `code` of a Node system error such as ENOENT, or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** The hint for a name that is none of `names`, or undefined if none of them is close. */
export function didYouMean(name: string, names: Iterable<string>): string | undefined {
  const near = closest(name, names)[0];
  return near === undefined ? undefined : `did you mean ${near}?`;
}

/** Up to `limit` candidates close to `word` (by edit distance). */
export function closest(word: string, candidates: Iterable<string>, limit = 1): string[] {
  const scored: { candidate: string; distance: number }[] = [];
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance <= Math.max(2, Math.floor(word.length / 3))) scored.push({ candidate, distance });
  }
  scored.sort((a, b) => a.distance - b.distance || compareText(a.candidate, b.candidate));
  return scored.slice(0, limit).map((entry) => entry.candidate);
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length]!;
}
