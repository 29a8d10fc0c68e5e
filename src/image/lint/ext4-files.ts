import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, type Toolbox } from '../../toolbox/tool.ts';
import type { Target } from '../disk.ts';
import { batched } from './batch.ts';
import type { FileNode, Files } from './files.ts';
import { unreadable } from './rule.ts';

const rootInode = 2;

interface Listed {
  readonly inode: number;
  readonly path: string;
  readonly node: FileNode;
}

/**
 * The files of an ext2, 3 or 4 file system, by debugfs(8): a process for each depth of the tree, then one for all that is
 * read at the same time. @param scratch a folder of its own @throws WeirError `unreadable`
 */
export async function ext4Files(toolbox: Toolbox, target: Target, scratch: string): Promise<Files> {
  await mkdir(scratch, { recursive: true });
  const device = `${target.file}?offset=${target.offset}`;
  /** Commands for an empty folder of their own, which they can dump files into. */
  const inside = '/tmp/debugfs';
  const ask = async (commands: readonly string[], folder?: string): Promise<string> => {
    const own = folder ?? (await mkdtemp(join(scratch, 'debugfs-')));
    await writeFile(join(own, 'script'), `${commands.join('\n')}\n`);
    const { stdout, stderr } = await runTool(toolbox, {
      // Catastrophic mode leaves the bitmaps alone, which nobody needs who only reads.
      argv: ['debugfs', '-c', '-f', `${inside}/script`, device],
      binds: [{ from: own, to: inside, writable: true }, { from: target.file }],
    });
    const said = stderr.split('\n').filter((line) => line !== '' && !/^debugfs \d/.test(line));
    if (said[0] !== undefined) throw unreadable(`debugfs cannot read the file system: ${said[0]}`);
    return stdout;
  };

  const listed: Listed[] = [{ inode: rootInode, path: '/', node: plainNode('040755', '0', '0', '') }];
  const seen = new Set([rootInode]);
  let folders = listed.slice();
  while (folders.length > 0) {
    const found = parseListing(await ask(folders.map(({ inode }) => `ls -p <${inode}>`)), folders);
    listed.push(...found);
    folders = found.filter(({ node }) => node.kind === 'directory');
    for (const { inode, path } of folders) {
      // In a damaged file system a folder can hold itself.
      if (seen.has(inode)) throw unreadable(`the folder ${path} is in another place too`);
      seen.add(inode);
    }
  }
  const looked = listed.filter(({ node }) => node.kind === 'symlink' || node.kind === 'directory');
  const details = parseDetails(await ask(looked.map(({ inode }) => `stat <${inode}>`)));
  const read = batched(async (inodes: readonly number[]) => {
    const folder = await mkdtemp(join(scratch, 'read-'));
    await ask(
      inodes.map((inode, index) => `dump <${inode}> ${inside}/content-${index}`),
      folder,
    );
    return Promise.all(inodes.map((_, index) => readFile(join(folder, `content-${index}`))));
  });

  const placed = listed.sort((a, b) => (a.path < b.path ? -1 : 1));
  const inodes = new Map(placed.map(({ path, inode }) => [path, inode]));
  const nodes = await Promise.all(
    placed.map(async ({ inode, path, node }): Promise<[string, FileNode]> => {
      const known = { ...node, ...details.get(inode) };
      // A target of 60 bytes and more has a block of its own.
      const long = node.kind === 'symlink' && known.target === undefined;
      return [path, long ? { ...known, target: (await read(inode)).toString('utf8') } : known];
    }),
  );
  return { nodes: new Map(nodes), unseen: new Map(), read: (path) => read(inodes.get(path)!) };
}

/** Output of `ls -p`: `/INODE/MODE/UID/GID/NAME/SIZE/`, each folder starting with itself as `.`. */
export function parseListing(
  output: string,
  folders: readonly { readonly inode: number; readonly path: string }[],
): Listed[] {
  const paths = new Map(folders.map(({ inode, path }) => [inode, path]));
  const found: Listed[] = [];
  let folder = '/';
  for (const line of output.split('\n')) {
    const [empty, number, mode, uid, gid, name, size] = line.split('/');
    if (empty !== '' || size === undefined) continue;
    const inode = Number(number);
    if (name === '.') folder = paths.get(inode) ?? folder;
    else if (name !== '..' && inode !== 0) {
      const path = folder === '/' ? `/${name}` : `${folder}/${name}`;
      found.push({ inode, path, node: plainNode(mode!, uid!, gid!, size) });
    }
  }
  return found;
}

// No object: the formatter turns octal keys into other numbers.
const kinds = new Map<number, FileNode['kind']>([
  [0o040000, 'directory'],
  [0o100000, 'file'],
  [0o120000, 'symlink'],
]);

function plainNode(octal: string, uid: string, gid: string, size: string): FileNode {
  const mode = Number.parseInt(octal, 8);
  const kind = kinds.get(mode & 0o170000) ?? 'other';
  return { kind, mode: mode & 0o7777, uid: Number(uid), gid: Number(gid), size: kind === 'file' ? Number(size) : 0 };
}

interface Details {
  labelled: boolean;
  target?: string;
}

/** Output of `stat`, by inode. */
export function parseDetails(output: string): Map<number, Pick<FileNode, 'labelled' | 'target'>> {
  const details = new Map<number, Details>();
  let current: Details = { labelled: false };
  for (const line of output.split('\n')) {
    const inode = /^Inode: (\d+) +Type: /.exec(line)?.[1];
    if (inode !== undefined) {
      current = { labelled: false };
      details.set(Number(inode), current);
      continue;
    }
    // The value follows only where it is short.
    if (/^ {2}security\.selinux \(\d+\)/.test(line)) current.labelled = true;
    const target = /^Fast link dest: "(.*)"$/.exec(line)?.[1];
    if (target !== undefined) current.target = target;
  }
  return details;
}
