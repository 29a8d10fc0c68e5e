import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { lastLines } from '../base/process.ts';
import type { Store } from '../engine/store.ts';
import { runTool, type Toolbox, tryTool } from '../toolbox/tool.ts';
import { encodeCapabilities } from '../tree/capabilities.ts';
import { treeTar } from '../tree/tar.ts';
import type { Entry, Tree } from '../tree/tree.ts';
import { roundUp, type Target } from './disk.ts';
import { seededUuid } from './uuid.ts';

export interface Ext4Options {
  /** At most 16 bytes. */
  readonly label: string;
  readonly uuid: string;
  /** Seed of values in the file system that are random by default. */
  readonly uuidSeed: string;
  /** Timestamp for everything without one, and the upper limit of all others; seconds since 1970. */
  readonly epoch: number;
  /** Whether to write SELinux contexts. */
  readonly selinux: boolean;
}

const blockSize = 4096;
const mebibyte = 1 << 20;
const inodeSize = 256;
/** mke2fs creates one inode per this many bytes. */
const bytesPerInode = 16_384;

/** Size in bytes of an ext4 file system for the tree, with at least 64 MiB free to boot and grow. */
export function ext4Size(tree: Tree): number {
  let blocks = 0;
  const folders = new Map<string, number>();
  for (const entry of tree.entries) {
    if (entry.path === '/') continue;
    const slash = entry.path.lastIndexOf('/');
    const parent = entry.path.slice(0, slash);
    // A directory entry: 8 bytes and the name, rounded up to 4.
    folders.set(parent, (folders.get(parent) ?? 0) + 8 + roundUp(Buffer.byteLength(entry.path) - slash - 1, 4));
    if (entry.kind === 'file' && entry.hardlink === undefined) blocks += Math.ceil(entry.size / blockSize);
    else if (entry.kind === 'symlink' && Buffer.byteLength(entry.target) >= 60) blocks += 1;
    // Attributes that do not fit into the inode take a block.
    if (attributeBytes(entry) > 90) blocks += 1;
  }
  for (const entry of tree.entries) {
    if (entry.kind !== 'directory') continue;
    const bytes = folders.get(entry.path === '/' ? '' : entry.path) ?? 0;
    // A large folder's blocks are split in halves when full.
    blocks += bytes < blockSize - 100 ? 1 : 2 + Math.ceil((bytes * 1.6) / blockSize);
  }
  const content = blocks * blockSize;
  // Inode tables, the journal, reserved blocks, group bitmaps.
  const whole =
    (content * 1.03 + journalMebibytes * mebibyte + 64 * mebibyte) / (1 - inodeSize / bytesPerInode - 0.015);
  return roundUp(Math.max(whole, tree.entries.length * 1.1 * bytesPerInode), mebibyte);
}

/** More than mke2fs's default for a small file system: this one grows to the size of its disk, but the journal does not. */
const journalMebibytes = 64;

function attributeBytes(entry: Entry): number {
  const label = entry.label === undefined ? 0 : 24 + roundUp(entry.label.length + 1, 4);
  return label + (entry.kind === 'file' && entry.capabilities !== undefined ? 48 : 0);
}

/**
 * Writes an ext4 file system with the tree's content to a range of a file, reproducibly.
 * @param work scratch folder, not the target's
 * @throws WeirError `image-too-small`, `tool-failed`, and the errors of `treeTar`
 */
export async function makeExt4(
  toolbox: Toolbox,
  store: Store,
  tree: Tree,
  target: Target,
  work: string,
  options: Ext4Options,
): Promise<void> {
  const binds = [{ from: dirname(target.file), writable: true }];
  const env = { SOURCE_DATE_EPOCH: String(options.epoch) };
  const extended = [
    `offset=${target.offset}`,
    `hash_seed=${seededUuid(options.uuidSeed, 'ext4 hash seed')}`,
    'root_owner=0:0',
    // The file is new and all zeros, so neither mke2fs nor the kernel needs to clear anything.
    'assume_storage_prezeroed=1',
  ];
  const made = await tryTool(toolbox, {
    argv: [
      ...['mke2fs', '-q', '-F', '-t', 'ext4', '-b', String(blockSize), '-I', String(inodeSize)],
      ...['-i', String(bytesPerInode), '-m', '1', '-J', `size=${journalMebibytes}`],
      ...['-L', options.label, '-U', options.uuid, '-E', extended.join(','), '-d', '-'],
      ...[target.file, String(Math.floor(target.size / blockSize))],
    ],
    binds,
    env,
    input: treeTar(store, tree, { epoch: options.epoch }),
  });
  if (made.code !== 0) {
    const details = lastLines(made.stderr, 5);
    if (/could not allocate|journal size too big/i.test(made.stderr)) {
      throw new WeirError('image-too-small', `the tree does not fit into a root file system of ${target.size} bytes`, {
        details,
        hint: "raise size in the image's [disk] table",
      });
    }
    throw new WeirError('tool-failed', `mke2fs failed with exit code ${made.code}`, { details });
  }
  await setAttributes(toolbox, tree, target, work, options);
}

/** Sets extended attributes by debugfs(8), because mke2fs ignores those in a tar. */
async function setAttributes(
  toolbox: Toolbox,
  tree: Tree,
  target: Target,
  work: string,
  options: Ext4Options,
): Promise<void> {
  // A fixed path in the sandbox: the host path could contain characters that debugfs splits at.
  const inside = '/tmp/attributes';
  const commands: string[] = [];
  const values = new Map<string, string>();
  const folder = join(work, 'attributes');
  await mkdir(folder, { recursive: true });
  const root = options.selinux ? tree.entries.find(({ path }) => path === '/')?.label : undefined;
  if (root !== undefined) {
    // Created by mke2fs, so not in the tree.
    const label = root.replace(/^([^:]*:[^:]*:)[^:]*/, '$1lost_found_t');
    commands.push(`ea_set "/lost+found" security.selinux ${label}\\000`);
  }
  for (const entry of tree.entries) {
    if (entry.kind === 'file' && entry.hardlink !== undefined) continue;
    if (options.selinux && entry.label !== undefined) {
      commands.push(`ea_set ${quote(entry.path)} security.selinux ${entry.label}\\000`);
    }
    if (entry.kind === 'file' && entry.capabilities !== undefined) {
      const name = values.get(entry.capabilities) ?? `capability-${values.size}`;
      if (!values.has(entry.capabilities)) await writeFile(join(folder, name), encodeCapabilities(entry.capabilities));
      values.set(entry.capabilities, name);
      commands.push(`ea_set -f ${inside}/${name} ${quote(entry.path)} security.capability`);
    }
  }
  if (commands.length === 0) return;
  await writeFile(join(folder, 'script'), `${commands.join('\n')}\n`);
  const result = await runTool(toolbox, {
    argv: ['debugfs', '-w', '-f', `${inside}/script`, `${target.file}?offset=${target.offset}`],
    binds: [
      { from: dirname(target.file), writable: true },
      { from: folder, to: inside },
    ],
    env: { SOURCE_DATE_EPOCH: String(options.epoch) },
  });
  // debugfs exits with 0 even if a command fails, but prints an error besides its version.
  const complaints = lastLines(result.stderr, Number.POSITIVE_INFINITY).filter((line) => !/^debugfs \d/.test(line));
  if (complaints.length > 0) {
    throw new WeirError('tool-failed', 'debugfs failed to set attributes', { details: complaints.slice(0, 10) });
  }
}

/** Quotes a word of a debugfs command: quotes inside are doubled. */
function quote(word: string): string {
  if (word.includes('\n')) throw new WeirError('bad-path', `invalid path with a line break: ${JSON.stringify(word)}`);
  return `"${word.replaceAll('"', '""')}"`;
}

/** Checks an ext4 file system without changing it. @throws WeirError `tool-failed` for errors */
export async function checkExt4(toolbox: Toolbox, target: Target): Promise<void> {
  await runTool(toolbox, {
    argv: ['e2fsck', '-f', '-n', `${target.file}?offset=${target.offset}`],
    binds: [{ from: dirname(target.file), writable: true }],
  });
}
