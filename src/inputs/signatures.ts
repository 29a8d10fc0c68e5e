import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { type Engine, recall, record } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { withScratch } from '../engine/scratch.ts';
import { withLinks } from '../engine/store.ts';
import { nevra, type RepoPackage } from '../repo/metadata.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { signatureReport, unsignedRpms } from '../trust/gpg.ts';
import type { InputRepository } from './input-repository.ts';
import type { KeyText } from './keys.ts';

/**
 * Checks that packages are signed by a key of their repository. A package whose signature by these keys was verified before is not checked again.
 * @throws WeirError `bad-signature` with the first package, the number of others, and rpm's report
 */
export async function checkSignatures(
  { engine, toolbox }: { readonly engine: Engine; readonly toolbox: Toolbox },
  repository: Pick<InputRepository, 'id' | 'keys'>,
  keys: readonly KeyText[],
  packages: readonly RepoPackage[],
): Promise<void> {
  const digests = keys.map(({ digest }) => digest);
  const action = (pkg: RepoPackage): Parameters<typeof recall>[1] => ({
    kind: 'check-signature',
    code: codeDigest(import.meta.url),
    inputs: { rpm: pkg.rpm, keys: digests, toolbox: toolbox.digest },
  });
  const todo: RepoPackage[] = [];
  for (const pkg of packages) if ((await recall(engine, action(pkg))) === undefined) todo.push(pkg);
  if (todo.length === 0) return;
  await withScratch(engine.scratch, async (work) => {
    const dir = join(work, 'rpms');
    await mkdir(dir);
    const names = new Map(todo.map((pkg) => [`${pkg.rpm}.rpm`, pkg.rpm]));
    const keyText = keys.map(({ text }) => text).join('\n');
    const report = await withLinks(engine.store, dir, names, async () => {
      const unsigned = await unsignedRpms(toolbox, keyText, dir, [...names.keys()]);
      if (unsigned.length === 0) return undefined;
      return { unsigned: new Set(unsigned), first: await signatureReport(toolbox, keyText, dir, unsigned[0]!) };
    });
    for (const pkg of todo) {
      if (report?.unsigned.has(`${pkg.rpm}.rpm`) !== true) await record(engine, action(pkg), {});
    }
    if (report === undefined) return;
    const bad = todo.filter((pkg) => report.unsigned.has(`${pkg.rpm}.rpm`));
    const more = bad.length === 1 ? '' : ` (and ${bad.length - 1} more)`;
    throw new WeirError(
      'bad-signature',
      `repository ${repository.id}: ${nevra(bad[0]!)} has no valid signature by the repository's keys${more}`,
      {
        details: [...report.first, ...repository.keys.map((url) => `key ${url}`)],
        hint: 'either the mirror\'s files were tampered with, or "gpg-key" lacks the signing key: find out which before changing the configuration',
      },
    );
  });
}
