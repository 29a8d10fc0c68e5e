import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { systemCode } from '../base/errors.ts';
import { listenOnLoopback } from './loopback.ts';

export interface RepoServer {
  readonly port: number;
  /** Requested paths with their response status. */
  readonly requests: readonly { readonly path: string; readonly status: number }[];
  close(): Promise<void>;
}

/**
 * Serves a folder over HTTP on loopback like a static host: GET and HEAD, byte ranges (dnf resumes with them), nothing outside
 * the folder, no listings. QEMU guests reach it as 10.0.2.2.
 */
export async function serveRepository(folder: string): Promise<RepoServer> {
  const root = await realpath(folder);
  const requests: { path: string; status: number }[] = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const end = (status: number): void => {
      requests.push({ path, status });
      response.writeHead(status).end();
    };
    const answer = async (): Promise<void> => {
      if (request.method !== 'GET' && request.method !== 'HEAD') return end(405);
      const file = await resolveInside(root, path);
      if (file === undefined) return end(404);
      const range = parseRange(request.headers.range, file.size);
      if (range === 'unsatisfiable') return end(416);
      const { from, to } = range ?? { from: 0, to: file.size - 1 };
      const status = range === undefined ? 200 : 206;
      requests.push({ path, status });
      response.writeHead(status, {
        'content-type': 'application/octet-stream',
        'content-length': to - from + 1,
        'accept-ranges': 'bytes',
        ...(range === undefined ? {} : { 'content-range': `bytes ${from}-${to}/${file.size}` }),
      });
      if (request.method === 'HEAD' || file.size === 0) response.end();
      else await pipeline(createReadStream(file.path, { start: from, end: to }), response);
    };
    // A client that disconnects is ignored; a file that cannot be read is a 500.
    answer().catch(() => (response.headersSent ? response.destroy() : end(500)));
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function resolveInside(root: string, path: string): Promise<{ path: string; size: number } | undefined> {
  try {
    const real = await realpath(join(root, decodeURIComponent(path)));
    if (!real.startsWith(`${root}${sep}`)) return undefined;
    const found = await stat(real);
    return found.isFile() ? { path: real, size: found.size } : undefined;
  } catch (error) {
    if (error instanceof URIError || ['ENOENT', 'ENOTDIR', 'EINVAL'].includes(systemCode(error) ?? ''))
      return undefined;
    throw error;
  }
}

/** Parses one range of RFC 9110's `bytes=` form; other forms are ignored. */
function parseRange(
  header: string | undefined,
  size: number,
): { from: number; to: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const from = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const to = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return from >= size || from > to ? 'unsatisfiable' : { from, to };
}
