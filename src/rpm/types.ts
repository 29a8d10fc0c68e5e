import type { Readable } from 'node:stream';

/** How a dependency compares; empty when any version will do. */
export type Comparison = '' | '<' | '<=' | '=' | '>=' | '>';

/** When or why a dependency is needed, as `Requires(post)` and rpm's own generators mark it. */
export type DependencyUse =
  | 'posttrans'
  | 'prereq'
  | 'pretrans'
  | 'interp'
  | 'pre'
  | 'post'
  | 'preun'
  | 'postun'
  | 'verify'
  | 'find-requires'
  | 'find-provides'
  | 'missingok'
  | 'preuntrans'
  | 'postuntrans'
  | 'rpmlib'
  | 'keyring'
  | 'config'
  | 'meta';

/** One `Provides`, `Requires`, … entry. A rich dependency is a name that starts with `(`. */
export interface Dependency {
  readonly name: string;
  readonly flags: Comparison;
  /** `[epoch:]version[-release]`, present exactly when `flags` is not empty. */
  readonly evr?: string;
  /** Needed before the package's files are laid down or its `%post` runs; what `primary.xml` shows as `pre="1"`. When
   * written without `uses` it means `Requires(pre)`. */
  readonly pre?: boolean;
  /** Every marking, sorted as in `DependencyUse`. */
  readonly uses?: readonly DependencyUse[];
}

/** The lists of dependencies that a package has. */
export interface Dependencies {
  readonly provides: readonly Dependency[];
  readonly requires: readonly Dependency[];
  readonly conflicts: readonly Dependency[];
  readonly obsoletes: readonly Dependency[];
  readonly recommends: readonly Dependency[];
  readonly suggests: readonly Dependency[];
  readonly supplements: readonly Dependency[];
  readonly enhances: readonly Dependency[];
}

/** What `%files` says of a file apart from its attributes. */
export interface FileFlags {
  /** `%config` (empty) or `%config(noreplace)`; absent for all else. */
  readonly config?: '' | 'noreplace';
  readonly doc?: boolean;
  readonly license?: boolean;
  readonly readme?: boolean;
  /** In the header but not in the payload. */
  readonly ghost?: boolean;
  /** Its absence is no fault to `rpm -V`. */
  readonly missingok?: boolean;
  readonly artifact?: boolean;
}

interface FileAttributes {
  /** Absolute, no trailing slash. */
  readonly path: string;
  /** `other`: a device, socket or pipe, of which only the attributes are read. */
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  /** Permission bits with setuid, setgid and sticky: 0o0000–0o7777. */
  readonly mode: number;
  /** Owner by name. */
  readonly user: string;
  readonly group: string;
  /** seconds since 1970 */
  readonly mtime: number;
  /** Where a symlink points. */
  readonly target?: string;
  readonly flags: FileFlags;
  /** Capabilities as text (`cap_net_raw=ep`). */
  readonly capabilities?: string;
  /** First path (byte order) of the hard-link set this file belongs to; absent for the first itself. */
  readonly hardlink?: string;
}

/** A file as a package's header lists it. */
export interface RpmFile extends FileAttributes {
  /** bytes; a directory's and a link's as the builder saw it */
  readonly size: number;
  /** Digest of the content in lower-case hex, by `RpmPackage.fileDigestAlgorithm`; absent for what has no content. */
  readonly digest?: string;
  /** Bit mask of what `rpm -V` checks (`RPMVERIFY_*`). */
  readonly verify: number;
  /** Equal for members of a hard-link set, else unique within the package. */
  readonly inode: number;
}

/** A script that runs around install and removal. */
export interface Scriptlet {
  readonly kind: ScriptletKind;
  /** The program with its arguments; `['<lua>']` for rpm's own Lua. By default `['/bin/sh']`. */
  readonly interpreter: readonly string[];
  /** May be empty: then the interpreter runs alone, as `%post -p /sbin/ldconfig` does. */
  readonly script: string;
}

export type ScriptletKind =
  | 'pre'
  | 'post'
  | 'preun'
  | 'postun'
  | 'pretrans'
  | 'posttrans'
  | 'preuntrans'
  | 'postuntrans'
  | 'verify';

/** A script that runs when files below certain paths come, go or have gone. */
export interface FileTrigger {
  /** `trans`: once a transaction, else once a package. */
  readonly scope: 'file' | 'trans';
  readonly when: 'in' | 'un' | 'postun';
  /** Path prefixes, at least one. */
  readonly prefixes: readonly string[];
  readonly interpreter: readonly string[];
  readonly script: string;
  /** Higher runs earlier; rpm's default is 1000000. */
  readonly priority: number;
}

/** One `%changelog` entry. */
export interface ChangelogEntry {
  /** seconds since 1970; rpmbuild sets noon UTC */
  readonly time: number;
  /** `Name <address> - version` */
  readonly author: string;
  readonly text: string;
}

/** A package read from a file; the payload stays on disk. */
export interface RpmPackage extends Dependencies {
  /** 4 or 6 */
  readonly format: number;
  readonly name: string;
  readonly epoch: number;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  readonly summary: string;
  readonly description: string;
  readonly license: string;
  readonly group: string;
  readonly url: string;
  readonly vendor: string;
  readonly packager: string;
  readonly vcs: string;
  readonly bugUrl: string;
  readonly buildHost: string;
  /** File name of the source package; empty in a source package itself. */
  readonly sourceRpm: string;
  readonly isSource: boolean;
  /** seconds since 1970 */
  readonly buildTime: number;
  /** Sum of the files' sizes in bytes, hard links counted once. */
  readonly size: number;
  readonly files: readonly RpmFile[];
  readonly fileDigestAlgorithm: 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';
  readonly scriptlets: readonly Scriptlet[];
  readonly fileTriggers: readonly FileTrigger[];
  readonly changelog: readonly ChangelogEntry[];
  /** Byte offsets in the file: main header from `headerOffset` to `payloadOffset`, then the payload to the end. */
  readonly headerOffset: number;
  readonly payloadOffset: number;
  /** Size of the whole file in bytes. */
  readonly fileSize: number;
  /** Bytes of the unpacked payload, where the header says it. */
  readonly payloadUnpackedSize: number | undefined;
  readonly payloadCompressor: string;
  /** SHA-256 of the compressed payload in hex; undefined in packages older than rpm 4.14. */
  readonly payloadDigest: string | undefined;
  readonly payloadDigest512: string | undefined;
  /** SHA-256 of the main header in hex, checked against the signature header where that holds one. */
  readonly headerDigest: string;
  /** Whether the signature header holds an OpenPGP signature; who made it is not looked at. */
  readonly signed: boolean;
}

/** What a regular file holds: bytes, or a function that opens them (called once). */
export type FileContent = Uint8Array | (() => Readable | Uint8Array | Promise<Readable | Uint8Array>);

/** A file to put into a package; missing parents are not made. */
export interface RpmSpecFile extends Omit<FileAttributes, 'kind' | 'flags' | 'mtime' | 'user' | 'group'> {
  readonly kind: 'file' | 'directory' | 'symlink';
  /** Owner; `root` by default. */
  readonly user?: string;
  readonly group?: string;
  /** seconds since 1970; `buildTime` by default */
  readonly mtime?: number;
  readonly flags?: FileFlags;
  /** By default everything (`%verify()` unsaid). */
  readonly verify?: number;
  /** Required for regular files, but not for ghosts and for those with `hardlink`. Read when its turn in path order comes. */
  readonly content?: FileContent;
}

/** A package to write. Lists that are left out are empty. */
export interface RpmSpec extends Partial<Dependencies> {
  readonly name: string;
  /** Absent or 0: none. */
  readonly epoch?: number;
  readonly version: string;
  readonly release: string;
  /** `x86_64`, `aarch64`, `noarch` … */
  readonly arch: string;
  readonly summary: string;
  readonly description: string;
  readonly license: string;
  readonly group?: string;
  readonly url?: string;
  readonly vendor?: string;
  readonly packager?: string;
  readonly vcs?: string;
  readonly bugUrl?: string;
  readonly distribution?: string;
  /** `localhost` by default, so that nothing of the machine gets in. */
  readonly buildHost?: string;
  /** File name of the source package; by default `NAME-VERSION-RELEASE.src.rpm`. */
  readonly sourceRpm?: string;
  /** seconds since 1970 */
  readonly buildTime: number;
  readonly files?: readonly RpmSpecFile[];
  readonly scriptlets?: readonly Scriptlet[];
  readonly fileTriggers?: readonly FileTrigger[];
  /** Newest first. */
  readonly changelog?: readonly ChangelogEntry[];
  /** Also require `user(…)` and `group(…)` of files' owners other than root, as rpmbuild does; false by default. */
  readonly ownerRequires?: boolean;
}

/** A package as it was written. */
export interface WrittenRpm {
  readonly path: string;
  /** SHA-256 of the whole file in hex. */
  readonly digest: string;
  /** bytes */
  readonly fileSize: number;
  /** Sum of the files' sizes. */
  readonly size: number;
}
