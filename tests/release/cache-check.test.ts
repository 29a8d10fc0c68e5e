import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Engine, perform } from '../../src/engine/action.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { putBytes, uncheckedBlobPath } from '../../src/engine/store.ts';
import { checkCache } from '../../src/release/cache-check.ts';

let cache: string;
let engine: Engine;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'weir-cache-check-'));
  engine = await openEngine(cache);
});
afterEach(() => rm(cache, { recursive: true, force: true }));

const check = async (repair = false) => {
  const report = await checkCache({ cache, engine: await openEngine(cache) }, { repair });
  return report.faults.map(({ path, fault }) => `${fault} ${path}`).sort();
};

/** An action whose output refers to another blob, like the finalise action. */
const treeAction = (runs: { count: number }) => ({
  kind: 'tree',
  code: 'a'.repeat(64),
  inputs: {},
  run: async (work: string) => {
    runs.count++;
    const { digest } = await putBytes(engine.store, 'content of the tree');
    await writeFile(join(work, 'tree'), JSON.stringify({ entries: [{ digest }] }));
    return { files: { tree: join(work, 'tree') }, value: digest };
  },
});

test('an empty cache and an intact one pass', async () => {
  expect(await check()).toEqual([]);
  await perform(engine, treeAction({ count: 0 }));
  const report = await checkCache({ cache, engine }, { repair: false });
  expect(report).toMatchObject({ ok: true, blobs: 2, actions: 1, faults: [], repaired: false });
});

test('reports faults; with repair, removes them and everything that depends on them', async () => {
  const runs = { count: 0 };
  const { action, value } = await perform(engine, treeAction(runs));
  const blob = uncheckedBlobPath(engine.store, value as string);
  await chmod(blob, 0o644);
  await writeFile(blob, 'CONTENT of the tree');
  await chmod(blob, 0o444);
  const stray = join(cache, 'store/aa/stray');
  await writeFile(stray, '');
  const result = `actions/${action.slice(0, 2)}/${action}.json`;
  const other = `actions/aa/${'a'.repeat(64)}.json`;
  await mkdir(join(cache, 'actions/aa'), { recursive: true });
  await copyFile(join(cache, result), join(cache, other));
  const wrong = ['extra store/aa/stray', `wrong ${blob.slice(cache.length + 1)}`, `wrong ${other}`, `wrong ${result}`];
  expect(await check()).toEqual(wrong.sort());
  expect(await check(true)).toEqual(wrong.sort());
  expect(await check()).toEqual([]);
  await perform(await openEngine(cache), treeAction(runs));
  expect(runs.count).toBe(2);
});

test('detects results truncated by a power cut, and indexes of another cache', async () => {
  const { action } = await perform(engine, treeAction({ count: 0 }));
  const result = `actions/${action.slice(0, 2)}/${action}.json`;
  await truncate(join(cache, result));
  for (const folder of ['hashes/SHA512/ab', 'stamps', 'custom/ab']) {
    await mkdir(join(cache, folder), { recursive: true });
    await writeFile(join(cache, folder, 'abcd'), `${'a'.repeat(64)}\n`);
  }
  const wrong = ['custom/ab/abcd', 'hashes/SHA512/ab/abcd', 'stamps/abcd', result].map((path) => `wrong ${path}`);
  expect(await check()).toEqual(wrong.sort());
  expect(await check(true)).toEqual(wrong.sort());
  expect(await check()).toEqual([]);
  expect(await readdir(join(cache, 'stamps'))).toEqual([]);
});
