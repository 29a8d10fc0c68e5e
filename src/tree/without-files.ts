import { mapLimit } from '../base/files.ts';
import type { Engine } from '../engine/action.ts';
import { blobFile } from '../engine/store.ts';
import { readRpm } from '../rpm/read.ts';
import type { RpmFile } from '../rpm/types.ts';
import type { Tree } from './tree.ts';

/** Files of packages that are not installed, like rpm's `--excludedocs` and `_install_langs`. */
export interface WithoutFiles {
  readonly docs: boolean;
  /** Locales such as `en_US` whose files are installed; absent: all. */
  readonly languages?: readonly string[];
}

/** The tree without those files. A file that another package has without the mark stays. */
export async function withoutFiles(engine: Engine, tree: Tree, without: WithoutFiles): Promise<Tree> {
  const left = await mapLimit(tree.packages, 8, async ({ name, rpm }) => {
    const { files } = await readRpm(await blobFile(engine.store, rpm));
    return files.filter((file) => isLeftOut(file, without)).map(({ path }) => `${name}\0${path}`);
  });
  const marked = new Set(left.flat());
  const entries = tree.entries.flatMap((entry) => {
    const owners = entry.packages.filter((name) => !marked.has(`${name}\0${entry.path}`));
    if (owners.length === entry.packages.length) return [entry];
    return owners.length === 0 ? [] : [{ ...entry, packages: owners }];
  });
  const kept = new Set(entries.map(({ path }) => path));
  const parent = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';
  // What is in a folder that is left out goes with it, and a hard link with its first name.
  return {
    ...tree,
    entries: entries.filter((entry) => {
      const whole = entry.path === '/' || kept.has(parent(entry.path));
      if (whole && (entry.kind !== 'file' || entry.hardlink === undefined || kept.has(entry.hardlink))) return true;
      kept.delete(entry.path);
      return false;
    }),
  };
}

/** Whether rpm would not install a file. */
export function isLeftOut({ flags, languages }: Pick<RpmFile, 'flags' | 'languages'>, without: WithoutFiles): boolean {
  if (without.docs && flags.doc === true) return true;
  if (languages === undefined || without.languages === undefined) return false;
  // rpm compares by the length of the file's locale: `en` is for all of `en_US`, `en_GB` ….
  return !without.languages.some((wanted) => languages.some((language) => wanted.startsWith(language)));
}
