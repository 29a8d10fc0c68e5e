import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { tryLock } from '../base/file-lock.ts';
import { diskError, exists, readIfExists, writeAtomic } from '../base/files.ts';
import { keyText, quotedText } from '../project/toml.ts';
import { together } from '../toml/problems.ts';
import { futureDates } from './check.ts';
import { loadAdvisories, noRecord, parseAdvisory, recordPath, refuseLink } from './load.ts';
import type { Advisory, AdvisoryEvent } from './record.ts';
import { vulnerabilityId } from './schema.ts';

/** The fields of a record without its events. */
export type RecordHeader = Omit<Advisory, 'events' | 'document'>;

type Value = string | readonly string[];

/** A new record as TOML. */
export function recordText(header: RecordHeader, events: readonly AdvisoryEvent[]): string {
  const { id, title, severity, cvss, published, description, aliases, references, cwe } = header;
  const fields = { id, title, severity, cvss, published, description, aliases, references, cwe };
  return `${fieldLines(fields).join('\n')}\n${events.map(eventText).join('')}`;
}

/** An event as TOML, with an empty line before it. */
export function eventText(event: AdvisoryEvent): string {
  return `\n[[events]]\n${fieldLines(event).join('\n')}\n`;
}

function fieldLines(fields: Readonly<Record<string, Value | undefined>>): string[] {
  return Object.entries(fields).flatMap(([key, value]) =>
    value === undefined || value.length === 0 ? [] : [`${keyText(key)} = ${valueText(value)}`],
  );
}

function valueText(value: Value): string {
  if (typeof value !== 'string') {
    const items = value.map(quotedText);
    const one = `[${items.join(', ')}]`;
    return one.length <= 100 ? one : `[\n${items.map((item) => `  ${item},\n`).join('')}]`;
  }
  if (!value.includes('\n')) return quotedText(value);
  // Only characters that a multi-line string of TOML cannot contain are escaped, so that the text stays readable.
  const readable: Readonly<Record<string, string>> = { n: '\n', t: '\t', '"': '"' };
  const escaped = quotedText(value)
    .slice(1, -1)
    .replace(/\\(.)/g, (all, letter: string) => readable[letter] ?? all);
  return `"""\n${escaped.replace(/"$/, '\\"').replaceAll('"""', '""\\"')}"""`;
}

/** What a writer may know already. */
export interface WriteOptions {
  /** The present, in seconds since 1970; by default that of the machine. Nothing may be dated later. */
  readonly now?: number;
}

/**
 * Writes a new record. @returns its path
 * @param options `known`: the records of the folder, if they were read already
 * @throws WeirError (exit 2) `record-exists`, `duplicate-record`, `future-date`, those of `loadAdvisories`, and those of
 *   `parseAdvisory` for fields that do not fit the schema
 */
export async function createRecord(
  folder: string,
  header: RecordHeader,
  events: readonly AdvisoryEvent[] = [],
  options: WriteOptions & { readonly known?: readonly Advisory[] } = {},
): Promise<string> {
  const path = recordPath(folder, header.id);
  const text = recordText(header, events);
  withoutLines(path, () => {
    const record = parseAdvisory(path, text);
    refuse(futureDates(record, options.now ?? present()));
  });
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw diskError(error, folder);
    throw new WeirError('not-a-folder', 'this is not a folder', {
      where: { file: folder },
      hint: 'records of vulnerabilities are in a folder of their own; see [advisories] path',
      exit: 2,
      cause: error,
    });
  });
  await whileLocked(folder, async () => {
    if (await isThere(path)) {
      throw new WeirError('record-exists', `a record of ${header.id} already exists`, {
        where: { file: path },
        hint: `see: weir advisory show ${header.id}`,
        exit: 2,
      });
    }
    const other = sameVulnerability(header, options.known ?? (await loadAdvisories(folder)));
    if (other !== undefined) {
      throw new WeirError('duplicate-record', `${other.id} already names ${other.shared}`, {
        where: { file: other.path },
        hint: `add events there: weir advisory event ${other.id} …`,
        exit: 2,
      });
    }
    await writeAtomic(path, text);
  });
  return path;
}

/** The record that has the ID or an alias in common with a new one. */
function sameVulnerability(
  { id, aliases = [] }: RecordHeader,
  known: readonly Advisory[],
): { readonly id: string; readonly path: string; readonly shared: string } | undefined {
  const wanted = new Set([id, ...aliases]);
  for (const record of known) {
    const shared = [record.id, ...(record.aliases ?? [])].find((one) => wanted.has(one));
    if (shared !== undefined) return { id: record.id, path: record.document.path, shared };
  }
  return undefined;
}

/**
 * Adds events at the end of a record; all that is in the file stays byte for byte.
 * @throws WeirError (exit 2) `no-record`, `event-order`, `future-date`, `linked-record`, and those of `parseAdvisory`
 */
export async function appendEvents(
  folder: string,
  id: string,
  events: readonly AdvisoryEvent[],
  { now = present() }: WriteOptions = {},
): Promise<Advisory> {
  const path = recordPath(folder, id);
  // An ID with a path would lead to another folder.
  if (!vulnerabilityId.test(id)) throw noRecord(folder, id);
  return whileLocked(folder, async () => {
    refuseLink(path);
    const before = await readIfExists(path);
    if (before === undefined) throw noRecord(path, id);
    const known = parseAdvisory(path, before);
    if (events.length === 0) return known;
    const after = withEvents(known, events, now);
    await writeAtomic(path, after.document.text);
    return after;
  });
}

/**
 * A record with more events at its end, as `appendEvents` would write it; writes nothing.
 * @throws WeirError (exit 2) `event-order`, `future-date`, and those of `parseAdvisory`
 */
export function withEvents(known: Advisory, events: readonly AdvisoryEvent[], now = present()): Advisory {
  const { path, text: before } = known.document;
  const text = `${before}${before.endsWith('\n') ? '' : '\n'}${events.map(eventText).join('')}`;
  const after = withoutLines(path, () => parseAdvisory(path, text));
  // TOML that ends inside another table would take the events for its own.
  if (after.events.length !== known.events.length + events.length) throw unexpected(path);
  const from = known.events.length;
  withoutLines(path, () => refuse(futureDates(after, now, from)));
  for (const [index, event] of after.events.entries()) {
    const previous = after.events[index - 1];
    if (index < from || previous === undefined || Date.parse(previous.at) <= Date.parse(event.at)) continue;
    throw new WeirError(
      'event-order',
      `the time of the event, ${event.at}, is before that of the previous event, ${previous.at}`,
      {
        where: { file: path },
        hint: 'add events in order of time',
        exit: 2,
      },
    );
  }
  return after;
}

function present(): number {
  return Date.now() / 1000;
}

function refuse([first, ...others]: readonly WeirError[]): void {
  if (first !== undefined) throw together(first, others);
}

/** Whether something has that name, be it a link that leads nowhere. */
async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/** Errors about text that is not in the file yet name the file alone. */
function withoutLines<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    // Events are always valid TOML: only an array of inline tables before them can be in the way.
    if (error.code === 'toml-syntax') throw unexpected(path);
    const [first, ...others] = [error, ...error.others].map(({ code, message, hint }) => {
      return new WeirError(code, message, { where: { file: path }, ...(hint === undefined ? {} : { hint }), exit: 2 });
    });
    throw together(first!, others);
  }
}

function unexpected(path: string): WeirError {
  return new WeirError('wrong-type', 'events cannot be added at the end of this file', {
    where: { file: path },
    hint: 'write the events as [[events]] tables, the last ones of the file',
    exit: 2,
  });
}

/** Milliseconds that a writer waits for another one, and between two looks. */
const patience = { most: 30_000, look: 100 };

/** Lets one writer in at a time, so that events of concurrent writers are not lost. The next ones wait. */
async function whileLocked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  if (!(await exists(folder))) return work();
  const lock = join(folder, '.lock');
  const until = Date.now() + patience.most;
  let release = await tryLock(lock);
  while (release === undefined) {
    if (Date.now() > until) throw stillLocked(lock);
    await new Promise((done) => setTimeout(done, patience.look));
    release = await tryLock(lock);
  }
  try {
    return await work();
  } finally {
    release();
  }
}

function stillLocked(lock: string): WeirError {
  return new WeirError('locked', 'another weir is writing records of vulnerabilities', {
    where: { file: lock },
    hint: 'run the command again when it has finished',
  });
}
