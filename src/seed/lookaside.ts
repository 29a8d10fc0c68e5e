import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fileDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import type { Engine } from '../engine/action.ts';
import { withScratch } from '../engine/scratch.ts';
import { blobFile, putFile } from '../engine/store.ts';
import { readDocument } from '../toml/document.ts';
import { type Apt, downloadSource, listsFresh, updateApt } from '../toolbox/apt.ts';

const lookasideFile = z.strictObject({
  file: z.array(
    z.strictObject({
      name: z.string(),
      source: z.string(),
      'debian-file': z.string(),
      sha512: z.string().regex(/^[0-9a-f]{128}$/),
    }),
  ),
});

/** Upstream's name of a tarball, and the file in the Debian archive with the same bytes. */
export interface SeedTarball {
  readonly name: string;
  /** Debian source package. */
  readonly source: string;
  readonly debianFile: string;
  readonly sha512: string;
}

/** Reads `lookaside.toml`. @throws WeirError the errors of `readDocument` */
export async function loadLookaside(dir: string): Promise<ReadonlyMap<string, SeedTarball>> {
  const path = join(dir, 'lookaside.toml');
  if (!(await exists(path))) return new Map();
  const { file } = readDocument(path, lookasideFile, { reasons: 'required' }).data;
  return new Map(
    file.map((entry) => [
      entry.name,
      { name: entry.name, source: entry.source, debianFile: entry['debian-file'], sha512: entry.sha512 },
    ]),
  );
}

/**
 * Downloads upstream's tarball from a Debian source package, which apt verifies by the archive's signature.
 * @returns its path in the content store; the caller checks the hash from dist-git
 * @throws WeirError `not-found` if the source package has no such file
 */
export async function fetchTarball(engine: Engine, openApt: () => Promise<Apt>, tarball: SeedTarball): Promise<string> {
  const apt = await openApt();
  if (!(await listsFresh(apt, 24 * 3600))) await updateApt(apt);
  return withScratch(engine.scratch, async (work) => {
    const dir = join(work, 'source');
    await mkdir(dir);
    await downloadSource(apt, tarball.source, dir);
    const path = join(dir, tarball.debianFile);
    if (!(await exists(path))) {
      throw new WeirError('not-found', `Debian's source package ${tarball.source} has no ${tarball.debianFile}`, {
        details: await readdir(dir),
        hint: 'the suite has moved to another version: update the component and seed/lookaside.toml',
      });
    }
    const found = await fileDigest(path, 'sha512');
    if (found !== tarball.sha512) {
      throw new WeirError(
        'wrong-hash',
        `wrong hash of ${tarball.debianFile}: expected ${tarball.sha512}, got ${found}`,
        {
          hint: 'the file was discarded',
        },
      );
    }
    return blobFile(engine.store, (await putFile(engine.store, path)).digest);
  });
}
