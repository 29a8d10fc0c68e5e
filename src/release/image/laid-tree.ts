import type { Store } from '../../engine/store.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import { withEntries } from '../../tree/overlayfs.ts';
import type { Entry, Tree } from '../../tree/tree.ts';
import { type StoredSetup, withSetup } from './setup.ts';

/** The tree with the files of a setup and then with those of a customization, which knows the image and wins. */
export async function laidTree(
  store: Store,
  tree: Tree,
  setup: StoredSetup | undefined,
  extras: { readonly entries: (tree: Tree) => Promise<Entry[]> } | undefined,
  clock: number,
): Promise<Tree> {
  const laid = setup === undefined ? tree : await withSetup(store, tree, setup, clock);
  return extras === undefined ? laid : withEntries(laid, await extras.entries(laid));
}

/** Those of the packages that the tree still has: scripts may have removed some. */
export function packagesLeft<T extends Pick<RepoPackage, 'name'>>(packages: readonly T[], tree: Tree): T[] {
  const kept = new Set(tree.packages.map(({ name }) => name));
  return packages.filter(({ name }) => kept.has(name));
}
