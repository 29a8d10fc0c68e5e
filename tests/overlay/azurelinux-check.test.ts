import { join } from 'node:path';
import { expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { applyPlainOverlays, readSources } from '../../src/overlay/apply.ts';
import { checkComponent, type FindingKind } from '../../src/overlay/check.ts';
import { changesBetween } from '../../src/overlay/explain.ts';
import { loadProject } from '../../src/project/load.ts';
import { component } from './fixture.ts';

const checkout = process.env.WEIR_AZURELINUX;

// Needs a checkout of microsoft/azurelinux, branch tomls/base/main; nothing of it is kept here. Its rendered specs are
// upstream's with the overlays in them, so that most overlays must be found to be there already.
it.skipIf(checkout === undefined)('$WEIR_AZURELINUX has its overlays already', { timeout: 120_000 }, async () => {
  const project = await loadProject(checkout!);
  const found = new Map<FindingKind, number>();
  let overlays = 0;
  let applied = 0;
  for (const one of project.components.values()) {
    if (one.overlays.length === 0) continue;
    overlays += one.overlays.length;
    const dir = join(checkout!, 'specs', one.name.slice(0, 1).toLowerCase(), one.name);
    const specPath = join(dir, `${one.name}.spec`);
    const fetched = { dir, root: dir, specPath, origin: { kind: 'folder', from: dir }, files: [] } as const;
    for (const { kind } of await checkComponent(one, { fetched }, { now: 0 })) {
      found.set(kind, (found.get(kind) ?? 0) + 1);
    }
    // Each that still applies is one step: what it changes is what it says, and it stands alone too.
    const sources = await readSources(dir, specPath);
    for (const overlay of one.overlays) {
      const alone = component({ name: one.name, overlays: [overlay] });
      const result = await applyPlainOverlays(sources, alone).catch((error: unknown) => {
        if (error instanceof WeirError) return undefined;
        throw error;
      });
      if (result === undefined) continue;
      applied++;
      const changes = await changesBetween(one.name, sources, result);
      const touched = result.applied[0]!;
      for (const { path, from } of changes) {
        if (path === `${one.name}.spec`) expect(touched.changedSpec).toBe(true);
        else expect(touched.files).toContain(from ?? path);
      }
    }
  }
  const there = (found.get('no-effect') ?? 0) + (found.get('taken-in') ?? 0);
  console.info(`${overlays} overlays, ${there} there already, ${applied} apply again; ${JSON.stringify([...found])}`);
  expect(overlays).toBeGreaterThan(200);
  expect(there / overlays).toBeGreaterThan(0.75);
  expect(applied).toBeGreaterThan(50);
});
