import type { Store } from '../../engine/store.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import type { Tree } from '../../tree/tree.ts';
import { type StoredSetup, withSetup } from './setup.ts';

/** The tree with the files of setups, in their order: what comes later wins. */
export async function laidTree(store: Store, tree: Tree, setups: readonly StoredSetup[], clock: number): Promise<Tree> {
  let laid = tree;
  for (const setup of setups) laid = await withSetup(store, laid, setup, clock);
  return laid;
}

/** Those of the packages that the tree still has: scripts may have removed some. */
export function packagesLeft<T extends Pick<RepoPackage, 'name'>>(packages: readonly T[], tree: Tree): T[] {
  const kept = new Set(tree.packages.map(({ name }) => name));
  return packages.filter(({ name }) => kept.has(name));
}
