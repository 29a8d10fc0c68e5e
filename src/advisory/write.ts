import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { withLock } from '../base/file-lock.ts';
import { exists, readIfExists, writeAtomic } from '../base/files.ts';
import { keyText, quotedText } from '../project/toml.ts';
import { together } from '../toml/problems.ts';
import { noRecord, parseAdvisory, recordPath } from './load.ts';
import type { Advisory, AdvisoryEvent } from './record.ts';

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
  const escaped = quotedText(value)
    .slice(1, -1)
    .replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replaceAll('\\"', '"')
    .replaceAll('"""', '""\\"');
  return `"""\n${escaped.endsWith('"') ? `${escaped.slice(0, -1)}\\"` : escaped}"""`;
}

/**
 * Writes a new record. @returns its path
 * @throws WeirError (exit 2) `record-exists`, and those of `parseAdvisory` for fields that do not fit the schema
 */
export async function createRecord(
  folder: string,
  header: RecordHeader,
  events: readonly AdvisoryEvent[] = [],
): Promise<string> {
  const path = recordPath(folder, header.id);
  const text = recordText(header, events);
  parseAdvisory(path, text);
  await mkdir(folder, { recursive: true });
  await whileLocked(folder, async () => {
    if (await exists(path)) {
      throw new WeirError('record-exists', `a record of ${header.id} already exists`, {
        where: { file: path },
        hint: `see: weir advisory show ${header.id}`,
        exit: 2,
      });
    }
    await writeAtomic(path, text);
  });
  return path;
}

/**
 * Adds events at the end of a record; all that is in the file stays byte for byte.
 * @throws WeirError (exit 2) `no-record`, `event-order`, and those of `parseAdvisory`
 */
export async function appendEvents(folder: string, id: string, events: readonly AdvisoryEvent[]): Promise<Advisory> {
  const path = recordPath(folder, id);
  return whileLocked(folder, async () => {
    const before = await readIfExists(path);
    if (before === undefined) throw noRecord(path, id);
    const known = parseAdvisory(path, before);
    if (events.length === 0) return known;
    const after = withEvents(known, events);
    await writeAtomic(path, after.document.text);
    return after;
  });
}

/**
 * A record with more events at its end, as `appendEvents` would write it; writes nothing.
 * @throws WeirError (exit 2) `event-order`, and those of `parseAdvisory`
 */
export function withEvents(known: Advisory, events: readonly AdvisoryEvent[]): Advisory {
  const { path, text: before } = known.document;
  const text = `${before}${before.endsWith('\n') ? '' : '\n'}${events.map(eventText).join('')}`;
  const after = withoutLines(path, () => parseAdvisory(path, text));
  // TOML that ends inside another table would take the events for its own.
  if (after.events.length !== known.events.length + events.length) throw unexpected(path);
  const from = Math.max(0, known.events.length - 1);
  for (const [index, event] of after.events.entries()) {
    const previous = after.events[index - 1];
    if (index <= from || previous === undefined || Date.parse(previous.at) <= Date.parse(event.at)) continue;
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

/** Errors about text that is not in the file yet name the file alone. */
function withoutLines<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
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

/** Lets one writer in at a time, so that events of concurrent writers are not lost. */
async function whileLocked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  if (!(await exists(folder))) return work();
  return withLock(join(folder, '.lock'), work);
}
