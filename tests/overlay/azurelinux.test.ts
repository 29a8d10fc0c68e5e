import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { removeSubpackage } from '../../src/overlay/section-edits.ts';
import { addTag, insertTag } from '../../src/overlay/tag-edits.ts';
import { appendLines } from '../../src/overlay/text-edits.ts';
import { parseSpec, type Spec } from '../../src/spec/parse.ts';
import { mainNames, tags } from '../../src/spec/query.ts';

const checkout = process.env.WEIR_AZURELINUX;

const balanced = (spec: Spec): boolean =>
  spec.strays.length === 0 && spec.conditionals.every((one) => one.close !== undefined);

// Needs a folder with many real specs, such as a checkout of microsoft/azurelinux; nothing of it is kept here.
it.skipIf(checkout === undefined)('edits every spec in $WEIR_AZURELINUX soundly', { timeout: 600_000 }, async () => {
  let removed = 0;
  let refused = 0;
  let made = 0;
  const wrong: string[] = [];
  for await (const name of glob('**/*.spec', { cwd: checkout! })) {
    const spec = parseSpec(await readFile(join(checkout!, name)));
    if (!balanced(spec) || spec.lines.length > 20_000) continue;
    const isMain = mainNames(spec);
    const written = spec.sections.filter(
      (one) => one.maker === undefined && one.package !== '' && !(one.wholeName && isMain(one.package)),
    );
    for (const packageName of [...new Set(written.map((one) => one.package))].slice(0, 6)) {
      try {
        const without = removeSubpackage(spec, packageName);
        removed++;
        const left = without.sections.some((one) => one.package === packageName);
        const others = written.filter((one) => one.package !== packageName);
        const kept = without.sections.filter(
          (one) => one.maker === undefined && one.package !== '' && !(one.wholeName && isMain(one.package)),
        );
        if (!balanced(without) || left || kept.length !== others.length) wrong.push(`${name}: remove ${packageName}`);
      } catch (error) {
        if (!(error instanceof WeirError)) throw error;
        if (error.code === 'overlay-interleaved') refused++;
        else if (error.code === 'overlay-macro-made' && /%.* in line \d+$/.test(error.message)) made++;
        else wrong.push(`${name}: ${error.message}`);
      }
    }
    if (tags(addTag(spec, 'X-Weir', '1'), { name: 'X-Weir', package: '' }).length !== 1) wrong.push(`${name}: add`);
    if (tags(insertTag(spec, 'Patch99999', '1'), { name: 'Patch99999' }).length !== 1) wrong.push(`${name}: insert`);
    if (!spec.sections.some((one) => one.key === '%prep')) continue;
    if (appendLines(spec, ['x'], { section: '%prep' }).sections.length !== spec.sections.length)
      wrong.push(`${name}: append`);
  }
  console.info(`${removed} subpackages removed, ${refused} refused as interleaved, ${made} as made by macros`);
  expect(wrong).toEqual([]);
  expect(removed).toBeGreaterThan(0);
  expect(refused / removed).toBeLessThan(0.005);
  expect(made / removed).toBeLessThan(0.005);
});
