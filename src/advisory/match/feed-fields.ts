import { WeirError } from '../../base/errors.ts';
import { shownLine } from '../../base/foreign-text.ts';
import { isoTime } from '../../base/time.ts';
import { dateSchema } from '../../project/schema/words.ts';

/** Where a value of a feed begins: errors name the place, and the JSON pointer of the value. */
export interface FeedPlace {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** JSON pointer (RFC 6901) of the value; empty for a whole document. */
  readonly pointer: string;
}

/** An object of a feed. Only its own properties count: a feed may name one `__proto__`. */
export type Fields = Readonly<Record<string, unknown>>;

type Path = readonly (string | number)[];

/** The error for a value that a feed must not have. @param path of the value below `place` */
export function badFeed(place: FeedPlace, path: Path, problem: string, cause?: unknown): WeirError {
  const pointer = `${place.pointer}${path.map((part) => `/${escaped(part)}`).join('')}`;
  return new WeirError('bad-feed', `invalid feed: ${pointer === '' ? '' : `${shownLine(pointer)}: `}${problem}`, {
    where: { file: place.file, line: place.line },
    hint: 'download the feed again; if it stays so, report it to its publisher',
    cause,
  });
}

/** A part of a JSON pointer. */
export function escaped(part: string | number): string {
  return String(part).replaceAll('~', '~0').replaceAll('/', '~1').slice(0, 200);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A property of an object; `null` counts as missing. */
export function field(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? (fields[key] ?? undefined) : undefined;
}

function wrong(value: unknown, wanted: string, place: FeedPlace, path: Path): WeirError {
  const is =
    value === undefined ? 'nothing' : Array.isArray(value) ? 'an array' : isFields(value) ? 'an object' : typeOf(value);
  return badFeed(place, path, `expected ${wanted}, found ${is}`);
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : `a ${typeof value}`;
}

/** A text that must be there and not be empty. @throws WeirError `bad-feed` */
export function textAt(value: unknown, place: FeedPlace, ...path: Path): string {
  if (typeof value !== 'string' || value === '') throw wrong(value, 'a text', place, path);
  return value;
}

/** A text; undefined if it is missing or blank. @throws WeirError `bad-feed` */
export function maybeText(value: unknown, place: FeedPlace, ...path: Path): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && value.trim() === '') return undefined;
  return textAt(value, place, ...path);
}

/** @throws WeirError `bad-feed` */
export function fieldsAt(value: unknown, place: FeedPlace, ...path: Path): Fields {
  if (!isFields(value)) throw wrong(value, 'an object', place, path);
  return value;
}

/** A list; empty if it is missing. @throws WeirError `bad-feed` */
export function listAt(value: unknown, place: FeedPlace, ...path: Path): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(value, 'an array', place, path);
  return value;
}

/** A list of texts; empty if it is missing. @throws WeirError `bad-feed` */
export function textsAt(value: unknown, place: FeedPlace, ...path: Path): readonly string[] {
  const list = listAt(value, place, ...path);
  for (let index = 0; index < list.length; index++) {
    if (typeof list[index] !== 'string' || list[index] === '')
      throw wrong(list[index], 'a text', place, [...path, index]);
  }
  return list as readonly string[];
}

/** A list of objects; empty if it is missing. @throws WeirError `bad-feed` */
export function tablesAt(value: unknown, place: FeedPlace, ...path: Path): readonly Fields[] {
  const list = listAt(value, place, ...path);
  for (const [index, each] of list.entries())
    if (!isFields(each)) throw wrong(each, 'an object', place, [...path, index]);
  return list as readonly Fields[];
}

/** A CVSS base score; undefined if it is missing. @throws WeirError `bad-feed` */
export function scoreAt(value: unknown, place: FeedPlace, ...path: Path): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number') throw wrong(value, 'a number', place, path);
  if (!(value >= 0 && value <= 10)) throw badFeed(place, path, `a CVSS score is from 0 to 10, not ${value}`);
  return value;
}

/** A moment as `2026-11-01T00:00:00Z`; one without a zone is UTC. @throws WeirError `bad-feed` */
export function momentAt(value: unknown, place: FeedPlace, ...path: Path): string | undefined {
  const text = maybeText(value, place, ...path);
  if (text === undefined) return undefined;
  const moment = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/i.exec(text);
  const zoned = moment?.[1] === undefined || moment[4] !== undefined ? text : `${text}Z`;
  const isDay = dateSchema.safeParse(text.slice(0, 10)).success;
  const time = moment === null || !isDay ? Number.NaN : Date.parse(zoned.toUpperCase());
  // A time zone can lead out of the years that have four digits.
  if (Number.isNaN(time) || !/^\d{4}-/.test(new Date(time).toISOString()))
    throw badFeed(place, path, `'${text.slice(0, 50)}' is not a date`);
  return isoTime(Math.floor(time / 1000));
}
