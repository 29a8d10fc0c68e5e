import { lstat, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readIfExists } from '../../base/files.ts';
import { isoDay } from '../../base/time.ts';
import { syncFolder, writeDurably } from '../../engine/durable.ts';
import { removeTree } from '../../engine/scratch.ts';
import type { Lifecycle } from '../../project/model/release.ts';
import { entriesOf, type Fault, shapeFaults, unreadableFile } from '../../repo/fault.ts';
import { endOfLifeFolder } from '../../workspace/output.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import type { ReleaseRecord } from '../record-schema.ts';
import { isInUse } from '../verify-past.ts';

/**
 * Writes the files for endoflife.date, and removes those of an earlier build. They are on disk when it returns: `release verify`
 * misses them otherwise after a power cut.
 */
export async function writeEndOfLife(
  { project, out }: Pick<Workspace, 'project' | 'out'>,
  release: Pick<ReleaseRecord, 'snapshot' | 'clock'>,
): Promise<void> {
  const files = project.lifecycle === undefined ? [] : endOfLifeFiles(project.lifecycle, release);
  for (const [path, text] of files) {
    const file = join(out, path);
    if ((await readIfExists(file)) === text) continue;
    await mkdir(dirname(file), { recursive: true });
    writeDurably(file, text);
    syncFolder(out);
  }
  const known = new Set(files.map(([path]) => path));
  for (const [name] of (await entriesOf(out, endOfLifeFolder)).names) {
    const path = join(endOfLifeFolder, name);
    if (!known.has(path)) await removeTree(join(out, path));
  }
  if (files.length === 0) await removeTree(join(out, endOfLifeFolder));
}

/** Checks the files for endoflife.date against the project and the release. */
export async function endOfLifeFaults(
  { project, out }: Pick<Workspace, 'project' | 'out'>,
  release: Pick<ReleaseRecord, 'snapshot' | 'clock'>,
): Promise<Fault[]> {
  const files = new Map(project.lifecycle === undefined ? [] : endOfLifeFiles(project.lifecycle, release));
  const top = await entriesOf(out, endOfLifeFolder);
  const faults: Fault[] = [...top.faults];
  const owner = await lstat(out);
  if (files.size > 0) faults.push(...(await shapeFaults(out, endOfLifeFolder, owner)));
  for (const [path, text] of files) {
    const unreadable = await unreadableFile(out, path);
    if (unreadable !== undefined) faults.push(unreadable);
    else if ((await readFile(join(out, path), 'utf8')) !== text)
      faults.push({ path, fault: 'wrong', message: 'it does not match the release and [lifecycle]' });
    faults.push(...(await shapeFaults(out, path, owner)));
  }
  for (const [name] of top.names) {
    const path = join(endOfLifeFolder, name);
    if (!files.has(path) && !(await isInUse(join(out, path), name)))
      faults.push({ path, fault: 'extra', message: 'not made by a build' });
  }
  return faults;
}

/**
 * The release as endoflife.date has it (https://endoflife.date/docs/api/, https://endoflife.date/contribute): the answer of its
 * API for the product, and the product's page with the same values. Dates are last days there, too. Everything is from the
 * project and the release's clock. @returns paths within the output folder, and texts
 */
export function endOfLifeFiles(
  lifecycle: Lifecycle,
  release: Pick<ReleaseRecord, 'snapshot' | 'clock'>,
): (readonly [string, string])[] {
  const { id, name, version, releaseDate, fullSupportEnd, supportEnd, lts } = lifecycle;
  // `false`: there is no date yet.
  const eol = supportEnd ?? false;
  const values = {
    ...(releaseDate === undefined ? {} : { releaseDate }),
    support: fullSupportEnd ?? supportEnd ?? true,
    eol,
    latest: release.snapshot,
    latestReleaseDate: isoDay(release.clock),
    lts,
  };
  const page = [
    '---',
    `title: ${JSON.stringify(name)}`,
    'category: os',
    'tags: linux-distribution',
    `permalink: /${id}`,
    'versionCommand: cat /etc/os-release',
    `activeSupportColumn: ${fullSupportEnd !== undefined}`,
    `releaseDateColumn: ${releaseDate !== undefined}`,
    'releases:',
    `  - releaseCycle: ${JSON.stringify(version)}`,
    // Dates are not quoted there; versions are.
    ...Object.entries(values).map(([key, value]) => `    ${key}: ${key === 'latest' ? JSON.stringify(value) : value}`),
    '---',
    '',
  ];
  return [
    [join(endOfLifeFolder, `${id}.json`), `${JSON.stringify([{ cycle: version, ...values }], null, 2)}\n`],
    [join(endOfLifeFolder, `${id}.md`), page.join('\n')],
  ];
}
