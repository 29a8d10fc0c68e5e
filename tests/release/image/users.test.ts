import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore, putBytes, readBlobText, type Store } from '../../../src/engine/store.ts';
import type { ImageSetup } from '../../../src/project/model/image.ts';
import { storeSetup, withSetup } from '../../../src/release/image/setup.ts';
import { withUsers } from '../../../src/release/image/users.ts';
import type { Entry } from '../../../src/tree/tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'weir-users-'));
afterAll(() => rm(folder, { recursive: true }));

let store: Store;
beforeAll(async () => {
  store = await openStore(join(folder, 'store'));
});

const none: ImageSetup = {
  ...{ excludeDocs: false, overlays: [], files: [], users: [], scripts: [], environment: {}, temporary: [] },
};
const owned = { user: 'root', group: 'root', mtime: 1, packages: ['base'] };
const file: Entry = { ...owned, path: '/file', kind: 'file', mode: 0o644, digest: 'aa', size: 2 };

describe('home folders', () => {
  const made = async (users: ImageSetup['users'], files: readonly string[] = [], more: readonly Entry[] = []) => {
    const stored = await storeSetup(store, { ...none, users, files: files.map((to) => ({ content: 'x', to })) });
    const whole = await withSetup(store, { packages: [], entries: more }, stored, 5);
    const { entries } = await withUsers(store, whole, stored, 5);
    return new Map(entries.map((entry) => [entry.path, entry]));
  };
  const people = async (...args: Parameters<typeof made>): Promise<Map<string, string>> =>
    new Map([...(await made(...args))].map(([path, { user, group }]) => [path, `${user}:${group}`]));
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
    const link: Entry = { ...file, path: '/home', kind: 'symlink', mode: 0o777, target: 'var/home' } as Entry;
    const owners = await people([worker], [], [link]);
    expect(owners.get('/var/home/worker')).toBe('worker:work');
    expect(owners.has('/home/worker')).toBe(false);
  });

  const skel: Entry = { ...file, path: '/etc/skel/.profile' };

  test('a new account gets the content of /etc/skel, and keeps what is there', async () => {
    const found = await made([worker], ['/home/worker/.bashrc'], [{ ...file, path: '/etc/skel/.bashrc' }, skel]);
    expect(found.get('/home/worker')).toMatchObject({ kind: 'directory', mode: 0o700, user: 'worker', group: 'work' });
    expect(found.get('/home/worker/.profile')).toMatchObject({ user: 'worker', packages: [] });
    expect(found.get('/home/worker/.bashrc')).toMatchObject({ user: 'root', size: 1 });
  });

  test('that of a package stays as it is', async () => {
    const home: Entry = { ...file, kind: 'directory', path: '/home/worker', mode: 0o755 } as Entry;
    const found = await made([worker], [], [home, skel]);
    expect(found.get('/home/worker')).toMatchObject({ mode: 0o755, user: 'root', packages: ['base'] });
    expect(found.has('/home/worker/.profile')).toBe(false);
  });

  test('has the SSH keys of the account, which may be there already', async () => {
    const passwd = await putBytes(store, 'root:x:0:0::/root:/bin/sh\n');
    const group = await putBytes(store, 'root:x:0:\n');
    const base: Entry[] = [
      { ...file, path: '/etc/passwd', ...passwd } as Entry,
      { ...file, path: '/etc/group', ...group } as Entry,
      { ...file, kind: 'directory', path: '/root', mode: 0o550 } as Entry,
    ];
    const users = [{ name: 'root', groups: [], sshKeys: ['ssh-ed25519 A', 'ssh-ed25519 B'] }];
    const found = await made(users, [], base);
    expect(found.get('/root')).toMatchObject({ mode: 0o550 });
    expect(found.get('/root/.ssh')).toMatchObject({ kind: 'directory', mode: 0o700, user: 'root', group: 'root' });
    const keys = found.get('/root/.ssh/authorized_keys')!;
    expect(keys.mode).toBe(0o600);
    expect(keys.kind === 'file' && (await readBlobText(store, keys.digest))).toBe('ssh-ed25519 A\nssh-ed25519 B\n');
  });
});

test('a shell that the image lacks is not the default', async () => {
  const stored = await storeSetup(store, { ...none, users: [{ name: 'a', groups: [] }] });
  const shellIn = async (entries: readonly Entry[]): Promise<string | undefined> => {
    const tree = await withUsers(store, { packages: [], entries }, stored, 5);
    const passwd = tree.entries.find(({ path }) => path === '/etc/passwd');
    return passwd?.kind === 'file' ? (await readBlobText(store, passwd.digest)).trim().split(':').at(-1) : undefined;
  };
  expect(await shellIn([])).toBe('/bin/sh');
  expect(await shellIn([{ ...file, path: '/usr/bin/bash' }])).toBe('/bin/bash');
});
