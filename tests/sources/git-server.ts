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
}

/**
 * Serves a folder's repositories over HTTP by `git http-backend` (git-http-backend(1)), with partial clones and single
 * commits on request, as the large hosts allow them. Ends with the test.
 */
export async function serveGit(root: string): Promise<GitServer> {
  const asked: { method: string; path: string; protocol: string | undefined }[] = [];
  const failures: number[] = [];
  const url = await listen((request, response) => {
    const protocol = request.headers['git-protocol']?.toString();
    asked.push({ method: request.method ?? '', path: request.url ?? '', protocol });
    const code = failures.shift();
    if (code === undefined) backend(root, request, response);
    else response.writeHead(code).end();
  });
  return { url, asked, fail: (...codes) => void failures.push(...codes) };
}

const settings = {
  'uploadpack.allowFilter': 'true',
  'uploadpack.allowAnySHA1InWant': 'true',
  'safe.directory': '*',
};

/** One request as CGI (RFC 3875). */
function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
  const config = Object.entries(settings).flatMap(([key, value], index) => [
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
      GIT_CONFIG_COUNT: String(Object.keys(settings).length),
      ...Object.fromEntries(config),
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: request.headers['git-protocol']?.toString(),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.on('error', (error) => response.destroy(error));
  child.stdin.on('error', () => {});
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    for (const line of head.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(/:\s*(.*)/s);
      if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.flushHeaders();
    response.write(head.subarray(end + 4));
  });
  child.stdout.on('end', () => response.end());
  response.on('close', () => child.kill());
}
