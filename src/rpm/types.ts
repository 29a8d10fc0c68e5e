import type { Readable } from 'node:stream';

/** How a dependency compares versions; empty if any version matches. */
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

/** One `Provides`, `Requires`, … entry. The name of a rich dependency starts with `(`. */
export interface Dependency {
  readonly name: string;
  readonly flags: Comparison;
  /** `[epoch:]version[-release]`, present exactly when `flags` is not empty. */
  readonly evr?: string;
  /** Needed before the package's files are installed or its `%post` runs; `pre="1"` in `primary.xml`. When written without
   * `uses` it means `Requires(pre)`. */
  readonly pre?: boolean;
  /** Every use, sorted as in `DependencyUse`. */
  readonly uses?: readonly DependencyUse[];
}

/** The dependency lists of a package. */
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

/** Attributes of a file set by `%files` directives. */
export interface FileFlags {
  /** `%config` (empty) or `%config(noreplace)`; absent for other files. */
  readonly config?: '' | 'noreplace';
  readonly doc?: boolean;
  readonly license?: boolean;
  readonly readme?: boolean;
  /** In the header but not in the payload. */
  readonly ghost?: boolean;
  /** `rpm -V` accepts that it is missing. */
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
  /** Owner name. */
  readonly user: string;
  readonly group: string;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Target of a symlink. */
  readonly target?: string;
  readonly flags: FileFlags;
  /** Capabilities as text (`cap_net_raw=ep`). */
  readonly capabilities?: string;
  /** First path (byte order) of the hard-link set this file belongs to; absent for the first itself. */
  readonly hardlink?: string;
}

/** A file as listed in a package's header. */
export interface RpmFile extends FileAttributes {
  /** In bytes; for a directory or link, as on the build machine. */
  readonly size: number;
  /** Digest of the content in lower-case hex, by `RpmPackage.fileDigestAlgorithm`; absent if it has no content. */
  readonly digest?: string;
  /** Bit mask of what `rpm -V` checks (`RPMVERIFY_*`). */
  readonly verify: number;
  /** The same for all members of a hard-link set, otherwise unique within the package. */
  readonly inode: number;
  /** Locales that it is for (`%lang`); absent for a file for all. */
  readonly languages?: readonly string[];
}

/** A script that runs before or after installation or removal. */
export interface Scriptlet {
  readonly kind: ScriptletKind;
  /** The program with its arguments; `['<lua>']` for rpm's own Lua. By default `['/bin/sh']`. */
  readonly interpreter: readonly string[];
  /** May be empty: the interpreter then runs alone, as for `%post -p /sbin/ldconfig`. */
  readonly script: string;
  /** Absent if there are none. */
  readonly flags?: readonly ScriptFlag[];
}

/** What rpm does with a script before it runs: expand its macros (`-e`), or take it as a query format (`-q`). */
export type ScriptFlag = 'expand' | 'qformat';

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

/** A script that runs when another package is installed or removed. */
export interface Trigger {
  readonly when: 'prein' | 'in' | 'un' | 'postun';
  /** Packages, at least one; any of them activates the trigger. */
  readonly conditions: readonly Pick<Dependency, 'name' | 'flags' | 'evr'>[];
  readonly interpreter: readonly string[];
  readonly script: string;
  readonly flags?: readonly ScriptFlag[];
}

/** A script that runs when files below certain paths are installed or removed. */
export interface FileTrigger {
  /** `trans`: runs once per transaction, otherwise once per package. */
  readonly scope: 'file' | 'trans';
  readonly when: 'in' | 'un' | 'postun';
  /** Path prefixes, at least one. */
  readonly prefixes: readonly string[];
  readonly interpreter: readonly string[];
  readonly script: string;
  /** Higher runs earlier; rpm's default is 1000000. */
  readonly priority: number;
  readonly flags?: readonly ScriptFlag[];
}

/** One `%changelog` entry. */
export interface ChangelogEntry {
  /** Seconds since 1970; rpmbuild sets noon UTC. */
  readonly time: number;
  /** `Name <address> - version` */
  readonly author: string;
  readonly text: string;
}

/** A package read from a file; the payload stays on disk. */
export interface RpmPackage extends Dependencies {
  /** 4 or 6. */
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
  /** Seconds since 1970. */
  readonly buildTime: number;
  /** Sum of the files' sizes in bytes, hard links counted once. */
  readonly size: number;
  readonly files: readonly RpmFile[];
  readonly fileDigestAlgorithm: 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';
  readonly scriptlets: readonly Scriptlet[];
  readonly triggers: readonly Trigger[];
  readonly fileTriggers: readonly FileTrigger[];
  readonly changelog: readonly ChangelogEntry[];
  /** Byte offsets in the file: main header from `headerOffset` to `payloadOffset`, then the payload to the end. */
  readonly headerOffset: number;
  readonly payloadOffset: number;
  /** Size of the whole file in bytes. */
  readonly fileSize: number;
  /** Bytes of the unpacked payload, if the header records it. */
  readonly payloadUnpackedSize: number | undefined;
  readonly payloadCompressor: string;
  /** SHA-256 of the compressed payload in hex; undefined in packages older than rpm 4.14. */
  readonly payloadDigest: string | undefined;
  readonly payloadDigest512: string | undefined;
  /** SHA-256 of the main header in hex, checked against the signature header if that contains one. */
  readonly headerDigest: string;
  /** Whether the signature header contains an OpenPGP signature, which is not verified here. */
  readonly signed: boolean;
}

/** Content of a regular file: bytes, or a function that opens it (called once). */
export type FileContent = Uint8Array | (() => Readable | Uint8Array | Promise<Readable | Uint8Array>);

/** A file to put into a package; missing parent folders are not added. */
export interface RpmSpecFile extends Omit<FileAttributes, 'kind' | 'flags' | 'mtime' | 'user' | 'group'> {
  readonly kind: 'file' | 'directory' | 'symlink';
  /** Owner; `root` by default. */
  readonly user?: string;
  readonly group?: string;
  /** Seconds since 1970; `buildTime` by default. */
  readonly mtime?: number;
  readonly flags?: FileFlags;
  /** Everything by default, as without `%verify()`. */
  readonly verify?: number;
  /** Required for regular files, except ghosts and those with `hardlink`. Read in path order. */
  readonly content?: FileContent;
}

/** A package to write. Omitted lists are empty. */
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
  /** `localhost` by default, to keep the host's name out of the package. */
  readonly buildHost?: string;
  /** File name of the source package; by default `NAME-VERSION-RELEASE.src.rpm`. */
  readonly sourceRpm?: string;
  /** Seconds since 1970. */
  readonly buildTime: number;
  readonly files?: readonly RpmSpecFile[];
  readonly scriptlets?: readonly Omit<Scriptlet, 'flags'>[];
  readonly fileTriggers?: readonly Omit<FileTrigger, 'flags'>[];
  /** Newest first. */
  readonly changelog?: readonly ChangelogEntry[];
  /** Also require `user(…)` and `group(…)` of files' owners other than root, as rpmbuild does; false by default. */
  readonly ownerRequires?: boolean;
}

/** A written package. */
export interface WrittenRpm {
  readonly path: string;
  /** SHA-256 of the whole file in hex. */
  readonly digest: string;
  /** In bytes. */
  readonly fileSize: number;
  /** Sum of the files' sizes. */
  readonly size: number;
}
