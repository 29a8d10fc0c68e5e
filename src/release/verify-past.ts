import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { isAbandoned, isTemporary } from '../base/files.ts';
import { entriesOf, type Fault, shapeFaults, unreadableFile } from '../repo/fault.ts';
import { releasesFolder } from '../workspace/output.ts';
import { isSignedRecord, keptName } from './past-releases.ts';
import { readReleaseFile } from './published.ts';

/** Whether a name has the form that `publishSnapshot` uses. */
export function isSnapshot(name: string): boolean {
  return /^\d{8}-[0-9a-f]{8}$/.test(name);
}

/** Whether a path is a temporary file of a running build. */
export async function isInUse(path: string, name: string): Promise<boolean> {
  if (!isTemporary(name)) return false;
  const info = await lstat(path).catch(() => undefined);
  return info === undefined || !isAbandoned(name, info.mtimeMs);
}

/**
 * Checks the kept records: name, digest, snapshot, shape, and a signature by the image key that each names (an earlier release
 * may have had another key). A missing record is no fault: nothing lists the records that there should be. @returns paths within `out`
 */
export async function pastFaults(out: string): Promise<{ readonly faults: Fault[]; readonly files: number }> {
  const top = await entriesOf(out, releasesFolder);
  const faults: Fault[] = [...top.faults];
  const owner = await lstat(out);
  if (top.names.length > 0) faults.push(...(await shapeFaults(out, releasesFolder, owner)));
  let files = 0;
  for (const [snapshot, isFolder] of top.names) {
    const folder = join(releasesFolder, snapshot);
    if (await isInUse(join(out, folder), snapshot)) continue;
    if (!isFolder || !isSnapshot(snapshot)) {
      faults.push({ path: folder, fault: 'extra', message: 'not a folder of a snapshot' });
      continue;
    }
    faults.push(...(await shapeFaults(out, folder, owner)));
    const there = await entriesOf(out, folder);
    faults.push(...there.faults);
    const names = new Set(there.names.map(([name]) => name));
    for (const name of names) {
      const path = join(folder, name);
      const kept = keptName(name);
      if (kept === undefined) {
        if (!(await isInUse(join(out, path), name)))
          faults.push({ path, fault: 'extra', message: 'not a record of a release' });
      } else if (kept.isSignature) {
        if (!names.has(kept.record)) faults.push({ path, fault: 'extra', message: 'its record is missing' });
      } else {
        files += 2;
        faults.push(...(await recordFaults(out, snapshot, path)));
        for (const each of [path, `${path}.sig`]) faults.push(...(await shapeFaults(out, each, owner)));
      }
    }
  }
  return { faults, files };
}

async function recordFaults(out: string, snapshot: string, path: string): Promise<Fault[]> {
  for (const each of [path, `${path}.sig`]) {
    const unreadable = await unreadableFile(out, each);
    if (unreadable !== undefined) return [unreadable];
  }
  const wrong = (message: string): Fault[] => [{ path, fault: 'wrong', message }];
  const file = join(out, path);
  if (!path.endsWith(`/${(await fileDigest(file)).slice(0, 16)}.json`))
    return wrong('its content does not match the digest in its name');
  const record = await readReleaseFile(file).catch((error: unknown) => {
    if (error instanceof WeirError) return error;
    throw error;
  });
  if (record === undefined) return [{ path, fault: 'missing', message: 'it is missing' }];
  if (record instanceof WeirError) return wrong(record.message);
  if (record.snapshot !== snapshot) return wrong(`it is the record of ${record.snapshot}`);
  const signature = await readFile(`${file}.sig`, 'utf8');
  if (!isSignedRecord(record, await readFile(file), signature))
    return wrong(`${path}.sig is not a valid signature by its image key`);
  return [];
}
