import { momentOf } from '../../advisory/record.ts';
import { isoTime } from '../../base/time.ts';
import { projectAuthor } from '../../sources/author.ts';
import { momentOption } from '../moment.ts';

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
  const { name, email } = by === undefined ? await projectAuthor(root) : { name: by, email: '' };
  return { at: momentOption(at) ?? now(), by: email === '' ? name : `${name} <${email}>` };
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
