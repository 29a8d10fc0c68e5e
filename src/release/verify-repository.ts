import { lstat, readFile, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { HashFile } from '../base/hashers.ts';
import { extraFaults } from '../repo/extras.ts';
import { type Fault, unreadableFile, within, wrongFolder } from '../repo/fault.ts';
import { packagePath, parseNevra } from '../repo/metadata.ts';
import { verifyRepository } from '../repo/verify.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { badlySigned, keyFingerprints } from '../trust/gpg.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { evidenceFaults } from './package-evidence-read.ts';
import { channelFolder } from './published.ts';
import type { ReleaseRecord } from './record-schema.ts';

/** Checks the snapshot: its key, its channels, the files beside them, the evidence, and that `latest` points to it. */
export async function repositoryFaults(
  workspace: ProjectWorkspace,
  toolbox: Toolbox,
  release: ReleaseRecord,
  hash: HashFile,
): Promise<{ readonly faults: Fault[]; readonly files: number }> {
  const { out, engine } = workspace;
  const root = join('repo', release.version);
  const snapshot = join(root, release.snapshot);
  const faults: Fault[] = [];
  const latest = await latestFault(join(out, root, 'latest'), release.snapshot);
  if (latest !== undefined) faults.push({ path: join(root, 'latest'), ...latest });
  const keyPath = join(snapshot, 'RPM-GPG-KEY');
  const unreadable = await unreadableFile(out, keyPath);
  const publicKey = unreadable === undefined ? await readFile(join(out, keyPath), 'utf8') : '';
  const { signingKey } = release;
  const fingerprints = publicKey === '' ? [] : await keyFingerprints(toolbox, publicKey);
  if (unreadable !== undefined) faults.push(unreadable);
  else if (fingerprints.length !== 1 || fingerprints[0] !== signingKey.fingerprint)
    faults.push({
      path: keyPath,
      fault: 'wrong',
      message: `it must contain exactly the key ${signingKey.fingerprint}`,
    });
  else if (publicKey !== signingKey.publicKey)
    faults.push({ path: keyPath, fault: 'wrong', message: 'its content does not match release.json' });
  let files = 2;
  const channels = await Promise.all(
    release.channels.map(async ({ name, packages, updateinfo }) => {
      const dir = channelFolder(workspace, release, name);
      const folder = await firstWrongFolder(out, [snapshot, join(snapshot, name), relative(out, dir)]);
      if (folder !== undefined) return { faults: [folder], files: 0 };
      const paths = packages.map((pkg) => [packagePath(parseNevra(pkg.nevra)!), pkg.sha256] as const);
      const expected = { dir, publicKey, packages: new Map(paths), updateinfo };
      const found = await verifyRepository(toolbox, engine.scratch, expected, hash);
      return { faults: within(relative(out, dir), found.faults), files: found.files };
    }),
  );
  const beside = await extraFaults(
    join(out, snapshot),
    release.extras ?? [],
    release.imageKey.publicKey,
    hash,
    (dir, names) => badlySigned(toolbox, publicKey, dir, names),
  );
  const about = await evidenceFaults(join(out, snapshot), release);
  for (const found of [...channels, { ...beside, faults: within(snapshot, [...beside.faults, ...about]) }]) {
    faults.push(...found.faults);
    files += found.files;
  }
  return { faults, files };
}

async function firstWrongFolder(out: string, folders: readonly string[]): Promise<Fault | undefined> {
  for (const folder of folders) {
    const fault = await wrongFolder(out, folder);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

async function latestFault(path: string, snapshot: string): Promise<Omit<Fault, 'path'> | undefined> {
  if ((await lstat(path).catch(() => undefined)) === undefined) return { fault: 'missing', message: 'it is missing' };
  const target = await readlink(path).catch(() => undefined);
  if (target === snapshot) return undefined;
  if (target === undefined) return { fault: 'wrong', message: 'not a symlink' };
  return { fault: 'wrong', message: `it points to ${target}, expected ${snapshot}` };
}
