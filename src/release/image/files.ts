import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, fileDigest } from '../../base/digest.ts';
import { withHashers } from '../../base/hashers.ts';
import { byPath } from '../../base/order.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import type { ImageFile } from '../record-schema.ts';
import { dataDigest, isDisk } from './image-record.ts';

/** Describes every file in an image's folder for the record, by path. @param known digests that need not be computed */
export async function describeFiles(
  toolbox: Toolbox,
  dir: string,
  known: ReadonlyMap<string, Digest>,
): Promise<ImageFile[]> {
  const files: ImageFile[] = [];
  for (const path of await readdir(dir, { recursive: true })) {
    if ((await stat(join(dir, path))).isFile()) files.push(await describeFile(dir, path, known.get(path)));
  }
  const disks = files.filter(({ path }) => isDisk(path));
  if (disks.length === 0) return files.sort(byPath);
  const data = await withHashers((hash) =>
    Promise.all(disks.map(async ({ path }) => [path, await dataDigest(toolbox, hash, join(dir, path))] as const)),
  );
  const digests = new Map(data);
  return files
    .map((file) => ({ ...file, ...(digests.has(file.path) ? { data: digests.get(file.path)! } : {}) }))
    .sort(byPath);
}

export async function describeFile(dir: string, path: string, known?: Digest): Promise<ImageFile> {
  const { size } = await stat(join(dir, path));
  return { path, size, sha256: known ?? (await fileDigest(join(dir, path))) };
}
