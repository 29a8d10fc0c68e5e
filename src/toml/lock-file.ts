import { parse, TomlError } from 'smol-toml';
import { type Place, WeirError } from '../base/errors.ts';
import { isTable } from './document.ts';

/**
 * The tables of a lock file that Weir writes: TOML with `version = 1`.
 * @throws WeirError `bad-lock` (exit 2) with the place
 */
export function lockTables(text: string, file: string): Map<string, Record<string, unknown>> {
  let tables: Record<string, unknown>;
  try {
    tables = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const message = error.message.split('\n')[0]!.replace('Invalid TOML document: ', '');
    throw badLock(`invalid TOML in the lock file: ${message}`, { file, line: error.line, column: error.column });
  }
  const { version, ...rest } = tables;
  if (version !== 1) throw badLock('unsupported version of the lock file', { file });
  return new Map(Object.entries(rest).map(([name, value]) => [name, isTable(value) ? value : {}]));
}

export function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** Whether a path of a lock file stays below its mirror or repository. */
export function isBelow(path: string): boolean {
  return !path.startsWith('/') && !path.split('/').includes('..');
}

/** The place of the first occurrence of `part` in a lock file. */
export function placeInLock(text: string, part: string, file: string): Place {
  const at = text.indexOf(part);
  return at < 0 ? { file } : { file, line: text.slice(0, at).split('\n').length };
}

export function badLock(message: string, where: Place): WeirError {
  const hint = 'restore the file from git, or delete it: the next run writes a new one';
  return new WeirError('bad-lock', message, { where, hint, exit: 2 });
}
