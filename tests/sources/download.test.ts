import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { formatOwner, ownerOf } from '../../src/base/alive.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import { openStore, readBlob } from '../../src/engine/store.ts';
import { type DownloadContext, fetchUnhashed, fetchVerified, takeIn } from '../../src/sources/download.ts';
import type { LookasideFile, SourceHashType } from '../../src/sources/listing.ts';
import { failure } from '../base/failure.ts';
import {
  type Answer,
  cut,
  etag,
  type FileServer,
  lie,
  noLength,
  noRanges,
  otherRange,
  serveFiles,
  silence,
  stall,
  status,
  truncate,
  whole,
} from './server.ts';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 251));

function wanted(hashType: SourceHashType = 'SHA512'): LookasideFile {
  return { filename: 'a.tar.gz', hashType, hash: createHash(hashType.toLowerCase()).update(content).digest('hex') };
}

/** A server with the file at /a; each request takes the next answer, then it behaves. */
async function serve(...answers: Answer[]): Promise<FileServer & { readonly place: string }> {
  const server = await serveFiles({ '/a': content });
  server.next(...answers);
  return { ...server, place: `${server.url}/a` };
}

let context: DownloadContext & { readonly waits: (readonly [number, number | undefined])[] };

beforeEach(async () => {
  const cache = await mkdtemp(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(cache));
  const waits: (readonly [number, number | undefined])[] = [];
  const wait = (attempt: number, asked?: number): Promise<void> => {
    waits.push([attempt, asked]);
    return Promise.resolve();
  };
  context = { store: await openStore(join(cache, 'store')), cache, wait, waits };
});

const partial = (): string => join(context.cache, 'partial', `SHA512-${wanted().hash}`);
/** Cut as soon as so many bytes are on the disk. */
const cutAt = (bytes: number, from?: Uint8Array): Answer =>
  cut(bytes, () => existsSync(partial()) && statSync(partial()).size >= bytes, from);
const ranges = (server: FileServer): (string | undefined)[] => server.asked.map((one) => one.range);

describe('fetchVerified', () => {
  it.each<SourceHashType>(['MD5', 'SHA256', 'SHA512'])(
    'checks %s, stores, and asks no second time',
    async (hashType) => {
      const server = await serve();
      const digest = await fetchVerified(wanted(hashType), [server.place], context);
      expect((await readBlob(context.store, digest)).equals(content)).toBe(true);
      expect(await fetchVerified(wanted(hashType), [server.place], { ...context, offline: true })).toBe(digest);
      expect(server.asked.length).toBe(1);
      expect(await readdir(join(context.cache, 'partial'))).toEqual([]);
    },
  );

  it('fails offline if the store lacks the file, and lists the places', async () => {
    const server = await serve();
    const error = await failure(fetchVerified(wanted(), [server.place], { ...context, offline: true }));
    expect(error.code).toBe('offline');
    expect(error.details).toEqual([`SHA512 ${wanted().hash}`, `not tried: ${server.place}`]);
    expect(server.asked).toEqual([]);
  });

  it.each([500, 503, 429, 408])('tries again after HTTP %i, waiting longer each time', async (code) => {
    const server = await serve(status(code), status(code));
    await fetchVerified(wanted(), [server.place], context);
    expect(server.asked.length).toBe(3);
    expect(context.waits).toEqual([
      [1, undefined],
      [2, undefined],
    ]);
  });

  it('waits as long as the server asks, in seconds or until a date, without counting that as a failure', async () => {
    const date = 'Sun, 06 Nov 1994 08:49:00 GMT';
    const server = await serve(
      status(503, { 'retry-after': '7' }),
      status(429, { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT', date }),
      status(503, { 'retry-after': '9' }),
    );
    const said: string[] = [];
    await fetchVerified(wanted(), [server.place], { ...context, attempts: 1, say: (line) => void said.push(line) });
    expect(context.waits).toEqual([
      [1, 7],
      [1, 37],
      [1, 9],
    ]);
    expect(said[0]).toBe(`${server.place}: HTTP 503 Service Unavailable, waiting 7 s as requested`);
  });

  it('limits the wait that a server requests, and tries the next place', async () => {
    const server = await serve(status(429, { 'retry-after': '3600' }));
    const said: string[] = [];
    const options = { ...context, say: (line: string) => void said.push(line) };
    await fetchVerified(wanted(), [server.place, (await serve()).place], options);
    expect(context.waits).toEqual([]);
    expect(said).toEqual([`a.tar.gz: ${server.place}: HTTP 429 Too Many Requests (retry after 3600 s)`]);
  });

  it('treats an empty header as missing', async () => {
    const server = await serve(status(503, { 'retry-after': '' }), (request, response, file) => {
      response.setHeader('etag', '');
      response.setHeader('content-type', '');
      noLength(request, response, file);
    });
    await fetchVerified(wanted(), [server.place], context);
    expect(context.waits).toEqual([[1, undefined]]);
  });

  it('resumes an interrupted download only if the file is still the same', async () => {
    const server = await serve(cutAt(100_000));
    await fetchVerified(wanted(), [server.place], context);
    expect(server.asked.map((one) => [one.range, one.ifRange])).toEqual([
      [undefined, undefined],
      ['bytes=100000-', etag(content)],
    ]);
  });

  it('starts over if the server does not support ranges', async () => {
    const server = await serve(cutAt(100_000), noRanges);
    await fetchVerified(wanted(), [server.place], context);
    expect(ranges(server)).toEqual([undefined, 'bytes=100000-']);
  });

  it('resumes in a later run, even from another place', async () => {
    const first = await serve(cutAt(100_000), status(500));
    const error = await failure(fetchVerified(wanted(), [first.place], { ...context, attempts: 2 }));
    expect(error.code).toBe('download-failed');
    expect(error.details).toEqual([
      `SHA512 ${wanted().hash}`,
      `${first.place}: HTTP 500 Internal Server Error (tried 2 times)`,
    ]);
    expect(error.hint).toContain('run again');
    const second = await serve();
    await fetchVerified(wanted(), [second.place], context);
    expect(second.asked.map((one) => [one.range, one.ifRange])).toEqual([['bytes=100000-', undefined]]);
  });

  it('starts over if the file changed between two requests', async () => {
    const server = await serve(cutAt(100_000, Buffer.alloc(300_000)));
    server.files.set('/a', Buffer.alloc(300_000));
    const work = fetchVerified(wanted(), [server.place], context);
    while (server.asked.length === 0) await new Promise((done) => setTimeout(done, 1));
    server.files.set('/a', content);
    await work;
    expect(ranges(server)).toEqual([undefined, 'bytes=100000-']);
  });

  it('is not corrupted by the partial file of another server, even with one attempt', async () => {
    const liar = await serve(cutAt(50_000, Buffer.alloc(300_000)));
    await failure(fetchVerified(wanted(), [liar.place], { ...context, attempts: 1 }));
    const server = await serve();
    await fetchVerified(wanted(), [server.place], { ...context, attempts: 1 });
    expect(ranges(server)).toEqual(['bytes=50000-', undefined]);
    expect(context.waits).toEqual([]);
  });

  it('does not join parts of files of different lengths', async () => {
    const liar = await serve(cutAt(50_000));
    liar.files.set('/a', Buffer.alloc(200_000));
    await failure(fetchVerified(wanted(), [liar.place], { ...context, attempts: 1 }));
    const server = await serve();
    await fetchVerified(wanted(), [server.place], { ...context, attempts: 1 });
    expect(ranges(server)).toEqual(['bytes=50000-', undefined]);
  });

  it('starts over if the server sends a different range, or none', async () => {
    for (const wrong of [otherRange, status(416)]) {
      const server = await serve(cutAt(100_000), wrong);
      await fetchVerified(wanted(), [server.place], { ...context, attempts: 2 });
      expect(ranges(server)).toEqual([undefined, 'bytes=100000-', undefined]);
      await removeTree(join(context.cache, 'hashes'));
    }
  });

  it('does not mistake a partial response for the whole file', async () => {
    const server = await serve();
    server.always(otherRange);
    const error = await failure(fetchVerified(wanted(), [server.place], { ...context, attempts: 2 }));
    expect(error.details[1]).toContain('the server sent a partial response to a full request');
    expect(server.asked.length).toBe(2);
  });

  it('accepts a complete partial file without another request', async () => {
    await mkdir(join(context.cache, 'partial'), { recursive: true });
    const server = await serve();
    for (const [part, asked] of [
      [content, 0],
      [Buffer.alloc(content.length), 1],
      [Buffer.alloc(content.length + 1), 1],
    ] as const) {
      await writeFile(partial(), part);
      await writeFile(`${partial()}.json`, JSON.stringify({ place: server.place, size: content.length }));
      const before = server.asked.length;
      await fetchVerified(wanted(), [server.place], context);
      expect(server.asked.length - before).toBe(asked);
      await removeTree(join(context.cache, 'hashes'));
    }
  });

  it.each(['nothing', '{', undefined])('discards a partial file without a valid note (note: %s)', async (note) => {
    await mkdir(join(context.cache, 'partial'), { recursive: true });
    await writeFile(partial(), content.subarray(0, 1000));
    if (note !== undefined) await writeFile(`${partial()}.json`, note);
    const server = await serve();
    await fetchVerified(wanted(), [server.place], context);
    expect(ranges(server)).toEqual([undefined]);
  });

  it.each([
    ['that says nothing more', stall(1000)],
    ['that is only opened', stall(0)],
    ['that gets no answer', silence],
  ])('gives up a connection %s', async (_what, answer) => {
    const server = await serve(answer);
    // On a slow machine a good answer may be given up too, so more attempts are allowed and none is counted.
    await fetchVerified(wanted(), [server.place], { ...context, stallSeconds: 0.3, attempts: 50 });
    expect(server.asked.length).toBeGreaterThan(1);
    expect(server.asked[0]?.range).toBeUndefined();
  });

  it('closes a stalled connection', async () => {
    const trickle: Answer = (_request, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    };
    const server = await serve(trickle);
    server.always(trickle);
    const options = { ...context, stallSeconds: 0.3, attempts: 1 };
    const error = await failure(fetchVerified(wanted(), [server.place], options));
    expect(error.details[1]).toBe(`${server.place}: no data for 0.3 s`);
  });

  it('accepts a response without a length', async () => {
    await fetchVerified(wanted(), [(await serve(noLength)).place], context);
  });

  it('rejects a short file even if the connection ends normally', async () => {
    const error = await failure(fetchVerified(wanted(), [(await serve(truncate(10))).place], context));
    expect(error.code).toBe('wrong-hash');
  });

  it('tries again when fewer bytes arrive than were announced', async () => {
    const server = await serve((_request, response) => {
      response.setHeader('content-length', content.length);
      response.write(content.subarray(0, 5000), () => response.socket?.end());
    });
    await fetchVerified(wanted(), [server.place], context);
    expect(server.asked.length).toBe(2);
  });

  it('tries the mirrors if the content is wrong, then names file, hashes and every place', async () => {
    const server = await serve(lie('something else'), lie('something else'));
    const gone = await serve(status(404), status(404));
    const error = await failure(fetchVerified(wanted('SHA256'), [server.place, gone.place], context));
    expect(error.code).toBe('wrong-hash');
    expect(error.message).toContain('a.tar.gz');
    expect(error.details).toEqual([
      `expected ${wanted('SHA256').hash}`,
      `got      ${createHash('sha256').update('something else').digest('hex')}`,
      `from     ${server.place}`,
      `${gone.place}: HTTP 404 Not Found`,
    ]);
    expect([server.asked.length, gone.asked.length]).toEqual([1, 1]);
    expect(await readdir(join(context.cache, 'partial'))).toEqual([]);
    await fetchVerified(wanted('SHA256'), [server.place, gone.place, (await serve()).place], context);
  });

  it('reports a web page instead of a file', async () => {
    const page = lie('<html>log in', { 'content-type': 'text/html; charset=utf-8' });
    const error = await failure(fetchVerified(wanted(), [(await serve(page)).place], context));
    expect(error.details[2]).toContain('returned a web page instead of the file');
  });

  it('tries a place once if the file does not exist', async () => {
    const servers = [await serve(status(404)), await serve(status(403)), await serve(status(410))];
    const places = servers.map((one) => one.place);
    const error = await failure(fetchVerified(wanted(), places, context));
    expect(error.code).toBe('not-found');
    expect(error.details.slice(1)).toEqual([
      `${places[0]}: HTTP 404 Not Found`,
      `${places[1]}: HTTP 403 Forbidden`,
      `${places[2]}: HTTP 410 Gone`,
    ]);
    expect(servers.map((one) => one.asked.length)).toEqual([1, 1, 1]);
    const nowhere = await failure(fetchVerified(wanted(), [], context));
    expect(nowhere).toMatchObject({ code: 'not-found', hint: expect.stringContaining('lookaside-base-uri') });
  });

  it('tries the next place when one is down, and does not report "not found"', async () => {
    const down = await serve();
    down.always(status(503));
    const gone = await serve(status(404));
    const options = { ...context, attempts: 2 };
    const error = await failure(fetchVerified(wanted(), [down.place, gone.place], options));
    expect(error.code).toBe('download-failed');
    expect(error.details.slice(1)).toEqual([
      `${down.place}: HTTP 503 Service Unavailable (tried 2 times)`,
      `${gone.place}: HTTP 404 Not Found`,
    ]);
    const order: string[] = [];
    const say = (line: string): void => void order.push(line);
    await fetchVerified(wanted(), [down.place, (await serve()).place], { ...options, say });
    expect(order).toEqual([`a.tar.gz: ${down.place}: HTTP 503 Service Unavailable (tried 2 times)`]);
  });

  it('follows redirects, to other servers and when resuming, up to a limit', async () => {
    const [server, other] = [await serve(), await serve(cutAt(100_000))];
    const away = status(302, { location: other.place });
    server.next(status(301, { location: '/b' }), away, away);
    server.always(away);
    await fetchVerified(wanted(), [server.place], context);
    expect(server.asked.map((one) => one.path)).toEqual(['/a', '/b', '/a']);
    expect(ranges(other)).toEqual([undefined, 'bytes=100000-']);
    server.always(status(302, { location: '/a' }));
    const options = { ...context, attempts: 1 };
    const error = await failure(fetchVerified({ ...wanted(), hash: 'f'.repeat(128) }, [server.place], options));
    expect(error.details[1]).toBe(`${server.place}: more than 10 redirects`);
    server.always(status(302, { location: 'file:///etc/passwd' }));
    const away2 = await failure(fetchVerified({ ...wanted(), hash: 'f'.repeat(128) }, [server.place], options));
    expect(away2.details[1]).toBe(`${server.place}: file: is not http, https or file`);
  });

  it('keeps a compressed file as it is, whatever its content encoding', async () => {
    const packed = gzipSync(content);
    const server = await serveFiles({ '/a.tar.gz': packed });
    server.always((request, response, file) => {
      response.setHeader('content-encoding', 'x-gzip');
      whole(request, response, file);
    });
    const hash = createHash('sha512').update(packed).digest('hex');
    const file: LookasideFile = { filename: 'a.tar.gz', hashType: 'SHA512', hash };
    const digest = await fetchVerified(file, [`${server.url}/a.tar.gz`], context);
    expect((await readBlob(context.store, digest)).equals(packed)).toBe(true);
  });

  it('reports why a server cannot be reached', async () => {
    const error = await failure(fetchVerified(wanted(), ['http://127.0.0.1:1/a'], { ...context, attempts: 2 }));
    expect(error.code).toBe('download-failed');
    expect(error.details.join()).toMatch(/127\.0\.0\.1:1/);
    const odd = await failure(fetchVerified(wanted(), ['gopher://x/a'], { ...context, attempts: 1 }));
    expect(odd.details[1]).toMatch(/^gopher:\/\/x\/a: /);
  });

  it('reads file URLs', async () => {
    const path = join(context.cache, 'a b#c');
    await writeFile(path, content);
    const missing = pathToFileURL(join(context.cache, 'missing')).href;
    const folder = pathToFileURL(context.cache).href;
    await fetchVerified(wanted(), [missing, pathToFileURL(path).href], context);
    const error = await failure(fetchVerified({ ...wanted(), hash: 'f'.repeat(128) }, [missing, folder], context));
    expect(error).toMatchObject({
      code: 'not-found',
      details: [expect.anything(), `${missing}: no such file`, `${folder}: this is a folder`],
    });
  });

  it('fetches a file once if it is requested twice at the same time', async () => {
    const server = await serve();
    const both = await Promise.all([1, 2].map(() => fetchVerified(wanted(), [server.place], context)));
    expect(both[0]).toBe(both[1]);
    expect(server.asked.length).toBe(1);
    expect(await readdir(join(context.cache, 'partial'))).toEqual([]);
  });

  it('tries its own places if the other download of the file failed', async () => {
    const [gone, server] = [await serve(status(404)), await serve()];
    const both = await Promise.allSettled([
      fetchVerified(wanted(), [gone.place], context),
      fetchVerified(wanted(), [server.place], context),
    ]);
    expect(both.map((one) => one.status)).toEqual(['rejected', 'fulfilled']);
  });

  it('uses its own partial file while another run fetches the file', async () => {
    await mkdir(join(context.cache, 'partial'), { recursive: true });
    const parent = formatOwner(ownerOf(process.ppid));
    await writeFile(`${partial()}.lock`, parent);
    const server = await serve(
      cut(1000, () => true),
      whole,
    );
    await fetchVerified(wanted(), [server.place], context);
    expect(await readdir(join(context.cache, 'partial'))).toEqual([`SHA512-${wanted().hash}.lock`]);
  });
});

describe('fetchUnhashed', () => {
  it('returns the hash of the file, and stores the file', async () => {
    const server = await serve(status(503));
    const file = await fetchUnhashed('a.tar.gz', 'SHA512', ['http://127.0.0.1:1/a', server.place], context);
    expect(file).toEqual(wanted());
    await fetchVerified(file, [], { ...context, offline: true });
    expect(await readdir(join(context.cache, 'partial'))).toEqual([]);
  });

  it('fails as other downloads do', async () => {
    const server = await serve(status(404));
    expect((await failure(fetchUnhashed('a', 'SHA256', [server.place], context))).code).toBe('not-found');
    expect((await failure(fetchUnhashed('a', 'SHA256', [], { ...context, offline: true }))).code).toBe('offline');
  });
});

it('takeIn rejects a file with the wrong hash', async () => {
  const path = join(context.cache, 'x');
  await writeFile(path, 'x');
  expect((await failure(takeIn(wanted(), path, path, context))).code).toBe('wrong-hash');
});
