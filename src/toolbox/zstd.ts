import { basename, dirname } from 'node:path';
import { payloadLevel } from '../rpm/payload.ts';
import { runTool, type Toolbox } from './tool.ts';

/** Compresses files in one folder, each to `<file>.zst` beside it. */
export interface Zstd {
  /** Digest of everything that determines the output bytes, for the inputs of actions. */
  readonly digest: string;
  readonly compress: (files: readonly string[]) => Promise<void>;
}

// From stdin, so the output does not depend on the file size: these are the bytes that the library produces for a stream.
const script = `for file; do zstd --quiet --single-thread -${payloadLevel} --no-check --stdout <"./$file" >"./$file.zst" || exit 1; done`;

/** The toolbox's zstd, not Node's: its version is locked, so output does not change with the host's Node. */
export function zstdOf(toolbox: Toolbox): Zstd {
  return {
    digest: toolbox.digest,
    compress: async (files) => {
      const [first] = files;
      if (first === undefined) return;
      await runTool(toolbox, {
        argv: ['sh', '-c', script, 'sh', ...files.map((file) => basename(file))],
        binds: [{ from: dirname(first), to: '/tmp/packed', writable: true }],
        cwd: '/tmp/packed',
      });
    },
  };
}
