import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openEngine } from '../../../src/engine/engine.ts';
import { readBlobText, type Store } from '../../../src/engine/store.ts';
import type { ImageSetup } from '../../../src/project/model/image.ts';
import { laidTree, packagesLeft } from '../../../src/release/image/laid-tree.ts';
import { storedSetups } from '../../../src/release/image/setup.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { load } from '../../project/fixture.ts';

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-stage-'));
  ({ store } = await openEngine(root));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('a customization sees the files and settings of the setup, and wins over them', async () => {
  const project = await load(`
[images.box.definition]
type = "weir"
kind = "container"
packages = ["bash"]
[images.box.definition.setup]
locale = "de_DE.UTF-8"
files = [{ to = "/etc/motd", content = "base" }, { to = "/etc/issue", content = "base" }]
`);
  const { definition } = project.images.get('box')!;
  if (definition?.type !== 'weir') throw new Error('the image has no definition');
  const files = ['/etc/motd', '/etc/locale.conf'].map((to) => ({ to, content: 'custom' }));
  const custom = { ...definition.setup!, locale: undefined, files } as unknown as ImageSetup;
  const setups = await storedSetups(store, { ...definition, custom });
  const tree = await laidTree(store, { entries: [], packages: [] }, setups, 1);
  const text = async (path: string): Promise<string | undefined> => {
    const found = tree.entries.find((entry) => entry.path === path);
    return found?.kind === 'file' ? readBlobText(store, found.digest) : undefined;
  };
  expect(await text('/etc/motd')).toBe('custom');
  expect(await text('/etc/locale.conf')).toBe('custom');
  expect(await text('/etc/issue')).toBe('base');
});

test('packages that a script removed are not listed', () => {
  const tree = { entries: [], packages: [{ name: 'a' }] } as unknown as Tree;
  expect(packagesLeft([{ name: 'a' }, { name: 'b' }], tree)).toEqual([{ name: 'a' }]);
});
