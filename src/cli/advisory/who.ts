import type { Command } from 'commander';
import { momentOf } from '../../advisory/record.ts';
import { WeirError } from '../../base/errors.ts';
import { isoTime } from '../../base/time.ts';
import { projectAuthor } from '../../sources/author.ts';
import { momentOption } from '../moment.ts';

/** Rejects empty values of options, as from an unset variable. @throws WeirError `bad-option` (exit 2) */
export function refuseEmptyOptions(command: Command): void {
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (value !== '' && !(Array.isArray(value) && value.includes(''))) continue;
    throw new WeirError('bad-option', `${option.long} requires a value, but is empty`, { exit: 2 });
  }
}

/** Who says something, and when; by default git's author, now. */
export interface WhoOptions {
  readonly by?: string;
  readonly at?: string;
}

/** The two fields that every event has. @param root of the project, for git's author */
export async function signature(
  root: string,
  { by, at }: WhoOptions,
): Promise<{ readonly at: string; readonly by: string }> {
  const { name, email } = by === undefined ? await projectAuthor(root, '--by') : { name: by, email: '' };
  return { at: eventMoment(at), by: email === '' ? name : `${name} <${email}>` };
}

/** The moment of an event; a day alone means its end, today the present: nothing has happened in the future. */
function eventMoment(text: string | undefined): string {
  const present = now();
  return text === undefined || text === present.slice(0, 10) ? present : momentOption(text)!;
}

/** The moment of an option in seconds since 1970; by default the present. @throws WeirError `bad-date` (exit 2) */
export function secondsOption(text: string | undefined): number {
  return momentOf(momentOption(text) ?? now());
}

/** The present moment in whole seconds, RFC 3339. */
export function now(): string {
  return isoTime(Math.floor(Date.now() / 1000));
}

/** A day or a moment; a day alone means its beginning, in UTC. @throws WeirError `bad-date` (exit 2) */
export function beginningOption(text: string): string {
  return momentOption(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text)!;
}
