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
import { editTree, treeMount, withEntries } from './overlayfs.ts';
import { policyStore } from './policy.ts';
import type { Tree } from './tree.ts';

export interface FinaliseOptions {
  readonly cache: string;
  /** seconds since 1970: install times, mtimes of what finalisers write */
  readonly clock: number;
  /** Look up and set SELinux labels, and build the policy store where the tree has policy modules. */
  readonly selinux: boolean;
  /** Write the RPM database. */
  readonly rpmdb: boolean;
  /** Write the lists of packages that scanners read where they know no RPM database (`/var/lib/rpmmanifest`). */
  readonly rpmManifest?: boolean;
  /** Enable and disable units as the presets in the tree say. */
  readonly presets: boolean;
  /** Units enabled and disabled beyond the presets. */
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
}

export interface Finalised {
  readonly tree: Tree;
  /** What was done, one line each, for the log. */
  readonly log: readonly string[];
}

/** Where the RPM database lies in every tree. */
export const rpmdbPath = '/usr/lib/sysimage/rpm';

/** Where scanners look for lists of packages. */
const manifestPath = '/var/lib/rpmmanifest';

/**
 * The two lists, as Mariner's distroless images have had them and Trivy, Syft and others read them: `rpm -qa`, and a line of
 * ten fields a package. A missing value is rpm's `(none)`; `SIZE`, the seventh, is missing in packages of rpm's format 6.
 */
const manifestQueries: Readonly<Record<string, string>> = {
  'container-manifest-1': '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\\n',
  'container-manifest-2': `${['NAME', 'VERSION}-%{RELEASE', 'INSTALLTIME', 'BUILDTIME', 'VENDOR', 'EPOCH', 'LONGSIZE', 'ARCH', 'EPOCHNUM', 'SOURCERPM'].map((field) => `%{${field}}`).join('\\t')}\\n`,
};

/** The finalised tree; an action, so an unchanged tree is read back. */
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
  const scripted = tree.packages.filter((pkg) => pkg.scriptlets.length > 0);
  // What file triggers and the usual scriptlets do is done below for the whole tree at once.
  for (const { name, scriptlets } of scripted) log.push(`scriptlets not run: ${name} (${scriptlets.join(', ')})`);
  const has = new Set(tree.entries.map((entry) => entry.path));
  let result = await editTree(engine, toolbox, tree, options, async (runInTree) => {
    const step = async (what: string, argv: readonly string[]): Promise<void> => {
      const outcome = await runInTree({ argv, env: { SOURCE_DATE_EPOCH: String(options.clock) } });
      check(what, outcome);
      log.push(`${what}: ${argv.join(' ')}`);
    };
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
  if (options.rpmdb) result = await writeRpmdb(engine, toolbox, result, options, log);
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

/** Caches with times or addresses in them that their tools make again. */
function dropTraces(tree: Tree): Tree {
  const traces = /^\/(?:var\/cache\/ldconfig\/.*|etc\/\.(?:pwd\.lock|updated)|etc\/(?:passwd|group|shadow|gshadow)-$)/;
  return { ...tree, entries: tree.entries.filter((entry) => !traces.test(entry.path)) };
}

/**
 * Says that /etc and /var are as new as /usr (systemd's ConditionNeedsUpdate), since the finalisers did what the
 * update services would otherwise do at every first boot.
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

/** The RPM database as `rpm --justdb` writes it, in a form that a read-only /usr can be queried from. */
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
