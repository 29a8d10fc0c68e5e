import { WeirError } from '../base/errors.ts';
import { isTable } from '../base/table.ts';

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

/** The answer's text. @throws WeirError `no-registry` where it breaks off */
export async function textOf(response: Response, host: string): Promise<string> {
  return response.text().catch((cause: unknown) => {
    throw new WeirError('no-registry', `the registry ${host} broke off its answer`, { cause });
  });
}

/**
 * The fields of an answer in JSON.
 * @param what was asked for
 * @throws WeirError `registry-failed` without its words: there may be a secret among them
 */
export async function fieldsOf(response: Response, host: string, what: string): Promise<Record<string, unknown>> {
  const text = await textOf(response, host);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrongAnswer(host, `answered the question for ${what} with something that is no JSON`);
  }
  if (isTable(value)) return value;
  throw wrongAnswer(host, `answered the question for ${what} with JSON that has no fields`);
}

/** The address that a registry gave, or undefined where fetch cannot ask there. */
export function webAddress(text: string, base?: string): URL | undefined {
  const url = URL.parse(text, base);
  const usable = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  return usable ? url : undefined;
}

/**
 * A manifest with the lists that Weir reads from it in the shape of the OCI Image Specification; null counts as an empty list.
 * @param name tag or digest
 * @throws WeirError `registry-failed`
 */
export function checkedManifest(
  fields: Record<string, unknown>,
  host: string,
  name: string,
): Readonly<Record<string, unknown>> {
  const checked = { ...fields };
  for (const list of ['manifests', 'layers']) {
    const entries = fields[list] === null ? [] : fields[list];
    if (entries === undefined) continue;
    if (!Array.isArray(entries) || !entries.every(isDescriptor)) {
      throw wrongAnswer(host, `has a manifest ${name} whose ${list} are no list of descriptors`);
    }
    checked[list] = entries;
  }
  return checked;
}

function isDescriptor(value: unknown): boolean {
  if (!isTable(value) || typeof value.mediaType !== 'string' || typeof value.size !== 'number') return false;
  if (typeof value.digest !== 'string' || !/^[a-z0-9+._-]+:[\w=-]+$/.test(value.digest)) return false;
  const { platform } = value;
  if (platform === undefined) return true;
  return isTable(platform) && typeof platform.os === 'string' && typeof platform.architecture === 'string';
}
