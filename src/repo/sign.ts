import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mapLimit } from '../base/files.ts';
import { type Engine, recall, record, recordBlobs } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { withScratch } from '../engine/scratch.ts';
import { type Blob, blobFile } from '../engine/store.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type SigningKey, signRpms } from '../trust/gpg.ts';
import type { RepoPackage } from './metadata.ts';

/** Packages per rpmsign call: enough to amortise its start-up, few enough to use two processors. */
const batchSize = 40;

/**
 * Signs packages, in the order given. Packages that were already signed with this key come from the cache.
 * @param clock the date of the signatures, in seconds since 1970
 * @returns the same packages, signed
 */
export async function signPackages(
  engine: Engine,
  toolbox: Toolbox,
  key: SigningKey,
  packages: readonly RepoPackage[],
  clock: number,
): Promise<{ readonly packages: RepoPackage[]; readonly signedNow: number }> {
  const code = codeDigest(import.meta.url);
  const by = { key: key.fingerprint, clock, toolbox: toolbox.digest };
  const action = (pkg: RepoPackage): Parameters<typeof recall>[1] => ({
    kind: 'sign-rpm',
    code,
    inputs: { rpm: pkg.rpm, ...by },
  });
  const all = { kind: 'sign-rpms', code, inputs: { rpms: packages.map((pkg) => pkg.rpm), ...by } };
  const withSigned = (files: Readonly<Record<string, Blob>>): RepoPackage[] =>
    packages.map((pkg) => ({ ...pkg, rpm: files[pkg.rpm]!.digest, unsigned: pkg.rpm }));
  const before = await recall(engine, all);
  if (before !== undefined) return { packages: withSigned(before.files), signedNow: 0 };
  const signed: Record<string, Blob> = {};
  const todo: RepoPackage[] = [];
  for (const pkg of packages) {
    const known = await recall(engine, action(pkg));
    if (known === undefined) todo.push(pkg);
    else signed[pkg.rpm] = known.files.rpm!;
  }
  const batches: RepoPackage[][] = [];
  for (let at = 0; at < todo.length; at += batchSize) batches.push(todo.slice(at, at + batchSize));
  await mapLimit(batches, 2, (batch) =>
    withScratch(engine.scratch, async (work) => {
      const dir = join(work, 'rpms');
      await mkdir(dir);
      const names = batch.map((pkg) => `${pkg.rpm}.rpm`);
      await mapLimit(batch, 4, async (pkg) => {
        await copyFile(await blobFile(engine.store, pkg.rpm), join(dir, `${pkg.rpm}.rpm`));
        await chmod(join(dir, `${pkg.rpm}.rpm`), 0o644);
      });
      await signRpms(toolbox, key, dir, names, clock, work);
      for (const pkg of batch) {
        const result = await record(engine, action(pkg), { rpm: join(dir, `${pkg.rpm}.rpm`) });
        signed[pkg.rpm] = result.files.rpm!;
      }
    }),
  );
  await recordBlobs(engine, all, signed);
  return { packages: withSigned(signed), signedNow: todo.length };
}
