import { lchown } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { type RunResult, run } from '../base/process.ts';
import { isRoot } from './builder.ts';
import type { Jail } from './jail.ts';
import { launch, program } from './launcher.ts';
import { kernelLimits, type Limits } from './limits.ts';
import { baseEnvironment, withLimits } from './sandbox.ts';
import { withScratch } from './scratch.ts';
import { type IdRange, subordinateIds } from './subordinate-ids.ts';

/**
 * A step that runs untrusted code as root in a folder of its own: scriptlets, which create users and change owners. The folder is its
 * writable `/`. Its user ids are a range of unused ids of the host: its root is mapped to an unprivileged id on the host, so a setuid file
 * in the folder grants no privileges there. It has only the capabilities that change files: it cannot mount, make devices or namespaces,
 * use chroot, or reach a network.
 */
export interface TreeOwnerStep {
  /** The folder, on the cache's file system; `claimTree` made it. */
  readonly tree: string;
  /** A toolbox, of which `/usr` is visible read-only at `ownerTools`. */
  readonly tools: string;
  /** Folders by their names below `ownerMount`. */
  readonly folders?: Readonly<Record<string, { readonly from: string; readonly writable?: boolean }>>;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly limits: Limits;
}

/** Mount point inside the step's `/` for everything that is not part of its tree. */
export const ownerMount = '/.weir';
export const ownerTools = `${ownerMount}/usr`;

/** Mount points in the step's `/`: files below them are not part of the tree. */
export const ownerMounts = ['/dev', '/proc', '/run', '/tmp', ownerMount] as const;

const capabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETUID',
];

/** Gives an empty folder to the root user of a later step. @throws WeirError `no-ids` if no range of subordinate ids is available */
export async function claimTree(jail: Jail, folder: string): Promise<void> {
  const { first } = idsOf(jail);
  if (isRoot) await lchown(folder, first + 1, first + 1);
}

const arm = process.arch === 'arm64';
const loader = arm ? 'lib/ld-linux-aarch64.so.1' : 'lib64/ld-linux-x86-64.so.2';
const libraries = `${ownerTools}/lib/${arm ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'}`;

/** The command line that starts a toolbox's program in a tree that may lack the program's libraries. */
export function ownerTool(name: string): string[] {
  return [
    `${ownerTools}/${loader}`,
    '--library-path',
    `${libraries}:${libraries}/systemd`,
    `${ownerTools}/bin/${name}`,
  ];
}

/** Makes the files that a step left removable: from outside, an ordinary user cannot remove files owned by his subordinate ids. */
export async function releaseTree(jail: Jail, step: Pick<TreeOwnerStep, 'tree' | 'tools' | 'limits'>): Promise<void> {
  if (isRoot) return;
  const others = ['(', '!', '-uid', '0', '-o', '!', '-gid', '0', ')'];
  const own = ['-exec', ...ownerTool('chown'), '--no-dereference', '0:0', '{}', '+'];
  await runAsTreeOwner(jail, { ...step, argv: [...ownerTool('find'), '/', '-xdev', ...others, ...own] });
}

/**
 * Runs the step; a non-zero exit code is a result.
 * @throws WeirError `limit-exceeded`; `no-ids` if no range of subordinate ids is available
 */
export function runAsTreeOwner(jail: Jail, step: TreeOwnerStep): Promise<RunResult> {
  return withScratch(jail.scratch, (scratch) => {
    const info = join(scratch, 'info');
    const extra = Object.values(step.folders ?? {});
    const written = [step.tree, ...extra.filter(({ writable }) => writable === true).map(({ from }) => from)];
    const argv = ownerArgv(jail, step, info);
    const env = { ...baseEnvironment, ...step.env };
    return withLimits({ limits: step.limits, written, info }, undefined, (more) => run(argv, { env, ...more }));
  });
}

/** Where the first stage of a sandbox has its folders. */
// Directly below /: bubblewrap makes other parents accessible to its own user only.
const stage = {
  launcher: '/launcher',
  tree: '/tree',
  tools: '/tools',
  folder: (name: string) => `/folder-${name}`,
} as const;

function ownerArgv(jail: Jail, step: TreeOwnerStep, info: string): string[] {
  const words = [...program('prlimit'), ...kernelLimits(step.limits), '--'];
  const { first, count } = idsOf(jail);
  const extra = Object.entries(step.folders ?? {});
  if (!isRoot) {
    // The inner root is this user; newuidmap adds the subordinate ids.
    const users = [`0:${process.getuid!()}:1`, `1:${first}:${count}`];
    words.push(...namespace(users, [`0:${process.getgid!()}:1`, users[1]!]));
    const folders = extra.map(([name, { from, writable }]) => ({ name, from, writable }));
    words.push(...program('bwrap'), ...ownerWords(step.tree, join(step.tools, 'usr'), folders), ...step.argv);
    return launch(jail.launcher, words, 'untrusted.bpf', info);
  }
  // The inner root is an unused id without access to the folders above the cache. So a first stage, whose root has access, binds the
  // needed folders to plain paths; the second stage has the ids of the first without its root.
  const outer = [`0:0:1`, `1:${first + 1}:${count - 1}`];
  words.push(...namespace(outer, outer, false), ...program('bwrap'), '--tmpfs', '/');
  // bubblewrap builds the second stage's root there.
  words.push('--perms', '1777', '--dir', '/tmp');
  words.push('--dev-bind', '/dev', '/dev', '--dev-bind', '/proc', '/proc');
  words.push('--ro-bind', jail.launcher.dir, stage.launcher, '--bind', step.tree, stage.tree);
  words.push('--ro-bind', join(step.tools, 'usr'), stage.tools);
  for (const [name, { from, writable }] of extra) words.push(bindOf(writable), from, stage.folder(name));
  words.push('--cap-add', 'ALL', '--die-with-parent', '--chdir', stage.launcher, '--');
  words.push(...namespace([`0:1:${count - 1}`], [`0:1:${count - 1}`]));
  const folders = extra.map(([name, { writable }]) => ({ name, from: stage.folder(name), writable }));
  words.push(...program('bwrap'), ...ownerWords(stage.tree, stage.tools, folders), ...step.argv);
  return launch(jail.launcher, words, 'untrusted.bpf', info);
}

/** A user namespace with these ids, as its root. @param become whether the caller's id is none of them */
function namespace(users: readonly string[], groups: readonly string[], become = true): string[] {
  const words = [...program('unshare'), '--user', '--setgroups', 'allow', '--keep-caps'];
  for (const map of users) words.push('--map-users', map);
  for (const map of groups) words.push('--map-groups', map);
  if (become) words.push('--setuid', '0', '--setgid', '0');
  return [...words, '--'];
}

function bindOf(writable: boolean | undefined): string {
  return writable === true ? '--bind' : '--ro-bind';
}

/** bubblewrap's words for the step itself, up to its command. */
function ownerWords(
  tree: string,
  tools: string,
  folders: readonly { readonly name: string; readonly from: string; readonly writable: boolean | undefined }[],
): string[] {
  const words = ['--seccomp', '9', ...['ipc', 'pid', 'uts', 'cgroup-try', 'net'].map((each) => `--unshare-${each}`)];
  words.push('--info-fd', '8', '--die-with-parent', '--new-session', '--hostname', 'weir');
  words.push('--bind', tree, '/', '--dev', '/dev', '--proc', '/proc');
  words.push('--perms', '1777', '--tmpfs', '/tmp', '--tmpfs', '/run', '--tmpfs', ownerMount);
  words.push('--ro-bind', tools, ownerTools);
  for (const { name, from, writable } of folders) words.push(bindOf(writable), from, `${ownerMount}/${name}`);
  words.push('--remount-ro', ownerMount, '--cap-drop', 'ALL', ...capabilities.flatMap((each) => ['--cap-add', each]));
  return [...words, '--chdir', '/', '--'];
}

function idsOf(jail: Jail): IdRange {
  if (jail.kind !== 'bubblewrap') {
    throw new WeirError('no-ids', 'packages with scriptlets need user namespaces', {
      hint: 'unset WEIR_JAIL, and run where user namespaces are allowed',
    });
  }
  const ids = isRoot ? jail.freeIds : subordinateIds();
  if (ids !== undefined) return ids;
  throw new WeirError('no-ids', 'packages with scriptlets need a range of user ids, and this user has none', {
    hint: 'give the user a line in /etc/subuid and /etc/subgid and install newuidmap, or run as root',
  });
}
