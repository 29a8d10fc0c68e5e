import type { Subject } from '../../audit/provenance.ts';
import type { Digest } from '../../base/digest.ts';
import type { HashFile } from '../../base/hashers.ts';
import { dataExtents } from '../../image/digest.ts';
import type { WeirImage } from '../../project/model.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { imageRecordSchema, shaped } from '../record-schema.ts';

/** A file in an image's folder, with its path relative to that folder. */
export interface ImageFile {
  readonly path: string;
  /** bytes, including the holes of sparse files */
  readonly size: number;
  readonly sha256: Digest;
  /** Disks only: digest of the data alone (`HashFile`), to verify a disk without hashing gigabytes of zeros. */
  readonly data?: Digest;
}

/** The content of an image's `image.json`. */
export interface ImageRecord {
  readonly name: string;
  readonly kind: WeirImage['kind'];
  /** Digest over everything that the image is made from, including Weir's code. Equal inputs give equal bytes. */
  readonly inputs: Digest;
  readonly snapshot: string;
  readonly packages: readonly (Pick<
    RepoPackage,
    'name' | 'epoch' | 'version' | 'release' | 'arch' | 'rpm' | 'sourceRpm' | 'origin'
  > & {
    readonly nevra: string;
  })[];
  readonly files: readonly ImageFile[];
  /** Sum of file sizes in the tree in bytes; hard links count once. */
  readonly installedSize: number;
  readonly osRelease: Readonly<Record<string, string>>;
  /** Kind-specific facts: kernel and command line, or manifest digest. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Log of the finalise steps. */
  readonly log: readonly string[];
}

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
