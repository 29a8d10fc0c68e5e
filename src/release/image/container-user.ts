import { WeirError } from '../../base/errors.ts';
import type { Image } from '../../project/model.ts';
import type { FileEntry, Tree } from '../../tree/tree.ts';

/**
 * Holds the user and the group that a container's program is to run as against the accounts in the image: a runtime starts no container
 * whose names it does not find there. Numbers need no account.
 * @param user as an image's `user`: `name`, `number`, or two of them with a colon
 * @param text reads a file of the tree
 * @throws WeirError `unknown-user` (exit 2)
 */
export async function checkContainerUser(
  image: Pick<Image, 'name' | 'origin'>,
  user: string,
  tree: Tree,
  text: (file: FileEntry) => Promise<string>,
): Promise<void> {
  const colon = user.indexOf(':');
  const names = [
    ['user', '/etc/passwd', colon < 0 ? user : user.slice(0, colon)],
    ...(colon < 0 ? [] : [['group', '/etc/group', user.slice(colon + 1)] as const]),
  ] as const;
  for (const [what, path, name] of names) {
    if (/^\d+$/.test(name)) continue;
    const file = tree.entries.find((entry) => entry.path === path);
    const lines = file?.kind === 'file' ? (await text(file)).split('\n') : [];
    const known = lines.filter((line) => line.includes(':')).map((line) => line.slice(0, line.indexOf(':')));
    if (known.includes(name)) continue;
    throw new WeirError(
      'unknown-user',
      `image ${image.name} is to run as ${what} "${name}", and its ${path} has none`,
      {
        where: image.origin,
        hint: `a number needs no account; the image has ${known.length === 0 ? 'no accounts' : known.join(', ')}`,
        exit: 2,
      },
    );
  }
}
