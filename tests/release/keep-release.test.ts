import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryName } from '../../src/base/files.ts';
import { isKept, keepRelease, sweepKept, unkeptRelease } from '../../src/release/keep-release.ts';
import { keptPath } from '../../src/release/past-releases.ts';
import { pastFaults } from '../../src/release/verify-past.ts';
import type { ImageKey } from '../../src/trust/image-key.ts';
import { newImageKey, signedRecord, writeLast } from './release-records.ts';

let dir: string;
let out: string;
let key: ImageKey;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-keep-'));
  out = join(dir, 'out');
  await mkdir(out);
  key = await newImageKey(dir);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const below = async (): Promise<string[]> => (await readdir(join(out, 'releases'), { recursive: true })).sort();
const faults = async (): Promise<string[]> =>
  (await pastFaults(out)).faults.map(({ path, fault, message }) => `${fault} ${path}: ${message}`);

describe('a kept record', () => {
  test('has its signature beside it, and verifies', async () => {
    const signed = signedRecord(key);
    expect(await isKept(out, signed)).toBe(false);
    keepRelease(out, signed);
    expect(await isKept(out, signed)).toBe(true);
    const path = join(out, keptPath(signed.snapshot, signed.text));
    expect(await readFile(`${path}.sig`, 'utf8')).toBe(signed.signature);
    expect(await pastFaults(out)).toEqual({ faults: [], files: 2 });
  });

  test.each(['', '.sig'])('without its file %j is not kept', async (end) => {
    const signed = signedRecord(key);
    keepRelease(out, signed);
    await rm(join(out, keptPath(signed.snapshot, signed.text)) + end);
    expect(await isKept(out, signed)).toBe(false);
    keepRelease(out, signed);
    expect(await isKept(out, signed)).toBe(true);
  });

  test('is written after its signature, which a killed run may leave alone until the next', async () => {
    const signed = signedRecord(key);
    const path = keptPath(signed.snapshot, signed.text);
    // A folder in its place stops the run between the two.
    await mkdir(join(out, path), { recursive: true });
    expect(() => keepRelease(out, signed)).toThrow();
    await rm(join(out, path), { recursive: true });
    expect(await below()).toEqual([dirname(path), `${path}.sig`].map((each) => each.replace('releases/', '')));
    expect(await faults()).toEqual([`extra ${path}.sig: its record is missing`]);
    await sweepKept(out);
    expect(await readdir(out)).toEqual([]);
  });
});

describe('sweeping', () => {
  test('removes what killed runs left, and no record', async () => {
    const signed = signedRecord(key);
    keepRelease(out, signed);
    const before = await below();
    // Of a process that is no more: no process has this start time.
    const left = basename(temporaryName('x')).replace(/-[0-9a-z]+-([0-9a-f]{8})/, '-1-$1');
    await writeFile(join(out, 'releases', signed.snapshot, left), '');
    await mkdir(join(out, 'releases/20260303-01234567'));
    await sweepKept(out);
    expect(await below()).toEqual(before);
  });
});

describe('the release that an older Weir built', () => {
  test('is to be kept once', async () => {
    const signed = signedRecord(key);
    await writeLast(out, signed);
    expect(await unkeptRelease(out)).toEqual(signed);
    keepRelease(out, signed);
    expect(await unkeptRelease(out)).toBeUndefined();
  });

  test('is not kept if it was changed, is not signed or cannot be read', async () => {
    expect(await unkeptRelease(out)).toBeUndefined();
    const signed = signedRecord(key);
    for (const changed of [
      { ...signed, text: signed.text.replace('Weir', 'Evil') },
      { ...signed, signature: '' },
      { ...signed, text: '{}' },
      { ...signed, text: signed.text.replace(/BEGIN/, 'BEGUN') },
    ]) {
      await writeLast(out, changed);
      expect(await unkeptRelease(out)).toBeUndefined();
    }
    await rm(join(out, 'release.json.sig'));
    expect(await unkeptRelease(out)).toBeUndefined();
  });
});

describe('weir release verify finds among the kept records', () => {
  const snapshot = '20260101-01234567';
  let path: string;
  beforeEach(() => {
    const signed = signedRecord(key);
    keepRelease(out, signed);
    path = keptPath(signed.snapshot, signed.text);
  });

  test('one that was changed', async () => {
    await writeFile(join(out, path), signedRecord(key, { name: 'Evil' }).text);
    expect(await faults()).toEqual([`wrong ${path}: its content does not match the digest in its name`]);
  });

  test('one of another snapshot', async () => {
    const other = signedRecord(key, { snapshot: '20260202-01234567' });
    keepRelease(out, { ...other, snapshot });
    expect(await faults()).toEqual([`wrong ${keptPath(snapshot, other.text)}: it is the record of 20260202-01234567`]);
  });

  test('one that another key signed, or none', async () => {
    await mkdir(join(dir, 'other'));
    const signed = signedRecord(key);
    const signature = signedRecord(await newImageKey(join(dir, 'other'))).signature;
    keepRelease(out, { ...signed, signature });
    expect(await faults()).toEqual([`wrong ${path}: ${path}.sig is not a valid signature by its image key`]);
    await rm(join(out, `${path}.sig`));
    expect(await faults()).toEqual([`missing ${path}.sig: it is missing`]);
  });

  test('one that no Weir can read', async () => {
    keepRelease(out, { ...signedRecord(key), text: '{}' });
    expect(await faults()).toEqual([
      expect.stringMatching(/^wrong releases\/20260101-01234567\/[0-9a-f]{16}\.json: invalid build record: schema: /),
    ]);
  });

  test('what no build made', async () => {
    for (const name of ['x', `${snapshot}/x`]) await writeFile(join(out, 'releases', name), '');
    await mkdir(join(out, 'releases/other'));
    // A running build's are left alone.
    await writeFile(temporaryName(join(out, 'releases', snapshot, 'x')), '');
    expect((await faults()).sort()).toEqual([
      `extra releases/${snapshot}/x: not a record of a release`,
      'extra releases/other: not a folder of a snapshot',
      'extra releases/x: not a folder of a snapshot',
    ]);
  });
});
