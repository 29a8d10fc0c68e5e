import type { IncomingMessage } from 'node:http';

/** A server's response, with the body exactly as sent. */
export interface Answer {
  readonly status: number;
  /** `HTTP 404 Not Found` */
  readonly line: string;
  /** A header by its lower-case name; undefined if missing or empty. */
  readonly header: (name: string) => string | undefined;
  /** Must be read or destroyed. */
  readonly body: IncomingMessage;
}

const mostRedirections = 10;

/**
 * Requests a URL and follows redirects. Unlike `fetch`, it never decompresses a body: some servers send a `.tar.gz` and
 * declare the compression as its content encoding, whatever was requested, and hashes are of the compressed file.
 * @throws Error with the reason of a connection failure
 */
export async function askFor(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  let at = new URL(url);
  for (let count = 0; count <= mostRedirections; count++) {
    const body = await once(at, headers, signal);
    const status = body.statusCode ?? 0;
    const header = (name: string): string | undefined => body.headers[name]?.toString() || undefined;
    const to = [301, 302, 303, 307, 308].includes(status) ? header('location') : undefined;
    if (to === undefined) {
      const text = body.statusMessage === undefined || body.statusMessage === '' ? '' : ` ${body.statusMessage}`;
      return { status, line: `HTTP ${status}${text}`, header, body };
    }
    body.destroy();
    at = new URL(to, at);
  }
  throw new Error(`more than ${mostRedirections} redirects`);
}

/** Imports the protocol's module only now: with `node:http` Node loads all of fetch, and most runs download nothing. */
async function clientFor(protocol: string): Promise<typeof import('node:http').get> {
  if (protocol === 'http:') return (await import('node:http')).get;
  if (protocol === 'https:') return (await import('node:https')).get;
  throw new Error(`${protocol} is not http, https or file`);
}

async function once(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const get = await clientFor(url.protocol);
  return new Promise((resolve, reject) => {
    get(url, { headers, signal }, resolve).on('error', reject);
  });
}
