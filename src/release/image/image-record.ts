import type { Subject } from '../../audit/provenance.ts';
import type { Digest } from '../../base/digest.ts';
import type { HashFile } from '../../base/hashers.ts';
import { dataExtents } from '../../image/digest.ts';
import type { WeirImage } from '../../project/model.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { imageRecordSchema, shaped } from '../record-schema.ts';

/** A file of an image, relative to the image's folder. */
export interface ImageFile {
  readonly path: string;
  /** bytes, holes of sparse files counted */
  readonly size: number;
  readonly sha256: Digest;
  /** Of disks, the digest of their data alone (`HashFile`): by it they are checked without hashing gigabytes of zeros. */
  readonly data?: Digest;
}

/** What `image.json` beside an image says. */
export interface ImageRecord {
  readonly name: string;
  readonly kind: WeirImage['kind'];
  /** Digest over all that the image is made from, the code that makes it too; equal inputs give equal bytes. */
  readonly inputs: Digest;
  readonly snapshot: string;
  readonly packages: readonly (Pick<
    RepoPackage,
    'name' | 'epoch' | 'version' | 'release' | 'arch' | 'rpm' | 'sourceRpm' | 'origin'
  > & {
    readonly nevra: string;
  })[];
  readonly files: readonly ImageFile[];
  /** Sum of file sizes in the tree, bytes; hard links count once. */
  readonly installedSize: number;
  readonly osRelease: Readonly<Record<string, string>>;
  /** Kind-specific facts: kernel and command line, or manifest digest. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What finalising did. */
  readonly log: readonly string[];
}

/** Who made the image out of what, signed. */
export const provenanceFile = 'provenance.dsse.json';

/** What is handed out: the manifest of a container image, the files of any other. */
export function provenanceSubjects(
  name: string,
  { manifest }: ImageRecord['details'],
  files: readonly ImageFile[],
): Subject[] {
  if (typeof manifest === 'string') return [{ name, sha256: manifest.replace('sha256:', '') as Digest }];
  return files.filter(({ path }) => path.startsWith(`${name}.`)).map(({ path, sha256 }) => ({ name: path, sha256 }));
}

/** Whether a file of an image is a disk, zeros for the most part, whose record has the digest of its data. */
export function isDisk(path: string): boolean {
  return /\.(raw|vhd)$/.test(path);
}

/** The digest of a disk's data (`HashFile`); what the file system has nothing of is not read. */
export async function dataDigest(toolbox: Toolbox, hash: HashFile, path: string): Promise<Digest> {
  return hash(path, 'data', await dataExtents(toolbox, path));
}

/** An image's record, or undefined where the text is none. */
export function parsedRecord(text: string): ImageRecord | undefined {
  return shaped(imageRecordSchema, text) as ImageRecord | undefined;
}
