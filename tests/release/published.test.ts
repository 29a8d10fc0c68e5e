import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readImage, readRelease } from '../../src/release/published.ts';

test.each(['release.json', 'images/vm/image.json'])('%s that is cut off is named', async (name) => {
  const out = await mkdtemp(join(tmpdir(), 'weir-published-'));
  onTestFinished(() => rm(out, { recursive: true, force: true }));
  const file = join(out, name);
  await mkdir(dirname(file), { recursive: true });
  const read = () => (name === 'release.json' ? readRelease({ out }) : readImage({ out }, 'vm'));
  expect(await read()).toBeUndefined();
  await writeFile(file, '{"version":');
  await expect(read()).rejects.toMatchObject({ code: 'bad-record', where: { file } });
});
