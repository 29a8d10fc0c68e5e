import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore, type Store } from '../../src/engine/store.ts';
import { readBack } from '../../src/tree/read-back.ts';

const dir = mkdtempSync(join(tmpdir(), 'weir-read-back-'));
afterAll(() => rm(dir, { recursive: true }));

let store: Store;
const archive = join(dir, 'tree.tar');
beforeAll(async () => {
  store = await openStore(join(dir, 'store'));
  mkdirSync(join(dir, 'root/srv'), { recursive: true });
  await writeFile(join(dir, 'root/srv/file'), 'text');
  execFileSync('mkfifo', [join(dir, 'root/srv/pipe')]);
  execFileSync('tar', ['--create', `--file=${archive}`, `--directory=${join(dir, 'root')}`, '.']);
});

const empty = { entries: [], packages: [] };

test('a pipe is not part of a tree, and the caller learns of it', async () => {
  const found: string[] = [];
  const tree = await readBack(
    { store },
    empty,
    archive,
    () => false,
    1,
    (path, kind) => found.push(`${path} ${kind}`),
  );
  expect(tree.entries.map(({ path }) => path)).toEqual(['/', '/srv', '/srv/file']);
  expect(found).toEqual(['/srv/pipe fifo']);
});
