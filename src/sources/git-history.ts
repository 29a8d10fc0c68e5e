import { readBlobs, readCommit, readObject } from './git.ts';
import { type CommitData, parseTree } from './git-objects.ts';
import type { GitRepository, Patience } from './git-run.ts';

/** A commit of a dist-git's first-parent history. */
export interface DistGitCommit extends CommitData {
  /** Ids of the files in its top folder, by name. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * The first-parent history of a commit, from it back to the first, each read when it is asked for: who needs the last few does
 * not pay for all. No process is started for it, and nothing is fetched.
 * @throws WeirError `git-failed`
 */
export async function* distGitHistory(repository: GitRepository, commit: string): AsyncGenerator<DistGitCommit> {
  let next: string | undefined = commit;
  let last: { readonly tree: string; readonly files: ReadonlyMap<string, string> } | undefined;
  while (next !== undefined) {
    const data: CommitData | undefined = await readCommit(repository, next);
    // The end of a shallow clone is the beginning of what is known.
    if (data === undefined) return;
    if (last?.tree !== data.tree) {
      const tree = await readObject(repository, data.tree);
      const entries = tree === undefined ? [] : parseTree(tree);
      const files = entries.filter(({ mode }) => mode === 'file' || mode === 'executable');
      last = { tree: data.tree, files: new Map(files.map(({ name, id }) => [name.toString(), id])) };
    }
    yield { ...data, files: last.files };
    next = data.parents[0];
  }
}

/**
 * How many commits a dist-git has since (and with) the one that last changed the spec's Version.
 * @param spec its name in the repository
 */
export async function commitsSinceVersion(
  repository: GitRepository,
  commit: string,
  spec: string,
  patience: Patience = {},
): Promise<number> {
  let version: string | undefined;
  let count = 0;
  for await (const texts of specTexts(repository, commit, spec, patience)) {
    for (const text of texts) {
      const found = text === undefined ? '' : (/^Version:.*$/m.exec(text)?.[0] ?? '');
      if (version !== undefined && found !== version) return count;
      version = found;
      count++;
    }
  }
  return count;
}

/** The spec's text at each commit of the history, in batches that grow: each is one fetch at most. */
async function* specTexts(
  repository: GitRepository,
  commit: string,
  spec: string,
  patience: Patience,
): AsyncGenerator<(string | undefined)[]> {
  let ids: (string | undefined)[] = [];
  let size = 8;
  const texts = async (): Promise<(string | undefined)[]> => {
    const wanted = [...new Set(ids.filter((id) => id !== undefined))];
    const blobs = await readBlobs(repository, wanted, patience);
    const byId = new Map(wanted.map((id, index) => [id, blobs[index]!.toString()]));
    return ids.map((id) => (id === undefined ? undefined : byId.get(id)));
  };
  for await (const { files } of distGitHistory(repository, commit)) {
    ids.push(files.get(spec));
    if (ids.length < size) continue;
    yield texts();
    ids = [];
    size *= 2;
  }
  if (ids.length > 0) yield texts();
}
