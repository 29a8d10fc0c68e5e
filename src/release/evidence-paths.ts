import { join } from 'node:path';

/** The folder of a snapshot with the evidence of the packages that were built. */
export const evidenceFolder = 'evidence';

/**
 * The evidence of one build, by the file name of its source package, which every package of the build has in its header: the
 * provenance as a signed statement, and an SPDX document. Relative to the snapshot.
 */
export function evidencePaths(sourceRpm: string): { readonly provenance: string; readonly spdx: string } {
  const path = join(evidenceFolder, sourceRpm.replace(/\.src\.rpm$/, ''));
  return { provenance: `${path}.provenance.dsse.json`, spdx: `${path}.spdx.json` };
}
