import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { keepRelease, renewKept } from '../../src/release/keep-release.ts';
import { findRelease, keptPath, pastReleases } from '../../src/release/past-releases.ts';
import type { ReleaseRecord } from '../../src/release/record-schema.ts';
import type { ImageKey } from '../../src/trust/image-key.ts';
import { newImageKey, signedRecord, writeLast } from './release-records.ts';

let out: string;
let key: ImageKey;
let kept = 0;

beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), 'weir-past-'));
  await mkdir(join(out, 'keys'));
  key = await newImageKey(join(out, 'keys'));
});
afterEach(() => rm(out, { recursive: true, force: true }));

const day = 86_400;
const clock = 1_767_225_600;
const names = { a: '20260101-01234567', b: '20260102-01234567', c: '20260102-99999999' };

/** Keeps a record, as the last build of the folder if wanted. */
async function keep(changes: Partial<ReleaseRecord>, isLast = false): Promise<string> {
  const signed = signedRecord(key, changes);
  keepRelease(out, signed);
  if (isLast) await writeLast(out, signed);
  const path = keptPath(signed.snapshot, signed.text);
  // In the order of the calls, however fast they follow each other.
  await utimes(join(out, path), clock, clock + kept++);
  return path;
}

const found = async (wanted: string): Promise<string> => (await findRelease({ out }, wanted)).record.snapshot;
const listed = async (): Promise<string[]> => (await pastReleases({ out })).map(({ record }) => record.snapshot);

describe('the releases of an output folder', () => {
  test('are none before the first build', async () => {
    expect(await pastReleases({ out })).toEqual([]);
    await expect(findRelease({ out }, 'latest')).rejects.toMatchObject({ code: 'not-built', hint: 'run: weir build' });
  });

  test('are the last build alone if an older Weir made it', async () => {
    const signed = signedRecord(key);
    await writeLast(out, signed);
    const [only, ...others] = await pastReleases({ out });
    expect(others).toEqual([]);
    expect(only).toEqual({
      file: join(out, 'release.json'),
      digest: sha256(signed.text),
      record: JSON.parse(signed.text) as unknown,
      latest: true,
    });
  });

  test('are ordered by their clock, whenever they were built, and the last build is one of them', async () => {
    await keep({ snapshot: names.b, clock: clock + day });
    await keep({ snapshot: names.a, clock }, true);
    expect(await listed()).toEqual([names.a, names.b]);
    expect((await pastReleases({ out })).map(({ latest }) => latest)).toEqual([true, false]);
    expect(await found('latest')).toBe(names.a);
  });

  test('of one clock are in the order in which they were built, again too', async () => {
    await keep({ snapshot: names.c });
    const again = signedRecord(key, { snapshot: names.c });
    await keep({ snapshot: names.a });
    await keep({ snapshot: names.b }, true);
    expect(await listed()).toEqual([names.c, names.a, names.b]);
    expect(await found('previous')).toBe(names.a);
    renewKept(out, again);
    await writeLast(out, again);
    expect(await listed()).toEqual([names.a, names.b, names.c]);
    expect([await found('previous'), await found('latest')]).toEqual([names.b, names.c]);
  });

  test('are files of their exact bytes', async () => {
    const path = await keep({});
    expect(path).toMatch(/^releases\/20260101-01234567\/[0-9a-f]{16}\.json$/);
    expect(await readFile(join(out, path), 'utf8')).toBe(signedRecord(key).text);
  });

  test('with a record that is damaged are one error, which names the file', async () => {
    await keep({ snapshot: names.b }, true);
    const path = await keep({ snapshot: names.a });
    await writeFile(join(out, path), '{');
    await expect(pastReleases({ out })).rejects.toMatchObject({
      code: 'bad-record',
      where: { file: join(out, path) },
      hint: expect.stringContaining('weir release verify') as string,
    });
  });
});

describe('a release is found', () => {
  beforeEach(async () => {
    await keep({ snapshot: names.a, clock });
    await keep({ snapshot: names.b, clock: clock + day });
    await keep({ snapshot: names.c, clock: clock + day }, true);
  });

  test.each([
    [names.a, names.a],
    ['20260101', names.a],
    ['2026010', undefined],
    ['20260102-9', names.c],
    ['latest', names.c],
    ['previous', names.b],
  ])('by %s: %s', async (wanted, snapshot) => {
    if (snapshot === undefined) {
      await expect(found(wanted)).rejects.toMatchObject({
        code: 'ambiguous-release',
        details: [names.a, names.b, names.c],
        exit: 2,
      });
    } else expect(await found(wanted)).toBe(snapshot);
  });

  test('by the path of its record, of an output folder too', async () => {
    const [first] = await pastReleases({ out });
    expect(await findRelease({ out: '/nowhere' }, first!.file)).toEqual(first);
    expect((await findRelease({ out: '/nowhere' }, `${out}/`)).record.snapshot).toBe(names.c);
    await expect(found(join(out, 'none.json'))).rejects.toMatchObject({ code: 'no-release', exit: 2 });
  });

  test.each(['', '2027', 'lastest'])('not by %j', async (wanted) => {
    await expect(found(wanted)).rejects.toMatchObject({ code: 'no-release', exit: 2 });
  });

  test('of several records of one snapshot as the newest of them', async () => {
    await keep({ snapshot: names.a, clock, name: 'Other' });
    expect((await findRelease({ out }, names.a)).record.name).toBe('Other');
  });

  test('before the first not at all', async () => {
    await rm(join(out, 'releases'), { recursive: true });
    await expect(found('previous')).rejects.toMatchObject({ code: 'no-release' });
  });
});
