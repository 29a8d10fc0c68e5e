import type { Digest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';

/** A metadata file that a repository's `repomd.xml` lists. */
export interface MetadataFile {
  /** `primary`, `filelists`, `group`, `modules`, … */
  readonly type: string;
  /** Path in the repository. */
  readonly path: string;
  readonly sha256: Digest;
  /** Bytes; undefined if not listed. */
  readonly size: number | undefined;
}

/** A size limit: real `repomd.xml` files have a few kilobytes. */
export const largestRepomd = 4 << 20;

/**
 * Reads a `repomd.xml`. Format: createrepo_c's, XML of the namespace `http://linux.duke.edu/metadata/repo`.
 * @param place names the repository in errors
 * @throws WeirError `bad-metadata`
 */
export function readRepomd(
  text: string,
  place: string,
): { readonly revision: string; readonly files: readonly MetadataFile[] } {
  if (!/<repomd[\s>]/.test(text)) throw badMetadata(place, 'repomd.xml has no element "repomd"');
  const files: MetadataFile[] = [];
  for (const part of text.split(/<data\s/).slice(1)) {
    const end = part.indexOf('</data>');
    if (end < 0) throw badMetadata(place, 'repomd.xml is truncated');
    const data = part.slice(0, end);
    const type = /^[^>]*\btype="([A-Za-z0-9_-]+)"/.exec(data)?.[1];
    const path = /<location\s[^>]*\bhref="([^"]+)"/.exec(data)?.[1];
    if (type === undefined || path === undefined) throw badMetadata(place, 'repomd.xml has an entry without location');
    if (!/^repodata\/[A-Za-z0-9][A-Za-z0-9_.+~-]*$/.test(path)) {
      throw badMetadata(place, `repomd.xml names a file outside repodata/: ${path.slice(0, 100)}`);
    }
    const [, kind, digest] = /<checksum\s+type="([a-z0-9]+)"\s*>\s*([0-9a-f]+)\s*</.exec(data) ?? [];
    if (kind !== 'sha256' || digest?.length !== 64) {
      // Types that are not kept are skipped, so their checksums do not matter.
      if (!isKept(type)) continue;
      throw badMetadata(place, `the checksum of ${path} is ${kind ?? 'missing'}, but must be sha256`);
    }
    const size = /<size>(\d{1,15})<\/size>/.exec(data)?.[1];
    files.push({ type, path, sha256: digest, size: size === undefined ? undefined : Number(size) });
  }
  if (!files.some(({ type }) => type === 'primary')) throw badMetadata(place, 'repomd.xml lists no "primary" metadata');
  return { revision: /<revision>([^<]{0,100})<\/revision>/.exec(text)?.[1]?.trim() ?? '', files };
}

/** Whether resolving needs metadata of this type. Other types (change logs, updates, delta and zchunk forms) are not kept. */
export function isKept(type: string): boolean {
  return type === 'primary' || type === 'filelists' || type === 'modules' || /^group(_\w+)?$/.test(type);
}

export function badMetadata(repository: string, message: string): WeirError {
  return new WeirError('bad-metadata', `repository ${repository}: ${message}`, {
    hint: 'the repository is damaged or not an RPM repository; try another mirror',
  });
}
