import { closeSync, lstatSync, readFileSync, statSync } from 'node:fs';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import {
  blobFile,
  blobFileNow,
  hasBlob,
  linkNow,
  openBlobNow,
  openStore,
  putBytes,
  putFile,
  readBlob,
  runnableTwin,
  type Store,
  takeOut,
  uncheckedBlobPath,
  withLinks,
} from '../../src/engine/store.ts';

let dir: string;
let store: Store;
let told: string[];
const text = 'the right bytes';
const digest = sha256(text);

/** The same store, opened as the next run would. */
async function reopen(): Promise<Store> {
  store.stamps.flush(true);
  return openStore(join(dir, 'store'), (line) => told.push(line));
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-store-'));
  told = [];
  store = await openStore(join(dir, 'store'), (line) => told.push(line));
  await putBytes(store, text);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Every way to read from the store. */
const ways: Readonly<Record<string, (from: Store) => unknown>> = {
  blobFile: (from) => blobFile(from, digest),
  blobFileNow: async (from) => blobFileNow(from, digest),
  openBlobNow: async (from) => closeSync(openBlobNow(from, digest)),
  readBlob: (from) => readBlob(from, digest),
  runnableTwin: async (from) => runnableTwin(from, digest),
  linkNow: async (from) => linkNow(from, digest, join(dir, 'link')),
  takeOut: (from) => takeOut(from, digest, join(dir, 'copy')),
  withLinks: (from) => withLinks(from, dir, new Map([['linked', digest]]), async () => {}),
};

/** Ways to damage a blob while keeping size and times as far as possible. */
const harms: Readonly<Record<string, (path: string) => Promise<void>>> = {
  'other bytes of the same size, with the old time': async (path) => {
    const { atime, mtime } = await stat(path);
    await chmod(path, 0o644);
    await writeFile(path, 'the wrong bytes');
    await chmod(path, 0o444);
    await utimes(path, atime, mtime);
  },
  emptied: (path) => truncate(path),
  'replaced by a link': async (path) => {
    await writeFile(join(dir, 'elsewhere'), text);
    await rm(path);
    await symlink(join(dir, 'elsewhere'), path);
  },
  'replaced by a folder': async (path) => {
    await rm(path);
    await mkdir(path);
  },
};

describe.each(Object.keys(harms))('a blob that was %s', (harm) => {
  test.each(Object.keys(ways))('is not returned by %s, and is removed', async (way) => {
    await harms[harm]!(uncheckedBlobPath(store, digest));
    const next = await reopen();
    await expect((async () => ways[way]!(next))()).rejects.toMatchObject({ code: 'bad-blob' });
    expect(await hasBlob(next, digest)).toBe(false);
    await expect((async () => ways[way]!(next))()).rejects.toMatchObject({ code: 'missing-blob' });
  });

  test('is repaired by storing the content again', async () => {
    await harms[harm]!(uncheckedBlobPath(store, digest));
    const next = await reopen();
    await writeFile(join(dir, 'file'), text);
    await putFile(next, join(dir, 'file'));
    expect((await readBlob(next, digest)).toString()).toBe(text);
    await harms[harm]!(uncheckedBlobPath(store, digest));
    const third = await reopen();
    await putBytes(third, text);
    expect((await readBlob(third, digest)).toString()).toBe(text);
  });
});

test('an untouched blob is not read again to verify it, and one with a new ctime is read once', async () => {
  let next = await reopen();
  expect(next.stamps.digestOf(lstatSync(uncheckedBlobPath(next, digest), { bigint: true }))).toBe(digest);
  // A new owner or one more link: the ctime changes.
  await chmod(uncheckedBlobPath(next, digest), 0o400);
  await chmod(uncheckedBlobPath(next, digest), 0o444);
  next = await reopen();
  const info = () => lstatSync(uncheckedBlobPath(next, digest), { bigint: true });
  expect(next.stamps.digestOf(info())).toBeUndefined();
  await blobFile(next, digest);
  expect(next.stamps.digestOf(info())).toBe(digest);
});

test('a wrong mode of a blob is reset, because it would get into packages', async () => {
  await chmod(uncheckedBlobPath(store, digest), 0o4755);
  const next = await reopen();
  await takeOut(next, digest, join(dir, 'copy'));
  expect((await stat(join(dir, 'copy'))).mode & 0o7777).toBe(0o444);
  expect(told).toEqual([expect.stringMatching(/mode 4755/)]);
});

test('takeOut makes a copy: writing to it does not change the store', async () => {
  await takeOut(store, digest, join(dir, 'copy'));
  expect(statSync(join(dir, 'copy')).ino).not.toBe(statSync(uncheckedBlobPath(store, digest)).ino);
  await chmod(join(dir, 'copy'), 0o644);
  await writeFile(join(dir, 'copy'), 'changed');
  expect((await readBlob(store, digest)).toString()).toBe(text);
});

test('links are temporary and keep the blob’s stamp valid', async () => {
  await withLinks(store, dir, new Map([['a.rpm', digest]]), async () => {
    expect(readFileSync(join(dir, 'a.rpm'), 'utf8')).toBe(text);
  });
  expect(await readdir(dir)).toEqual(['store']);
  expect(store.stamps.digestOf(lstatSync(uncheckedBlobPath(store, digest), { bigint: true }))).toBe(digest);
});

test('forged or modified stamps are ignored', async () => {
  store.stamps.flush(true);
  const folder = join(dir, 'store/stamps');
  for (const name of await readdir(folder)) {
    const before = await readFile(join(folder, name), 'utf8');
    await writeFile(join(folder, name), before.replaceAll(digest, sha256('other')));
  }
  const next = await openStore(join(dir, 'store'));
  expect(next.stamps.digestOf(lstatSync(uncheckedBlobPath(next, digest), { bigint: true }))).toBeUndefined();
  expect((await readBlob(next, digest)).toString()).toBe(text);
});

test('stamps of an earlier boot are valid only if they were durable', async () => {
  const folder = join(dir, 'store/stamps');
  const info = () => lstatSync(uncheckedBlobPath(store, digest), { bigint: true });
  store.stamps.flush(false);
  const [name] = await readdir(folder);
  const { sealed, unsealed } = await import('../../src/engine/seal.ts');
  const body = unsealed(store.seal, 'stamps', await readFile(join(folder, name!), 'utf8'))!;
  const earlier = body.replace(/^.*\n/, '00000000-0000-0000-0000-000000000000\n');
  await writeFile(join(folder, name!), sealed(store.seal, 'stamps', earlier));
  expect((await openStore(join(dir, 'store'))).stamps.digestOf(info())).toBeUndefined();
  await writeFile(join(folder, name!), sealed(store.seal, 'stamps', body.replace(/^.*\n/, 'durable\n')));
  expect((await openStore(join(dir, 'store'))).stamps.digestOf(info())).toBe(digest);
});

test('many runs leave few stamp files and lose no stamps', async () => {
  const digests: string[] = [];
  for (let run = 0; run < 30; run++) {
    const next = await openStore(join(dir, 'store'));
    digests.push((await putBytes(next, `of run ${run}`)).digest);
    next.stamps.flush(true);
  }
  expect((await readdir(join(dir, 'store/stamps'))).length).toBeLessThan(12);
  const last = await openStore(join(dir, 'store'));
  for (const each of digests)
    expect(last.stamps.digestOf(lstatSync(uncheckedBlobPath(last, each), { bigint: true }))).toBe(each);
});

test('a missing folder of the store is recreated', async () => {
  await rm(join(dir, 'store', digest.slice(0, 2)), { recursive: true });
  const next = await reopen();
  await putBytes(next, text);
  expect((await readBlob(next, digest)).toString()).toBe(text);
});
