import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { lastLines, type RunResult } from '../base/process.ts';
import { type Engine, perform, readOutput } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { withScratch } from '../engine/scratch.ts';
import { putBytes, withLinks } from '../engine/store.ts';
import { nvra } from '../repo/metadata.ts';
import type { Toolbox, ToolRun } from '../toolbox/tool.ts';
import { labelTree } from './labels.ts';
import { without } from './lay-over.ts';
import { editTree, treeMount, withEntries } from './overlayfs.ts';
import { policyStore } from './policy.ts';
import type { Tree } from './tree.ts';

export interface FinaliseOptions {
  readonly cache: string;
  /** Install times and mtimes of files that finalisers write, in seconds since 1970. */
  readonly clock: number;
  /** Look up and set SELinux labels, and build the policy store if the tree has policy modules. */
  readonly selinux: boolean;
  /** Write the RPM database. */
  readonly rpmdb: boolean;
  /** Write the package lists that scanners read in place of an RPM database (`/var/lib/rpmmanifest`). */
  readonly rpmManifest?: boolean;
  /** Enable and disable units according to the presets in the tree. */
  readonly presets: boolean;
  /** Units to enable and disable in addition to the presets. */
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
  /** Whether the tree was finalised before and changed since: accounts, units and caches are as they should be. */
  readonly again?: boolean;
}

export interface Finalised {
  readonly tree: Tree;
  /** The steps that were run, one line each. */
  readonly log: readonly string[];
}

/** Location of the RPM database in every tree. */
export const rpmdbPath = '/usr/lib/sysimage/rpm';

/** Where scanners look for lists of packages. */
const manifestPath = '/var/lib/rpmmanifest';

/**
 * The two package lists of Mariner's distroless images, which Trivy, Syft and others read: `rpm -qa`, and ten fields per
 * package. A missing value is rpm's `(none)`; the seventh field, `SIZE`, is missing in packages of rpm's format 6.
 */
const manifestQueries: Readonly<Record<string, string>> = {
  'container-manifest-1': '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\\n',
  'container-manifest-2': `${['NAME', 'VERSION}-%{RELEASE', 'INSTALLTIME', 'BUILDTIME', 'VENDOR', 'EPOCH', 'LONGSIZE', 'ARCH', 'EPOCHNUM', 'SOURCERPM'].map((field) => `%{${field}}`).join('\\t')}\\n`,
};

/** The finalised tree; an action, so an unchanged tree comes from the cache. */
export async function finaliseTree(
  engine: Engine,
  toolbox: Toolbox,
  tree: Tree,
  options: FinaliseOptions,
): Promise<Finalised> {
  const { cache, ...inputs } = options;
  const result = await perform(engine, {
    kind: 'finalise-tree',
    code: codeDigest(import.meta.url),
    inputs: { tree: valueDigest(tree), toolbox: toolbox.digest, ...inputs },
    run: async (work) => {
      const finalised = await finalise(engine, toolbox, tree, options);
      await writeFile(join(work, 'tree.json'), JSON.stringify(finalised));
      return { files: { tree: join(work, 'tree.json') } };
    },
  });
  return JSON.parse(await readOutput(engine, result, 'tree')) as Finalised;
}

async function finalise(engine: Engine, toolbox: Toolbox, tree: Tree, options: FinaliseOptions): Promise<Finalised> {
  const log: string[] = [];
  const has = new Set(tree.entries.map((entry) => entry.path));
  let result = await editTree(engine, toolbox, tree, options, async (runInTree) => {
    const step = async (what: string, argv: readonly string[]): Promise<void> => {
      const outcome = await runInTree({ argv, env: { SOURCE_DATE_EPOCH: String(options.clock) } });
      check(what, outcome);
      log.push(`${what}: ${argv.join(' ')}`);
    };
    if (options.again === true) return;
    if (has.has('/usr/lib/sysusers.d')) await step('system users', ['systemd-sysusers', `--root=${treeMount}`]);
    if (options.presets && has.has('/usr/lib/systemd/system-preset')) {
      await step('presets', ['systemctl', `--root=${treeMount}`, '--preset-mode=full', 'preset-all']);
      if (has.has('/usr/lib/systemd/user-preset')) {
        await step('user presets', [
          'systemctl',
          `--root=${treeMount}`,
          '--global',
          '--preset-mode=full',
          'preset-all',
        ]);
      }
    }
    const units = options.presets
      ? ([
          ['enable', options.enable],
          ['disable', options.disable],
        ] as const)
      : [];
    for (const [verb, names = []] of units) {
      if (names.length > 0) await step(`${verb} units`, ['systemctl', `--root=${treeMount}`, verb, ...names]);
    }
    for (const kernel of kernelVersions(tree)) await step('kernel modules', ['depmod', '-b', treeMount, kernel]);
    if (has.has('/etc/ld.so.conf')) await step('library cache', ['ldconfig', '-X', '-r', treeMount]);
  });
  result = dropTraces(result);
  if (options.presets) result = await updateStamps(engine, result, options.clock);
  if (options.selinux) result = await policyStore(engine, toolbox, result, options, log);
  if (options.rpmdb || options.rpmManifest === true) result = await writeRpmdb(engine, toolbox, result, options, log);
  if (!options.rpmdb) result = without(result, [rpmdbPath]);
  if (options.selinux) result = await labelTree(engine, toolbox, result, log);
  return { tree: result, log };
}

function check(what: string, outcome: RunResult): void {
  if (outcome.code === 0) return;
  throw new WeirError('finaliser-failed', `${what} failed with exit code ${outcome.code}`, {
    details: lastLines(outcome.stderr || outcome.stdout, 10),
  });
}

/** Kernel releases that have modules in the tree. */
export function kernelVersions(tree: Tree): string[] {
  return tree.entries
    .map((entry) => /^\/usr\/lib\/modules\/([^/]+)\/modules\.(?:order|builtin)$/.exec(entry.path)?.[1])
    .filter((version) => version !== undefined)
    .filter((version, index, all) => all.indexOf(version) === index);
}

/** Drops caches that contain times or addresses and that their tools recreate. */
function dropTraces(tree: Tree): Tree {
  const traces = /^\/(?:var\/cache\/ldconfig\/.*|etc\/\.(?:pwd\.lock|updated)|etc\/(?:passwd|group|shadow|gshadow)-$)/;
  return { ...tree, entries: tree.entries.filter((entry) => !traces.test(entry.path)) };
}

/**
 * Marks /etc and /var as up to date with /usr (systemd's ConditionNeedsUpdate): the finalisers have already done what the
 * update services would otherwise do at first boot.
 */
async function updateStamps(engine: Engine, tree: Tree, clock: number): Promise<Tree> {
  const blob = await putBytes(engine.store, `TIMESTAMP_NSEC=${clock}000000000\n`);
  const attributes = { mode: 0o644, user: 'root', group: 'root', mtime: clock, packages: [] };
  const folders = new Set(tree.entries.filter((entry) => entry.kind === 'directory').map((entry) => entry.path));
  return withEntries(
    tree,
    ['/etc', '/var']
      .filter((folder) => folders.has(folder))
      .map((folder) => ({ ...attributes, kind: 'file', path: `${folder}/.updated`, ...blob })),
  );
}

/** Writes the RPM database with `rpm --justdb`, in a form that can be queried on a read-only /usr. */
async function writeRpmdb(
  engine: Engine,
  toolbox: Toolbox,
  tree: Tree,
  options: FinaliseOptions,
  log: string[],
): Promise<Tree> {
  return withScratch(engine.scratch, async (dir) => {
    const files = new Map(tree.packages.map((pkg) => [`${nvra(pkg)}.rpm`, pkg.rpm]));
    const write = (): Promise<Tree> =>
      editTree(engine, toolbox, tree, options, async (runInTree) => {
        const run = async (tool: Omit<ToolRun, 'treeOverlay'>): Promise<void> =>
          check('the RPM database', await runInTree({ ...tool, binds: [{ from: dir, to: '/tmp/rpms' }] }));
        await run({
          argv: [
            'rpm',
            '--root',
            treeMount,
            '--dbpath',
            rpmdbPath,
            '--define',
            '_pkgverify_level none',
            '-i',
            '--justdb',
            '--nodeps',
            '--noscripts',
            '--notriggers',
            '--nosysusers',
            '--nosignature',
            '--ignoresize',
            '--ignorearch',
            '--ignoreos',
            '--oldpackage',
            ...files.keys(),
          ],
          cwd: '/tmp/rpms',
          env: { SOURCE_DATE_EPOCH: String(options.clock) },
        });
        const db = `${treeMount}${rpmdbPath}`;
        for (const [name, format] of Object.entries(options.rpmManifest === true ? manifestQueries : {})) {
          const query = `mkdir -p "$1" && rpm --root ${treeMount} --dbpath ${rpmdbPath} -qa --qf '${format}' | sort > "$1/$2"`;
          await run({ argv: ['bash', '-o', 'pipefail', '-c', query, 'bash', `${treeMount}${manifestPath}`, name] });
        }
        await run({
          argv: [
            'sh',
            '-c',
            `sqlite3 ${db}/rpmdb.sqlite 'pragma journal_mode=delete; vacuum;' && rm -f ${db}/rpmdb.sqlite-* ${db}/.*.lock`,
          ],
        });
      });
    const edited = await withLinks(engine.store, dir, files, write);
    log.push(`rpm database: ${tree.packages.length} packages`);
    return edited;
  });
}
