import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withScratch } from '../engine/scratch.ts';
import type { ArchiveTools } from '../overlay/compression.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';
import { type ProjectWorkspace, toolboxStage } from './workspace.ts';

/** The toolbox programs for overlays into archives; the toolbox is opened only when one is needed. */
export function archiveTools(workspace: ProjectWorkspace): ArchiveTools {
  let toolbox: Promise<Toolbox> | undefined;
  return {
    unxz: async (bytes) => {
      toolbox ??= toolboxStage(workspace, 'core');
      return unxz(await toolbox, workspace.engine.scratch, bytes);
    },
  };
}

function unxz(toolbox: Toolbox, scratch: string, bytes: Uint8Array): Promise<Uint8Array> {
  return withScratch(scratch, async (dir) => {
    const packed = join(dir, 'archive.xz');
    await writeFile(packed, bytes);
    await runTool(toolbox, { argv: ['xz', '-dk', '--', packed], binds: [{ from: dir, writable: true }] });
    return readFile(join(dir, 'archive'));
  });
}
