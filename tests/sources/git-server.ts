import { spawn } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen } from './server.ts';

/** Repositories below a folder, served by git's own server program. */
export interface GitServer {
  /** `http://127.0.0.1:port`; a repository at `<root>/rpms/a.git` is `<url>/rpms/a.git`. */
  readonly url: string;
  /** The requests so far: method, path with query, and the git protocol that was asked for. */
  readonly asked: readonly { readonly method: string; readonly path: string; readonly protocol: string | undefined }[];
  /** HTTP status codes that the next requests get instead of an answer. */
  readonly fail: (...codes: readonly number[]) => void;
  /** The next pack is sent only to its middle, and nothing after that. @returns once it has come to that */
  readonly stall: () => Promise<void>;
}

export interface GitServerOptions {
  /** Git's configuration on the server, over what `serveGit` says. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether it knows nothing of protocol version 2. */
  readonly old?: boolean;
}

/**
 * Serves a folder's repositories over HTTP by `git http-backend` (git-http-backend(1)), with partial clones and single
 * commits on request, as the large hosts allow them. Ends with the test.
 */
export async function serveGit(root: string, options: GitServerOptions = {}): Promise<GitServer> {
  const asked: { method: string; path: string; protocol: string | undefined }[] = [];
  const failures: number[] = [];
  let stalled: (() => void) | undefined;
  const url = await listen((request, response) => {
    const protocol = request.headers['git-protocol']?.toString();
    asked.push({ method: request.method ?? '', path: request.url ?? '', protocol });
    const code = failures.shift();
    if (code !== undefined) return void response.writeHead(code).end();
    backend(root, request, response, options, (chunk) => {
      const pack = stalled === undefined ? -1 : chunk.indexOf('PACK');
      if (pack < 0) return chunk;
      stalled!();
      return chunk.subarray(0, pack + 24);
    });
  });
  return {
    url,
    asked,
    fail: (...codes) => void failures.push(...codes),
    stall: () =>
      new Promise<void>((resolve) => {
        stalled = resolve;
      }).then(() => {
        stalled = undefined;
      }),
  };
}

const settings = {
  'uploadpack.allowFilter': 'true',
  'uploadpack.allowAnySHA1InWant': 'true',
  'safe.directory': '*',
};

/** One request as CGI (RFC 3875). @param pass gives what of a chunk is sent; less than all of it is the end */
function backend(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  options: GitServerOptions,
  pass: (chunk: Buffer) => Buffer,
): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
  const all = { ...settings, ...options.settings };
  const config = Object.entries(all).flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      HOME: root,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: String(Object.keys(all).length),
      ...Object.fromEntries(config),
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: options.old === true ? undefined : request.headers['git-protocol']?.toString(),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.on('error', (error) => response.destroy(error));
  child.stdin.on('error', () => {});
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  let cut = false;
  const send = (chunk: Buffer): void => {
    if (cut) return;
    const passed = pass(chunk);
    cut = passed.length < chunk.length;
    response.write(passed);
  };
  child.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) return send(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    for (const line of head.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(/:\s*(.*)/s);
      if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.flushHeaders();
    send(head.subarray(end + 4));
  });
  child.stdout.on('end', () => {
    if (!cut) response.end();
  });
  response.on('close', () => child.kill());
}
