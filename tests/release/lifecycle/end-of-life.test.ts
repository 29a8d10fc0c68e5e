import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Lifecycle } from '../../../src/project/model/release.ts';
import { endOfLifeFaults, endOfLifeFiles, writeEndOfLife } from '../../../src/release/lifecycle/end-of-life.ts';

const lifecycle: Lifecycle = {
  id: 'weir',
  name: 'Weir Linux',
  version: '4.0',
  releaseDate: '2026-11-20',
  supportEnd: '2028-11-19',
  lts: false,
  exceptions: [],
};
const release = { snapshot: '20261127-01234567', clock: Date.UTC(2026, 10, 27, 23, 59) / 1000 };
const textOf = (changes: Partial<Lifecycle>, ending: string): string =>
  endOfLifeFiles({ ...lifecycle, ...changes }, release).find(([path]) => path.endsWith(ending))![1];

describe('the files for endoflife.date', () => {
  test('are the answer of its API, by the clock of the release', () => {
    expect(JSON.parse(textOf({}, '.json'))).toEqual([
      {
        cycle: '4.0',
        releaseDate: '2026-11-20',
        support: '2028-11-19',
        eol: '2028-11-19',
        latest: '20261127-01234567',
        latestReleaseDate: '2026-11-27',
        lts: false,
      },
    ]);
  });

  test('say when full support ends, and what is not decided', () => {
    const [cycle] = JSON.parse(textOf({ fullSupportEnd: '2027-11-19', lts: true }, '.json')) as [object];
    expect(cycle).toMatchObject({ support: '2027-11-19', eol: '2028-11-19', lts: true });
    const { supportEnd, releaseDate, ...undecided } = lifecycle;
    const [open] = JSON.parse(endOfLifeFiles(undecided, release)[0]![1]) as [object];
    expect(open).toMatchObject({ support: true, eol: false });
    expect(open).not.toHaveProperty('releaseDate');
  });

  test('are the page of the product, with dates unquoted and versions quoted', () => {
    expect(textOf({}, '.md')).toBe(`---
title: "Weir Linux"
category: os
tags: linux-distribution
permalink: /weir
versionCommand: cat /etc/os-release
activeSupportColumn: false
releaseDateColumn: true
releases:
  - releaseCycle: "4.0"
    releaseDate: 2026-11-20
    support: 2028-11-19
    eol: 2028-11-19
    latest: "20261127-01234567"
    latestReleaseDate: 2026-11-27
    lts: false
---
`);
  });
});

describe('in an output folder', () => {
  let out: string;
  const workspace = (changes?: Partial<Lifecycle> | 'none') =>
    ({ out, project: { lifecycle: changes === 'none' ? undefined : { ...lifecycle, ...changes } } }) as never;
  const faults = async (changes?: Partial<Lifecycle> | 'none'): Promise<string[]> =>
    (await endOfLifeFaults(workspace(changes), release)).map(({ path, fault }) => `${fault} ${path}`);
  beforeEach(async () => {
    out = await mkdtemp(join(tmpdir(), 'weir-eol-'));
  });
  afterEach(() => rm(out, { recursive: true, force: true }));

  test('they are written once, and those of another ID go', async () => {
    await writeEndOfLife(workspace({ id: 'old' }), release);
    await writeEndOfLife(workspace(), release);
    expect(await readdir(join(out, 'endoflife'))).toEqual(['weir.json', 'weir.md']);
    expect(await readFile(join(out, 'endoflife/weir.md'), 'utf8')).toBe(textOf({}, '.md'));
    expect(await faults()).toEqual([]);
    await writeEndOfLife(workspace('none'), release);
    expect(await readdir(out)).toEqual([]);
    expect(await faults('none')).toEqual([]);
  });

  test('weir release verify finds what is wrong, missing and extra', async () => {
    expect(await faults()).toEqual(['missing endoflife/weir.json', 'missing endoflife/weir.md']);
    await writeEndOfLife(workspace(), release);
    expect(await faults({ supportEnd: '2029-11-19' })).toEqual([
      'wrong endoflife/weir.json',
      'wrong endoflife/weir.md',
    ]);
    await chmod(join(out, 'endoflife/weir.md'), 0o600);
    await mkdir(join(out, 'endoflife/x'));
    await writeFile(join(out, 'endoflife/weir.json'), '[]');
    expect(await faults()).toEqual(['wrong endoflife/weir.json', 'wrong endoflife/weir.md', 'extra endoflife/x']);
    expect(await faults('none')).toEqual(['extra endoflife/weir.json', 'extra endoflife/weir.md', 'extra endoflife/x']);
  });
});
