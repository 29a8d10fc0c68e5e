import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { sealed, unsealed } from '../../src/engine/seal.ts';
import { bootId } from '../../src/engine/stamps.ts';
import { type StampPlace, stampFile } from '../../src/release/image/file-stamps.ts';
import { changedSince, noteFolder } from '../../src/release/noted-folder.ts';

let root: string;
let place: StampPlace;
let dir: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-noted-'));
  const cache = join(root, 'cache');
  place = { cache, engine: await openEngine(cache) };
  dir = join(root, 'snapshot');
  await mkdir(join(dir, 'base'), { recursive: true });
  await chmod(join(dir, 'base'), 0o755);
  for (const name of ['base/a.rpm', 'base/b.rpm']) await writeFile(join(dir, name), name, { mode: 0o644 });
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('a folder that did not change is known; another one is not', async () => {
  expect(await changedSince(place, dir)).toBe('unknown');
  await noteFolder(place, dir);
  expect(await changedSince(place, dir)).toBeUndefined();
});

test('what was added, removed, given another mode or other content is named', async () => {
  await noteFolder(place, dir);
  const path = join(dir, 'base/a.rpm');
  await writeFile(path, 'base/A.rpm');
  expect(await changedSince(place, dir)).toBe('base/a.rpm has changed since it was built');
  await writeFile(path, 'base/a.rpm');
  expect(await changedSince(place, dir)).toBeUndefined();
  await chmod(path, 0o755);
  expect(await changedSince(place, dir)).toMatch(/^base\/a.rpm has mode /);
  await rm(path);
  expect(await changedSince(place, dir)).toBe('base/a.rpm is missing');
  await writeFile(join(dir, 'c'), '');
  expect(await changedSince(place, dir)).toBe('c was not made by the build');
});

test('after another start of the machine the files are read: a power cut may have taken their content', async () => {
  // A record that says of a file's state what is not so, as after a cut: the same size and times, other content.
  await noteFolder(place, dir, new Map([['base/b.rpm', sha256('its content before the cut')]]));
  expect(await changedSince(place, dir)).toBeUndefined();
  const { file, subject } = await stampFile(place.cache, dir);
  const { seal } = place.engine.store;
  const noted = unsealed(seal, subject, await readFile(file, 'utf8'))!;
  await writeFile(file, sealed(seal, subject, noted.replace(bootId(), 'earlier')));
  expect(await changedSince(place, dir)).toBe('base/b.rpm has changed since it was built');
});
