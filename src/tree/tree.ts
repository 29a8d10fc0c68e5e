import type { Digest } from '../base/digest.ts';
import type { RepoPackage } from '../repo/metadata.ts';
import type { ScriptName } from '../rpm/scripts.ts';
import type { ScriptClass } from './scriptlets.ts';

/**
 * A root filesystem as a value: every path with its attributes and content digest, sorted by path (byte order), parents
 * before children. Paths are absolute without a trailing slash; the root folder itself is `/`. File contents are in the
 * content store under `digest`.
 */
export interface Tree {
  readonly entries: readonly Entry[];
  /** Every package in the tree, sorted by name. */
  readonly packages: readonly TreePackage[];
}

export interface TreePackage extends Pick<RepoPackage, 'name' | 'epoch' | 'version' | 'release' | 'arch' | 'rpm'> {
  /** The scripts that rpm would run when installing the package, and what composing a tree does with each. */
  readonly scriptlets: readonly TreeScript[];
}

export interface TreeScript extends ScriptClass {
  readonly name: ScriptName;
}

interface EntryBase {
  readonly path: string;
  /** Permission bits with setuid, setgid and sticky: 0o0000–0o7777. */
  readonly mode: number;
  /** Owner name, as in the RPM; ids come from the tree's own /etc/passwd and /etc/group. */
  readonly user: string;
  readonly group: string;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** SELinux context, once labelled. */
  readonly label?: string;
  /** Names of the packages that own the path; empty for files that a finaliser wrote. */
  readonly packages: readonly string[];
}

export interface FileEntry extends EntryBase {
  readonly kind: 'file';
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
  /** File capabilities as text (`cap_net_raw=ep`). */
  readonly capabilities?: string;
  /** First path of a hard-link set that this entry belongs to; absent for the first itself. */
  readonly hardlink?: string;
}

export interface DirectoryEntry extends EntryBase {
  readonly kind: 'directory';
}

export interface SymlinkEntry extends EntryBase {
  readonly kind: 'symlink';
  readonly target: string;
}

export type Entry = FileEntry | DirectoryEntry | SymlinkEntry;
