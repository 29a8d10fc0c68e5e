import { basename, join, relative } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { commitOf, filesOf, findRepository, openContents } from '../sources/repository.ts';
import { problem } from '../toml/document.ts';
import { parseAdvisory, recordEnding } from './load.ts';
import type { Advisory } from './record.ts';

/**
 * Checks that records were only appended to since a commit: each record of that commit still exists, and its events are the first
 * events of today's record. Other fields, such as the severity, may have changed.
 * @param root of the project; `folder` of its records need not be there any more
 * @returns the number of records at the commit, and one error a record that was rewritten
 * @throws WeirError `no-repository`, `unknown-ref`
 */
export async function rewrittenSince(
  { root, folder }: { readonly root: string; readonly folder: string },
  records: readonly Advisory[],
  ref: string,
): Promise<{ readonly compared: number; readonly problems: readonly WeirError[] }> {
  const repository = await findRepository(root);
  if (repository === undefined) {
    throw new WeirError('no-repository', 'the records are not in a git repository', { where: { file: root }, exit: 2 });
  }
  const commit = await commitOf(repository, ref);
  const prefix = `${relative(repository.top, folder)}/`;
  const files = [...(await filesOf(repository, commit))].filter(
    ([path, { mode }]) =>
      path.startsWith(prefix) &&
      !path.slice(prefix.length).includes('/') &&
      path.endsWith(recordEnding) &&
      mode !== '120000',
  );
  const known = new Map(records.map((record) => [record.id, record]));
  const contents = openContents(repository);
  try {
    const problems: WeirError[] = [];
    for (const [path, { oid }] of files) {
      const id = basename(path, recordEnding);
      const now = known.get(id);
      if (now === undefined) {
        problems.push(
          new WeirError('record-removed', `the record of ${id} was removed since ${ref}`, {
            where: { file: join(repository.top, path) },
            hint: 'restore it; if it does not concern the distribution, add an event "not-affected" or "disputed"',
            exit: 2,
          }),
        );
        continue;
      }
      const then = parseAdvisory(`${ref}:${path}`, (await contents.read(oid)).toString());
      problems.push(...rewritten(then, now, ref));
    }
    return { compared: files.length, problems };
  } finally {
    contents.close();
  }
}

/** The first event that was changed or removed. */
function rewritten(then: Advisory, now: Advisory, ref: string): WeirError[] {
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
