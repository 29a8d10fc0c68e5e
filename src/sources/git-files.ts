import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { diskError } from '../base/files.ts';
import { type GitObject, parseTree, type TreeEntry } from './git-objects.ts';

/** A file of a commit. */
export interface CommitFile {
  readonly bytes: Buffer;
  readonly executable: boolean;
}

/** Reads objects by id; objects that a partial clone lacks are fetched together, in one request. */
export type ReadObjects = (ids: readonly string[]) => Promise<GitObject[]>;

interface Listed {
  readonly mode: TreeEntry['mode'];
  readonly id: string;
}

/**
 * The files of a commit by path, with `/` between parts. Bytes are as in the repository: attributes do not change line
 * ends. A symbolic link is read as the file that it points to. Links that point to no file of the commit are left out, and
 * so are submodules, whose content is not in the repository.
 * @param tree the id of the commit's tree
 * @throws WeirError `bad-file-name` for a name that is not valid in a folder, and the errors of `read`
 */
export async function filesOfTree(read: ReadObjects, tree: string): Promise<Map<string, CommitFile>> {
  const listed = new Map<string, Listed>();
  const seen = new Set<string>();
  let folders: { readonly path: string; readonly id: string }[] = [{ path: '', id: tree }];
  while (folders.length > 0) {
    const trees = await read(folders.map((folder) => folder.id));
    const below: typeof folders = [];
    for (const [index, { path }] of folders.entries()) {
      for (const entry of parseTree(trees[index]!)) {
        const name = path + plainName(entry.name, path);
        if (seen.has(name)) throw badName(name, 'occurs twice');
        seen.add(name);
        if (entry.mode === 'folder') below.push({ path: `${name}/`, id: entry.id });
        else if (entry.mode !== 'submodule') listed.set(name, { mode: entry.mode, id: entry.id });
      }
    }
    folders = below;
  }
  const ids = [...new Set([...listed.values()].map((entry) => entry.id))];
  const objects = await read(ids);
  const content = new Map(ids.map((id, index) => [id, objects[index]!.bytes]));
  const files = new Map<string, CommitFile>();
  for (const name of listed.keys()) {
    const entry = meant(listed, content, name);
    if (entry !== undefined)
      files.set(name, { bytes: content.get(entry.id)!, executable: entry.mode === 'executable' });
  }
  return files;
}

/** The file that a name refers to, after following symbolic links. */
function meant(
  listed: ReadonlyMap<string, Listed>,
  content: ReadonlyMap<string, Buffer>,
  name: string,
): Listed | undefined {
  let entry = listed.get(name);
  let at = name;
  for (let links = 0; entry?.mode === 'link'; links++) {
    const target = content.get(entry.id)!.toString();
    if (links === 10 || target.startsWith('/')) return undefined;
    at = posix.join(posix.dirname(at), target);
    entry = listed.get(at);
  }
  return entry;
}

/** A name of a tree as text. */
function plainName(bytes: Buffer, folder: string): string {
  const name = bytes.toString('utf8');
  const reason = !Buffer.from(name).equals(bytes)
    ? 'is not UTF-8'
    : name === '' || name === '.' || name === '..' || name.includes('/') || /^\.git$/i.test(name)
      ? 'is not valid in a folder'
      : bytes.length > 255
        ? 'is longer than 255 bytes'
        : undefined;
  if (reason === undefined) return name;
  throw badName(folder + name, reason);
}

function badName(name: string, reason: string): WeirError {
  return new WeirError('bad-file-name', `the dist-git has a file whose name ${reason}: ${JSON.stringify(name)}`, {
    hint: 'such a commit cannot be used: pin another one with upstream-commit',
  });
}

/** Writes files into an empty folder. */
export async function writeFiles(files: ReadonlyMap<string, CommitFile>, dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
    // Synchronous: there are few and they are small, and each promise would cost more than its file.
    const made = new Set<string>([dir]);
    for (const [name, { bytes, executable }] of files) {
      const path = join(dir, name);
      const parent = dirname(path);
      if (!made.has(parent)) mkdirSync(parent, { recursive: true });
      made.add(parent);
      writeFileSync(path, bytes, { mode: executable ? 0o755 : 0o644, flag: 'wx' });
      if (executable) chmodSync(path, 0o755);
    }
  } catch (error) {
    throw diskError(error, dir);
  }
}
