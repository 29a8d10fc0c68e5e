import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RepoServer, serveRepository } from '../../src/boot/repo-server.ts';

let folder: string;
let server: RepoServer;
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${server.port}${path}`, { headers });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-serve-'));
  await mkdir(join(folder, 'repo', 'repodata'), { recursive: true });
  await writeFile(join(folder, 'secret'), 'no');
  await writeFile(join(folder, 'repo', 'repodata', 'repomd.xml'), '0123456789');
  await writeFile(join(folder, 'repo', 'a+b~1 c.rpm'), '');
  await symlink('../secret', join(folder, 'repo', 'link'));
  server = await serveRepository(join(folder, 'repo'));
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

test('serves whole files', async () => {
  const response = await get('/repodata/repomd.xml');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-length')).toBe('10');
  expect(await response.text()).toBe('0123456789');
  const odd = await get('/a+b~1%20c.rpm');
  expect([odd.status, await odd.text()]).toEqual([200, '']);
});

test.each([
  ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
  ['bytes=7-', 206, '789', 'bytes 7-9/10'],
  ['bytes=-2', 206, '89', 'bytes 8-9/10'],
  ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
  ['bytes=10-', 416, '', null],
  ['bytes=0-1,4-5', 200, '0123456789', null],
  ['bytes=-', 200, '0123456789', null],
])('answers the range %s', async (range, status, text, contentRange) => {
  const response = await get('/repodata/repomd.xml', { range });
  expect([response.status, await response.text()]).toEqual([status, text]);
  expect(response.headers.get('content-range')).toBe(contentRange);
});

test('serves nothing outside the folder', async () => {
  for (const path of ['/', '/repodata', '/nothing', '/link', '/%2e%2e/secret', '/%zz', '/repodata/repomd.xml/x']) {
    expect([path, (await get(path)).status]).toEqual([path, 404]);
  }
  // fetch normalises paths, so send the request by hand.
  const raw = await new Promise<string>((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write('GET /../secret HTTP/1.0\r\n\r\n'));
    socket.once('data', (data) => resolve(data.toString().split('\r\n')[0]!));
  });
  expect(raw).toBe('HTTP/1.1 404 Not Found');
});

test('rejects writes and records requests', async () => {
  const post = await fetch(`http://127.0.0.1:${server.port}/repodata/repomd.xml`, { method: 'POST', body: 'x' });
  expect(post.status).toBe(405);
  const head = await fetch(`http://127.0.0.1:${server.port}/repodata/repomd.xml`, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
  expect(server.requests).toEqual([
    { path: '/repodata/repomd.xml', status: 405 },
    { path: '/repodata/repomd.xml', status: 200 },
  ]);
});
