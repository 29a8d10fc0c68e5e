import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readRpm, verifyPayload } from '../../src/rpm/read.ts';
import { packageScripts } from '../../src/rpm/scripts.ts';
import { stripScripts } from '../../src/rpm/strip-scripts.ts';

const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-strip-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('leaves out scriptlets, and replaces triggers, whose conditions name them by index', async () => {
  const before = await readRpm(fixture('scripts.rpm'));
  const out = join(folder, 'some.rpm');
  const dropped = new Set(['post', 'triggerin', 'filetriggerin', 'transfiletriggerpostun']);
  expect(await stripScripts(fixture('scripts.rpm'), out, ({ name }) => dropped.has(name))).toBe(true);
  const after = await readRpm(out);
  const nothing = { interpreter: ['<lua>'], script: '--' };
  expect(packageScripts(after)).toEqual(
    packageScripts(before)
      .filter(({ name }) => name !== 'post')
      .map(({ flags, ...script }) =>
        dropped.has(script.name) ? { ...script, ...nothing } : { ...script, ...(flags === undefined ? {} : { flags }) },
      ),
  );
  const rest = ({
    scriptlets,
    triggers,
    fileTriggers,
    fileSize,
    headerOffset,
    payloadOffset,
    headerDigest,
    ...others
  }: typeof after) => others;
  expect(rest(after)).toEqual(rest(before));
  await verifyPayload(out);
});

test('writes nothing if there is nothing to leave out', async () => {
  const out = join(folder, 'none.rpm');
  expect(await stripScripts(fixture('scripts.rpm'), out, () => false)).toBe(false);
  await expect(readRpm(out)).rejects.toMatchObject({ code: 'no-rpm' });
});

test.each(['reference-v4.rpm', 'reference-v6.rpm'])('%s keeps its files and its format', async (name) => {
  const out = join(folder, name);
  expect(await stripScripts(fixture(name), out, () => true)).toBe(true);
  const [before, after] = [await readRpm(fixture(name)), await readRpm(out)];
  expect({ format: after.format, files: after.files, scriptlets: after.scriptlets }).toEqual({
    format: before.format,
    files: before.files,
    scriptlets: [],
  });
  await verifyPayload(out);
});
