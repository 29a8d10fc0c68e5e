import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { probeFeeds } from '../../src/release/verify-feeds.ts';
import { nevra } from '../../src/repo/metadata.ts';
import { sampleFeeds, sampleSnapshot } from '../advisory/feeds/sample.ts';

let dir: string;
const feeds = sampleFeeds();
const extras = [...feeds.files].map(([path, text]) => ({ path, sha256: sha256(text) }));
const channels = sampleSnapshot.channels.map(({ name, packages }) => ({
  name,
  updateinfo: sha256(feeds.updateinfo.get(name)!),
  packages: packages.map((pkg) => ({ nevra: nevra(pkg), sha256: pkg.rpm, origin: pkg.origin })),
}));
const release = { channels, extras, arch: 'x86_64' };

async function put(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(join(dir, path)), { recursive: true });
  await writeFile(join(dir, path), content);
}

async function edit(path: string, from: string, to: string): Promise<void> {
  const before = await readFile(join(dir, path), 'utf8');
  expect(before).toContain(from);
  await put(path, before.replaceAll(from, to));
}

/** Writes updateinfo.xml as createrepo_c would refer to it. */
async function putUpdateinfo(channel: string, text: string): Promise<void> {
  const bytes = zstdCompressSync(text);
  const location = `repodata/${sha256(bytes)}-updateinfo.xml.zst`;
  const data = `<checksum type="sha256">${sha256(bytes)}</checksum><location href="${location}"/>`;
  await put(join(channel, 'x86_64', location), bytes);
  await put(join(channel, 'x86_64/repodata/repomd.xml'), `<repomd><data type="updateinfo">${data}</data></repomd>`);
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-probe-'));
  for (const [path, text] of feeds.files) await put(path, text);
  for (const [channel, text] of feeds.updateinfo) await putUpdateinfo(channel, text);
});
afterEach(() => rm(dir, { recursive: true }));

test('feeds as they were published have no fault, and their statements are counted', async () => {
  expect(await probeFeeds(dir, release)).toEqual({
    faults: [],
    statements: { csaf: 11, openvex: 11, osv: 6, oval: 3, updateinfo: 3 },
  });
});

test('a snapshot without feeds is no fault', async () => {
  expect(await probeFeeds(dir, { channels: [], arch: 'x86_64' })).toEqual({ faults: [] });
});

test('a feed that says something else is found', async () => {
  await edit('advisories/oval.xml', '0:5.2-2', '0:5.2-1');
  expect((await probeFeeds(dir, release)).faults).toEqual([
    {
      path: 'advisories',
      fault: 'wrong',
      message:
        'the feeds do not say the same: oval does not say: CVE-2026-1001 bash fixed 5.2-2, and 1 more differences',
    },
  ]);
});

test('an updateinfo without the fixes is found', async () => {
  await putUpdateinfo('base', '<updates/>');
  const { faults } = await probeFeeds(dir, release);
  expect(faults).toEqual([expect.objectContaining({ message: expect.stringMatching(/updateinfo does not say: CVE/) })]);
});

test('a statement about a package that the repository does not have is found', async () => {
  const without = channels.map((channel) => ({
    ...channel,
    packages: channel.packages.filter(({ nevra: each }) => !each.startsWith('less')),
  }));
  expect((await probeFeeds(dir, { ...release, channels: without })).faults).toEqual([
    expect.objectContaining({
      path: 'advisories/openvex.json',
      message: 'it is about less 668-1, which the repository does not have',
    }),
    expect.objectContaining({ path: 'advisories/csaf' }),
  ]);
});

test.each(['advisories/openvex.json', 'advisories/oval.xml', 'advisories/csaf/2026/testlinux-cve-2026-1001.json'])(
  '%s that is no feed at all is found',
  async (path) => {
    await put(path, '{}');
    expect((await probeFeeds(dir, release)).faults).toEqual([expect.objectContaining({ path, fault: 'wrong' })]);
    await rm(join(dir, path));
    expect((await probeFeeds(dir, release)).faults).toEqual([expect.objectContaining({ path, fault: 'wrong' })]);
  },
);
