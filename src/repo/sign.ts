import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mapLimit } from '../base/files.ts';
import { type Engine, recall, record } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { withScratch } from '../engine/scratch.ts';
import { blobFile } from '../engine/store.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type SigningKey, signRpms } from '../trust/gpg.ts';
import type { RepoPackage } from './metadata.ts';

/** Packages per rpmsign call: enough to amortise its start-up, few enough to use two processors. */
const batchSize = 40;

/**
 * Signs packages, in the order given. A package that was already signed with this key comes from the cache.
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
  const action = (pkg: RepoPackage): Parameters<typeof recall>[1] => ({
    kind: 'sign-rpm',
    code: codeDigest(import.meta.url),
    inputs: { rpm: pkg.rpm, key: key.fingerprint, clock, toolbox: toolbox.digest },
  });
  const signed = new Map<string, string>();
  const todo: RepoPackage[] = [];
  for (const pkg of packages) {
    const known = await recall(engine, action(pkg));
    if (known === undefined) todo.push(pkg);
    else signed.set(pkg.rpm, known.files.rpm!.digest);
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
        signed.set(pkg.rpm, result.files.rpm!.digest);
      }
    }),
  );
  return {
    packages: packages.map((pkg) => ({ ...pkg, rpm: signed.get(pkg.rpm)!, unsigned: pkg.rpm })),
    signedNow: todo.length,
  };
}
