import { mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, test } from 'vitest';
import { fileDigest } from '../../src/base/digest.ts';
import { exists } from '../../src/base/files.ts';
import { exchangeBy } from '../../src/release/image/replace-folder.ts';
import type { ImageRecord, ReleaseRecord } from '../../src/release/record-schema.ts';
import {
  buildsAny,
  cloneCache,
  exitOf,
  filesBelow,
  forget,
  newFolder,
  projectWith,
  releaseRecord,
  shared,
  startWeir,
  tools,
  weirOk,
} from './weir.ts';

/** What is published is whole, whatever happened to the run that published it. */
async function expectWhole(out: string): Promise<void> {
  const root = join(out, 'repo/4.0');
  const names = await readdir(root).catch((): string[] => []);
  for (const name of names) if (!name.startsWith('.') && name !== 'latest') await expectSnapshot(join(root, name));
  if (names.includes('latest')) expect(names).toContain(await readlink(join(root, 'latest')));
  for (const name of await readdir(join(out, 'images')).catch(() => [])) {
    if (name.startsWith('.')) continue;
    const dir = join(out, 'images', name);
    const record = JSON.parse(await readFile(join(dir, 'image.json'), 'utf8')) as ImageRecord;
    for (const file of record.files) expect((await stat(join(dir, file.path))).size, file.path).toBe(file.size);
  }
}

async function expectSnapshot(dir: string): Promise<void> {
  expect(await exists(join(dir, 'RPM-GPG-KEY'))).toBe(true);
  for (const channel of ['base', 'sdk']) {
    const repodata = join(dir, channel, 'x86_64', 'repodata');
    const repomd = await readFile(join(repodata, 'repomd.xml'), 'utf8');
    expect(await exists(join(repodata, 'repomd.xml.asc'))).toBe(true);
    for (const [, name, digest] of repomd.matchAll(/<location href="repodata\/(([0-9a-f]{64})-[^"]+)"/g)) {
      expect(await fileDigest(join(repodata, name!))).toBe(digest);
    }
  }
}

describe('a killed run', () => {
  let cache: string;
  let project: string;
  let out: string;
  let started: number;
  let args: string[];
  // Where in a stage a kill falls is left to chance on purpose; the message of a failure says where it was.
  const kills: string[] = [];

  beforeAll(async () => {
    started = Date.now();
    cache = await cloneCache();
    project = await projectWith({});
    out = join(await newFolder('killed'), 'out');
    args = ['-C', project, 'build', '--json', '--out', out];
    const some = ['seed-convert', 'sign-rpm', 'unpack-rpm'];
    const all = ['finalise-tree', 'resolve-packages', 'query-spec', 'seed-set', 'sign-rpms'];
    const forgotten = await forget(cache, (action, index) => {
      if (all.includes(action.kind) || buildsAny(['hostname', 'dos2unix', 'weir-hardening'])(action)) return true;
      return some.includes(action.kind) && index % 5 === 0;
    });
    expect(forgotten).toBeGreaterThan(50);
  });

  /** Kills a build some time after a stage began, if it is not done before. */
  async function killIn(stage: string, within: number): Promise<void> {
    const delay = Math.round(Math.random() * within);
    const child = startWeir(args, { XDG_CACHE_HOME: cache });
    child.stdout!.resume();
    let timer: NodeJS.Timeout | undefined;
    createInterface({ input: child.stderr! }).on('line', (line) => {
      if (timer === undefined && line.startsWith('{') && line.includes(`"stage":"${stage}","state":"started"`)) {
        timer = setTimeout(() => child.kill('SIGKILL'), delay);
      }
    });
    const killed = (await exitOf(child)) === 'SIGKILL';
    kills.push(`${stage} + ${delay} ms${killed ? '' : ': too late'}`);
  }

  test('leaves a folder that the next run recognises, if killed during the first snapshot', async () => {
    const root = join(out, 'repo/4.0');
    const child = startWeir(args, { XDG_CACHE_HOME: cache });
    child.stdout!.resume();
    child.stderr!.resume();
    const begun = async (): Promise<boolean> =>
      (await readdir(root).catch(() => [])).some((name) => name.endsWith('.tmp'));
    while (child.exitCode === null && !(await begun())) await new Promise((done) => setTimeout(done, 2));
    child.kill('SIGKILL');
    expect(await exitOf(child)).toBe('SIGKILL');
    expect(await readdir(root)).toEqual([expect.stringMatching(/^\.[0-9a-z-]+\.tmp$/)]);
    await expectWhole(out);
  });

  test.each([
    ['seed', 3000],
    ['packages', 1500],
    ['packages', 8000],
    ['repository', 3000],
    ['container-base', 1500],
    ['vm-base', 6000],
  ])('in %s leaves only complete results', async (stage, within) => {
    await killIn(stage, within);
    await expectWhole(out);
    const blobs = join(cache, 'weir/store');
    for (const name of await filesBelow(blobs)) {
      // Beside the blobs are the cache's key, its stamps and what was under way.
      const [, digest] = /^[0-9a-f]{2}\/([^.]+)(?:\.x)?$/.exec(name) ?? [];
      if (digest === undefined || (await stat(join(blobs, name))).mtimeMs < started) continue;
      expect(await fileDigest(join(blobs, name)), kills.join(', ')).toBe(digest);
    }
  });

  test('most kills were in time', () => {
    expect(kills.filter((kill) => !kill.endsWith('too late')).length, kills.join(', ')).toBeGreaterThanOrEqual(3);
  });

  test('the next run does the rest, with the same bytes as an undisturbed run', async () => {
    const done = await weirOk(
      args.filter((word) => word !== '--json'),
      { env: { XDG_CACHE_HOME: cache } },
    );
    await expectWhole(out);
    const [record, undisturbed] = await Promise.all([releaseRecord(out), releaseRecord()]);
    const facts = ({ snapshot, channels, images }: ReleaseRecord): unknown => ({ snapshot, channels, images });
    expect(facts(record), kills.join(', ')).toEqual(facts(undisturbed));
    expect(await readlink(join(out, 'repo/4.0/latest'))).toBe(done.snapshot);
    expect(done.snapshot).toBe(basename(await readlink(join(shared.out, 'repo/4.0/latest'))));
  });

  test('and no partial result is left', async () => {
    const temporary = (name: string): boolean => /(^|\/)\.[^/]*\.tmp(\/|$)/.test(name);
    expect((await readdir(out, { recursive: true })).filter((name) => temporary(name) || name === '.lock')).toEqual([]);
    for (const folder of ['scratch', 'store/tmp', 'repos', 'toolbox', 'roots']) {
      const names = await readdir(join(cache, 'weir', folder)).catch(() => []);
      expect(names.filter(temporary), folder).toEqual([]);
    }
  });

  test('Ctrl-C ends a run with 130 and one line', async () => {
    const child = startWeir(['-C', project, 'build', '--out', join(await newFolder('stopped'), 'out')], {
      XDG_CACHE_HOME: cache,
    });
    let said = '';
    child.stdout!.resume();
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('packages')) child.kill('SIGINT');
    });
    expect(await exitOf(child)).toBe(130);
    expect(said.split('\n').filter((line) => line.startsWith('error:'))).toEqual([expect.stringContaining('SIGINT')]);
  });
});

test('folders are swapped atomically', async () => {
  const dir = await newFolder('exchange');
  const [one, other] = [join(dir, 'one'), join(dir, 'other')];
  for (const each of [one, other]) {
    await mkdir(each);
    await writeFile(join(each, basename(each)), '');
  }
  const exchange = exchangeBy(await tools());
  expect(await exchange(one, other)).toBe(true);
  expect([await readdir(one), await readdir(other)]).toEqual([['other'], ['one']]);
  // It says so where it could not, and has changed nothing.
  expect(await exchange(one, join(dir, 'none'))).toBe(false);
  expect(await readdir(dir)).toEqual(['one', 'other']);
});
