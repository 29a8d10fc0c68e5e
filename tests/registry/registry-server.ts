import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';
import { listenOnLoopback } from '../../src/boot/loopback.ts';
import { openStore, putBytes } from '../../src/engine/store.ts';
import { addOciImage, writeOciIndex } from '../../src/image/oci.ts';
import { storedGzip } from '../image/stored-gzip.ts';

/** An in-memory registry that follows the specification and can misbehave as real ones do. */
export interface Behaviour {
  /** Responds 503 to this many requests first. */
  failures: number;
  /** Requires a token. */
  token?: string;
  /** Accepts the token this many times, then requires a new one. */
  tokenUses?: number;
  /** Supports the referrers API. */
  referrers: boolean;
  /** Handles the request instead, if it returns true. */
  odd?: (path: string, response: ServerResponse, request: IncomingMessage) => boolean;
  /** Rejects all writes. */
  denied?: boolean;
  /** WWW-Authenticate headers that ask for the token or for `me:secret`; by default a Bearer challenge. */
  challenges?: readonly string[];
  /** Response of the token server, instead of the token. */
  tokenAnswer?: string;
}

/** A recorded request. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly authorization: string | undefined;
}

export interface TestRegistry {
  readonly server: Server;
  readonly port: number;
  readonly behaviour: Behaviour;
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, { type: string; bytes: Buffer }>;
  /** All requests so far. */
  readonly asked: Asked[];
  readonly close: () => Promise<void>;
}

/** Starts a registry on a free port of loopback, or on another address. */
export async function startRegistry(address?: { readonly host: string; readonly port: number }): Promise<TestRegistry> {
  const behaviour: Behaviour = { failures: 0, referrers: true };
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, { type: string; bytes: Buffer }>();
  const asked: Asked[] = [];
  let uploads = 0;
  let port = 0;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://registry');
    const body = await buffer(request);
    const end = (status: number, headers: Record<string, string> = {}, data = ''): void =>
      void response.writeHead(status, headers).end(data);
    const { method = '', headers } = request;
    asked.push({ method, path: url.pathname, query: url.search, authorization: headers.authorization });
    if (behaviour.odd?.(url.pathname, response, request) === true) return;
    if (url.pathname === '/token' && request.method === 'POST') {
      const form = Object.fromEntries(new URLSearchParams(body.toString()));
      expect(form).toMatchObject({ scope: 'repository:weir/base:pull,push', service: 'test' });
      const known = form.grant_type === 'refresh_token' && form.refresh_token === 'identity';
      return known ? end(200, {}, JSON.stringify({ access_token: behaviour.token })) : end(401);
    }
    if (url.pathname === '/token') {
      expect(url.searchParams.get('scope')).toBe('repository:weir/base:pull,push');
      if (behaviour.tokenAnswer !== undefined) return end(200, {}, behaviour.tokenAnswer);
      return end(200, {}, JSON.stringify({ token: behaviour.token }));
    }
    if (behaviour.failures > 0) {
      behaviour.failures--;
      return end(503);
    }
    const known = [`Bearer ${behaviour.token}`, `Basic ${Buffer.from('me:secret').toString('base64')}`];
    if (behaviour.token !== undefined && !known.includes(headers.authorization ?? '')) {
      const bearer = `Bearer realm="http://127.0.0.1:${port}/token",service="test"`;
      response.setHeader(
        'www-authenticate',
        behaviour.challenges?.map((each) => each.replace('BEARER', bearer)) ?? bearer,
      );
      return end(401);
    }
    if (behaviour.tokenUses !== undefined && --behaviour.tokenUses === 0) {
      behaviour.token = `${behaviour.token}-again`;
      behaviour.tokenUses = 5;
    }
    if (behaviour.denied === true && request.method !== 'HEAD') return end(403, {}, '{"errors":[{"code":"DENIED"}]}');
    const [, kind, name] = /^\/v2\/weir\/base\/(blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
    if (kind === 'blobs' && name === 'uploads/' && request.method === 'POST') {
      return end(202, { location: `/v2/weir/base/blobs/uploads/${++uploads}?state=x` });
    }
    if (kind === 'blobs' && name!.startsWith('uploads/')) {
      const digest = url.searchParams.get('digest')!;
      const right = `sha256:${createHash('sha256').update(body).digest('hex')}` === digest;
      const known = request.headers['content-length'] !== undefined && url.searchParams.get('state') === 'x';
      if (right && known) blobs.set(digest, body);
      return end(right && known ? 201 : 400);
    }
    if (kind === 'blobs') return end(blobs.has(name!) ? 200 : 404);
    if (request.method === 'PUT') {
      manifests.set(name!, { type: request.headers['content-type']!, bytes: body });
      const { subject } = JSON.parse(body.toString()) as { subject?: { digest: string } };
      return end(201, behaviour.referrers && subject !== undefined ? { 'oci-subject': subject.digest } : {});
    }
    const found = manifests.get(name!);
    return found === undefined ? end(404) : end(200, {}, found.bytes.toString());
  }

  const server = createServer((request, response) => void serve(request, response));
  if (address === undefined) port = await listenOnLoopback(server);
  else {
    port = address.port;
    await new Promise<void>((done, failed) => server.on('error', failed).listen(port, address.host, done));
  }
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  return { server, port, behaviour, blobs, manifests, asked, close };
}

/** An OCI layout with an image of one file. @param dir where its store goes @returns the image's digest */
export async function writeLayout(dir: string, to: string, architecture: 'amd64' | 'arm64'): Promise<string> {
  const store = await openStore(join(dir, 'store'));
  const base = { mode: 0o755, user: 'root', group: 'root', mtime: 5, packages: [] };
  const made = await addOciImage(
    store,
    to,
    {
      packages: [],
      entries: [
        { ...base, kind: 'directory', path: '/' },
        { ...base, kind: 'file', path: '/hello', ...(await putBytes(store, 'hello')) },
      ],
    },
    {
      architecture,
      settings: { entrypoint: [], cmd: [], env: {}, labels: {} },
      annotations: {},
      sourceOf: (name) => name,
      epoch: 1_790_000_000,
      gzip: storedGzip,
    },
  );
  await writeOciIndex(to, 'base:4.0', [made.manifest]);
  return made.manifest.digest;
}
