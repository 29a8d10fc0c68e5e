import type { Subject } from '../../audit/provenance.ts';
import type { Digest } from '../../base/digest.ts';
import type { HashFile } from '../../base/hashers.ts';
import { dataExtents } from '../../image/digest.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { type ImageFile, type ImageRecord, imageRecordSchema, shaped } from '../record-schema.ts';

/** The signed provenance statement. */
export const provenanceFile = 'provenance.dsse.json';

/** Subjects of the provenance: the manifest of a container image, the files of any other image. */
export function provenanceSubjects(
  name: string,
  { manifest }: ImageRecord['details'],
  files: readonly ImageFile[],
): Subject[] {
  if (typeof manifest === 'string') return [{ name, sha256: manifest.replace('sha256:', '') as Digest }];
  return files.filter(({ path }) => path.startsWith(`${name}.`)).map(({ path, sha256 }) => ({ name: path, sha256 }));
}

/** Formats of a disk; of several files of one disk, the first is the one that most tools open. */
export const diskFormats = ['qcow2', 'raw', 'vhd', 'vhdx'] as const;

/** Whether a file is a disk, mostly zeros, whose record has a digest of its data. */
export function isDisk(path: string): boolean {
  return /\.(raw|vhd)$/.test(path);
}

/** The digest of a disk's data (`HashFile`); holes are not read. */
export async function dataDigest(toolbox: Toolbox, hash: HashFile, path: string): Promise<Digest> {
  return hash(path, 'data', await dataExtents(toolbox, path));
}

/** Parses an image's record; undefined if invalid. */
export function parsedRecord(text: string): ImageRecord | undefined {
  return shaped(imageRecordSchema, text) as ImageRecord | undefined;
}
