import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists, isTemporary, writeAtomic } from '../base/files.ts';
import { removeTree } from '../engine/scratch.ts';

/** Says that a folder is Weir's to write and to empty: any other may be anybody's. */
export const outputMarker = 'weir-output';

/** The public half of the key that the images are signed with. */
export const imageKeyFile = 'image-key.pem';

/** Signature of `release.json` by that key, in base64: of its bytes as they stand. */
export const releaseSignatureFile = 'release.json.sig';

/** How long the run took that wrote the release: nobody signs it, as no two runs take the same time. */
export const timingsFile = 'timings.json';

/** What Weir makes in an output folder; besides these there are temporaries. */
const results: readonly string[] = [
  ...['boot', imageKeyFile, 'images', 'release.json', releaseSignatureFile, 'repo', timingsFile],
];

/**
 * Checks that an output folder is new, empty or Weir's; nothing is written.
 * @throws WeirError `not-output` (exit 2) for a folder with anything else in it
 */
export async function claimOutput(out: string): Promise<void> {
  if (!(await exists(out)) || (await exists(join(out, outputMarker)))) return;
  const names = (await readdir(out)).filter((name) => name !== '.lock' && !isTemporary(name)).sort();
  if (names.length > 0) throw notOutput(out, `it has ${names[0]}, which Weir did not make`);
}

/** Marks an output folder as Weir's, before anything of Weir's is written into it. */
export async function markOutput(out: string): Promise<void> {
  if (await exists(join(out, outputMarker))) return;
  await writeAtomic(
    join(out, outputMarker),
    'Written by weir build. weir clean --out removes what Weir made here, and nothing else.\n',
  );
}

/**
 * Removes what Weir made in an output folder, and nothing else.
 * @returns the paths removed
 * @throws WeirError `not-output` (exit 2) where no build marked the folder as its own
 */
export async function emptyOutput(out: string): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await readdir(out)) {
    if (!results.includes(name) && !isTemporary(name)) continue;
    await removeTree(join(out, name));
    removed.push(join(out, name));
  }
  // Last, so that a removal that was stopped can be taken up again.
  await rm(join(out, outputMarker), { force: true });
  return removed;
}

/** @throws WeirError `not-output` (exit 2) */
export async function checkOutput(out: string): Promise<void> {
  if ((await exists(out)) && !(await exists(join(out, outputMarker))))
    throw notOutput(out, 'no build of Weir wrote it');
}

function notOutput(out: string, why: string): WeirError {
  return new WeirError('not-output', `this is no output folder of Weir: ${why}; nothing was changed`, {
    where: { file: out },
    hint: 'name a new or empty folder, or the one that was given to weir build --out',
    exit: 2,
  });
}

/** Whether a name has its place in an output folder once no build is under way. */
export function isResult(name: string): boolean {
  return name === outputMarker || name === '.lock' || results.includes(name);
}
