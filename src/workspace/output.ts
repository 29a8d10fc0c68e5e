import { readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists, isTemporary, writeAtomic } from '../base/files.ts';
import { removeTree } from '../engine/scratch.ts';
import type { Project } from '../project/model/project.ts';

/** The output folder of a project, unless another is `given`. */
export function outputFolder({ project, root }: Pick<Project, 'project' | 'root'>, given?: string): string {
  return resolve(given ?? project.outputDir ?? join(root, '..', 'out'));
}

/** Marker file that allows Weir to write to and empty a folder; without it the content may be the user's. */
export const outputMarker = 'weir-output';

/** The public key of image signatures. */
export const imageKeyFile = 'image-key.pem';

/** Signature of `release.json` by that key, over its exact bytes, in base64. */
export const releaseSignatureFile = 'release.json.sig';

/** Duration of the run that wrote the release; unsigned, because it differs on every run. */
export const timingsFile = 'timings.json';

/** Folder of the records of this release and of those before it. */
export const releasesFolder = 'releases';

/** Folder of what endoflife.date needs about the release. */
export const endOfLifeFolder = 'endoflife';

/** Names that Weir creates in an output folder, apart from temporary files. */
const results: readonly string[] = [
  ...[
    'boot',
    endOfLifeFolder,
    imageKeyFile,
    'images',
    'release.json',
    releaseSignatureFile,
    releasesFolder,
    'repo',
    timingsFile,
  ],
];

/**
 * Checks that an output folder is missing, empty or Weir's, without writing anything.
 * @throws WeirError `not-output` (exit 2) for a folder with other content
 */
export async function claimOutput(out: string): Promise<void> {
  if (!(await exists(out)) || (await exists(join(out, outputMarker)))) return;
  const names = (await readdir(out)).filter((name) => name !== '.lock' && !isTemporary(name)).sort();
  if (names.length > 0) throw notOutput(out, `it contains ${names[0]}, which is not from Weir`);
}

/** Marks an output folder as Weir's, before anything else is written into it. */
export async function markOutput(out: string): Promise<void> {
  if (await exists(join(out, outputMarker))) return;
  await writeAtomic(
    join(out, outputMarker),
    'Written by weir build. weir clean --out removes what Weir made here, and nothing else.\n',
  );
}

/**
 * Removes what Weir created in an output folder, and nothing else.
 * @returns the removed paths
 * @throws WeirError `not-output` (exit 2) if the folder has no marker
 */
export async function emptyOutput(out: string): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await readdir(out)) {
    if (!results.includes(name) && !isTemporary(name)) continue;
    await removeTree(join(out, name));
    removed.push(join(out, name));
  }
  // The marker goes last, so an interrupted removal can be repeated.
  await rm(join(out, outputMarker), { force: true });
  return removed;
}

/** @throws WeirError `not-output` (exit 2) */
export async function checkOutput(out: string): Promise<void> {
  if ((await exists(out)) && !(await exists(join(out, outputMarker))))
    throw notOutput(out, 'no Weir build has written to it');
}

function notOutput(out: string, why: string): WeirError {
  return new WeirError('not-output', `not an output folder of Weir: ${why}; nothing was changed`, {
    where: { file: out },
    hint: 'use a new or empty folder, or an earlier weir build --out folder',
    exit: 2,
  });
}

/** Whether a name belongs in an output folder when no build is running. */
export function isResult(name: string): boolean {
  return name === outputMarker || name === '.lock' || results.includes(name);
}
