import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { lastLines } from '../base/process.ts';
import { type Engine, perform, readOutput } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { readBlobText } from '../engine/store.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { editTree, treeMount, withEntries } from './overlayfs.ts';
import type { Entry, FileEntry, Tree } from './tree.ts';

/** The SELinux policy type from /etc/selinux/config, if the tree has that file. */
export async function policyType(engine: Engine, tree: Tree): Promise<string | undefined> {
  const config = tree.entries.find((entry) => entry.path === '/etc/selinux/config');
  if (config?.kind !== 'file') return undefined;
  const text = await readBlobText(engine.store, config.digest);
  return /^SELINUXTYPE=(\S+)/m.exec(text)?.[1];
}

/**
 * Builds the policy store and the binary policy from the modules in the tree: the policy's own below
 * /usr/share/selinux/TYPE and local ones (CIL) below /usr/share/selinux/packages. This is slow, so it is an action keyed by the
 * modules alone: other changes to a tree do not rebuild it.
 */
export async function policyStore(
  engine: Engine,
  toolbox: Toolbox,
  tree: Tree,
  options: { readonly cache: string; readonly clock: number },
  log: string[],
): Promise<Tree> {
  const type = await policyType(engine, tree);
  if (type === undefined) return tree;
  const modules = moduleFiles(tree, `/usr/share/selinux/${type}/`, /\.pp(\.bz2)?$/);
  const local = [
    ...moduleFiles(tree, '/usr/share/selinux/packages/', /^[^/]+\.(cil|pp)$/),
    ...moduleFiles(tree, `/usr/share/selinux/packages/${type}/`, /^[^/]+\.(cil|pp)$/),
  ];
  if (modules.length === 0) {
    throw new WeirError('no-policy', `the tree is configured for the SELinux policy ${type} but has no modules of it`, {
      where: { file: `/usr/share/selinux/${type}` },
    });
  }
  const settings = tree.entries.filter((entry) => /^\/etc\/selinux\/(config|semanage\.conf)$/.test(entry.path));
  const result = await perform(engine, {
    kind: 'selinux-policy',
    code: codeDigest(import.meta.url),
    inputs: {
      type,
      toolbox: toolbox.digest,
      clock: options.clock,
      modules: [...modules, ...local, ...settings].map((entry) => [
        entry.path,
        entry.kind === 'file' ? entry.digest : '',
      ]),
    },
    run: async (work) => {
      const small: Tree = { entries: tree.entries.filter((entry) => matters(entry.path)), packages: [] };
      const before = new Set(small.entries.map((entry) => entry.path));
      const built = await editTree(
        engine,
        toolbox,
        withStore(small, type, options.clock),
        options,
        async (runInTree) => {
          const outcome = await runInTree({
            argv: ['sh', '-c', semodule, 'sh', treeMount, type, modules.map(name).join(' '), local.map(name).join(' ')],
            env: { SOURCE_DATE_EPOCH: String(options.clock) },
          });
          if (outcome.code !== 0) {
            throw new WeirError('policy-failed', 'failed to build the SELinux policy', {
              details: lastLines(outcome.stderr || outcome.stdout, 12),
            });
          }
        },
      );
      const added = built.entries.filter((entry) => !before.has(entry.path));
      await mkdir(work, { recursive: true });
      await writeFile(join(work, 'entries.json'), JSON.stringify(added));
      return { files: { entries: join(work, 'entries.json') } };
    },
  });
  const added = JSON.parse(await readOutput(engine, result, 'entries')) as Entry[];
  log.push(`selinux policy ${type}: ${modules.length} modules and ${local.length} of our own`);
  return withEntries(tree, added);
}

/** Folders that semodule reads and writes. */
const policyFolders = ['/etc/selinux', '/usr/share/selinux', '/var/lib/selinux'];

function matters(path: string): boolean {
  return policyFolders.some(
    (folder) => path === folder || path.startsWith(`${folder}/`) || folder.startsWith(path === '/' ? '/' : `${path}/`),
  );
}

function withStore(tree: Tree, type: string, clock: number): Tree {
  const paths = new Set(tree.entries.map((entry) => entry.path));
  const folders = [
    '/',
    '/etc',
    '/etc/selinux',
    `/etc/selinux/${type}`,
    '/usr',
    '/usr/share',
    '/var',
    '/var/lib',
    '/var/lib/selinux',
  ];
  const added: Entry[] = folders
    .filter((path) => !paths.has(path))
    .map((path) => ({ path, kind: 'directory', mode: 0o755, user: 'root', group: 'root', mtime: clock, packages: [] }));
  return withEntries(tree, added);
}

/**
 * Base policy at priority 100, local modules at 200, so a policy update never undoes them; one call, so it is built once. The
 * base modules are converted to CIL first: semodule could do that too, but one after the other, and would keep both forms.
 */
const semodule = `set -e
root=$1; type=$2
mkdir -p "$root/etc/selinux/$type/policy" "$root/etc/selinux/$type/contexts/files" "$root/var/lib/selinux/$type" /tmp/cil
translate='for m; do b=\${m##*/}; b=\${b%.bz2}; case $m in *.bz2) bzcat "$m";; *) cat "$m";; esac > /tmp/cil/\${b%.pp}.tmp
/usr/libexec/selinux/hll/pp /tmp/cil/\${b%.pp}.tmp /tmp/cil/\${b%.pp}.cil; rm /tmp/cil/\${b%.pp}.tmp; done'
for m in $3; do echo "$root$m"; done | xargs -P "$(nproc)" -n 16 sh -ec "$translate" sh
cd "$root"
semodule -n -p "$root" -s "$type" -X 100 $(for m in /tmp/cil/*.cil; do echo "-i $m"; done) -X 200 $(for m in $4; do echo "-i $root$m"; done)
`;

function moduleFiles(tree: Tree, below: string, pattern: RegExp): FileEntry[] {
  return tree.entries.filter(
    (entry): entry is FileEntry =>
      entry.kind === 'file' && entry.path.startsWith(below) && pattern.test(entry.path.slice(below.length)),
  );
}

function name(entry: FileEntry): string {
  return entry.path;
}
