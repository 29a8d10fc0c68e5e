import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStore, readBlobText, type Store } from '../../../src/engine/store.ts';
import type { ImageSetup, WeirImage } from '../../../src/project/model/image.ts';
import { setupDigest, storedDefinition, storeSetup, withSetup } from '../../../src/release/image/setup.ts';
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

test('a name in an overlay that is not UTF-8 is an error', async () => {
  const overlay = join(folder, 'overlay');
  await mkdir(overlay);
  await writeFile(Buffer.concat([Buffer.from(`${overlay}/a`), Buffer.from([0xff])]), '');
  await expect(storeSetup(store, { ...none, overlays: [{ from: overlay }] })).rejects.toThrow(
    expect.objectContaining({ code: 'no-file', message: expect.stringContaining('not UTF-8') }),
  );
});

describe('a folder that is laid over the tree', () => {
  const source = join(folder, 'src');
  const place = { file: 'c.yaml', line: 3, column: 5 };
  const over = (more: object = {}) => laid({ overlays: [{ from: source, to: '/opt/app', place, ...more }] });

  beforeEach(async () => {
    await rm(source, { recursive: true, force: true });
    await mkdir(join(source, 'sub'), { recursive: true });
    await writeFile(join(source, 'sub/run'), 'x', { mode: 0o755 });
  });

  const modes = async (more?: object): Promise<Record<string, string>> =>
    Object.fromEntries((await over(more)).entries.map(({ path, mode }) => [path, mode.toString(8)]));

  test('has permissions that no umask changes, or those that are asked for', async () => {
    await chmod(join(source, 'sub'), 0o700);
    await writeFile(join(source, 'secret'), 'x', { mode: 0o600 });
    expect(await modes()).toMatchObject({
      ...{ '/opt': '755', '/opt/app': '755', '/opt/app/sub': '755', '/opt/app/sub/run': '755' },
      '/opt/app/secret': '644',
    });
    expect(await modes({ newFolderMode: 0o750, fileMode: 0o640 })).toMatchObject({
      ...{ '/opt': '755', '/opt/app': '750', '/opt/app/sub': '750', '/opt/app/sub/run': '640' },
    });
    expect(await modes({ to: '/usr', knownFolderMode: 0o711 })).toMatchObject({ '/usr': '755', '/usr/sub': '755' });
  });

  test('keeps its links, wherever they lead', async () => {
    const links = { host: '/etc/hostname', circle: '.', self: 'self', gone: 'nowhere' };
    for (const [name, target] of Object.entries(links)) await symlink(target, join(source, name));
    const { entries } = await over();
    for (const [name, target] of Object.entries(links)) {
      expect(entries.find(({ path }) => path === `/opt/app/${name}`)).toMatchObject({ kind: 'symlink', target });
    }
    expect(entries.filter(({ path }) => path.startsWith('/opt/app/circle/'))).toEqual([]);
  });

  const refused = { code: 'no-file', exit: 2, where: place };

  test('cannot be a link to itself, a file, or missing', async () => {
    await rm(source, { recursive: true });
    await expect(over()).rejects.toMatchObject({ ...refused, message: `${source}: no such file` });
    await symlink('src', source);
    await expect(over()).rejects.toMatchObject({ ...refused, message: expect.stringContaining('ELOOP') });
    await rm(source);
    await writeFile(source, '');
    await expect(over()).rejects.toMatchObject({ ...refused, message: `${source}: this is not a folder` });
  });

  test('has files, folders and links, nothing else', async () => {
    execFileSync('mkfifo', [join(source, 'pipe')]);
    await expect(over()).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('/pipe: this is neither'),
    });
  });
});

test('a file that is named may be a link', async () => {
  await writeFile(join(folder, 'plain'), 'text', { mode: 0o600 });
  await symlink('plain', join(folder, 'named'));
  const { entries } = await laid({ files: [{ from: join(folder, 'named'), to: '/etc/x' }] });
  expect(entries.find(({ path }) => path === '/etc/x')).toMatchObject({ kind: 'file', size: 4, mode: 0o644 });
});

describe('evidence of a setup', () => {
  const user = { name: 'alice', groups: [], passwordHash: '$6$secret' };
  const shown = async (setup: Partial<ImageSetup>): Promise<string> => {
    const definition = { type: 'weir', setup: { ...none, ...setup } } as unknown as WeirImage;
    return JSON.stringify(storedDefinition(definition, [await storeSetup(store, { ...none, ...setup })]));
  };
  const digest = async (setup: Partial<ImageSetup>) => setupDigest(await storeSetup(store, { ...none, ...setup }));

  test('names accounts and shows no password', async () => {
    const text = await shown({ users: [user] });
    expect(text).toContain('alice');
    expect(text).not.toContain('secret');
  });

  test('tells every hash, key, and permission, but not the place in a file', async () => {
    await mkdir(join(folder, 'empty'), { recursive: true });
    const over = { from: join(folder, 'empty'), to: '/a' };
    const all = await Promise.all([
      digest({ users: [user] }),
      digest({ users: [{ ...user, passwordHash: '$6$other' }] }),
      digest({ users: [{ ...user, sshKeys: ['ssh-ed25519 A'] }] }),
      digest({ users: [{ ...user, passwordDays: 9 }] }),
      digest({ groups: [{ name: 'alice' }] }),
      digest({ overlays: [over] }),
      digest({ overlays: [{ ...over, knownFolderMode: 0o700 }] }),
    ]);
    expect(new Set(all).size).toBe(7);
    const place = { file: join(folder, 'c.yaml'), line: 1 };
    expect(await digest({ users: [{ ...user, place }] })).toBe(all[0]);
    expect(await digest({ groups: [{ name: 'alice', place }] })).toBe(all[4]);
    expect(await digest({ overlays: [{ ...over, place }] })).toBe(all[5]);
    expect(await shown({ users: [{ ...user, place }], overlays: [{ ...over, place }] })).not.toContain(folder);
  });
});
