import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { removeTree } from '../../src/engine/sandbox.ts';
import { blobPath, openStore } from '../../src/engine/store.ts';
import { type DownloadContext, fetchVerified, takeIn } from '../../src/sources/download.ts';
import type { LookasideFile, SourceHashType } from '../../src/sources/listing.ts';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 251));

function wanted(hashType: SourceHashType = 'SHA512'): LookasideFile {
  return { filename: 'a.tar.gz', hashType, hash: createHash(hashType.toLowerCase()).update(content).digest('hex') };
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A real server; each request takes the next answer, the last one stays. */
async function serve(...answers: Answer[]): Promise<{ url: string; asked: { range: string | undefined }[] }> {
  const asked: { range: string | undefined }[] = [];
  const server = createServer((request, response) => {
    asked.push({ range: request.headers.range });
    answers[Math.min(asked.length, answers.length) - 1]!(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/a`, asked };
}

const good: Answer = (_request, response) => response.end(content);
const status =
  (code: number): Answer =>
  (_request, response) => {
    response.statusCode = code;
    response.end('no');
  };
/** Announces all of it, sends some bytes, and cuts the connection as soon as they have come to the disk. */
function cutAfter(bytes: Buffer): Answer {
  return (_request, response) => {
    const partial = join(context.cache, 'partial', `SHA512-${wanted().hash}`);
    response.setHeader('content-length', content.length);
    response.write(bytes);
    const look = (): void => {
      if (existsSync(partial) && statSync(partial).size >= bytes.length) response.destroy();
      else setTimeout(look, 5);
    };
    look();
  };
}
const cut = cutAfter(content.subarray(0, 100_000));
const ranged: Answer = (request, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start > 0) {
    response.statusCode = 206;
    response.setHeader('content-range', `bytes ${start}-${content.length - 1}/${content.length}`);
  }
  response.end(content.subarray(start));
};

let context: DownloadContext & { readonly waits: number[] };

beforeEach(async () => {
  const cache = await mkdtemp(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(cache));
  const waits: number[] = [];
  const wait = (attempt: number): Promise<void> => {
    waits.push(attempt);
    return Promise.resolve();
  };
  context = { store: await openStore(join(cache, 'store')), cache, wait, waits };
});

async function failure(work: Promise<unknown>): Promise<WeirError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WeirError) return error;
  throw new Error(`no WeirError: ${String(error)}`);
}

describe('fetchVerified', () => {
  it.each<SourceHashType>(['MD5', 'SHA256', 'SHA512'])(
    'checks %s, stores, and asks no second time',
    async (hashType) => {
      const server = await serve(good);
      const digest = await fetchVerified(wanted(hashType), [server.url], context);
      expect((await readFile(blobPath(context.store, digest))).equals(content)).toBe(true);
      expect(await fetchVerified(wanted(hashType), [server.url], { ...context, offline: true })).toBe(digest);
      expect(server.asked.length).toBe(1);
      expect(await readdir(join(context.cache, 'partial'))).toEqual([]);
    },
  );

  it('is offline where the store has nothing', async () => {
    const server = await serve(good);
    const error = await failure(fetchVerified(wanted(), [server.url], { ...context, offline: true }));
    expect(error.code).toBe('offline');
    expect(server.asked).toEqual([]);
  });

  it.each([500, 503, 429])('tries again after HTTP %i, waiting longer each time', async (code) => {
    const server = await serve(status(code), status(code), good);
    await fetchVerified(wanted(), [server.url], context);
    expect(server.asked.length).toBe(3);
    expect(context.waits).toEqual([1, 2]);
  });

  it('goes on where a connection was cut', async () => {
    const server = await serve(cut, ranged);
    await fetchVerified(wanted(), [server.url], context);
    expect(server.asked).toEqual([{ range: undefined }, { range: 'bytes=100000-' }]);
  });

  it('starts over where the server knows no ranges', async () => {
    const server = await serve(cut, good);
    await fetchVerified(wanted(), [server.url], context);
    expect(server.asked.length).toBe(2);
  });

  it('goes on in a later run', async () => {
    const first = await serve(cut, status(500));
    const error = await failure(fetchVerified(wanted(), [first.url], { ...context, attempts: 2 }));
    expect(error.code).toBe('download-failed');
    expect(error.details).toEqual([`${first.url}: HTTP 500`]);
    const second = await serve(ranged);
    await fetchVerified(wanted(), [second.url], context);
    expect(second.asked).toEqual([{ range: 'bytes=100000-' }]);
  });

  it('starts over when the parts do not fit together', async () => {
    const file = wanted();
    const other = cutAfter(Buffer.alloc(50_000));
    const server = await serve(other, ranged, ranged);
    await fetchVerified(file, [server.url], context);
    expect(server.asked.map((one) => one.range)).toEqual([undefined, 'bytes=50000-', undefined]);
  });

  it('starts over when the server sends another part than asked for', async () => {
    const wrong: Answer = (_request, response) => {
      response.statusCode = 206;
      response.setHeader('content-range', `bytes 0-${content.length - 1}/${content.length}`);
      response.end(content);
    };
    const server = await serve(cut, wrong, ranged);
    await fetchVerified(wanted(), [server.url], context);
    expect(server.asked.map((one) => one.range)).toEqual([undefined, 'bytes=100000-', undefined]);
  });

  it('gives up a connection that says nothing more', async () => {
    const stall: Answer = (_request, response) => {
      response.write(content.subarray(0, 1000));
    };
    const server = await serve(stall, ranged);
    // On a slow machine a good answer may be given up too, so more attempts are allowed and none is counted.
    await fetchVerified(wanted(), [server.url], { ...context, stallSeconds: 0.3, attempts: 50 });
    expect(server.asked.length).toBeGreaterThan(1);
    expect(server.asked[0]).toEqual({ range: undefined });
  });

  it('takes a short file for cut even where the connection ends well', async () => {
    const short: Answer = (_request, response) => response.end(content.subarray(0, 10));
    const error = await failure(fetchVerified(wanted(), [(await serve(short)).url], context));
    expect(error.code).toBe('wrong-hash');
  });

  it('names file, hashes and place when the content is another one, after asking the mirrors', async () => {
    const lie: Answer = (_request, response) => response.end('something else');
    const server = await serve(lie);
    const gone = await serve(status(404));
    const error = await failure(fetchVerified(wanted('SHA256'), [server.url, gone.url], context));
    expect(error.code).toBe('wrong-hash');
    expect(error.message).toContain('a.tar.gz');
    expect(error.details).toEqual([
      `expected ${wanted('SHA256').hash}`,
      `got      ${createHash('sha256').update('something else').digest('hex')}`,
      `from     ${server.url}`,
    ]);
    expect(server.asked.length).toBe(1);
    expect(gone.asked.length).toBe(1);
    const mirror = await serve(good);
    await fetchVerified(wanted('SHA256'), [server.url, gone.url, mirror.url], context);
  });

  it('asks a place once where the file is not', async () => {
    const servers = [await serve(status(404)), await serve(status(403))];
    const error = await failure(
      fetchVerified(
        wanted(),
        servers.map((one) => one.url),
        context,
      ),
    );
    expect(error.code).toBe('not-found');
    expect(error.details.slice(1)).toEqual([`${servers[0]!.url}: HTTP 404`, `${servers[1]!.url}: HTTP 403`]);
    expect(servers.map((one) => one.asked.length)).toEqual([1, 1]);
  });

  it('says why a server cannot be reached', async () => {
    const error = await failure(fetchVerified(wanted(), ['http://127.0.0.1:1/a'], { ...context, attempts: 2 }));
    expect(error.code).toBe('download-failed');
    expect(error.details.join()).toMatch(/127\.0\.0\.1:1/);
  });

  it('reads file URLs', async () => {
    const path = join(context.cache, 'a b#c');
    await writeFile(path, content);
    const missing = pathToFileURL(join(context.cache, 'missing')).href;
    await fetchVerified(wanted(), [missing, pathToFileURL(path).href], context);
    expect((await failure(fetchVerified({ ...wanted(), hash: 'f'.repeat(128) }, [missing], context))).code).toBe(
      'not-found',
    );
  });

  it('lets two runs fetch the same file at the same time', async () => {
    const server = await serve(good);
    const both = await Promise.all([1, 2].map(() => fetchVerified(wanted(), [server.url], context)));
    expect(both[0]).toBe(both[1]);
    expect(await readdir(join(context.cache, 'partial'))).toEqual([]);
  });
});

it('takeIn refuses a file with another hash', async () => {
  const path = join(context.cache, 'x');
  await writeFile(path, 'x');
  expect((await failure(takeIn(wanted(), path, path, context))).code).toBe('wrong-hash');
});
