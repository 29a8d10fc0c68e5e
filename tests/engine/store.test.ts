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

/** The same store, as the next run opens it. */
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

/** Every way out of the store. */
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

/** What can become of a blob, by somebody who leaves size and times as they can. */
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
  test.each(Object.keys(ways))('does not leave the store by %s, and is removed', async (way) => {
    await harms[harm]!(uncheckedBlobPath(store, digest));
    const next = await reopen();
    await expect((async () => ways[way]!(next))()).rejects.toMatchObject({ code: 'bad-blob' });
    expect(await hasBlob(next, digest)).toBe(false);
    await expect((async () => ways[way]!(next))()).rejects.toMatchObject({ code: 'missing-blob' });
  });

  test('is put right by who has the bytes', async () => {
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

test('a blob that nobody touched is not read again to know it, and one that only moved is read once', async () => {
  let next = await reopen();
  expect(next.stamps.digestOf(lstatSync(uncheckedBlobPath(next, digest), { bigint: true }))).toBe(digest);
  // A new owner, a link more: the time of the inode moves.
  await chmod(uncheckedBlobPath(next, digest), 0o400);
  await chmod(uncheckedBlobPath(next, digest), 0o444);
  next = await reopen();
  const info = () => lstatSync(uncheckedBlobPath(next, digest), { bigint: true });
  expect(next.stamps.digestOf(info())).toBeUndefined();
  await blobFile(next, digest);
  expect(next.stamps.digestOf(info())).toBe(digest);
});

test('a mode that is not a blob’s is set right, as it would get into packages', async () => {
  await chmod(uncheckedBlobPath(store, digest), 0o4755);
  const next = await reopen();
  await takeOut(next, digest, join(dir, 'copy'));
  expect((await stat(join(dir, 'copy'))).mode & 0o7777).toBe(0o444);
  expect(told).toEqual([expect.stringMatching(/mode 4755/)]);
});

test('what is taken out is a copy: who writes to it does not write to the store', async () => {
  await takeOut(store, digest, join(dir, 'copy'));
  expect(statSync(join(dir, 'copy')).ino).not.toBe(statSync(uncheckedBlobPath(store, digest)).ino);
  await chmod(join(dir, 'copy'), 0o644);
  await writeFile(join(dir, 'copy'), 'changed');
  expect((await readBlob(store, digest)).toString()).toBe(text);
});

test('links are for a time, and leave a blob as known as it was', async () => {
  await withLinks(store, dir, new Map([['a.rpm', digest]]), async () => {
    expect(readFileSync(join(dir, 'a.rpm'), 'utf8')).toBe(text);
  });
  expect(await readdir(dir)).toEqual(['store']);
  expect(store.stamps.digestOf(lstatSync(uncheckedBlobPath(store, digest), { bigint: true }))).toBe(digest);
});

test('stamps that somebody wrote, or changed, count for nothing', async () => {
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

test('stamps of another start of the machine hold only where all was on the disk by then', async () => {
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

test('many runs leave few files of stamps, and lose none', async () => {
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

test('a folder of the store that is gone is made again', async () => {
  await rm(join(dir, 'store', digest.slice(0, 2)), { recursive: true });
  const next = await reopen();
  await putBytes(next, text);
  expect((await readBlob(next, digest)).toString()).toBe(text);
});
