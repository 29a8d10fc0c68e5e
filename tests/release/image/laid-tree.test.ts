import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openEngine } from '../../../src/engine/engine.ts';
import { putBytes, type Store } from '../../../src/engine/store.ts';
import { laidTree, packagesLeft } from '../../../src/release/image/laid-tree.ts';
import { storeSetup } from '../../../src/release/image/setup.ts';
import type { Entry, Tree } from '../../../src/tree/tree.ts';
import { load } from '../../project/fixture.ts';

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-stage-'));
  ({ store } = await openEngine(root));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('a customization sees the files of the setup, and wins over them', async () => {
  const project = await load(`
[images.box.definition]
type = "weir"
kind = "container"
packages = ["bash"]
setup.files = [{ to = "/etc/motd", content = "base" }, { to = "/etc/issue", content = "base" }]
`);
  const { definition } = project.images.get('box')!;
  if (definition?.type !== 'weir') throw new Error('the image has no definition');
  const setup = await storeSetup(store, definition.setup!);
  const owned = { mode: 0o644, user: 'root', group: 'root', mtime: 1, packages: [] };
  const custom = await putBytes(store, 'custom');
  let seen: string[] = [];
  const entries = async (tree: Tree): Promise<Entry[]> => {
    seen = tree.entries.map(({ path }) => path);
    return [{ ...owned, kind: 'file', path: '/etc/motd', ...custom }];
  };
  const tree = await laidTree(store, { entries: [], packages: [] }, setup, { entries }, 1);
  expect(seen).toContain('/etc/issue');
  const at = (path: string) => tree.entries.find((entry) => entry.path === path);
  expect(at('/etc/motd')).toMatchObject(custom);
  expect(at('/etc/issue')).toMatchObject({ kind: 'file', size: 4 });
});

test('packages that a script removed are not listed', () => {
  const tree = { entries: [], packages: [{ name: 'a' }] } as unknown as Tree;
  expect(packagesLeft([{ name: 'a' }, { name: 'b' }], tree)).toEqual([{ name: 'a' }]);
});
