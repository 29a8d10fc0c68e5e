import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type BuildResult,
  buildsAny,
  cloneCache,
  forget,
  imageRecord,
  newFolder,
  projectWith,
  releaseRecord,
  shared,
  weirOk,
} from './weir.ts';

/** `repomd.xml` of each repository of the newest snapshot, which holds the digests of all its metadata. */
async function repositoryMetadata(out: string): Promise<Record<string, string>> {
  const snapshot = join(out, 'repo', '4.0', 'latest');
  const found: Record<string, string> = {};
  for (const channel of (await readdir(snapshot))
    .filter((name) => !['RPM-GPG-KEY', 'evidence'].includes(name))
    .sort()) {
    for (const arch of await readdir(join(snapshot, channel))) {
      const file = join(snapshot, channel, arch, 'repodata', 'repomd.xml');
      found[`${channel}/${arch}`] = await readFile(file, 'utf8');
    }
  }
  return found;
}

// The same inputs once more: another cache, other folders, another umask, time zone and language.
describe('a rebuild elsewhere', () => {
  let out: string;
  let built: BuildResult;
  const components = ['hostname', 'dos2unix', 'weir-rpm-config'];

  beforeAll(async () => {
    const cache = await cloneCache();
    const anew = ['finalise-tree', 'resolve-packages', 'query-spec', 'selinux-policy'];
    const forgotten = await forget(cache, (action, index) => {
      if (anew.includes(action.kind) || buildsAny(components)(action)) return true;
      if (['seed-set', 'sign-rpms', 'package-evidence-all', 'package-evidence'].includes(action.kind)) return true;
      return ['seed-convert', 'sign-rpm', 'unpack-rpm'].includes(action.kind) && index % 10 === 0;
    });
    expect(forgotten).toBeGreaterThan(30);
    out = join(await newFolder('elsewhere'), 'another', 'out');
    built = await weirOk(['-C', await projectWith({}), 'build', '--out', out], {
      env: {
        XDG_CACHE_HOME: cache,
        TZ: 'Pacific/Kiritimati',
        LANG: 'de_DE.UTF-8',
        LC_ALL: 'C',
        SOURCE_DATE_EPOCH: '1',
      },
      within: ['sh', '-c', 'umask 077; exec "$@"', 'sh'],
    });
  });

  test('really builds', () => {
    const fresh = built.components.filter((component) => !component.cached).map((component) => component.name);
    expect(fresh.sort()).toEqual([...components].sort());
    expect(built.images.filter((image) => image.cached)).toEqual([]);
  });

  test('gives the same release.json and signature', async () => {
    for (const name of ['release.json', 'release.json.sig', 'image-key.pem']) {
      expect(await readFile(join(out, name), 'utf8'), name).toBe(await readFile(join(shared.out, name), 'utf8'));
    }
  });

  test('gives packages with the same bytes, binary, source and debuginfo, signed', async () => {
    const [again, before] = await Promise.all([releaseRecord(out), releaseRecord()]);
    expect(again.channels).toEqual(before.channels);
    expect(again.snapshot).toBe(before.snapshot);
  });

  test('gives repositories with the same metadata, including file times', async () => {
    const again = await repositoryMetadata(out);
    expect(Object.keys(again)).toEqual(['base/x86_64', 'sdk/x86_64']);
    expect(again).toEqual(await repositoryMetadata(shared.out));
  });

  test('gives the same evidence of packages', async () => {
    const evidence = async (from: string): Promise<Record<string, string>> => {
      const folder = join(from, 'repo/4.0/latest/evidence');
      const read = async (name: string) => [name, await readFile(join(folder, name), 'utf8')] as const;
      return Object.fromEntries(await Promise.all((await readdir(folder)).map(read)));
    };
    const again = await evidence(out);
    expect(Object.keys(again).length).toBeGreaterThan(30);
    expect(again).toEqual(await evidence(shared.out));
  });

  test.each([
    ...['container-base', 'distroless-minimal', 'distroless-base', 'distroless-debug', 'python', 'nodejs', 'perl'],
    ...['vm-azure', 'vm-base', 'vm-kubernetes', 'wsl'],
  ])('gives %s with the same bytes in every format', async (name) => {
    const [again, before] = await Promise.all([imageRecord(name, out), imageRecord(name)]);
    expect(again.files).toEqual(before.files);
  });
});
