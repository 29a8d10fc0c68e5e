import { chmod, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkAfterBoot } from '../../src/build/after-boot.ts';
import type { Engine } from '../../src/engine/action.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { hasBlob, putBytes, runnableTwin, uncheckedBlobPath } from '../../src/engine/store.ts';
import { materialise } from '../../src/tree/materialise.ts';

let cache: string;
let engine: Engine;
let told: string[];

async function root(content: string): Promise<string> {
  const base = { user: 'root', group: 'root', mtime: 0, packages: [] };
  const blob = await putBytes(engine.store, content);
  return materialise(
    engine,
    {
      packages: [],
      entries: [
        { ...base, path: '/', kind: 'directory', mode: 0o755 },
        { ...base, path: '/file', kind: 'file', mode: 0o644, ...blob },
      ],
    },
    cache,
  );
}

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'weir-boot-'));
  told = [];
  engine = await openEngine(cache, (text) => told.push(text));
});
afterEach(() => rm(cache, { recursive: true, force: true }));

test('after a boot, buildroots and repositories that lost content are removed', async () => {
  const [whole, damaged] = [await root('one'), await root('other')];
  await truncate(`${damaged}.list`);
  await mkdir(join(cache, 'repos/seed-0'), { recursive: true });
  await writeFile(join(cache, 'repos/seed-0/.weir-listing'), '');
  await checkAfterBoot(cache, engine);
  expect((await readdir(join(cache, 'roots'))).sort()).toEqual([basename(whole), `${basename(whole)}.list`].sort());
  expect(await readdir(join(cache, 'repos'))).toEqual([]);
  expect(told).toHaveLength(2);
  expect(await readFile(join(whole, 'file'), 'utf8')).toBe('one');
});

test('after a boot, blobs that lost content are removed, and with them their executable twins', async () => {
  const { store } = engine;
  const [whole, damaged] = [(await putBytes(store, 'one')).digest, (await putBytes(store, 'other')).digest];
  const paths = [uncheckedBlobPath(store, damaged), runnableTwin(store, damaged)];
  for (const path of paths) {
    await chmod(path, 0o644);
    await writeFile(path, '\0'.repeat('other'.length));
  }
  await checkAfterBoot(cache, engine);
  expect([await hasBlob(store, whole), await hasBlob(store, damaged)]).toEqual([true, false]);
  expect(told).toEqual([expect.stringMatching(/^2 files of .*store are damaged/)]);
});

test('within one boot they are checked once, and again after another boot', async () => {
  await checkAfterBoot(cache, engine);
  await mkdir(join(cache, 'repos/built-0'), { recursive: true });
  await checkAfterBoot(cache, engine);
  expect(await readdir(join(cache, 'repos'))).toEqual(['built-0']);
  await writeFile(join(cache, 'store/boot'), 'another\n');
  await checkAfterBoot(cache, engine);
  expect(await readdir(join(cache, 'repos'))).toEqual([]);
});
