import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Project } from '../../src/project/model/project.ts';
import { releaseImages } from '../../src/release/record.ts';
import type { ImageRecord } from '../../src/release/record-schema.ts';

type Publication = Parameters<typeof releaseImages>[0]['repository'];

const packageOf = (rpm: string) => ({
  name: 'bash',
  nevra: 'bash-5.3-4.x86_64',
  epoch: 0,
  version: '5.3',
  release: '4',
  arch: 'x86_64',
  rpm,
  sourceRpm: '',
  origin: 'seed',
});
const recordOf = (name: string, rpm: string): ImageRecord => ({
  name,
  kind: 'container',
  inputs: 'ab',
  installedSize: 7,
  files: [{ path: 'a', size: 1, sha256: 'ab' }],
  details: {},
  snapshot: '20260101-01234567',
  packages: [packageOf(rpm)],
  osRelease: {},
  log: [],
});

describe('the images of a release', () => {
  let out: string;
  const names = ['made', 'earlier', 'other'];
  const found = async (): Promise<string[]> => {
    const project = { images: new Map(names.map((name) => [name, { name }])) } as unknown as Project;
    const repository = { snapshot: { channels: [{ packages: [packageOf('published')] }] } } as unknown as Publication;
    const images = [{ record: recordOf('made', 'any') }];
    return (await releaseImages({ workspace: { out, project }, images, repository })).map(({ name }) => name);
  };
  const earlier = async (name: string, text: string): Promise<void> => {
    await mkdir(join(out, 'images', name), { recursive: true });
    await writeFile(join(out, 'images', name, 'image.json'), text);
  };
  beforeEach(async () => {
    out = await mkdtemp(join(tmpdir(), 'weir-record-'));
  });
  afterEach(() => rm(out, { recursive: true, force: true }));

  test('are those of this run and earlier ones with only its packages, in project order', async () => {
    expect(await found()).toEqual(['made']);
    await earlier('earlier', JSON.stringify(recordOf('earlier', 'published')));
    await earlier('other', JSON.stringify(recordOf('other', 'replaced')));
    await earlier('made', JSON.stringify(recordOf('made', 'replaced')));
    expect(await found()).toEqual(['made', 'earlier']);
  });

  test.each(['', 'no JSON', '{"name":"earlier"}'])('skip an image with the record %j', async (text) => {
    await earlier('earlier', text);
    expect(await found()).toEqual(['made']);
  });

  test('skip an image whose record is a folder', async () => {
    await mkdir(join(out, 'images/earlier/image.json'), { recursive: true });
    expect(await found()).toEqual(['made']);
  });
});
