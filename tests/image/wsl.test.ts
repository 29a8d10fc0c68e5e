import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { readTar } from '../../src/archive/tar.ts';
import { fileDigest, sha256 } from '../../src/base/digest.ts';
import { openStore, putBytes, type Store } from '../../src/engine/store.ts';
import { iniSettings } from '../../src/image/ini.ts';
import { makeWsl, wslManifest } from '../../src/image/wsl.ts';
import type { Entry, Tree } from '../../src/tree/tree.ts';
import { storedGzip } from './stored-gzip.ts';

let dir: string;
let store: Store;
const base = { mode: 0o755, user: 'root', group: 'root', mtime: 5, packages: [], label: 'system_u:object_r:x_t:s0' };
const options = { arch: 'x86_64', friendlyName: 'Weir Linux 4.0', epoch: 1_790_000_000, gzip: storedGzip } as const;

async function treeWith(conf: string | undefined): Promise<Tree> {
  const file = async (path: string, text: string, more = {}): Promise<Entry> => ({
    ...base,
    kind: 'file',
    path,
    ...(await putBytes(store, text)),
    ...more,
  });
  const distribution = conf === undefined ? [] : [await file('/etc/wsl-distribution.conf', conf)];
  const entries: Entry[] = [
    { ...base, kind: 'directory', path: '/' },
    { ...base, kind: 'directory', path: '/etc' },
    await file('/etc/late', '', { mtime: options.epoch + 9 }),
    ...distribution,
    { ...base, kind: 'directory', path: '/usr' },
    await file('/usr/ping', 'ping', { capabilities: 'cap_net_raw=ep' }),
  ];
  return { entries, packages: [] };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-wsl-'));
  store = await openStore(join(dir, 'store'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('a .wsl', () => {
  const conf = '[oobe]\ndefaultName = Weir-4.0\n';

  test('is a gzipped tar of the tree with its capabilities and without its labels', async () => {
    const made = await makeWsl(store, await treeWith(conf), dir, { ...options, name: 'a' });
    expect(made).toEqual({ defaultName: 'Weir-4.0', file: 'a.wsl', digest: await fileDigest(join(dir, 'a.wsl')) });
    const tar = gunzipSync(await readFile(join(dir, 'a.wsl')));
    const members = [...readTar(bytesReader(tar))];
    expect(members.map(({ path }) => path)).toEqual([
      '',
      'etc',
      'etc/late',
      'etc/wsl-distribution.conf',
      'usr',
      'usr/ping',
    ]);
    expect(members.flatMap(({ path, xattrs = new Map() }) => [...xattrs.keys()].map((name) => [path, name]))).toEqual([
      ['usr/ping', 'security.capability'],
    ]);
  });

  test('the same tree gives the same bytes', async () => {
    const tree = await treeWith(conf);
    const [once, again] = [
      await makeWsl(store, tree, dir, { ...options, name: 'once' }),
      await makeWsl(store, tree, dir, { ...options, name: 'again' }),
    ];
    expect(again.digest).toBe(once.digest);
  });

  test('its manifest is beside it', async () => {
    const url = 'https://x.example/weir/';
    const { digest } = await makeWsl(store, await treeWith(conf), dir, { ...options, name: 'b', url });
    expect(JSON.parse(await readFile(join(dir, 'b.manifest.json'), 'utf8'))).toEqual({
      ModernDistributions: {
        Weir: [
          {
            Name: 'Weir-4.0',
            FriendlyName: 'Weir Linux 4.0',
            Default: true,
            Amd64Url: { Url: 'https://x.example/weir/b.wsl', Sha256: digest },
          },
        ],
      },
    });
  });

  test.each([
    ['no file', undefined, /wsl-distribution.conf is missing/],
    ['no name', '[oobe]\ncommand = /x\n', /has no defaultName/],
    ['a name elsewhere', '[shortcut]\ndefaultName = x\n', /has no defaultName/],
  ])('%s with its name is an error', async (_, text, says) => {
    const made = makeWsl(store, await treeWith(text), dir, { ...options, name: 'c' });
    await expect(made).rejects.toMatchObject({ code: 'not-for-wsl', message: expect.stringMatching(says) });
  });
});

test('a manifest for arm64, without a version in the name and without a URL', () => {
  const digest = sha256('x');
  const manifest = wslManifest('Weir', { ...options, arch: 'aarch64', file: 'w.wsl', digest });
  const entry = { Name: 'Weir', FriendlyName: 'Weir Linux 4.0', Default: true };
  expect(manifest).toEqual({
    ModernDistributions: { Weir: [{ ...entry, Arm64Url: { Url: 'w.wsl', Sha256: digest } }] },
  });
});

test('settings are found by section and key, case-insensitively', () => {
  const text =
    '# c = d\nfree = 1\n[Boot]\nsystemd=true\n  [oobe]  \n defaultUid = 1000 \ncommand = /a --b=c\nnothing\n';
  expect([...iniSettings(text)]).toEqual([
    ['.free', '1'],
    ['boot.systemd', 'true'],
    ['oobe.defaultuid', '1000'],
    ['oobe.command', '/a --b=c'],
  ]);
});
