import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { configurationOf, layOut, loadLaidOut, textAt } from '../history/at-commit.ts';
import {
  type ContentReader,
  commitOf,
  type FileTree,
  filesOf,
  findRepository,
  openContents,
} from '../sources/repository.ts';
import { problem } from '../toml/document.ts';
import { parseAdvisory, recordEnding } from './load.ts';
import type { Advisory } from './record.ts';
import { vulnerabilityId } from './schema.ts';

/**
 * Checks that records were only appended to since a commit: each record of that commit still exists, was public at the same time,
 * and its events are the first events of today's record. Other fields, such as the severity, may have changed.
 *
 * The records of the commit are in the folder that the project named then. If the project does not load as it was then, they are all
 * files of the tree that are records.
 * @param root of the project; `records` are today's
 * @returns the number of records at the commit, and one error a record that was rewritten
 * @throws WeirError `no-repository`, `unknown-ref`
 */
export async function rewrittenSince(
  root: string,
  records: readonly Advisory[],
  ref: string,
): Promise<{ readonly compared: number; readonly problems: readonly WeirError[] }> {
  const repository = await findRepository(root);
  if (repository === undefined) {
    throw new WeirError('no-repository', 'the records are not in a git repository', { where: { file: root }, exit: 2 });
  }
  const commit = await commitOf(repository, ref);
  const tree = await filesOf(repository, commit);
  const known = new Map(records.map((record) => [record.id, record]));
  const contents = openContents(repository);
  try {
    const folder = await folderAt(relative(repository.top, root), tree, contents, ref);
    const problems: WeirError[] = [];
    let compared = 0;
    for (const path of tree.keys()) {
      if (!path.endsWith(recordEnding) || (folder !== undefined && recordsFolder(path) !== folder)) continue;
      const id = basename(path, recordEnding);
      if (folder === undefined && !vulnerabilityId.test(id)) continue;
      const then = recordAt(`${ref}:${path}`, await textAt(tree, path, contents), folder !== undefined);
      if (then === undefined) continue;
      compared++;
      const now = known.get(id);
      if (now !== undefined) {
        problems.push(...rewritten(then, now, ref));
        continue;
      }
      problems.push(
        new WeirError('record-removed', `the record of ${id} was removed since ${ref}`, {
          where: { file: join(repository.top, path) },
          hint: 'restore it; if it does not concern the distribution, add an event "not-affected" or "disputed"',
          exit: 2,
        }),
      );
    }
    return { compared, problems };
  } finally {
    contents.close();
  }
}

/** The folder of a file, as `relative` writes it. */
function recordsFolder(path: string): string {
  return path.includes('/') ? dirname(path) : '';
}

/** @param isRecord whether it must be one; else undefined for other files */
function recordAt(name: string, text: string, isRecord: boolean): Advisory | undefined {
  try {
    return parseAdvisory(name, text);
  } catch (error) {
    if (isRecord || !(error instanceof WeirError)) throw error;
    return undefined;
  }
}

/** The folder of records of the project as it was, relative to the repository; undefined if the project does not load. */
async function folderAt(
  project: string,
  tree: FileTree,
  contents: ContentReader,
  ref: string,
): Promise<string | undefined> {
  const top = await mkdtemp(join(tmpdir(), 'weir-records-'));
  try {
    const layout = { top, written: new Map<string, string>() };
    await layOut(layout, await configurationOf(tree, contents));
    const loaded = await loadLaidOut(layout, { folder: project, except: [] }, ref, { env: {} });
    return relative(top, loaded.project.advisories.path);
  } catch (error) {
    if (error instanceof WeirError && /^(no-)?project-at$/.test(error.code)) return undefined;
    throw error;
  } finally {
    await rm(top, { recursive: true, force: true });
  }
}

/** A changed date of publication, and the first event that was changed or removed. */
function rewritten(then: Advisory, now: Advisory, ref: string): WeirError[] {
  const published = `the publication of ${now.id} was changed since ${ref}: it was ${then.published}`;
  const isMoved = Date.parse(then.published) !== Date.parse(now.published);
  return [
    ...(isMoved
      ? [
          problem(now.document, ['published'], 'history-rewritten', published, {
            hint: 'restore it: clocks count from it',
          }),
        ]
      : []),
    ...rewrittenEvents(then, now, ref),
  ];
}

function rewrittenEvents(then: Advisory, now: Advisory, ref: string): WeirError[] {
  const index = then.events.findIndex(
    (event, at) => now.events[at] === undefined || valueDigest(event) !== valueDigest(now.events[at]),
  );
  if (index < 0) return [];
  const gone = now.events[index] === undefined;
  const message = `an event of ${now.id} was ${gone ? 'removed' : 'changed'} since ${ref}: "${then.events[index]!.type}" of ${then.events[index]!.at}`;
  return [
    problem(now.document, gone ? ['events'] : ['events', index], 'history-rewritten', message, {
      hint: 'restore it, and add a new event instead',
    }),
  ];
}
