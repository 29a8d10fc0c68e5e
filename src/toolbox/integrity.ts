import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, fileDigest } from '../base/digest.ts';
import { systemCode } from '../base/errors.ts';
import { writeAtomic } from '../base/files.ts';

/**
 * What an unpacked toolbox held when it was made, a line an entry: `d PATH`, `l TARGET PATH`, or
 * `f MODE SIZE SHA256 INODE MTIME CTIME PATH` with mode in octal and times in nanoseconds. A file whose inode, size and times
 * are those of the line is not read again: who cannot set the clock cannot write a file and keep its ctime.
 * Texts are percent-encoded where they hold white space or a percent sign.
 */
const header = 'weir toolbox manifest 1';

interface FileLine {
  readonly mode: string;
  readonly size: string;
  readonly sha256: Digest;
  readonly stamp: string;
}

export interface ToolboxState {
  /** Paths below the root that are not as they were unpacked; empty where all is. */
  readonly changed: readonly string[];
}

/** Writes the manifest of a folder that has just been unpacked from verified packages. */
export async function writeManifest(root: string, path: string): Promise<void> {
  await writeAtomic(path, await describeAll(root, new Map()));
}

/**
 * Holds a toolbox against its manifest. Files whose stamps differ (a copied cache) are read; where their content is right
 * the stamps are written anew.
 * @returns undefined where there is no manifest
 */
export async function checkToolbox(root: string, path: string): Promise<ToolboxState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const known = new Map<string, FileLine>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('f ')) continue;
    const [, mode = '', size = '', sha256 = '', inode = '', mtime = '', ctime = '', name = ''] = line.split(' ');
    known.set(name, { mode, size, sha256, stamp: `${inode} ${mtime} ${ctime}` });
  }
  const now = await describeAll(root, known);
  if (now === text) return { changed: [] };
  const before = withoutStamps(text);
  const after = withoutStamps(now);
  const changed = [...new Set([...before, ...after])]
    .filter((line) => !(before.has(line) && after.has(line)))
    .map((line) => decodeURIComponent(line.split(' ').at(-1)!));
  if (changed.length === 0) await writeAtomic(path, now);
  return { changed: [...new Set(changed)].sort() };
}

function withoutStamps(text: string): Set<string> {
  return new Set(
    text.split('\n').map((line) => {
      if (!line.startsWith('f ')) return line;
      const [kind, mode, size, sha256, , , , name] = line.split(' ');
      return [kind, mode, size, sha256, name].join(' ');
    }),
  );
}

async function describeAll(root: string, known: ReadonlyMap<string, FileLine>): Promise<string> {
  const lines = [header];
  const walk = async (below: string): Promise<void> => {
    for (const entry of readdirSync(join(root, below), { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      const name = encode(path);
      if (entry.isSymbolicLink()) lines.push(`l ${encode(readlinkSync(join(root, path)))} ${name}`);
      else if (entry.isDirectory()) {
        lines.push(`d ${name}`);
        await walk(path);
      } else if (entry.isFile()) {
        const info = lstatSync(join(root, path), { bigint: true });
        const stamp = `${info.ino} ${info.mtimeNs} ${info.ctimeNs}`;
        const mode = (info.mode & 0o7777n).toString(8);
        const line = known.get(name);
        const fresh =
          line !== undefined && line.stamp === stamp && line.size === String(info.size) && line.mode === mode;
        const sha256 = fresh ? line.sha256 : await fileDigest(join(root, path));
        lines.push(`f ${mode} ${info.size} ${sha256} ${stamp} ${name}`);
      } else lines.push(`o ${name}`);
    }
  };
  await walk('');
  return `${lines.join('\n')}\n`;
}

function encode(text: string): string {
  return text.replace(/[%\s]/g, (character) => encodeURIComponent(character));
}

/** The digest of one file of the toolbox as the manifest has it. */
export async function manifestDigests(path: string): Promise<ReadonlyMap<string, Digest>> {
  const digests = new Map<string, Digest>();
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    const [kind, , , sha256 = '', , , , name = ''] = line.split(' ');
    if (kind === 'f') digests.set(decodeURIComponent(name), sha256);
  }
  return digests;
}
