import { copyFile, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { actionDigest, type Engine, outputFile, parseResult, perform, readOutput } from '../../src/engine/action.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { hasBlob, putBytes, putBytesNow, putStream, readBlob, takeOut } from '../../src/engine/store.ts';

let dir: string;
let engine: Engine;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-engine-'));
  engine = await openEngine(dir);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('the content store', () => {
  test('every way of storing gives the same blob, named by its digest', async () => {
    const bytes = Buffer.from('some bytes');
    const digest = sha256(bytes);
    for (const blob of [
      await putBytes(engine.store, bytes),
      putBytesNow(engine.store, bytes, digest),
      await putStream(engine.store, Readable.from([bytes.subarray(0, 4), bytes.subarray(4)])),
    ]) {
      expect(blob).toEqual({ digest, size: bytes.length });
    }
    expect(await readBlob(engine.store, digest)).toEqual(bytes);
    expect(await readdir(join(dir, 'store', 'tmp'))).toEqual([]);
  });

  test('a failing stream leaves nothing behind', async () => {
    const broken = Readable.from(
      (function* () {
        yield Buffer.from('half');
        throw new Error('cut off');
      })(),
    );
    await expect(putStream(engine.store, broken)).rejects.toThrow('cut off');
    expect(await hasBlob(engine.store, sha256('half'))).toBe(false);
    expect(await readdir(join(dir, 'store', 'tmp'))).toEqual([]);
  });

  test('takeOut replaces an existing file', async () => {
    const { digest } = await putBytes(engine.store, 'new');
    await writeFile(join(dir, 'file'), 'old');
    await takeOut(engine.store, digest, join(dir, 'file'));
    expect(await readFile(join(dir, 'file'), 'utf8')).toBe('new');
  });
});

describe('actions', () => {
  const action = (inputs: Record<string, unknown>, counter: { runs: number }) => ({
    kind: 'test',
    code: 'a',
    inputs,
    run: async (work: string) => {
      counter.runs++;
      await writeFile(join(work, 'out'), `made ${counter.runs}`);
      return { files: { out: join(work, 'out') }, value: { answer: 42 } };
    },
  });

  test('runs once and is then read from the cache', async () => {
    const counter = { runs: 0 };
    const first = await perform(engine, action({ a: 1 }, counter));
    const second = await perform(engine, action({ a: 1 }, counter));
    expect(counter.runs).toBe(1);
    expect(first.cached).toBe(false);
    expect(second).toEqual({ ...first, cached: true });
    expect(await readOutput(engine, second, 'out')).toBe('made 1');
    expect(await readdir(join(dir, 'scratch'))).toEqual([]);
  });

  test('runs once for all who need it at the same time, and they share its failure', async () => {
    const counter = { runs: 0 };
    const [first, second] = await Promise.all([0, 1].map(() => perform(engine, action({ a: 1 }, counter))));
    expect(counter.runs).toBe(1);
    expect(second).toEqual(first);
    const fails = {
      ...action({ a: 2 }, counter),
      run: async (): Promise<never> => {
        counter.runs++;
        throw new Error('no');
      },
    };
    const both = await Promise.allSettled([perform(engine, fails), perform(engine, fails)]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(counter.runs).toBe(2);
    // A failure is not kept.
    expect((await perform(engine, action({ a: 2 }, counter))).cached).toBe(false);
    expect(counter.runs).toBe(3);
  });

  test('runs again if its output is missing', async () => {
    const counter = { runs: 0 };
    const first = await perform(engine, action({}, counter));
    await rm(await outputFile(engine, first, 'out'));
    expect((await perform(engine, action({}, counter))).cached).toBe(false);
    expect(counter.runs).toBe(2);
  });

  test('runs again if its result file is damaged', async () => {
    const counter = { runs: 0 };
    const { action: digest } = await perform(engine, action({}, counter));
    await writeFile(join(dir, 'actions', digest.slice(0, 2), `${digest}.json`), '{"files":');
    await perform(engine, action({}, counter));
    expect(counter.runs).toBe(2);
  });

  /** The path of a result file. */
  const placed = (digest: string): string => join(dir, 'actions', digest.slice(0, 2), `${digest}.json`);

  test.each([
    '',
    '{}',
    'null',
    '[]',
    '{"kind":"test","files":{},"value":null,"seconds":0}',
    `{"kind":"test","files":{},"value":null,"seconds":0,"mark":"${'0'.repeat(64)}"}\n`,
  ])('runs again if its result file is %j', async (text) => {
    const told: string[] = [];
    engine = await openEngine(dir, (line) => told.push(line));
    const counter = { runs: 0 };
    const { action: digest } = await perform(engine, action({}, counter));
    await writeFile(placed(digest), text);
    expect((await perform(engine, action({}, counter))).value).toEqual({ answer: 42 });
    expect(counter.runs).toBe(2);
    expect(told).toEqual([expect.stringContaining(placed(digest))]);
  });

  test('runs again if any byte of its result file changed, or the file is of another action', async () => {
    const counter = { runs: 0 };
    const { action: digest } = await perform(engine, action({}, counter));
    const { action: other } = await perform(engine, action({ other: true }, counter));
    const text = await readFile(placed(digest), 'utf8');
    for (let at = 0; at < text.length; at += 7) {
      const changed = `${text.slice(0, at)}${text[at] === '1' ? '2' : '1'}${text.slice(at + 1)}`;
      expect(parseResult(engine.store.seal, digest, changed), changed).toBeUndefined();
    }
    await copyFile(placed(other), placed(digest));
    const before = counter.runs;
    await perform(engine, action({}, counter));
    expect(counter.runs).toBe(before + 1);
  });

  test('runs again if its output has another size, as after a power cut', async () => {
    const counter = { runs: 0 };
    const first = await perform(engine, action({}, counter));
    await truncate(await outputFile(engine, first, 'out'));
    const second = await perform(engine, action({}, counter));
    expect(counter.runs).toBe(2);
    expect(await readOutput(engine, second, 'out')).toBe('made 2');
  });

  test('leaves its temporary files where the next run sweeps them', async () => {
    const dead = '.1-1-1-00000000.tmp';
    await utimes(join(dir, 'actions'), 0, 0);
    await writeFile(join(dir, 'actions', dead), '');
    await utimes(join(dir, 'actions', dead), 0, 0);
    await openEngine(dir);
    expect(await readdir(join(dir, 'actions'))).toEqual([]);
  });

  test('is not cached if it fails', async () => {
    const failing = { kind: 'test', code: 'a', inputs: {}, run: async () => Promise.reject(new Error('no')) };
    await expect(perform(engine, failing)).rejects.toThrow('no');
    await expect(perform(engine, failing)).rejects.toThrow('no');
    expect(await readdir(join(dir, 'scratch'))).toEqual([]);
  });

  test('has a digest of its kind, code and inputs that ignores key order', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (inputs) => {
        const reversed = Object.fromEntries(Object.entries(inputs).reverse());
        expect(actionDigest({ kind: 'k', code: 'a', inputs: reversed })).toBe(
          actionDigest({ kind: 'k', code: 'a', inputs }),
        );
        expect(actionDigest({ kind: 'k', code: 'b', inputs })).not.toBe(actionDigest({ kind: 'k', code: 'a', inputs }));
      }),
    );
  });
});
