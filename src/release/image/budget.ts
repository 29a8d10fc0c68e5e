import { WeirError } from '../../base/errors.ts';
import { compareText } from '../../base/order.ts';
import type { Image } from '../../project/model/image.ts';
import { contentBytes, treeBytes } from '../../tree/listing.ts';
import type { Tree } from '../../tree/tree.ts';

/**
 * Checks an image against its size limit.
 * @param maxSize total of all files in bytes
 * @throws WeirError `image-too-large` (exit 2) with the largest packages
 */
export function checkBudget(image: Pick<Image, 'name' | 'origin'>, maxSize: number, tree: Tree): void {
  const size = treeBytes(tree.entries);
  if (size <= maxSize) return;
  const byOwner = new Map<string, number>();
  for (const entry of tree.entries) {
    const owner = entry.packages[0] ?? 'no package';
    byOwner.set(owner, (byOwner.get(owner) ?? 0) + contentBytes(entry));
  }
  const largest = [...byOwner].sort(([a, x], [b, y]) => y - x || compareText(a, b)).slice(0, 5);
  throw new WeirError(
    'image-too-large',
    `image ${image.name} has ${size} bytes, more than its max-size of ${maxSize}`,
    {
      where: image.origin,
      details: largest.map(([owner, bytes]) => `${owner}: ${bytes}`),
      hint: 'remove packages, or raise max-size',
      exit: 2,
    },
  );
}
