import { WeirError } from '../../base/errors.ts';
import type { Image } from '../../project/model/image.ts';
import type { FileEntry, Tree } from '../../tree/tree.ts';

/**
 * Checks that a container's user and group exist in the image: a runtime does not start a container with unknown names.
 * Numbers need no account.
 * @param user the definition's `user`: a name or number, or two of them with a colon
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
    throw new WeirError('unknown-user', `image ${image.name} runs as ${what} "${name}", which is not in its ${path}`, {
      where: image.origin,
      hint: `use one of the image's accounts (${known.length === 0 ? 'none' : known.join(', ')}), or a number`,
      exit: 2,
    });
  }
}
