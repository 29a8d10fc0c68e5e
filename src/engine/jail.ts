import type { Readable } from 'node:stream';
import type { Launcher } from './launcher.ts';
import type { Limits } from './limits.ts';

/**
 * How processes are isolated on this host: `bubblewrap` in a user namespace; `bubblewrap-root`, the same run by root where
 * mounts are allowed but user namespaces are not; `chroot` where neither is allowed, which is no security boundary. The last
 * two are weaker and must be requested by name.
 */
export interface Jail {
  readonly kind: 'bubblewrap' | 'bubblewrap-root' | 'chroot';
  /** The programs that create the sandbox; they are never visible inside. */
  readonly launcher: Launcher;
  /** Unused UIDs of the host, for when Weir runs as root. */
  readonly freeIds: { readonly first: number; readonly count: number };
  /** Folder for the scratch folders of runs, on the cache's file system. */
  readonly scratch: string;
}

export interface Bind {
  readonly from: string;
  /** Path inside; defaults to `from`. */
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

/** A step of Weir itself: a toolbox program with trusted arguments. Root inside, but not allowed to mount. */
export interface ToolStep extends Common {
  readonly code: 'tool';
  /** Folder that becomes a read-only `/`. Without an overlay only its /usr and /etc are visible. */
  readonly root: string;
  /** An overlayfs on `/`: `upper`, empty at first, receives everything that is written; `work` is overlayfs's scratch folder beside it. */
  readonly overlay?: { readonly upper: string; readonly work: string };
  /** Another folder, mounted at `at` as an overlayfs; `upper` receives everything that is written there. */
  readonly treeOverlay?: { readonly lower: string; readonly upper: string; readonly work: string; readonly at: string };
  /** Shares the host's network; off by default. */
  readonly network?: boolean;
  /** Folders below a bind, by their path inside, that an empty folder hides, such as the cache in a user's working folder. */
  readonly hidden?: readonly string[];
  /** Devices of the host, such as /dev/kvm. */
  readonly devices?: readonly string[];
}

/**
 * A step that runs untrusted code: a spec's macros, a build, a source's script. It runs as an ordinary user without
 * capabilities on a read-only root; only /tmp, /var/tmp, /dev/shm and the writable binds are writable.
 */
export interface UntrustedStep extends Common {
  readonly code: 'untrusted';
  /** Folder whose entries appear read-only below `/`. */
  readonly root: string;
  readonly limits: Limits;
}

export type Sandboxed = ToolStep | UntrustedStep;

/** The user inside the sandbox that runs untrusted code. */
export const builder = { name: 'builder', uid: 1000, gid: 1000 } as const;
