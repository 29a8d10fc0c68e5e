// Retries after temporary failures, and how long to wait first. RFC 9110, 10.2.3 (Retry-After).

/** Most seconds that a server may delay one request, over all its waits; a longer Retry-After is not followed. */
export const longestWait = 300;

/** Whether a status is temporary: the same request may succeed a little later. */
export function isFromCommandLineStatus(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

/**
 * Seconds to wait before asking a busy server again, from its Retry-After header, rounded up; undefined without a valid one.
 * @param header returns a response header by name
 * @param now milliseconds since 1970, for responses without a Date header
 */
export function retryAfterSeconds(
  status: number,
  header: (name: string) => string | null | undefined,
  now = Date.now(),
): number | undefined {
  if (!isFromCommandLineStatus(status)) return undefined;
  const text = header('retry-after')?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text);
  const at = httpDate(text, now);
  if (at === undefined) return undefined;
  // By the server's own clock, which may differ from ours.
  const from = httpDate(header('date')?.trim() ?? '', now) ?? now;
  return Math.max(0, Math.ceil((at - from) / 1000));
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const time = '(\\d{2}):(\\d{2}):(\\d{2})';
/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const preferred = new RegExp(`^[A-Z][a-z]{2}, (\\d{2}) ([A-Z][a-z]{2}) (\\d{4}) ${time} GMT$`);
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const ofRfc850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d{2})-([A-Z][a-z]{2})-(\\d{2}) ${time} GMT$`);
/** `Sun Nov  6 08:49:37 1994` */
const ofAsctime = new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \\d]\\d) ${time} (\\d{4})$`);

/** Milliseconds since 1970 for a date in one of the three formats of RFC 9110, 5.6.7. */
function httpDate(text: string, now: number): number | undefined {
  const modern = preferred.exec(text) ?? ofRfc850.exec(text);
  const [, day, month, year, hours, minutes, seconds] = modern ?? swapped(ofAsctime.exec(text)) ?? [];
  const index = months.indexOf(month ?? '');
  if (index < 0) return undefined;
  const full = year!.length === 2 ? yearOf(Number(year), now) : Number(year);
  return Date.UTC(full, index, Number(day), Number(hours), Number(minutes), Number(seconds));
}

function swapped(match: readonly string[] | null): readonly string[] | undefined {
  if (match === null) return undefined;
  const [whole, month, day, hours, minutes, seconds, year] = match;
  return [whole!, day!, month!, year!, hours!, minutes!, seconds!];
}

/** The full year for a two-digit one: never more than 50 years ahead. */
function yearOf(year: number, now: number): number {
  const ahead = new Date(now).getUTCFullYear() + 50;
  const last = ahead - (ahead % 100) + year;
  return last > ahead ? last - 100 : last;
}

/** Waits before the next attempt (1, 2, …): 1 s, 2 s, 4 s … and at least as long as the server's Retry-After. */
export function backOff(attempt: number, askedSeconds = 0): Promise<void> {
  const seconds = Math.max(2 ** (attempt - 1), askedSeconds);
  return new Promise((done) => setTimeout(done, seconds * 1000));
}

/** A budget for the Retry-After waits within one request. */
export interface RetryBudget {
  /**
   * Whether a wait fits into what is left of the budget; if so it is deducted. Each wait costs at least a second, so a server
   * that always answers 0 is not retried for ever.
   */
  readonly allows: (seconds: number) => boolean;
}

export function newRetryBudget(most = longestWait): RetryBudget {
  let left = most;
  return {
    allows: (seconds) => {
      const cost = Math.max(1, seconds);
      if (cost > left) return false;
      left -= cost;
      return true;
    },
  };
}
