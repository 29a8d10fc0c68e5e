import type { Readable } from 'node:stream';
import type { Launcher } from './launcher.ts';
import type { Limits } from './limits.ts';

/**
 * How processes are isolated on this host: `bubblewrap` in a user namespace; `bubblewrap-root`, the same by a root user who
 * may mount but make no user namespace; `chroot` where neither is allowed, which is no boundary. The last two are weaker and
 * are used only where the user asks for them by name.
 */
export interface Jail {
  readonly kind: 'bubblewrap' | 'bubblewrap-root' | 'chroot';
  /** The programs that make the sandbox; they are never visible inside. */
  readonly launcher: Launcher;
  /** Ids of the host that belong to nobody; used where Weir runs as root. */
  readonly freeIds: { readonly first: number; readonly count: number };
  /** Scratch folders of runs: on the cache's file system. */
  readonly scratch: string;
}

export interface Bind {
  readonly from: string;
  /** Path inside; the same as `from` where left out. */
  readonly to?: string;
  readonly writable?: boolean;
}

interface Common {
  readonly binds?: readonly Bind[];
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array | Readable;
  readonly log?: string;
}

/** One of Weir's own steps: a program of the toolbox with arguments of ours. Root inside, without the right to mount. */
export interface ToolStep extends Common {
  readonly code: 'tool';
  /** Folder that becomes `/`; never written. Without an overlay only its /usr and /etc are visible. */
  readonly root: string;
  /** Where writes to `/` go: an empty folder `upper` that then holds just what was written, and scratch `work` beside it. */
  readonly overlay?: { readonly upper: string; readonly work: string };
  /** Another folder, mounted at `at` as an overlay; `upper` then holds what was written there. */
  readonly treeOverlay?: { readonly lower: string; readonly upper: string; readonly work: string; readonly at: string };
  /** Shares the host's network; off by default. */
  readonly network?: boolean;
  /** Folders below a bind that are seen empty, by their paths inside: the cache in a user's working folder. */
  readonly hidden?: readonly string[];
  /** The host's devices, for /dev/kvm. */
  readonly devices?: readonly string[];
}

/**
 * A step that runs what somebody else wrote: a spec's macros, a build, a source's script. An ordinary user inside, without
 * capabilities, on a read-only root: only /tmp, /var/tmp, /dev/shm and the writable binds take what it writes.
 */
export interface UntrustedStep extends Common {
  readonly code: 'untrusted';
  /** Folder whose entries are seen read-only below `/`. */
  readonly root: string;
  readonly limits: Limits;
}

export type Sandboxed = ToolStep | UntrustedStep;

/** The user, inside, that other people's code runs as. */
export const builder = { name: 'builder', uid: 1000, gid: 1000 } as const;
