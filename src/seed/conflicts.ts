import { byPath } from '../base/order.ts';
import type { RpmFile } from '../rpm/types.ts';

/** A path that two packages own in ways that rpm considers a conflict. */
export interface FileConflict {
  readonly path: string;
  readonly packages: readonly [string, string];
  readonly why: string;
}

/**
 * Finds the paths that would conflict if all packages of a set were installed: those that differ in kind, mode, owner, content
 * or target. Folders can be shared, and ghosts never conflict.
 */
export function fileConflicts(
  packages: readonly { readonly name: string; readonly files: readonly RpmFile[] }[],
): FileConflict[] {
  const first = new Map<string, { readonly name: string; readonly file: RpmFile }>();
  const conflicts: FileConflict[] = [];
  for (const { name, files } of packages) {
    for (const file of files) {
      const known = first.get(file.path);
      if (known === undefined) first.set(file.path, { name, file });
      else {
        const why = difference(known.file, file);
        if (why !== undefined) conflicts.push({ path: file.path, packages: [known.name, name], why });
      }
    }
  }
  return conflicts.sort(byPath);
}

function difference(a: RpmFile, b: RpmFile): string | undefined {
  if (a.flags.ghost === true || b.flags.ghost === true) return undefined;
  if (a.kind !== b.kind) return `${a.kind} and ${b.kind}`;
  if (a.mode !== b.mode) return `modes ${a.mode.toString(8)} and ${b.mode.toString(8)}`;
  if (a.user !== b.user || a.group !== b.group) return `owners ${a.user}:${a.group} and ${b.user}:${b.group}`;
  if (a.kind === 'symlink') return a.target === b.target ? undefined : `targets ${a.target} and ${b.target}`;
  return a.kind === 'file' && a.digest !== b.digest ? 'contents' : undefined;
}
