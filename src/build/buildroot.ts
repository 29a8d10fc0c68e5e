import type { Digest } from '../base/digest.ts';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { cachePath } from '../base/paths.ts';
import type { Engine } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import type { RepoPackage } from '../repo/metadata.ts';
import { resolveCached } from '../repo/resolve.ts';
import { obtainPackages, type RepoSource, usePackages } from '../repo/source.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { finaliseTree } from '../tree/finalise.ts';
import { installTree } from '../tree/install.ts';
import { materialise } from '../tree/materialise.ts';
import { withEntries } from '../tree/overlayfs.ts';
import type { DirectoryEntry, Tree } from '../tree/tree.ts';

/** The environment of a build. */
export interface BuildContext {
  readonly engine: Engine;
  readonly toolbox: Toolbox;
  readonly cache: string;
  /** RPM architecture name. */
  readonly arch: string;
  /** Seconds since 1970. */
  readonly clock: number;
  /** Macros of every build, as mock's configuration sets them; names without `%`. */
  readonly macros?: Readonly<Record<string, string>>;
  /** Additional environment variables of rpmbuild, from mock's configuration. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Directories in every buildroot in addition to its packages' directories: mock's `extra_chroot_dirs`. */
  readonly extraDirectories?: readonly string[];
}

/** rpm's options that define the macros of a context. */
export function macroOptions({ macros = {} }: Pick<BuildContext, 'macros'>): string[] {
  return Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
}

/** A root to build in: identified by its packages; its folder is created only for an actual build. */
export interface Buildroot {
  /** Digest of its packages and of the code and tools that create the root. */
  readonly digest: Digest;
  readonly packages: readonly RepoPackage[];
  /** The folder, composed on the first call; it must not be written to. */
  readonly open: () => Promise<string>;
}

/** Resolves the buildroot with `wanted` and its dependencies. */
export async function planBuildroot(
  context: BuildContext,
  sources: readonly RepoSource[],
  wanted: readonly string[],
  purpose: string,
): Promise<Buildroot> {
  const packages = await resolveCached(context, sources, wanted, purpose);
  usePackages(sources, packages);
  let opened: Promise<string> | undefined;
  const open = (): Promise<string> => {
    opened ??= obtainPackages(sources, packages).then(() => composeBuildroot(context, packages));
    return opened;
  };
  const rpms = packages.map((pkg) => pkg.rpm);
  const { extraDirectories = [] } = context;
  const digest = valueDigest({
    ...{ rpms, toolbox: context.toolbox.digest, code: codeDigest(import.meta.url) },
    ...(extraDirectories.length === 0 ? {} : { extraDirectories }),
  });
  return { digest, packages, open };
}

async function composeBuildroot(context: BuildContext, packages: readonly RepoPackage[]): Promise<string> {
  const installed = await installTree(context.engine, context.toolbox, packages, { clock: context.clock });
  const { tree } = await finaliseTree(context.engine, context.toolbox, installed.tree, {
    cache: context.cache,
    clock: context.clock,
    selinux: false,
    rpmdb: true,
    presets: false,
  });
  const { extraDirectories = [], clock } = context;
  return materialise(context.engine, withDirectories(tree, extraDirectories, clock), context.cache);
}

/**
 * A tree with further directories, and their parents, owned by root.
 * @throws WeirError `bad-buildroot` (exit 2) for a path that is not absolute and plain, or has a parent that is not a directory
 */
export function withDirectories(tree: Tree, paths: readonly string[], clock: number): Tree {
  const known = new Map(tree.entries.map((entry) => [entry.path, entry.kind]));
  const added: DirectoryEntry[] = [];
  for (const path of paths) {
    const words = path.split('/').slice(1);
    const isPlain = path.startsWith('/') && words.every((word) => word !== '' && word !== '.' && word !== '..');
    let at = '';
    for (const word of isPlain ? words : [path]) {
      at += `/${word}`;
      const kind = isPlain ? known.get(at) : 'file';
      if (kind === 'directory') continue;
      if (kind !== undefined) {
        throw new WeirError('bad-buildroot', `cannot add the directory ${path} to the buildroot`, {
          hint: 'extra_chroot_dirs takes absolute paths in which no part is a file or a symbolic link',
          exit: 2,
        });
      }
      known.set(at, 'directory');
      added.push({ kind: 'directory', path: at, mode: 0o755, user: 'root', group: 'root', mtime: clock, packages: [] });
    }
  }
  return added.length === 0 ? tree : withEntries(tree, added);
}

/** The folder for build logs. */
export function logFolder(cache: string): string {
  return cachePath(cache, 'logs');
}
