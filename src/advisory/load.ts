import { lstatSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { z } from 'zod';
import { didYouMean, WeirError } from '../base/errors.ts';
import { namesEndingIn } from '../base/files.ts';
import { type Document, parseDocument, problem, readDocument } from '../toml/document.ts';
import { together } from '../toml/problems.ts';
import type { Advisory } from './record.ts';
import { advisorySchema } from './schema.ts';

/** The ending of a record's file. */
export const recordEnding = '.toml';

/** The path of a record. @param folder `[advisories] path` of the project */
export function recordPath(folder: string, id: string): string {
  return join(folder, `${id}${recordEnding}`);
}

/**
 * Reads all records of a project, sorted by ID (numbers by value). A project without the folder has none.
 * @throws WeirError (exit 2) those of `readDocument`, `record-name`, `duplicate-record`; the first with the others attached
 */
export async function loadAdvisories(folder: string): Promise<readonly Advisory[]> {
  const names = await namesEndingIn(folder, recordEnding);
  const records: Advisory[] = [];
  const errors: WeirError[] = [];
  for (const name of names) {
    try {
      records.push(readAdvisory(recordPath(folder, name)));
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      errors.push(error, ...error.others);
    }
  }
  errors.push(...duplicates(records));
  const [first, ...others] = errors;
  if (first !== undefined) throw together(first, others);
  return records.sort(byId);
}

/** Reads one record. @throws WeirError (exit 2) those of `readDocument`, `record-name`, `linked-record` */
export function readAdvisory(path: string): Advisory {
  refuseLink(path);
  return advisoryOf(readDocument(path, advisorySchema, { reasons: 'required' }));
}

/** A new event would replace the link by a file, and git would not see changes behind it. @throws WeirError `linked-record` (exit 2) */
export function refuseLink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return;
  throw new WeirError('linked-record', 'a record must not be a symbolic link', {
    where: { file: path },
    hint: 'put the file itself there',
    exit: 2,
  });
}

/** `readAdvisory` for text in memory; `path` is for messages. */
export function parseAdvisory(path: string, text: string): Advisory {
  return advisoryOf(parseDocument(path, text, advisorySchema));
}

function advisoryOf(document: Document<z.output<typeof advisorySchema>>): Advisory {
  const { data, path, text } = document;
  const { $schema: _, events, ...rest } = data;
  const name = basename(path, recordEnding);
  if (data.id !== name) {
    throw problem(document, ['id'], 'record-name', `the record of ${data.id} is in a file of another name`, {
      hint: `rename the file to ${data.id}${recordEnding}`,
    });
  }
  return { ...rest, events: events ?? [], document: { path, text } };
}

/** Records that name the same vulnerability, by ID or alias. */
function duplicates(records: readonly Advisory[]): WeirError[] {
  const seen = new Map<string, Advisory>();
  const errors: WeirError[] = [];
  for (const record of records) {
    for (const [index, id] of [record.id, ...(record.aliases ?? [])].entries()) {
      const other = seen.get(id);
      seen.set(id, other ?? record);
      if (other === undefined || other === record) continue;
      const path = index === 0 ? ['id'] : ['aliases', index - 1];
      const message = `two records for ${id}: the other one is ${basename(other.document.path)}`;
      errors.push(
        problem(record.document, path, 'duplicate-record', message, { hint: 'keep one, and move the events there' }),
      );
    }
  }
  return errors;
}

const numerically = new Intl.Collator('en', { numeric: true });

/** Order of records: CVE-2026-9999 before CVE-2026-10000. */
export function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return numerically.compare(a.id, b.id);
}

/** The error of a record that does not exist. */
export function noRecord(path: string, id: string): WeirError {
  return new WeirError('no-record', `there is no record of ${id}`, {
    where: { file: path },
    hint: `create one: weir advisory new ${id}`,
    exit: 2,
  });
}

/**
 * Records by ID or alias, in the order asked for.
 * @throws WeirError (exit 2) `no-record` with the closest ID, and those of `loadAdvisories`
 */
export async function recordsNamed(folder: string, ids: readonly string[]): Promise<readonly Advisory[]> {
  const records = await loadAdvisories(folder);
  return [...new Set(ids)].map((id) => {
    const wanted = id.toUpperCase();
    const found = records.find((one) => [one.id, ...(one.aliases ?? [])].some((each) => each.toUpperCase() === wanted));
    if (found !== undefined) return found;
    throw new WeirError('no-record', `there is no record of ${id}`, {
      where: { file: folder },
      hint:
        didYouMean(
          id,
          records.map((record) => record.id),
        ) ?? 'see: weir advisory list',
      exit: 2,
    });
  });
}
