import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../../base/errors.ts';
import { runTool, type Toolbox } from '../../toolbox/tool.ts';
import type { Target } from '../disk.ts';
import type { FileNode, Files } from './files.ts';
import { unreadable } from './rule.ts';

/**
 * The files of a FAT file system: mcopy(1) copies them all out, as an EFI system partition has few.
 * @param scratch a folder of its own @throws WeirError `unreadable`
 */
export async function fatFiles(toolbox: Toolbox, target: Target, scratch: string): Promise<Files> {
  const folder = join(scratch, 'files');
  await mkdir(folder, { recursive: true });
  try {
    await runTool(toolbox, {
      argv: ['mcopy', '-s', '-n', '-Q', '-i', `${target.file}@@${target.offset}`, '::/', folder],
      binds: [{ from: scratch, writable: true }, { from: target.file }],
      env: { MTOOLS_SKIP_CHECK: '1' },
    });
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'tool-failed') throw error;
    throw unreadable(`mcopy cannot read the file system: ${error.details.at(-1) ?? error.message}`, error);
  }
  const nodes = new Map<string, FileNode>([['/', { kind: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0 }]]);
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const info = await stat(join(folder, name));
    const kind = info.isDirectory() ? 'directory' : 'file';
    nodes.set(`/${name}`, { kind, mode: 0o755, uid: 0, gid: 0, size: kind === 'file' ? info.size : 0 });
  }
  return { nodes, unseen: new Map(), read: (path) => readFile(join(folder, path)) };
}
