import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nameFitter } from '../../src/spec/names.ts';
import { parseSpec, type Section, type Spec, specBytes } from '../../src/spec/parse.ts';
import { mainNames, tagValue } from '../../src/spec/query.ts';

const checkout = process.env.WEIR_AZURELINUX;

// Needs a folder with many real specs, such as a checkout of microsoft/azurelinux; nothing of it is kept here.
it.skipIf(checkout === undefined)(
  'gives back every byte of every spec in $WEIR_AZURELINUX',
  { timeout: 600_000 },
  async () => {
    let count = 0;
    const wrong: string[] = [];
    const nameless: string[] = [];
    const unbalanced: string[] = [];
    const undefinedPackages: string[] = [];
    let withMade = 0;
    for await (const name of glob('**/*.spec', { cwd: checkout! })) {
      const bytes = await readFile(join(checkout!, name));
      const spec = parseSpec(bytes);
      count++;
      if (!bytes.equals(specBytes(spec))) wrong.push(name);
      if (tagValue(spec, 'Name') === undefined) nameless.push(name);
      if (spec.sections.some(({ maker }) => maker !== undefined)) withMade++;
      if (sectionsWithoutPackage(spec).length > 0) undefinedPackages.push(name);
      if (spec.strays.length > 0 || spec.conditionals.some((one) => one.close === undefined)) unbalanced.push(name);
    }
    expect(count).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
    console.info(`${count} specs; without a plain Name: ${nameless.length}; unbalanced: ${unbalanced.join(' ')}`);
    console.info(
      `${withMade} with sections that macros make; of packages that nothing defines: ${undefinedPackages.length}`,
    );
    expect(withMade).toBeGreaterThan(0);
    expect(undefinedPackages.length / count).toBeLessThan(0.005);
    expect(nameless.length / count).toBeLessThan(0.01);
    expect(unbalanced.length / count).toBeLessThan(0.01);
  },
);

/** Sections whose package no `%package` defines, be it written or made by a macro: each is one that was not understood. */
function sectionsWithoutPackage(spec: Spec): Section[] {
  const definitions = spec.sections.filter(({ key }) => key === '%package');
  const fits = nameFitter(spec);
  const isMain = mainNames(spec);
  return spec.sections.filter(
    (section) =>
      section.maker === undefined &&
      section.package !== '' &&
      !(section.wholeName && isMain(section.package)) &&
      !definitions.some((one) => fits(one, section.package) !== undefined),
  );
}
