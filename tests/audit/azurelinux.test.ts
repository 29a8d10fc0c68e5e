import { expect, it } from 'vitest';
import { divergenceOf, ledgerMarkdown } from '../../src/audit/divergence.ts';
import { overlayTimes } from '../../src/history/overlay-age.ts';
import { loadProject } from '../../src/project/load.ts';

const checkout = process.env.WEIR_AZURELINUX;

// Needs a checkout of microsoft/azurelinux, branch tomls/base/main.
it.skipIf(checkout === undefined)('the ledger of $WEIR_AZURELINUX', { timeout: 60_000 }, async () => {
  const project = await loadProject(checkout!);
  const components = [...project.components.values()];
  const introduced = await overlayTimes(project.root, components);
  const ledger = divergenceOf(project, components, { now: Date.now() / 1000, introduced });
  const sum = (totals: Readonly<Record<string, number>>): number => Object.values(totals).reduce((a, b) => a + b, 0);
  const overlays = components.reduce((count, one) => count + one.overlays.length, 0);
  console.info(`${ledger.diverging} of ${ledger.components} differ: ${JSON.stringify(ledger.totals)}`);
  expect(ledger.totals.kind.overlay).toBe(overlays);
  for (const totals of [ledger.totals.category, ledger.totals.upstreamStatus, ledger.totals.type, ledger.totals.age]) {
    expect(sum(totals)).toBe(overlays);
  }
  expect(sum(ledger.totals.kind)).toBe(ledger.entries.length);
  expect(ledgerMarkdown(ledger, 'x').match(/^## /gm)).toHaveLength(ledger.diverging);
  for (const [overlay, time] of introduced) {
    expect(overlay.type).toBeDefined();
    if (time !== 'uncommitted') expect(time).toBeLessThan(Date.now() / 1000);
  }
});
