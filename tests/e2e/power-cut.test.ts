import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cannotCut, cutPower, prepareSite, removeSite, type Site } from '../../bench/power-cut.ts';
import { newFolder, shared } from './weir.ts';

// A small part of `npm run powercuts`.

const missing = await cannotCut();

describe.skipIf(missing !== undefined)('after a power cut', () => {
  let site: Site;

  beforeAll(async () => {
    site = await prepareSite(shared.cacheHome, join(await newFolder('powercuts'), 'site'));
  });
  afterAll(() => (site as Site | undefined) && removeSite(site));

  test.each([1, 2, 3, 4, 6])(
    'the next build gives an undisturbed release and leaves nothing behind (seed %i)',
    async (seed) => {
      const cut = await cutPower(site, seed);
      expect(cut.faults, `${cut.stage}, ${cut.after.toFixed(1)} s after the start`).toEqual([]);
    },
  );
});

test.runIf(missing !== undefined)(`power cuts: not checked: ${missing}`, (context) => context.skip(missing));
