import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore, readBlobText, type Store } from '../../../src/engine/store.ts';
import type { ImageSetup } from '../../../src/project/model/image.ts';
import { storeSetup, withSetup } from '../../../src/release/image/setup.ts';
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
