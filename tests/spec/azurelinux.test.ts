import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseSpec, specBytes } from '../../src/spec/parse.ts';
import { tagValue } from '../../src/spec/query.ts';

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
    for await (const name of glob('**/*.spec', { cwd: checkout! })) {
      const bytes = await readFile(join(checkout!, name));
      const spec = parseSpec(bytes);
      count++;
      if (!bytes.equals(specBytes(spec))) wrong.push(name);
      if (tagValue(spec, 'Name') === undefined) nameless.push(name);
      if (spec.strays.length > 0 || spec.conditionals.some((one) => one.close === undefined)) unbalanced.push(name);
    }
    expect(count).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
    console.info(`${count} specs; without a plain Name: ${nameless.length}; unbalanced: ${unbalanced.join(' ')}`);
    expect(nameless.length / count).toBeLessThan(0.01);
    expect(unbalanced.length / count).toBeLessThan(0.01);
  },
);
