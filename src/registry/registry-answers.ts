import { WeirError } from '../base/errors.ts';
import { isPassingStatus, newRetryBudget, retryAfterSeconds } from '../base/retry-after.ts';
import { isTable } from '../toml/document.ts';

// What comes of asking a registry: within time or not at all, and in the shape that was asked for or in another.

/** Seconds that a registry has for the head of its answer to a question, each time that it is asked. */
export const answerSeconds = 30;

/**
 * `fetch` that waits for the head of the answer no longer than `seconds`; without them as long as fetch itself, which gives up
 * after five minutes in which nothing moved.
 * @throws WeirError `no-registry` after that time, and fetch's own errors
 */
export async function ask(url: string | URL, init: RequestInit, seconds?: number): Promise<Response> {
  if (seconds === undefined) return fetch(url, init);
  const { host } = new URL(url);
  const limit = new AbortController();
  const late = (): void => {
    const message = `the registry ${host} does not answer within ${seconds} s`;
    limit.abort(new WeirError('no-registry', message, { hint: 'is it a registry, and does it have too much to do?' }));
  };
  const timer = setTimeout(late, seconds * 1000);
  try {
    return await fetch(url, { ...init, signal: limit.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** How often and how patiently a registry is asked. */
export interface Asking {
  /** How often a request is tried that the network or the server failed. */
  readonly attempts: number;
  /** Waits before the next attempt (1, 2, …), at least the seconds that the server asked for. */
  readonly wait: (attempt: number, askedSeconds?: number) => Promise<void>;
  /** How long a request without a blob may wait for the head of its answer, each time that it is tried. */
  readonly answerSeconds: number;
  /** Told of a wait that the server asked for. */
  readonly say?: (message: string) => void;
}

/**
 * Sends a request until it is answered for good, or there is no point in it any more: then with the last answer. An answer that
 * says when to come again is waited for, and is no failed attempt, unless it asks for more than `longestWait`.
 * @param prepare makes what is sent, anew for each attempt; what goes wrong with that is not the server's, and thrown as it is
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
      if (attempt >= attempts || !isPassing(error)) throw unanswered(host, error, protocol === 'http:');
      await wait(attempt++);
      continue;
    }
    if (!isPassingStatus(response.status)) return response;
    const asked = askedSeconds(response);
    if (asked === undefined ? attempt >= attempts : !budget.allows(asked)) return response;
    await response.body?.cancel();
    if (asked === undefined) await wait(attempt++);
    else {
      say?.(`${host} answered ${response.status} and asks to wait ${asked} s`);
      await wait(attempt, asked);
    }
  }
}

function askedSeconds({ status, headers }: Response): number | undefined {
  return retryAfterSeconds(status, (name) => headers.get(name));
}

/** `answered 429`, and for how long, where a server wants to be left alone. */
export function statusWords(response: Response): string {
  const asked = askedSeconds(response);
  return `answered ${response.status}${asked === undefined ? '' : ` (come again in ${asked} s)`}`;
}

/** Why a request came to nothing: what is below fetch's own error, which says no more than that. */
function reasonOf(error: unknown): { readonly code: string; readonly message: string } {
  const { cause = error } = error as { cause?: unknown };
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return { code: `${code ?? ''}`, message: `${message ?? cause}` };
}

/** Fetch's word for the ports of other services, which the Fetch standard blocks. */
const badPort = 'bad port';

/** Fetch's words for answers that send it in a circle, or to something that is not on the web. */
const redirectedToNothing = /redirect count exceeded|URL scheme must be|Invalid URL/i;

/** What no second attempt mends: a name that nobody has, a port that HTTP clients refuse, redirects to nowhere. */
export function isPassing(error: unknown): boolean {
  const { code, message } = reasonOf(error);
  return code !== 'ENOTFOUND' && message !== badPort && !redirectedToNothing.test(message);
}

/** @param plain whether it was asked without TLS */
export function unanswered(host: string, error: unknown, plain: boolean): WeirError {
  if (error instanceof WeirError) return error;
  const { code, message } = reasonOf(error);
  if (message === badPort) {
    return new WeirError('bad-reference', `${host}: this port belongs to another service, no HTTP client asks there`, {
      hint: 'let the registry listen on another port, such as 5000',
      exit: 2,
      cause: error,
    });
  }
  if (redirectedToNothing.test(message)) return wrongAnswer(host, 'redirects in a circle, or to no address of the web');
  const hint =
    code === 'ENOTFOUND'
      ? 'is the name right?'
      : code === 'ECONNREFUSED' || plain
        ? 'is it running?'
        : '--plain-http for one without TLS';
  return new WeirError('no-registry', `the registry ${host} does not answer`, {
    details: [message],
    hint,
    cause: error,
  });
}

/** @param what is wrong with the answer, after the host's name */
export function wrongAnswer(host: string, what: string): WeirError {
  return new WeirError('registry-failed', `${host} ${what}`, { hint: 'is it a registry of container images?' });
}

/** The most bytes that a manifest may have: as many as the Distribution Specification has registries take. */
export const mostManifestBytes = 4 << 20;
export const mostTokenBytes = 1 << 20;
const mostErrorBytes = 64 << 10;

/** What a registry is given for the body of its answer. */
export interface BodyLimits {
  readonly bytes: number;
  /** That it may stand still; four times as long it may take. */
  readonly seconds: number;
}

/** A body, whole. @throws WeirError `registry-failed` where it is too large, `no-registry` where it breaks off or takes too long */
async function bodyOf(response: Response, host: string, limits: BodyLimits): Promise<string> {
  const { chunks, wrong } = await received(response, host, limits);
  if (wrong !== undefined) throw wrong;
  return Buffer.concat(chunks).toString();
}

/** The beginning of what a registry says of its refusal; whatever is wrong with it, the refusal is what counts. */
export async function errorTextOf(response: Response, host: string, seconds: number): Promise<string> {
  const { chunks } = await received(response, host, { bytes: mostErrorBytes, seconds });
  return Buffer.concat(chunks).toString().slice(0, 500);
}

/** What comes of a body within its limits, and why there is no more. */
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
    // A read that waits ends with it, and so does the connection.
    void reader.cancel().catch(() => {});
  };
  const late = (what: string): void =>
    giveUp(new WeirError('no-registry', `the registry ${host} ${what}`, { hint: 'does it have too much to do?' }));
  const pause = setTimeout(
    () => late(`stopped in the middle of its answer: nothing came for ${seconds} s`),
    seconds * 1000,
  );
  const whole = setTimeout(() => late(`did not end its answer within ${seconds * 4} s`), seconds * 4000);
  try {
    for (let size = 0; ; ) {
      const { done, value } = await reader.read();
      if (wrong !== undefined || done) break;
      pause.refresh();
      size += value.length;
      if (size > bytes) giveUp(wrongAnswer(host, `sends an answer of more than ${bytes} bytes`));
      else chunks.push(value);
    }
  } catch (cause) {
    wrong ??= new WeirError('no-registry', `the registry ${host} broke off its answer`, { cause });
  } finally {
    clearTimeout(pause);
    clearTimeout(whole);
  }
  return { chunks, ...(wrong === undefined ? {} : { wrong }) };
}

/** Nothing that a registry sends is nested this deep, and some of what reads JSON calls itself for each level. */
const deepest = 64;

/**
 * The fields of an answer in JSON.
 * @param what was asked for
 * @throws WeirError `registry-failed` without its words: there may be a secret among them; and those of a body
 */
export async function fieldsOf(
  response: Response,
  host: string,
  what: string,
  limits: BodyLimits,
): Promise<Record<string, unknown>> {
  const text = await bodyOf(response, host, limits);
  if (depthOf(text) > deepest) throw wrongAnswer(host, `answered the question for ${what} with JSON nested too deep`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrongAnswer(host, `answered the question for ${what} with something that is no JSON`);
  }
  if (isTable(value)) return value;
  throw wrongAnswer(host, `answered the question for ${what} with JSON that has no fields`);
}

/** How deep brackets outside of strings are nested. */
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

/** An address with a further query; what is there already stays as it is, to the letter. */
export function withQuery(address: URL, more: URLSearchParams | string): URL {
  const url = new URL(address);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}${more}`;
  url.hash = '';
  return url;
}

/** The address that a registry gave, or undefined where fetch cannot ask there. */
export function webAddress(text: string, base?: string): URL | undefined {
  const url = URL.parse(text, base);
  const usable = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  return usable ? url : undefined;
}

/**
 * A manifest with the lists that Weir reads from it in the shape of the OCI Image Specification; null counts as an empty list,
 * unless the manifest is of the other kind: an image has no list of images.
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
      throw wrongAnswer(host, `has a manifest ${name} whose ${list} are no list of descriptors`);
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
