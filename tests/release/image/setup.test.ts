import { mkdtempSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../src/engine/action.ts';
import { openStore, readBlobText, type Store } from '../../../src/engine/store.ts';
import type { ImageSetup } from '../../../src/project/model/image.ts';
import { storeSetup, withSetup, withUsers } from '../../../src/release/image/setup.ts';
import type { Entry, Tree } from '../../../src/tree/tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'weir-setup-'));
afterAll(() => rm(folder, { recursive: true }));

let store: Store;
beforeAll(async () => {
  store = await openStore(join(folder, 'store'));
});

const none: ImageSetup = {
  ...{ excludeDocs: false, overlays: [], files: [], users: [], scripts: [], environment: {}, temporary: [] },
};
const zone: Entry = {
  ...{ path: '/usr/share/zoneinfo/Europe/Berlin', kind: 'file', mode: 0o644, user: 'root', group: 'root', mtime: 1 },
  ...{ packages: ['tzdata'], digest: 'aa', size: 2 },
};
const tree: Tree = { entries: [zone], packages: [] };
const laid = async (setup: Partial<ImageSetup>): Promise<Tree> =>
  withSetup(store, tree, await storeSetup(store, { ...none, ...setup }), 5);

describe('locale and time zone', () => {
  test('win over a file of the setup', async () => {
    const { entries } = await laid({
      locale: 'de_DE.UTF-8',
      files: [{ content: 'LANG=C\n', to: '/etc/locale.conf' }],
    });
    const found = entries.find(({ path }) => path === '/etc/locale.conf');
    expect(found?.kind === 'file' && (await readBlobText(store, found.digest))).toBe('LANG=de_DE.UTF-8\n');
  });

  test('a zone is a link to its file, and must be there', async () => {
    const { entries } = await laid({ timezone: 'Europe/Berlin' });
    expect(entries.find(({ path }) => path === '/etc/localtime')).toMatchObject({
      target: '../usr/share/zoneinfo/Europe/Berlin',
    });
    for (const timezone of ['Europe/Berln', 'Europe']) {
      await expect(laid({ timezone })).rejects.toThrow(expect.objectContaining({ code: 'no-timezone', exit: 2 }));
    }
    expect((await laid({ timezone: 'UTC' })).entries.some(({ path }) => path === '/etc/localtime')).toBe(false);
  });
});

describe('home folders', () => {
  const people = async (users: ImageSetup['users'], files: readonly string[], links: readonly Entry[] = []) => {
    const stored = await storeSetup(store, { ...none, users, files: files.map((to) => ({ content: 'x', to })) });
    const whole = await withSetup(store, { ...tree, entries: [...links, zone] }, stored, 5);
    const { entries } = await withUsers({ store } as Engine, whole, stored, 5);
    return new Map(entries.map(({ path, user, group }) => [path, `${user}:${group}`]));
  };
  const worker = { name: 'worker', groups: ['work'] };

  test('what an overlay has in a home folder that is named belongs to the user', async () => {
    const owners = await people([{ ...worker, home: '/srv/worker' }], ['/srv/worker/.ssh/key', '/srv/workers']);
    expect(['/srv', '/srv/workers'].map((path) => owners.get(path))).toEqual(['root:root', 'root:root']);
    for (const path of ['/srv/worker', '/srv/worker/.ssh', '/srv/worker/.ssh/key']) {
      expect(owners.get(path), path).toBe('worker:work');
    }
  });

  test('without a name for it, it stays as it is', async () => {
    expect((await people([worker], ['/home/worker/file'])).get('/home/worker/file')).toBe('root:root');
  });

  test('one below a link is where the link leads', async () => {
    const link: Entry = { ...zone, path: '/home', kind: 'symlink', mode: 0o777, target: 'var/home' } as Entry;
    const owners = await people([worker], [], [link]);
    expect(owners.get('/var/home/worker')).toBe('worker:work');
    expect(owners.has('/home/worker')).toBe(false);
  });
});

test('a name in an overlay that is not UTF-8 is an error', async () => {
  const overlay = join(folder, 'overlay');
  await mkdir(overlay);
  await writeFile(Buffer.concat([Buffer.from(`${overlay}/a`), Buffer.from([0xff])]), '');
  await expect(storeSetup(store, { ...none, overlays: [overlay] })).rejects.toThrow(
    expect.objectContaining({ code: 'no-file', message: expect.stringContaining('not UTF-8') }),
  );
});
