import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { type Digest, fileDigest } from '../base/digest.ts';
import { mapLimit } from '../base/files.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { unsignedRpms, verifyDetached } from '../trust/gpg.ts';
import { type Fault, filesWithin, onceEach, readingFaults, unreadableFile } from './fault.ts';

/** The expected state of a repository. */
export interface ExpectedRepository {
  /** Folder that is the repository's base URL. */
  readonly dir: string;
  /** Armored; the key that signed the metadata and the packages. */
  readonly publicKey: string;
  /** Path in the folder → SHA-256. */
  readonly packages: ReadonlyMap<string, Digest>;
  /** SHA-256 of its updateinfo.xml, uncompressed; undefined if it must have none. */
  readonly updateinfo?: Digest | undefined;
}

/**
 * Verifies a published repository: the signature of its metadata, the digests in the metadata, and the digest and signature of each
 * package.
 * @returns faults with paths relative to `dir`, and the number of files checked
 */
export async function verifyRepository(
  toolbox: Toolbox,
  scratch: string,
  { dir, publicKey, packages, updateinfo }: ExpectedRepository,
  digestOf: (path: string) => Promise<Digest> = fileDigest,
): Promise<{ readonly faults: Fault[]; readonly files: number }> {
  const faults: Fault[] = [];
  const wrong = (path: string, message: string): number => faults.push({ path, fault: 'wrong', message });
  const known = new Set<string>();
  /** Whether the file exists and has this digest. */
  const holds = async (path: string, digest: Digest): Promise<boolean> => {
    known.add(path);
    const unreadable = await unreadableFile(dir, path);
    if (unreadable !== undefined) {
      faults.push(unreadable);
      return false;
    }
    const found = await readingFaults(path, async () => {
      if ((await digestOf(join(dir, path))) === digest) return [];
      return [{ path, fault: 'wrong', message: 'its content differs from what was published' }];
    });
    faults.push(...found);
    return found.length === 0;
  };

  const repomd = 'repodata/repomd.xml';
  const [text, signature] = await Promise.all(
    [repomd, `${repomd}.asc`].map(async (path) => {
      known.add(path);
      const unreadable = await unreadableFile(dir, path);
      if (unreadable === undefined) return readFile(join(dir, path), 'utf8');
      faults.push(unreadable);
      return undefined;
    }),
  );
  let authentic = false;
  if (text !== undefined && signature !== undefined) {
    authentic = await verifyDetached(toolbox, scratch, publicKey, join(dir, repomd), signature);
    if (!authentic) wrong(repomd, `${basename(repomd)}.asc is not a valid signature of it by the release key`);
  }
  const metadata = metadataFiles(text ?? '');
  for (const { type, path, digest } of metadata) {
    if ((await holds(path, digest)) && type === 'primary' && !(await lists(join(dir, path), packages)))
      wrong(path, 'its package list differs from the release');
  }
  if (authentic && metadata.find(({ type }) => type === 'updateinfo')?.openDigest !== updateinfo)
    wrong(repomd, 'its updateinfo differs from the release');
  if (!authentic)
    wrong('repodata', `not checked whether its files are complete: ${basename(repomd)} has no valid signature`);

  // rpm reads the packages on the other processor while they are hashed here. Only files, because it would block on a pipe.
  const readable: string[] = [];
  for (const path of packages.keys()) if ((await unreadableFile(dir, path)) === undefined) readable.push(path);
  const signatures = unsignedRpms(toolbox, publicKey, dir, readable);
  const whole = new Set<string>();
  await mapLimit([...packages], 16, async ([path, digest]) => {
    if (await holds(path, digest)) whole.add(path);
  });
  for (const path of await signatures) if (whole.has(path)) wrong(path, 'it has no valid signature by the release key');

  const there = await filesWithin(dir);
  for (const path of there.paths) {
    if (metadata.length === 0 && path.startsWith('repodata/')) continue;
    if (!known.has(path)) faults.push({ path, fault: 'extra', message: 'the repository does not refer to it' });
  }
  faults.push(...there.faults);
  return { faults: onceEach(faults), files: known.size };
}

/** The files that a `repomd.xml` written by createrepo_c lists. */
export function metadataFiles(
  repomd: string,
): { readonly type: string; readonly path: string; readonly digest: Digest; readonly openDigest?: Digest }[] {
  return [...repomd.matchAll(/<data type="([^"]+)">(.*?)<\/data>/gs)].flatMap(([, type, data]) => {
    const digest = /<checksum type="sha256">([0-9a-f]{64})</.exec(data!)?.[1];
    const openDigest = /<open-checksum type="sha256">([0-9a-f]{64})</.exec(data!)?.[1];
    const path = /<location href="(repodata\/[^"/]+)"/.exec(data!)?.[1];
    return digest === undefined || path === undefined
      ? []
      : [{ type: type!, path, digest, ...(openDigest === undefined ? {} : { openDigest }) }];
  });
}

/** Whether a `primary.xml.zst` lists exactly these packages. */
async function lists(primary: string, packages: ReadonlyMap<string, Digest>): Promise<boolean> {
  const bytes = await promisify(zstdDecompress)(await readFile(primary)).catch(() => undefined);
  if (bytes === undefined) return false;
  const text = bytes.toString();
  const listed = [...text.matchAll(/<package type="rpm">(.*?)<\/package>/gs)].map(([, each]) => [
    /<location href="([^"]+)"/.exec(each!)?.[1],
    /<checksum type="sha256"[^>]*>([0-9a-f]{64})</.exec(each!)?.[1],
  ]);
  return listed.length === packages.size && listed.every(([path, digest]) => packages.get(path ?? '') === digest);
}
