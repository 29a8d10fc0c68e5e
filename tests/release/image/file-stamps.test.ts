import {
  appendFile,
  chmod,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileDigest, sha256 } from '../../../src/base/digest.ts';
import { openEngine } from '../../../src/engine/engine.ts';
import { sealed, unsealed } from '../../../src/engine/seal.ts';
import { bootId } from '../../../src/engine/stamps.ts';
import {
  changedFile,
  type RecordedFile,
  rememberFiles,
  type StampPlace,
  stampFile,
} from '../../../src/release/image/file-stamps.ts';

let root: string;
let cache: StampPlace;
let dir: string;
let files: RecordedFile[];
let read: string[];
let text: string;

const placeIn = async (name: string): Promise<StampPlace> => {
  const cache = join(root, name);
  return { cache, engine: await openEngine(cache) };
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-unchanged-'));
  cache = await placeIn('cache');
  dir = join(root, 'image');
  await mkdir(dir);
  files = [];
  read = [];
  text = 'the record';
  for (const path of ['a', 'b']) {
    await writeFile(join(dir, path), `content of ${path}`);
    files.push({ path, size: 12, sha256: sha256(`content of ${path}`) });
  }
  await rememberFiles(cache, dir, { text, files });
});
afterEach(() => rm(root, { recursive: true, force: true }));

const changed = (from = dir, within = cache) =>
  changedFile(within, from, { text, files }, (path) => {
    read.push(path.slice(from.length + 1));
    return fileDigest(path);
  });

/** Makes the stamps of a folder those of an earlier boot. */
async function endBoot(place: StampPlace, folder: string): Promise<void> {
  const { file, subject } = await stampFile(place.cache, folder);
  const { seal } = place.engine.store;
  const known = unsealed(seal, subject, await readFile(file, 'utf8'))!;
  await writeFile(file, sealed(seal, subject, known.replace(bootId(), 'earlier')));
}

/** An old time in whole seconds, as an archiver restores it. */
const past = new Date('2020-01-01');

describe('files of an image', () => {
  test('are not read if unchanged', async () => {
    expect(await changed()).toBeUndefined();
    expect(read).toEqual([]);
  });

  test('are read again once the machine was started anew: a power cut may have taken their content', async () => {
    await endBoot(cache, dir);
    expect(await changed()).toBeUndefined();
    expect(read).toEqual(['a', 'b']);
    expect(await changed()).toBeUndefined();
    expect(read).toEqual(['a', 'b']);
  });

  test('with other bytes of the same size are detected', async () => {
    await writeFile(join(dir, 'b'), 'content of B');
    expect(await changed()).toBe('b');
    expect(read).toEqual(['b']);
    // The next run detects it too.
    expect(await changed()).toBe('b');
  });

  test('are detected even if the modification time was restored', async () => {
    await utimes(join(dir, 'b'), past, past);
    await rememberFiles(cache, dir, { text, files });
    await writeFile(join(dir, 'b'), 'content of B');
    await utimes(join(dir, 'b'), past, past);
    expect(await changed()).toBe('b');
  });

  test('are detected if another file was moved there with its times', async () => {
    await utimes(join(dir, 'b'), past, past);
    await rememberFiles(cache, dir, { text, files });
    await writeFile(join(root, 'other'), 'content of B');
    await utimes(join(root, 'other'), past, past);
    await rename(join(root, 'other'), join(dir, 'b'));
    expect(await changed()).toBe('b');
  });

  test('do not trust a changed record', async () => {
    text = 'another record';
    expect(await changed()).toBe('image.json');
  });

  test('that are longer, missing or folders are detected without reading', async () => {
    await appendFile(join(dir, 'a'), '!');
    expect(await changed()).toBe('a');
    await rm(join(dir, 'a'));
    expect(await changed()).toBe('a');
    await mkdir(join(dir, 'a'));
    expect(await changed()).toBe('a');
    expect(read).toEqual([]);
  });

  test('that were copied, linked or touched are read once', async () => {
    await copyFile(join(dir, 'a'), join(root, 'copy'));
    await rename(join(root, 'copy'), join(dir, 'a'));
    await link(join(dir, 'b'), join(root, 'link'));
    expect(await changed()).toBeUndefined();
    expect(read).toEqual(['a', 'b']);
    await chmod(join(dir, 'b'), 0o600);
    expect(await changed()).toBeUndefined();
    expect(await changed()).toBeUndefined();
    expect(read).toEqual(['a', 'b', 'b']);
  });

  test('do not trust a record unknown to this cache: of a moved folder, or another cache', async () => {
    expect(await changed(dir, await placeIn('other cache'))).toBe('image.json');
    await rename(dir, join(root, 'moved'));
    expect(await changed(join(root, 'moved'))).toBe('image.json');
    // Nor is it recorded as known.
    expect(await changed(join(root, 'moved'))).toBe('image.json');
    expect(read).toEqual([]);
  });

  test.each(['', '{', 'null', '{}'])('do not trust their record if the stamps file is %j', async (noted) => {
    const [name] = await readdir(join(cache.cache, 'stamps'));
    await writeFile(join(cache.cache, 'stamps', name!), noted);
    expect(await changed()).toBe('image.json');
    expect(read).toEqual([]);
  });
});
