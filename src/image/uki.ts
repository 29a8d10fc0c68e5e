import { dirname } from 'node:path';
import { runTool, type Toolbox } from '../toolbox/tool.ts';

/** A unified kernel image (UAPI group specification). Paths are host files. */
export interface UkiOptions {
  readonly kernel: string;
  /** Kernel release, for menus and tools. */
  readonly release: string;
  readonly initrd: string;
  readonly commandLine: string;
  readonly osRelease: string;
  /** systemd-stub of the target's architecture. */
  readonly stub: string;
  /** Timestamp in the PE header, seconds since 1970. */
  readonly epoch: number;
}

/** Builds a unified kernel image at `out`, in a folder without its parts. @throws WeirError `tool-failed` */
export async function makeUki(toolbox: Toolbox, out: string, options: UkiOptions): Promise<void> {
  const { kernel, initrd, osRelease, stub } = options;
  await runTool(toolbox, {
    argv: [
      ...['ukify', 'build', '--linux', kernel, '--initrd', initrd, '--cmdline', options.commandLine],
      ...['--os-release', `@${osRelease}`, '--uname', options.release, '--stub', stub, '--output', out],
    ],
    binds: [{ from: dirname(out), writable: true }, ...[kernel, initrd, osRelease, stub].map((from) => ({ from }))],
    env: { SOURCE_DATE_EPOCH: String(options.epoch) },
  });
}
