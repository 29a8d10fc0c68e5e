import type { CommitData } from './git-objects.ts';
import { readCommit } from './git-readers.ts';
import type { GitRepository } from './git-run.ts';

/** What lies between two commits of a repository, as `git log FROM..TO` has it. */
export interface CommitRange {
  /** Where `to` is, seen from `from`; `apart` if neither is in the other's history. */
  readonly relation: 'same' | 'newer' | 'older' | 'apart';
  /** Those in the history of `to` and not in that of `from`, each before its parents. */
  readonly commits: readonly CommitData[];
}

/**
 * The commits between two whole commit ids. A history that a shallow clone cuts off counts as beginning there.
 * @throws WeirError `git-failed`
 */
export async function commitsBetween(repository: GitRepository, from: string, to: string): Promise<CommitRange> {
  if (from === to) return { relation: 'same', commits: [] };
  // Most histories are a line, and the older commit is near its end.
  const line: CommitData[] = [];
  for (let next: string | undefined = to; next !== undefined; ) {
    if (next === from) return { relation: 'newer', commits: line };
    const commit: CommitData | undefined = await readCommit(repository, next);
    if (commit === undefined || commit.parents.length > 1) break;
    line.push(commit);
    next = commit.parents[0];
  }
  const known = await ancestors(repository, from);
  if (known.has(to)) return { relation: 'older', commits: [] };
  const commits: CommitData[] = [];
  let isNewer = false;
  await walk(repository, to, (commit) => {
    commits.push(commit);
    isNewer ||= commit.parents.includes(from);
    return commit.parents.filter((parent) => !known.has(parent));
  });
  return { relation: isNewer ? 'newer' : 'apart', commits: childrenFirst(commits) };
}

async function ancestors(repository: GitRepository, start: string): Promise<Set<string>> {
  const found = new Set([start]);
  await walk(repository, start, ({ parents }) => {
    for (const parent of parents) found.add(parent);
    return parents;
  });
  return found;
}

/** Reads commits, each once. @param visit returns the ids to read from there */
async function walk(
  repository: GitRepository,
  start: string,
  visit: (commit: CommitData) => readonly string[],
): Promise<void> {
  const seen = new Set([start]);
  for (let waiting = [start]; waiting.length > 0; ) {
    const read = await Promise.all(waiting.map((id) => readCommit(repository, id)));
    waiting = [];
    for (const commit of read) {
      for (const id of commit === undefined ? [] : visit(commit)) {
        if (!seen.has(id)) waiting.push(id);
        seen.add(id);
      }
    }
  }
}

/** Newest first, but each commit before its parents, even where a clock was wrong. */
function childrenFirst(commits: readonly CommitData[]): CommitData[] {
  const byId = new Map(commits.map((commit) => [commit.id, commit]));
  const children = new Map<string, number>();
  for (const { parents } of commits) {
    for (const parent of parents) children.set(parent, (children.get(parent) ?? 0) + 1);
  }
  const ready = commits.filter(({ id }) => !children.has(id));
  const sorted: CommitData[] = [];
  while (ready.length > 0) {
    ready.sort((a, b) => a.time - b.time);
    const next = ready.pop()!;
    sorted.push(next);
    for (const parent of next.parents) {
      const left = children.get(parent)! - 1;
      children.set(parent, left);
      const commit = byId.get(parent);
      if (left === 0 && commit !== undefined) ready.push(commit);
    }
  }
  return sorted;
}
