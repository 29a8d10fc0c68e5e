import type { Readable } from 'node:stream';

/**
 * How processes are shut in on this host: `bubblewrap` in a user namespace; `bubblewrap-root`, the same by a root user who
 * may mount but make no user namespace; `chroot` where neither is allowed.
 */
export interface Jail {
  readonly kind: 'bubblewrap' | 'bubblewrap-root' | 'chroot';
  /** How bubblewrap is started; empty for chroot. */
  readonly argv: readonly string[];
  /** Where a chroot makes its copies: on the cache's file system. */
  readonly scratch: string;
}

export interface Bind {
  readonly from: string;
  /** Path inside; the same as `from` where left out. */
  readonly to?: string;
  readonly writable?: boolean;
}

export interface Sandboxed {
  /** Folder that becomes `/`; never written. Without an overlay only its /usr and /etc are seen. */
  readonly root: string;
  /** Where writes to `/` go: an empty folder `upper` that then holds just what was written, and scratch `work` beside it. */
  readonly overlay?: { readonly upper: string; readonly work: string };
  readonly binds?: readonly Bind[];
  /** Another folder, mounted at `at` as an overlay; `upper` then holds what was written there. */
  readonly treeOverlay?: { readonly lower: string; readonly upper: string; readonly work: string; readonly at: string };
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array | Readable;
  readonly log?: string;
  /** Shares the host's network; off by default. */
  readonly network?: boolean;
  /** The host's devices, for /dev/kvm. */
  readonly devices?: readonly string[];
  /** 0 by default: root inside, the invoking user outside. */
  readonly uid?: number;
}
