import { WeirError } from '../base/errors.ts';

/**
 * The value of an option for a day or a moment, in RFC 3339; a day alone means its end, in UTC.
 * @throws WeirError `bad-date` (exit 2)
 */
export function momentOption(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const moment = day || /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const time = moment ? Date.parse(day ? `${text}T23:59:59Z` : text) : Number.NaN;
  // Date.parse takes February 30 as a day of March.
  const isReal = !Number.isNaN(time) && !Number.isNaN(Date.parse(text.slice(0, 10))) && isDay(text.slice(0, 10));
  if (isReal) return new Date(time).toISOString().replace('.000Z', 'Z');
  throw new WeirError('bad-date', `invalid date ${JSON.stringify(text)}`, {
    hint: 'write a day as 2026-08-01, or a moment as 2026-08-01T12:00:00Z',
    exit: 2,
  });
}

function isDay(text: string): boolean {
  return new Date(`${text}T00:00:00Z`).toISOString().startsWith(text);
}
