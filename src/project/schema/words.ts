import { z } from 'zod';

// Schemas of the small values in the tables. No transforms: a schema describes the text of the file, so that the JSON
// Schema is the same; conversions are in the modules that build the model.

export const text = (description: string) => z.string().optional().describe(description);
export const flag = (description: string) => z.boolean().optional().describe(description);
export const texts = (description: string) => z.array(z.string()).optional().describe(description);
export const filledTexts = (description: string) =>
  z.array(z.string().min(1, 'must not be empty')).optional().describe(description);
export const textTable = (description: string) => z.record(z.string(), z.string()).optional().describe(description);

/** Names that become file names: components, images, test suites. */
export const nameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._+~^-]*$/, 'a name consists of letters, digits and . _ + ~ ^ -');

/** Names that only other tables refer to: distros, groups. */
export const labelSchema = z.string().regex(/^\S(.*\S)?$/, 'a name is one line without leading or trailing spaces');

/** Names of repositories: they become section headers of dnf's configuration. */
export const repositoryName = /^[A-Za-z0-9][A-Za-z0-9_.:-]*$/;
export const repositoryNameSchema = z
  .string()
  .regex(repositoryName, 'a repository name consists of letters, digits and _ . : -');

/**
 * A commit or a prefix of one, as in azldev, or a full SHA-256 name. A length in between is a SHA-1 name with too many
 * digits.
 */
export const commitPattern = /^([0-9a-fA-F]{7,40}|[0-9a-fA-F]{64})$/;
export const commitRule = 'a commit is 7 to 40 hex digits, or 64';

/** Text for one line of a configuration file of another tool. */
export const line = (description: string) =>
  z
    .string()
    .regex(/^([^\p{Cc}\u2028\u2029]|\t)*$/u, 'must be one line')
    .optional()
    .describe(description);

/** A name that becomes a folder of the published tree. */
export const channelSchema = z
  .string()
  .regex(/^(?!\.\.?$)[^/\\]*$/, 'a channel is the name of one folder: no slash, not "." or ".."');
export const channel = (description: string) => channelSchema.optional().describe(description);

const fileName = /^(?!\.\.?$)[^/\\\s\p{Cc}]+$/u;

/** Whether a text is a base name, not a path. */
export function isFileName(text: string): boolean {
  return fileName.test(text);
}

/** A base name, not a path. */
export const fileNameSchema = z
  .string()
  .regex(fileName, 'must be a file name without spaces, not a path')
  .describe('A file name without folders');

export const sizeSchema = z
  .string()
  .regex(
    /^(?=.*[1-9])[0-9]+(\.[0-9]+)? ?(KiB|MiB|GiB|TiB)$/,
    'a size is a number with KiB, MiB, GiB or TiB, such as "2GiB"',
  );

export const dateSchema = z
  .string()
  .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/, 'a date is written "YYYY-MM-DD"')
  .refine(isCalendarDate, 'there is no such day');

/** A date, or a date-time with its offset from UTC (RFC 3339). */
export const momentSchema = z
  .string()
  .regex(
    /^([0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?)?$/,
    'a date-time is written "YYYY-MM-DD" or "YYYY-MM-DDThh:mm:ssZ"',
  )
  .refine((moment) => moment === '' || isMoment(moment), 'there is no such date-time');

function isMoment(moment: string): boolean {
  return isCalendarDate(moment.slice(0, 10)) && !Number.isNaN(Date.parse(moment.toUpperCase()));
}

function isCalendarDate(date: string): boolean {
  const parsed = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed) && new Date(parsed).toISOString().startsWith(date);
}

export const repositoryUri = z
  .string()
  .regex(/^$|^(https?:\/\/[^\s/?#]|file:\/\/\/)\S*$/, 'must be an http, https or file URL without spaces');

export const webUri = z.string().regex(/^https?:\/\/\S+$/, 'must be an http or https URL');

/** A web address that is published. */
export const publicUri = webUri.regex(
  /^\w+:\/\/[^/?#@]*([/?#]|$)/,
  'must not have a user or password: it is published in the feeds',
);
