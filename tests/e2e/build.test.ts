import { copyFile, mkdir, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { fileDigest, sha256 } from '../../src/base/digest.ts';
import { mapLimit } from '../../src/base/files.ts';
import { installRoot } from '../../src/base/paths.ts';
import { prepareComponents } from '../../src/component/ready.ts';
import { checkRendered, orphanedFolders } from '../../src/overlay/rendered-folder.ts';
import type { ReleaseChanges } from '../../src/release/diff/release-diff.ts';
import type { LifecycleReport } from '../../src/release/lifecycle/report.ts';
import { pastReleases } from '../../src/release/past-releases.ts';
import { isSignatureOf } from '../../src/trust/image-key.ts';
import { openWorkspace } from '../../src/workspace/workspace.ts';
import {
  type BuildResult,
  filesBelow,
  newFolder,
  projectWith,
  releaseRecord,
  shared,
  sharedWorkspace,
  weir,
  weirOk,
} from './weir.ts';

const first = JSON.parse(shared.built) as BuildResult;

/** In the order of their files. */
const images = [
  'container-base',
  'distroless-minimal',
  'distroless-base',
  'distroless-debug',
  'python',
  'nodejs',
  'perl',
  'vm-azure',
  'vm-base',
  'vm-kubernetes',
  'wsl',
];

describe('the output of a build', () => {
  test('has a line for every stage', () => {
    const names = first.stages.map((stage) => stage.name);
    expect(names.slice(0, 5)).toEqual(['toolbox', 'seed', 'specs', 'packages', 'repository']);
    // Images are made several at a time, and listed as they end.
    expect(names.slice(5).sort()).toEqual([...images].sort());
    for (const stage of first.stages) expect(stage.summary).toMatch(/\d/);
  });

  test('the repository is laid out by snapshot, channel and architecture, and latest points to it', async () => {
    const root = join(shared.out, 'repo', '4.0');
    expect((await readdir(root)).sort()).toEqual([first.snapshot, 'latest'].sort());
    expect(first.snapshot).toMatch(/^20\d{6}-[0-9a-f]{8}$/);
    expect(await readlink(join(root, 'latest'))).toBe(first.snapshot);
    const record = await releaseRecord();
    expect((await readdir(join(root, 'latest'))).sort()).toEqual(
      ['RPM-GPG-KEY', 'evidence', ...record.channels.map((channel) => channel.name)].sort(),
    );
    for (const channel of record.channels) {
      const repodata = join(root, 'latest', channel.name, 'x86_64', 'repodata');
      expect(await readdir(repodata)).toEqual(expect.arrayContaining(['repomd.xml', 'repomd.xml.asc']));
    }
  });

  test('release.json names every published package by digest', async () => {
    const record = await releaseRecord();
    expect(record.snapshot).toBe(first.snapshot);
    for (const channel of record.channels) {
      const dir = join(shared.out, 'repo', '4.0', record.snapshot, channel.name, record.arch, 'Packages');
      const there = await mapLimit(await filesBelow(dir), 4, (name) => fileDigest(join(dir, name)));
      expect(there.sort()).toEqual(channel.packages.map((pkg) => pkg.sha256).sort());
    }
    const all = record.channels.flatMap((channel) => channel.packages);
    expect(new Set(all.map((pkg) => pkg.nevra)).size, 'no package is in two channels').toBe(all.length);
    // Only what the seed makes itself comes from no Debian source.
    const own = parse(await readFile(join(installRoot, 'seed/own.toml'), 'utf8')).packages as Record<string, unknown>;
    const without = all.filter((pkg) => pkg.origin === 'seed' && !/^\S+ \S+$/.test(pkg.debian ?? ''));
    expect(without.map((pkg) => pkg.nevra.replace(/-[^-]+-[^-]+$/, '')).sort()).toEqual(Object.keys(own).sort());
  });

  test('the record of the release is kept, with the same bytes and its signature', async () => {
    const text = await readFile(join(shared.out, 'release.json'));
    const [, kept] = /^([0-9a-f]{16})/.exec(sha256(text))!;
    const folder = join(shared.out, 'releases', first.snapshot);
    expect(await filesBelow(join(shared.out, 'releases'))).toContain(`${first.snapshot}/${kept}.json`);
    expect(await readFile(join(folder, `${kept}.json`))).toEqual(text);
    const signature = await readFile(join(folder, `${kept}.json.sig`), 'utf8');
    expect(isSignatureOf((await releaseRecord()).imageKey.publicKey, text, signature)).toBe(true);
  });

  test('release.json names every file of every image by digest', async () => {
    const record = await releaseRecord();
    expect(record.images.map((image) => image.name)).toEqual(images);
    for (const image of record.images) {
      const dir = join(shared.out, 'images', image.name);
      expect(await filesBelow(dir)).toEqual([...image.files.map((file) => file.path), 'image.json'].sort());
      for (const file of image.files) {
        expect((await stat(join(dir, file.path))).size).toBe(file.size);
        expect(await fileDigest(join(dir, file.path)), file.path).toBe(file.sha256);
      }
    }
  });

  test('every image says in os-release how long it is supported, and so does endoflife.date’s file', async () => {
    const result = await weir(['-C', shared.project, 'lifecycle', '--at', '2027-01-01', '--out', shared.out, '--json']);
    expect(result.code, result.stderr).toBe(0);
    const report = JSON.parse(result.stdout) as LifecycleReport;
    expect(report).toMatchObject({ state: 'supported', supportEnd: '2028-11-19', daysLeft: 688, unmatched: [] });
    expect(report.images.map(({ name, status }) => `${name} ${status}`)).toEqual(images.map((name) => `${name} same`));
    const [cycle] = JSON.parse(await readFile(join(shared.out, 'endoflife/weir.json'), 'utf8')) as [object];
    expect(cycle).toMatchObject({ cycle: '4.0', eol: '2028-11-19', latest: first.snapshot });
  });

  test('no temporary files are left', async () => {
    const names = await readdir(shared.out, { recursive: true });
    expect(names.filter((name) => /(^|\/)\.|\.tmp$/.test(name))).toEqual([]);
  });

  test('a fixed VHD ends with its footer and is a whole number of MiB', async () => {
    const vhd = join(shared.out, 'images', 'vm-base', 'vm-base.vhd');
    const { size } = await stat(vhd);
    expect((size - 512) % (1 << 20)).toBe(0);
  });
});

test('rendered specs in the checkout are up to date', async () => {
  const { progress } = await sharedWorkspace();
  const workspace = await openWorkspace({ directory: join(installRoot, 'distro'), out: shared.out, progress });
  const root = join(installRoot, 'distro', 'specs');
  const stale = [];
  for (const { rendered } of await prepareComponents(workspace, undefined))
    stale.push(...checkRendered(root, rendered).stale);
  expect(stale, 'run ./weir build and commit distro/specs').toEqual([]);
  expect(orphanedFolders(root, new Set(workspace.project.components.keys()))).toEqual([]);
});

test('a second build is fully cached and changes nothing', async () => {
  const before = await releaseRecord();
  const again = await weirOk(['-C', shared.project, 'build', '--out', shared.out]);
  expect(again.stages.filter((stage) => !stage.cached)).toEqual([]);
  expect(again.components.every((component) => component.cached)).toBe(true);
  expect(again.images.every((image) => image.cached)).toBe(true);
  expect(await releaseRecord()).toEqual(before);
});

test('a changed overlay rebuilds only its component and gives a new snapshot', async () => {
  const overlay = `
[[components.dos2unix.overlays]]
type = "spec-append-lines"
description = "A line that a test added"
section = "%description"
lines = ["Changed by a test."]
`;
  const project = await projectWith({ 'distro/components/dos2unix/dos2unix.toml': (text) => text + overlay });
  const out = join(await newFolder('changed'), 'out');
  // The release that it replaces, without what a build would check for long.
  await mkdir(out);
  for (const name of ['weir-output', 'release.json', 'release.json.sig'])
    await copyFile(join(shared.out, name), join(out, name));
  const changed = await weirOk(['-C', project, 'build', '--no-images', '--out', out]);
  const built = changed.components.filter((component) => !component.cached).map((component) => component.name);
  // Built by an earlier run of the tests in the same cache, nothing is left to do.
  expect([['dos2unix'], []]).toContainEqual(built);
  const spec = await readFile(join(project, 'specs/d/dos2unix/dos2unix.spec'), 'utf8');
  expect(spec).toContain('Changed by a test.');
  expect(changed.snapshot).not.toBe(first.snapshot);
  // Also the record of the release before it is kept, although the folder had only its release.json.
  const kept = await pastReleases({ out });
  expect(kept.map(({ record, latest }) => `${record.snapshot} ${latest}`)).toEqual([
    `${first.snapshot} false`,
    `${changed.snapshot} true`,
  ]);
  const result = await weir(['-C', project, 'release', 'diff', 'previous', 'latest', '--out', out, '--json']);
  expect(result.code, result.stderr).toBe(0);
  const { channels, advisories, images: inBoth } = JSON.parse(result.stdout) as ReleaseChanges;
  const names = new Set(channels.flatMap(({ packages }) => packages.map(({ name }) => name)));
  expect(names).toContain('dos2unix');
  expect([...names].filter((name) => !name.startsWith('dos2unix'))).toEqual([]);
  expect(advisories).toEqual({ fixed: [], returned: [] });
  // It made none.
  expect(inBoth.removed.map(({ name }) => name)).toEqual(images);
});
