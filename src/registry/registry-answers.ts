import { WeirError } from '../base/errors.ts';
import { isFromCommandLineStatus, newRetryBudget, retryAfterSeconds } from '../base/retry-after.ts';
import { isTable } from '../toml/document.ts';

// Requests to a registry: timeouts, retries, and the checks of its responses.

/** Timeout in seconds for the response head of a request, per attempt. */
export const answerSeconds = 30;

/**
 * `fetch` with a timeout for the response head. Without `seconds`, fetch's own limit applies: five minutes without progress.
 * @throws WeirError `no-registry` on timeout, and fetch's own errors
 */
export async function ask(url: string | URL, init: RequestInit, seconds?: number): Promise<Response> {
  if (seconds === undefined) return fetch(url, init);
  const { host } = new URL(url);
  const limit = new AbortController();
  const late = (): void => {
    const message = `the registry ${host} did not respond within ${seconds} s`;
    limit.abort(new WeirError('no-registry', message, { hint: 'check that this is a registry, or try again later' }));
  };
  const timer = setTimeout(late, seconds * 1000);
  try {
    return await fetch(url, { ...init, signal: limit.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** Retry policy of requests. */
export interface Asking {
  /** How many times to try a request that fails in the network or on the server. */
  readonly attempts: number;
  /** Waits before the next attempt (1, 2, …): at least the seconds of the server's Retry-After. */
  readonly wait: (attempt: number, askedSeconds?: number) => Promise<void>;
  /** Timeout for the response head of a request without a blob, per attempt. */
  readonly answerSeconds: number;
  /** Called when a response has Retry-After. */
  readonly say?: (message: string) => void;
}

/**
 * Sends a request until it gets a final response or retries are used up; then it returns the last response. A response with
 * Retry-After is waited for and does not count as a failed attempt, unless the wait is longer than `longestWait`.
 * @param prepare makes the request, once per attempt. Its errors do not come from the server and are thrown unchanged
 * @throws WeirError `no-registry` and the others of `unanswered`
 */
export async function askPatiently(
  url: string | URL,
  prepare: () => Promise<() => Promise<Response>>,
  { attempts, wait, say }: Asking,
): Promise<Response> {
  const { host, protocol } = new URL(url);
  const budget = newRetryBudget();
  for (let attempt = 1; ; ) {
    const send = await prepare();
    let response: Response;
    try {
      response = await send();
    } catch (error) {
      if (attempt >= attempts || !isFromCommandLine(error)) throw unanswered(host, error, protocol === 'http:');
      await wait(attempt++);
      continue;
    }
    if (!isFromCommandLineStatus(response.status)) return response;
    const asked = askedSeconds(response);
    if (asked === undefined ? attempt >= attempts : !budget.allows(asked)) return response;
    await response.body?.cancel();
    if (asked === undefined) await wait(attempt++);
    else {
      say?.(`${host} answered ${response.status} and asked to wait ${asked} s`);
      await wait(attempt, asked);
    }
  }
}

function askedSeconds({ status, headers }: Response): number | undefined {
  return retryAfterSeconds(status, (name) => headers.get(name));
}

/** `answered 429`, with the wait if the response has Retry-After. */
export function statusWords(response: Response): string {
  const asked = askedSeconds(response);
  return `answered ${response.status}${asked === undefined ? '' : ` (retry after ${asked} s)`}`;
}

/** Why a request failed: the cause of fetch's error, whose own message has no details. */
function reasonOf(error: unknown): { readonly code: string; readonly message: string } {
  const { cause = error } = error as { cause?: unknown };
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return { code: `${code ?? ''}`, message: `${message ?? cause}` };
}

/** Fetch's message for ports of other services, which the Fetch standard blocks. */
const badPort = 'bad port';

/** Fetch's messages for redirect loops and for redirects to something other than HTTP. */
const redirectedToNothing = /redirect count exceeded|URL scheme must be|Invalid URL/i;

/** Whether a retry may help. Unknown hosts, blocked ports and bad redirects stay broken. */
export function isFromCommandLine(error: unknown): boolean {
  const { code, message } = reasonOf(error);
  return code !== 'ENOTFOUND' && message !== badPort && !redirectedToNothing.test(message);
}

/** The error of a request without a response. @param plain whether it was sent without TLS */
export function unanswered(host: string, error: unknown, plain: boolean): WeirError {
  if (error instanceof WeirError) return error;
  const { code, message } = reasonOf(error);
  if (message === badPort) {
    return new WeirError('bad-reference', `${host}: HTTP clients block this port, which belongs to another service`, {
      hint: 'run the registry on another port, such as 5000',
      exit: 2,
      cause: error,
    });
  }
  if (redirectedToNothing.test(message)) return wrongAnswer(host, 'redirects in a loop or to an invalid URL');
  const hint =
    code === 'ENOTFOUND'
      ? 'check the host name'
      : code === 'ECONNREFUSED' || plain
        ? 'check that the registry is running'
        : 'use --plain-http if the registry has no TLS';
  return new WeirError('no-registry', `the registry ${host} did not respond`, {
    details: [message],
    hint,
    cause: error,
  });
}

/** @param what the fault of the response, after the host's name */
export function wrongAnswer(host: string, what: string): WeirError {
  return new WeirError('registry-failed', `${host} ${what}`, { hint: 'check that this is a container registry' });
}

/** Largest manifest in bytes: the size that the Distribution Specification asks registries to accept. */
export const mostManifestBytes = 4 << 20;
export const mostTokenBytes = 1 << 20;
const mostErrorBytes = 64 << 10;

/** Limits on a response body. */
export interface BodyLimits {
  readonly bytes: number;
  /** Longest pause; the whole body may take four times as long. */
  readonly seconds: number;
}

/** The whole body. @throws WeirError `registry-failed` if it is too large, `no-registry` if it breaks off or times out */
async function bodyOf(response: Response, host: string, limits: BodyLimits): Promise<string> {
  const { chunks, wrong } = await received(response, host, limits);
  if (wrong !== undefined) throw wrong;
  return Buffer.concat(chunks).toString();
}

/** The beginning of an error response's body. Faults of the body are ignored: the refusal is what counts. */
export async function errorTextOf(response: Response, host: string, seconds: number): Promise<string> {
  const { chunks } = await received(response, host, { bytes: mostErrorBytes, seconds });
  return Buffer.concat(chunks).toString().slice(0, 500);
}

/** The part of a body within the limits, and the error at which reading stopped. */
async function received(
  response: Response,
  host: string,
  { bytes, seconds }: BodyLimits,
): Promise<{ readonly chunks: readonly Uint8Array[]; readonly wrong?: WeirError }> {
  const reader = response.body?.getReader();
  if (reader === undefined) return { chunks: [] };
  const chunks: Uint8Array[] = [];
  let wrong: WeirError | undefined;
  const giveUp = (error: WeirError): void => {
    wrong ??= error;
    // Cancelling ends a pending read and closes the connection.
    void reader.cancel().catch(() => {});
  };
  const late = (what: string): void =>
    giveUp(new WeirError('no-registry', `the registry ${host} ${what}`, { hint: 'try again later' }));
  const pause = setTimeout(() => late(`stalled: no data for ${seconds} s`), seconds * 1000);
  const whole = setTimeout(() => late(`did not complete its response within ${seconds * 4} s`), seconds * 4000);
  try {
    for (let size = 0; ; ) {
      const { done, value } = await reader.read();
      if (wrong !== undefined || done) break;
      pause.refresh();
      size += value.length;
      if (size > bytes) giveUp(wrongAnswer(host, `sent a response of more than ${bytes} bytes`));
      else chunks.push(value);
    }
  } catch (cause) {
    wrong ??= new WeirError('no-registry', `the registry ${host} closed the connection early`, { cause });
  } finally {
    clearTimeout(pause);
    clearTimeout(whole);
  }
  return { chunks, ...(wrong === undefined ? {} : { wrong }) };
}

/** No valid response is nested this deep, and some JSON readers recurse per level. */
const deepest = 64;

/**
 * The fields of a JSON response.
 * @param what name of the requested thing, for errors
 * @throws WeirError `registry-failed` without quoting the response, which may contain a secret; and the errors of `bodyOf`
 */
export async function fieldsOf(
  response: Response,
  host: string,
  what: string,
  limits: BodyLimits,
): Promise<Record<string, unknown>> {
  const text = await bodyOf(response, host, limits);
  if (depthOf(text) > deepest) throw wrongAnswer(host, `returned JSON nested too deeply for ${what}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrongAnswer(host, `returned something other than JSON for ${what}`);
  }
  if (isTable(value)) return value;
  throw wrongAnswer(host, `returned JSON that is not an object for ${what}`);
}

/** Nesting depth of brackets outside of strings. */
function depthOf(text: string): number {
  let [depth, most, quoted] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const mark = text[at];
    if (mark === '"') quoted = !quoted;
    else if (quoted) at += mark === '\\' ? 1 : 0;
    else if (mark === '[' || mark === '{') most = Math.max(most, ++depth);
    else if (mark === ']' || mark === '}') depth--;
  }
  return most;
}

/** Adds a query to a URL. The existing query stays byte for byte. */
export function withQuery(address: URL, more: URLSearchParams | string): URL {
  const url = new URL(address);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}${more}`;
  url.hash = '';
  return url;
}

/** The URL that a registry sent, or undefined if fetch cannot use it. */
export function webAddress(text: string, base?: string): URL | undefined {
  const url = URL.parse(text, base);
  const usable = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  return usable ? url : undefined;
}

/**
 * Checks the lists of a manifest that Weir reads against the OCI Image Specification. null counts as an empty list, unless the
 * manifest is of the other kind: an image has no list of images.
 * @param name tag or digest
 * @throws WeirError `registry-failed`
 */
export function checkedManifest(
  fields: Record<string, unknown>,
  host: string,
  name: string,
): Readonly<Record<string, unknown>> {
  const checked = { ...fields };
  for (const [list, other] of [
    ['manifests', 'layers'],
    ['layers', 'manifests'],
  ] as const) {
    if (fields[list] === null && Array.isArray(fields[other])) delete checked[list];
    const entries = checked[list] === null ? [] : checked[list];
    if (entries === undefined) continue;
    if (!Array.isArray(entries) || !entries.every(isDescriptor)) {
      throw wrongAnswer(host, `has an invalid manifest ${name}: ${list} is not a list of descriptors`);
    }
    checked[list] = entries;
  }
  return checked;
}

function isDescriptor(value: unknown): boolean {
  if (!isTable(value) || typeof value.mediaType !== 'string') return false;
  if (!Number.isSafeInteger(value.size) || (value.size as number) < 0) return false;
  if (typeof value.digest !== 'string' || !/^[a-z0-9+._-]+:[\w=-]+$/.test(value.digest)) return false;
  const { platform } = value;
  if (platform === undefined) return true;
  return isTable(platform) && typeof platform.os === 'string' && typeof platform.architecture === 'string';
}
