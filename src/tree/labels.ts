import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import type { Engine } from '../engine/action.ts';
import { withScratch } from '../engine/scratch.ts';
import { takeOut } from '../engine/store.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';
import { policyType } from './policy.ts';
import type { Entry, Tree } from './tree.ts';

/** Paths per call of matchpathcon, well below the kernel's limit for a command line. */
const batch = 4000;

/** Types for matchpathcon -m, which looks only at the first letter: `symlink` would mean a socket. */
const kinds = { file: 'file', directory: 'dir', symlink: 'lnk_file' } as const;

/** Labels every entry according to the tree's own file_contexts, independent of the host's SELinux. */
export async function labelTree(engine: Engine, toolbox: Toolbox, tree: Tree, log: string[]): Promise<Tree> {
  const type = await policyType(engine, tree);
  if (type === undefined) return tree;
  const folder = `/etc/selinux/${type}/contexts/files`;
  const contexts = tree.entries.filter((entry) => entry.path.startsWith(`${folder}/file_contexts`));
  if (contexts.length === 0) {
    throw new WeirError('no-policy', 'the tree has no SELinux file contexts', { where: { file: folder } });
  }
  const labels = await withScratch(engine.scratch, async (work) => {
    for (const entry of contexts) {
      if (entry.kind === 'file')
        await takeOut(engine.store, entry.digest, join(work, entry.path.slice(folder.length + 1)));
    }
    const found = new Map<string, string>();
    for (const kind of ['file', 'directory', 'symlink'] as const) {
      const paths = tree.entries.filter((entry) => entry.kind === kind).map((entry) => entry.path);
      for (let at = 0; at < paths.length; at += batch) {
        const slice = paths.slice(at, at + batch);
        const result = await runTool(toolbox, {
          argv: ['matchpathcon', '-n', '-f', join(work, 'file_contexts'), '-m', kinds[kind], ...slice],
          binds: [{ from: work }],
        });
        const lines = result.stdout.trimEnd().split('\n');
        if (lines.length !== slice.length) {
          throw new WeirError('label-failed', `matchpathcon returned ${lines.length} labels for ${slice.length} paths`);
        }
        for (const [index, path] of slice.entries()) found.set(path, lines[index]!);
      }
    }
    return found;
  });
  log.push(`selinux labels: ${labels.size} paths`);
  return { ...tree, entries: tree.entries.map((entry) => labelled(entry, labels.get(entry.path))) };
}

function labelled(entry: Entry, label: string | undefined): Entry {
  return label === undefined || label === '<<none>>' ? entry : { ...entry, label };
}
