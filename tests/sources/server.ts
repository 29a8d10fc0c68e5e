import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** What a client asked for. */
export interface Asked {
  readonly method: string;
  /** With the query, as it came. */
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

/** How a request is answered. @param content what the server has at that path, empty where it has nothing */
export type Answer = (request: IncomingMessage, response: ServerResponse, content: Buffer) => void;

/** A file server on loopback, with ETags and ranges as real ones have them, that can be told to misbehave. */
export interface FileServer {
  /** `http://127.0.0.1:port`, without a slash at the end. */
  readonly url: string;
  /** What it serves, by path (`/a/b`); may be changed between requests. */
  readonly files: Map<string, string | Uint8Array>;
  /** Every request so far. */
  readonly asked: readonly Asked[];
  /** How the next requests are answered, one each; after them it behaves again. */
  readonly next: (...answers: readonly Answer[]) => void;
  /** How all further requests are answered, once those of `next` are used up. */
  readonly always: (answer: Answer) => void;
}

/** Starts a server that ends with the test. */
export async function serveFiles(files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<FileServer> {
  const content = new Map(Object.entries(files));
  const asked: Asked[] = [];
  const queue: Answer[] = [];
  let usual: Answer = whole;
  const url = await listen((request, response) => {
    const path = request.url ?? '/';
    const { range, 'if-range': ifRange } = request.headers;
    asked.push({ method: request.method ?? '', path, range, ifRange: ifRange?.toString() });
    const found = content.get(path) ?? content.get(decodeURIComponent(path));
    const answer = queue.shift() ?? usual;
    if (answer === whole && found === undefined) status(404)(request, response, Buffer.alloc(0));
    else answer(request, response, Buffer.from(found ?? ''));
  });
  return {
    url,
    files: content,
    asked,
    next: (...answers) => void queue.push(...answers),
    always: (answer) => {
      usual = answer;
    },
  };
}

/** Starts any server on a free port of loopback; it ends with the test. @returns its URL, without a slash at the end */
export async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A strong ETag of these bytes. */
export function etag(content: Uint8Array): string {
  return `"${createHash('sha256').update(content).digest('hex').slice(0, 16)}"`;
}

/** Well-behaved: the file, or the range of it that was asked for (RFC 9110, section 14). */
export const whole: Answer = (request, response, content) => {
  response.setHeader('etag', etag(content));
  response.setHeader('accept-ranges', 'bytes');
  const start = rangeStart(request);
  const condition = request.headers['if-range'];
  if (start === undefined || (condition !== undefined && condition !== etag(content))) {
    response.setHeader('content-length', content.length);
    response.end(content);
  } else if (start >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
  } else {
    part(response, content, start);
    response.end(content.subarray(start));
  }
};

/** The whole file, whatever range was asked for. */
export const noRanges: Answer = (_request, response, content) => {
  response.setHeader('content-length', content.length);
  response.end(content);
};

/** The whole file without its length, in one piece after the headers. */
export const noLength: Answer = (_request, response, content) => {
  response.flushHeaders();
  response.end(content);
};

/** A 206 that begins at byte 0, whatever was asked for. */
export const otherRange: Answer = (_request, response, content) => {
  part(response, content, 0);
  response.end(content);
};

export function status(code: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_request, response) => response.writeHead(code, headers).end('no');
}

/** Another content than the file's, as if it were the file. */
export function lie(content: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Answer {
  return (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    whole(request, response, Buffer.from(content));
  };
}

/** Ends well after some bytes, without having said how many there are. */
export function truncate(bytes: number): Answer {
  return (_request, response, content) => {
    response.flushHeaders();
    response.end(content.subarray(0, bytes));
  };
}

/** Announces all of it, sends some bytes, and cuts the connection as soon as `arrived` says so. */
export function cut(bytes: number, arrived: () => boolean, from?: Uint8Array): Answer {
  return (request, response, content) => {
    const start = rangeStart(request) ?? 0;
    if (start > 0) part(response, content, start);
    else response.setHeader('content-length', content.length);
    response.setHeader('etag', etag(content));
    response.write((from ?? content).subarray(start, start + bytes));
    const look = (): void => {
      if (arrived()) response.destroy();
      else setTimeout(look, 5);
    };
    look();
  };
}

/** Sends some bytes and then nothing more, with the connection open. */
export function stall(bytes: number): Answer {
  return (_request, response, content) => {
    response.setHeader('content-length', content.length);
    if (bytes === 0) response.flushHeaders();
    else response.write(content.subarray(0, bytes));
  };
}

/** Takes the request and never answers. */
export const silence: Answer = () => {};

function rangeStart(request: IncomingMessage): number | undefined {
  const start = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

function part(response: ServerResponse, content: Uint8Array, start: number): void {
  response.statusCode = 206;
  response.setHeader('content-range', `bytes ${start}-${content.length - 1}/${content.length}`);
  response.setHeader('content-length', content.length - start);
}
