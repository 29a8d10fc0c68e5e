import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Digest, fileDigest } from '../base/digest.ts';
import { systemCode } from '../base/errors.ts';
import { writeAtomic } from '../base/files.ts';
import { type Seal, sealed, unsealed } from '../engine/seal.ts';

/**
 * The manifest of an unpacked toolbox: one line per entry with its stamp, content and path, separated by tabs.
 *
 *     INODE MODE SIZE MTIME CTIME ⇥ directory | link TARGET | file SHA256 | other ⇥ PATH
 *
 * An entry whose stamp matches is not read: without setting the clock, nothing can change a file, or the entries of a folder,
 * and keep its ctime. The cache's key signs the file. Times are in milliseconds; control characters are percent-encoded.
 */
const header = 'weir toolbox manifest 2';

export interface ToolboxState {
  /** Paths below the root that differ from the unpacked packages; empty if none do. */
  readonly changed: readonly string[];
  /** SHA-256 of the wanted files, by path. */
  readonly digests: ReadonlyMap<string, Digest>;
}

/** Writes the manifest of a folder that has just been unpacked from verified packages. */
export async function writeManifest(root: string, path: string, seal: Seal): Promise<void> {
  await writeAtomic(path, sealed(seal, subject(root), await describeAll(root)));
}

/**
 * Checks a toolbox against its manifest. If stamps differ (a copied cache), everything is read, and if the content is right the
 * new stamps are recorded.
 * @param wanted paths of files whose digests the caller needs
 * @returns undefined if there is no manifest, or this cache did not write it
 */
export async function checkToolbox(
  root: string,
  path: string,
  seal: Seal,
  wanted: readonly string[] = [],
): Promise<ToolboxState | undefined> {
  let text: string | undefined;
  try {
    text = unsealed(seal, subject(root), await readFile(path, 'utf8'));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  if (text === undefined) return undefined;
  const lines = text.split('\n').slice(1, -1);
  const digests = new Map<string, Digest>();
  for (const name of wanted) {
    const line = lines.find((each) => each.endsWith(`\t${encode(name)}`));
    const digest = /\tfile ([0-9a-f]{64})\t/.exec(line ?? '')?.[1];
    if (digest !== undefined) digests.set(name, digest);
  }
  if (text.startsWith(`${header}\n`) && lines.every((line) => isUntouched(root, line))) return { changed: [], digests };
  const now = await describeAll(root);
  const [before, after] = [contents(text), contents(now)];
  const changed = [...before, ...after].filter((line) => !(before.has(line) && after.has(line)));
  if (changed.length === 0) await writeAtomic(path, sealed(seal, subject(root), now));
  const paths = changed.map((line) => decodeURIComponent(line.slice(line.indexOf('\t') + 1)));
  return { changed: [...new Set(paths)].sort(), digests };
}

/** The subject of the manifest's mark, which makes it invalid for another toolbox. */
function subject(root: string): string {
  return `toolbox ${basename(root)}`;
}

function isUntouched(root: string, line: string): boolean {
  const info = lstatSync(`${root}/${decode(line.slice(line.lastIndexOf('\t') + 1))}`, { throwIfNoEntry: false });
  return info !== undefined && line.startsWith(`${stampOf(info)}\t`);
}

function stampOf({ ino, mode, size, mtimeMs, ctimeMs }: Stats): string {
  return `${ino} ${mode.toString(8)} ${size} ${mtimeMs} ${ctimeMs}`;
}

/** The lines without values that differ between two copies of a folder: of the stamp only a file's mode is kept. */
function contents(text: string): Set<string> {
  return new Set(
    text
      .split('\n')
      .slice(1, -1)
      .map((line) => {
        const [stamp = '', what = '', path = ''] = line.split('\t');
        return `${what}${what.startsWith('file') ? ` ${stamp.split(' ')[1]}` : ''}\t${path}`;
      }),
  );
}

async function describeAll(root: string): Promise<string> {
  const lines = [header];
  const walk = async (below: string): Promise<void> => {
    for (const name of readdirSync(join(root, below)).sort()) {
      const path = below === '' ? name : `${below}/${name}`;
      const info = lstatSync(join(root, path));
      const add = (what: string): void => void lines.push(`${stampOf(info)}\t${what}\t${encode(path)}`);
      if (info.isSymbolicLink()) add(`link ${encode(readlinkSync(join(root, path)))}`);
      else if (info.isFile()) add(`file ${await fileDigest(join(root, path))}`);
      else if (!info.isDirectory()) add('other');
      else {
        add('directory');
        await walk(path);
      }
    }
  };
  await walk('');
  return `${lines.join('\n')}\n`;
}

function encode(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these separate lines and fields
  return text.replace(/[%\u0000-\u001f]/g, encodeURIComponent);
}

function decode(text: string): string {
  return text.includes('%') ? decodeURIComponent(text) : text;
}
