import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { type Fault, unreadableFile } from '../repo/fault.ts';
import { isSignatureOf, namedKeyId, publicKeyId } from '../trust/image-key.ts';
import { imageKeyFile, releaseSignatureFile } from '../workspace/output.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { badRecord } from './published.ts';
import type { ReleaseRecord } from './record-schema.ts';

/** Checks that the record names the project's keys and is signed by its image key, and that `image-key.pem` is that key. */
export async function keyFaults(
  { out, project }: Pick<ProjectWorkspace, 'out' | 'project'>,
  release: Pick<ReleaseRecord, 'signingKey' | 'imageKey'>,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  const wrong = (path: string, message: string): number => faults.push({ path, fault: 'wrong', message });
  const { key, imageKey } = project.signing;
  const record = 'release.json';
  if (key !== undefined && key !== release.signingKey.fingerprint)
    wrong(record, 'its signing key is not [signing] key');
  if (imageKey !== undefined && (await namedKeyId(imageKey)) !== release.imageKey.id)
    wrong(record, 'its image key is not [signing] image-key');
  if (recordedKeyId(release, join(out, record)) !== release.imageKey.id)
    wrong(record, 'its image key does not match its key id');
  const unsigned = await unreadableFile(out, releaseSignatureFile);
  if (unsigned !== undefined) faults.push(unsigned);
  else if (
    !isSignatureOf(
      release.imageKey.publicKey,
      await readFile(join(out, record)),
      await readFile(join(out, releaseSignatureFile), 'utf8'),
    )
  )
    wrong(record, `${releaseSignatureFile} is not a valid signature by its image key`);
  const unreadable = await unreadableFile(out, imageKeyFile);
  if (unreadable !== undefined) faults.push(unreadable);
  else if ((await readFile(join(out, imageKeyFile), 'utf8')) !== release.imageKey.publicKey)
    wrong(imageKeyFile, 'not the image key in release.json');
  return faults;
}

function recordedKeyId({ imageKey }: Pick<ReleaseRecord, 'imageKey'>, file: string): string {
  try {
    return publicKeyId(imageKey.publicKey, file);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    throw badRecord(file, 'imageKey.publicKey: invalid key', error);
  }
}
