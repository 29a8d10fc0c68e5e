import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type Folder, openFolder } from '../archive/folder.ts';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { exists, temporaryName } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import { runOk } from '../base/process.ts';
import type { Engine } from '../engine/action.ts';
import { freeIds, isRoot } from '../engine/builder.ts';
import type { Jail } from '../engine/jail.ts';
import { type Launcher, launcherFiles, openLauncher } from '../engine/launcher.ts';
import { noNamespaces, probeJail } from '../engine/sandbox.ts';
import { removeTree } from '../engine/scratch.ts';
import type { Seal } from '../engine/seal.ts';
import { type Apt, type DebPackage, debPath } from './apt.ts';
import { checkToolbox, type ToolboxState, writeManifest } from './integrity.ts';
import type { Toolbox } from './tool.ts';
import { lockedDebs } from './toolbox-lock.ts';
import { placeDebs } from './unpack.ts';

/** Packages of the toolbox: `core` for every build; `boot` is large and only downloaded to boot an image. */
export const toolSets = {
  core: [
    'base-files',
    'bash',
    'bubblewrap',
    'busybox-static',
    'bzip2',
    'checkpolicy',
    'coreutils',
    'cpio',
    'createrepo-c',
    'dash',
    'dosfstools',
    'dnf5',
    'e2fsprogs',
    'fdisk',
    'file',
    'findutils',
    'gawk',
    'git',
    'gpg',
    'gpg-agent',
    'gpgv',
    'grep',
    'grub-common',
    'grub-pc-bin',
    'gzip',
    'kmod',
    'libc-bin',
    'mtools',
    'ncurses-base',
    'policycoreutils',
    'qemu-utils',
    'rpm',
    'sed',
    'selinux-utils',
    'semodule-utils',
    'sqlite3',
    'systemd',
    'systemd-boot-efi',
    'systemd-repart',
    'systemd-ukify',
    'tar',
    'util-linux',
    'xz-utils',
    'zstd',
  ],
  boot: [
    'base-files',
    'bash',
    'bubblewrap',
    'coreutils',
    'dash',
    'libc-bin',
    'ovmf',
    'qemu-system-x86',
    'qemu-utils',
    'util-linux',
  ],
  // Tools for the end-to-end tests of the container images; builds do not need them.
  test: [
    'base-files',
    'bash',
    'bubblewrap',
    'coreutils',
    'dash',
    'docker-registry',
    'libc-bin',
    'openssh-client',
    'runc',
    'skopeo',
    'umoci',
    'util-linux',
  ],
} as const satisfies Record<string, readonly string[]>;

export type ToolSet = keyof typeof toolSets;

/** Increase this when unpacking or finishing changes the content of the folder. */
const layoutVersion = 3;

export interface ToolboxReport {
  readonly toolbox: Toolbox;
  readonly packages: readonly DebPackage[];
  readonly downloaded: number;
  readonly unpacked: boolean;
  readonly relocked?: string;
  /** Files that had been modified when it was opened, which caused it to be unpacked again. */
  readonly changed?: readonly string[];
}

/** Opens a toolbox set: downloads, verifies and unpacks it into the cache unless it is already there. */
export async function openToolbox(
  engine: Engine,
  options: {
    readonly set: ToolSet;
    readonly cache: string;
    readonly lock: string;
    readonly openApt: () => Promise<Apt>;
    readonly onProgress?: (text: string) => void;
  },
): Promise<ToolboxReport> {
  const say = options.onProgress ?? (() => {});
  const { packages, downloaded, relocked } = await lockedDebs(engine, {
    lock: options.lock,
    set: options.set,
    roots: toolSets[options.set],
    openApt: options.openApt,
    onProgress: (count, total) => say(`downloaded ${count} of ${total} packages`),
  });
  const digest = toolboxDigest(packages);
  const root = toolboxFolder(options.cache, options.set, packages);
  const { seal } = engine.store;
  let state = await stateOf(root, seal);
  const changed = state?.changed ?? [];
  const unpacked = state === undefined || changed.length > 0;
  if (unpacked) {
    await removeTree(root);
    await unpack(engine, packages, root, (count) => say(`unpacked ${count} of ${packages.length} packages`));
    await writeManifest(root, manifestOf(root), seal);
    state = await stateOf(root, seal);
  }
  const launcher = await openLauncher(options.cache, root, digest, seal, state?.digests);
  const jail = await findJail(root, launcher, engine.scratch);
  const report = { toolbox: { root, jail, digest }, packages, downloaded, unpacked };
  return {
    ...report,
    ...(relocked === undefined ? {} : { relocked }),
    ...(changed.length === 0 ? {} : { changed }),
  };
}

/** The path of an unpacked toolbox's manifest. */
export function manifestOf(root: string): string {
  return `${root}.manifest`;
}

/** Checks an unpacked toolbox against its manifest; undefined if it does not exist. */
async function stateOf(root: string, seal: Seal): Promise<ToolboxState | undefined> {
  if (!(await exists(root))) return undefined;
  const state = await checkToolbox(root, manifestOf(root), seal, launcherFiles);
  // The toolbox was unpacked by a run that was killed before it wrote the manifest, or by an older Weir.
  return state ?? { changed: ['(no manifest)'], digests: new Map() };
}

/** Identifies a toolbox by the packages it is unpacked from. */
export function toolboxDigest(packages: readonly DebPackage[]): string {
  return valueDigest({ layoutVersion, packages: packages.map((deb) => deb.sha256) });
}

/** The folder into which the set with these packages is unpacked. */
export function toolboxFolder(cache: string, set: ToolSet, packages: readonly DebPackage[]): string {
  return cachePath(cache, 'toolbox', `${set}-${toolboxDigest(packages).slice(0, 16)}`);
}

/** A toolbox in a folder configured by the project: any root with the tools in it. */
export async function toolboxFromFolder(engine: Engine, root: string, cache: string): Promise<Toolbox> {
  if (!(await exists(join(root, 'usr/bin/rpmbuild')))) {
    throw new WeirError('bad-toolbox', 'the configured toolbox folder has no usr/bin/rpmbuild', {
      where: { file: root },
      exit: 2,
    });
  }
  const digest = valueDigest({ root });
  const launcher = await openLauncher(cache, root, digest, engine.store.seal);
  return { root, jail: await findJail(root, launcher, engine.scratch), digest };
}

/**
 * How processes are isolated on this host. User namespaces are the default; anything weaker must be requested with `WEIR_JAIL`.
 * @throws WeirError `no-namespaces` with the error output, `bad-jail` (exit 2)
 */
async function findJail(root: string, launcher: Launcher, scratch: string): Promise<Jail> {
  const asked = process.env.WEIR_JAIL || 'bubblewrap';
  const kinds = ['bubblewrap', 'bubblewrap-root', 'chroot'] as const;
  const kind = kinds.find((each) => each === asked);
  if (kind === undefined) {
    throw new WeirError('bad-jail', `unknown value WEIR_JAIL=${asked}`, {
      hint: `valid values: ${kinds.join(', ')}`,
      exit: 2,
    });
  }
  if (kind !== 'bubblewrap' && !isRoot) {
    throw new WeirError('bad-jail', `WEIR_JAIL=${kind} requires root`, {
      hint: 'run as root, or unset WEIR_JAIL',
      exit: 2,
    });
  }
  const jail = { kind, launcher, freeIds: freeIds(await readFile('/proc/self/uid_map', 'utf8')), scratch };
  const refusal = await probeJail(jail, root);
  if (refusal !== undefined) throw noNamespaces(refusal);
  return jail;
}

async function unpack(
  engine: Engine,
  packages: readonly DebPackage[],
  root: string,
  onProgress: (count: number) => void,
): Promise<void> {
  await mkdir(join(root, '..'), { recursive: true });
  const temporary = temporaryName(root);
  try {
    await mkdir(temporary);
    const folder = openFolder(temporary);
    for (const path of folders) folder.directory(path);
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) folder.symlink(name, `usr/${name}`);
    // No maintainer script is run; `finish` does the necessary part of their work.
    await placeDebs(
      packages.map((deb) => debPath(engine, deb)),
      folder,
      engine.scratch,
      onProgress,
    );
    await finish(temporary, folder);
    await rename(temporary, root).catch(async (error: unknown) => {
      // Another run unpacked the same toolbox first; use its folder.
      if (!(await exists(root))) throw error;
      await removeTree(temporary);
    });
  } catch (error) {
    await removeTree(temporary);
    throw error;
  }
}

const folders = 'usr/bin usr/sbin usr/lib usr/lib64 etc proc dev sys tmp root var/tmp run'.split(' ');

async function finish(root: string, folder: Folder): Promise<void> {
  linkUnlessThere(root, folder, 'usr/bin/sh', 'bash');
  linkUnlessThere(root, folder, 'usr/bin/awk', 'gawk');
  folder.file('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n');
  folder.file('etc/group', 'root:x:0:\nnogroup:x:65534:\n');
  folder.file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
  folder.file('etc/hosts', '127.0.0.1 localhost weir\n');
  // ldconfig -r uses a chroot if allowed and otherwise works on paths, so it needs no sandbox.
  await runOk([join(root, 'usr/sbin/ldconfig'), '-r', root]);
}

function linkUnlessThere(root: string, folder: Folder, path: string, target: string): void {
  if (folder.kindOf(path) !== undefined) return;
  if (folder.isLink(path)) {
    throw new WeirError('bad-toolbox', `${path} is a dangling link`, { where: { file: root } });
  }
  folder.symlink(path, target);
}
