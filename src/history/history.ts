// The history of components: the project's commits that changed their inputs. Release numbers count these commits.

import { sha256, valueDigest } from '../base/digest.ts';
import { writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import { withScratch } from '../engine/scratch.ts';
import type { Project } from '../project/model/project.ts';
import { renderedSpecsDir } from '../project/paths.ts';
import { changesUpTo, findRepository, headOf, openContents } from '../sources/repository.ts';
import { placeOf } from './at-commit.ts';
import type { ComponentHistory } from './component-state.ts';
import { covers, historiesOf, knows, namesOf, pack, recall } from './history-memory.ts';
import { Walker } from './history-walk.ts';

export interface HistoryOptions {
  /** Folder for intermediate files. */
  readonly scratch: string;
  /** Folder of cached results. */
  readonly cache?: string;
  /** Names of components; by default all components that ever existed. */
  readonly names?: ReadonlySet<string> | undefined;
  /** Whether states have their inputs; such results are not cached. */
  readonly withInputs?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * The first-parent history of components up to the checked-out commit. A commit at which the project does not load is
 * skipped: its changes count as those of the next commit that loads.
 * @returns undefined if the project is not in git, or has no commit
 */
export async function componentHistories(
  project: Project,
  options: HistoryOptions,
): Promise<ReadonlyMap<string, ComponentHistory> | undefined> {
  const repository = await findRepository(project.root);
  const head = repository === undefined ? undefined : await headOf(repository);
  if (repository === undefined || head === undefined) return undefined;
  const place = placeOf(project, repository.top, renderedSpecsDir(project));
  const { cache, names, withInputs = false } = options;
  const memory =
    cache === undefined || withInputs
      ? undefined
      : cachePath(cache, 'history', `${sha256(`${repository.gitDir}\0${valueDigest(place)}`).slice(0, 32)}.json`);
  const remembered = memory === undefined ? undefined : await recall(memory);
  const known = remembered !== undefined && knows(remembered, names) ? remembered : undefined;
  if (known?.head === head) return historiesOf(known, names);
  const commits = await changesUpTo(repository, head, place.except);
  const contents = openContents(repository);
  try {
    const made = await withScratch(options.scratch, async (top) => {
      // A request for few components of a cached history of many continues with all of them.
      const all = known === undefined ? names : namesOf(known);
      const walker = new Walker({ top, written: new Map() }, place, contents, { withInputs, names: all });
      const start = known === undefined ? 0 : commits.findIndex(({ commit }) => commit === known.head) + 1;
      // If the cached commit is not an ancestor, the cached history belongs to another branch.
      if (known !== undefined && start > 0) await walker.resume(commits.slice(0, start), known);
      for (const [at, commit] of commits.slice(start).entries()) {
        await walker.step(commit);
        options.onProgress?.(start + at + 1, commits.length);
      }
      const histories = walker.histories(repository.shallow ? commits[0]?.commit : undefined);
      return { histories, memory: pack(head, histories, all, walker.pending) };
    });
    const better = remembered === undefined || known !== undefined || covers(made.memory, remembered);
    if (memory !== undefined && better) await writeAtomic(memory, JSON.stringify(made.memory));
    return names === undefined ? made.histories : new Map([...made.histories].filter(([name]) => names.has(name)));
  } finally {
    contents.close();
  }
}
