import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import type { Target } from '../image/disk.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';
import { batched } from './batch.ts';
import type { FileNode, Files } from './files.ts';
import { RootBuilder } from './root-builder.ts';
import { unreadable } from './rule.ts';

const rootInode = 2;

interface Listed {
  readonly inode: number;
  readonly path: string;
  readonly node: FileNode;
}

/** Separates listings from details in the script's output; debugfs prints no such line. */
const border = '=== details ===';

/** Limits for a damaged file system, which may appear endless: CPU seconds, bytes, and folder depth. */
const limits = { seconds: 120, listing: 256 << 20, file: 1 << 30, depth: 512 };

/**
 * Lists the whole tree, folder by folder, then each file's attributes, with one script of debugfs(8): the sandbox starts once
 * and not once per level of the tree. A folder is listed only once, even if it occurs twice.
 */
const listScript = `set -eu
device=$1
cd "$2"
ulimit -t ${limits.seconds}
ulimit -f ${limits.listing / 512}
echo 'ls -p <${rootInode}>' >script
echo ${rootInode} >seen
: >all
depth=0
while [ -s script ]; do
  depth=$((depth + 1))
  if [ "$depth" -gt ${limits.depth} ]; then
    echo 'more than ${limits.depth} folders in each other' >&2
    exit 1
  fi
  debugfs -c -f script "$device" >listing
  cat listing >>all
  awk -F/ '
    NR == FNR { seen[$1] = 1; next }
    $1 == "" && $3 ~ /^04/ && $6 != "." && $6 != ".." && !($2 in seen) { seen[$2] = 1; print $2 }
  ' seen listing >new
  cat new >>seen
  sed 's/.*/ls -p <&>/' new >script
done
cat all
echo '${border}'
awk -F/ '$1 == "" && $2 > 0 && $6 != ".." && !($2 in seen) { seen[$2] = 1; print "stat <" $2 ">" }' all >script
debugfs -c -f script "$device" >details
grep -E '^Inode: |^  security\\.selinux |^Fast link dest: ' details || true
`;

/** Configuration files that most rules read. All of them are read in one process together with the first, because starting a process is slow. */
function isLikely({ path, node }: Listed): boolean {
  return path.startsWith('/etc/') && node.kind === 'file' && node.size > 0 && node.size <= 64 << 10;
}

const mostLikely = 1000;

/**
 * The files of an ext2, 3 or 4 file system. @param scratch a folder for exclusive use
 * @throws WeirError `unreadable`, also for impossible values in a damaged file system
 */
export async function ext4Files(toolbox: Toolbox, target: Target, scratch: string): Promise<Files> {
  await mkdir(scratch, { recursive: true });
  // Fixed paths: a question mark in the host's path would end the device name.
  const [disk, inside] = ['/tmp/disk', '/tmp/debugfs'];
  /** Runs a shell script with the device and an empty folder. */
  const ask = async (script: string, folder: string): Promise<string> => {
    // Catastrophic mode skips the bitmaps, which are not needed for reading.
    const argv = ['sh', '-c', script, 'sh', `${disk}?offset=${target.offset}`, inside];
    try {
      const { stdout, stderr } = await runTool(toolbox, {
        argv,
        binds: [
          { from: folder, to: inside, writable: true },
          { from: target.file, to: disk },
        ],
      });
      const said = stderr.split('\n').filter((line) => line !== '' && !/^debugfs \d/.test(line));
      if (said[0] !== undefined) throw unreadable(`debugfs cannot read the file system: ${said[0]}`);
      return stdout;
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'tool-failed') throw error;
      throw unreadable(`debugfs cannot read the file system: ${error.details.at(-1) ?? error.message}`, error);
    }
  };

  const [listing = '', details] = (await ask(listScript, await mkdtemp(join(scratch, 'list-')))).split(`${border}\n`);
  if (details === undefined) throw unreadable('debugfs did not list the whole file system');
  const listed = parseListing(listing);
  const known = parseDetails(details);
  let likely: readonly number[] = listed
    .filter(isLikely)
    .slice(0, mostLikely)
    .map(({ inode }) => inode);
  const kept = new Map<number, Buffer>();
  const read = batched(async (wanted: readonly number[]) => {
    const inodes = [...new Set([...wanted, ...likely])].filter((inode) => !kept.has(inode));
    likely = [];
    if (inodes.length > 0) {
      const folder = await mkdtemp(join(scratch, 'read-'));
      const commands = inodes.map((inode) => `dump <${inode}> ${inode}\n`);
      await writeFile(join(folder, 'script'), commands.join(''));
      const most = `ulimit -t ${limits.seconds}; ulimit -f ${limits.file / 512}`;
      await ask(`set -eu; cd "$2"; ${most}; debugfs -c -f script "$1"`, folder);
      for (const inode of inodes) kept.set(inode, await readFile(join(folder, `${inode}`)));
    }
    return wanted.map((inode) => kept.get(inode)!);
  });
  const content = async ({ inode, path, node }: Listed): Promise<Buffer> => {
    if (node.size > limits.file)
      throw unreadable(`${path} is too large to read (${node.size} bytes, limit ${limits.file})`);
    return read(inode);
  };

  const nodes = await Promise.all(
    listed.map(async (each): Promise<Listed> => {
      const detail = known.get(each.inode);
      if (detail === undefined) throw unreadable(`debugfs returned no details for ${each.path}`);
      const node = { ...each.node, ...detail };
      // A target of 60 bytes or more is in a data block.
      const long = node.kind === 'symlink' && node.target === undefined;
      return { ...each, node: long ? { ...node, target: (await read(each.inode)).toString('utf8') } : node };
    }),
  );
  const builder = new RootBuilder();
  for (const each of nodes) builder.place(each.path, { node: each.node, read: () => content(each) });
  return builder.files();
}

/**
 * Parses output of `ls -p`: `/INODE/MODE/UID/GID/NAME/SIZE/`, after the command that names the folder; parents come first.
 * @returns all files, the root first
 * @throws WeirError `unreadable` for any other line, such as one from a name with a line break, and for a folder in two
 * places, which only a damaged file system has
 */
export function parseListing(output: string): Listed[] {
  const folders = new Map<number, string>();
  const found: Listed[] = [];
  const waiting: { readonly inode: number; readonly lines: string[] }[] = [];
  for (const line of output.split('\n')) {
    const folder = /^debugfs: ls -p <(\d+)>$/.exec(line)?.[1];
    if (folder !== undefined) waiting.push({ inode: Number(folder), lines: [] });
    else if (line !== '' && !/^debugfs \d/.test(line)) waiting.at(-1)?.lines.push(line);
  }
  for (const { inode: folder, lines } of waiting) {
    const base = folder === rootInode ? '' : folders.get(folder);
    if (base === undefined) throw unreadable(`the folder with the inode ${folder} has no parent`);
    for (const line of lines) {
      const [, number, mode = '', uid = '', gid = '', name = '', size = ''] =
        /^\/(\d+)\/(\d+)\/(\d+)\/(\d+)\/([^/]*)\/(\d*)\/$/.exec(line) ?? [];
      if (number === undefined) throw unreadable(`${base || '/'} has an unreadable name: ${line.slice(0, 100)}`);
      const inode = Number(number);
      if (name === '..' || inode === 0 || (name === '.' && folder !== rootInode)) continue;
      if (name === '') throw unreadable(`${base || '/'} has a file without a name`);
      const path = name === '.' ? '/' : `${base}/${name}`;
      const node = plainNode(mode, uid, gid, size);
      found.push({ inode, path, node });
      if (node.kind !== 'directory' || path === '/') continue;
      if (folders.has(inode) || inode === rootInode) throw unreadable(`the folder ${path} is in two places`);
      folders.set(inode, path);
    }
  }
  if (found.length === 0) throw unreadable('debugfs listed nothing, not even the root folder');
  return found;
}

// A map, because the formatter rewrites octal object keys.
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
    // Only short values follow inline.
    if (/^ {2}security\.selinux \(\d+\)/.test(line)) current.labelled = true;
    const target = /^Fast link dest: "(.*)"$/.exec(line)?.[1];
    if (target !== undefined) current.target = target;
  }
  return details;
}
