// A thread that renders components; started by render-pool.ts.

import { enableCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { type PlainError, plainError, WeirError } from '../../base/errors.ts';
import { stopChildren } from '../../base/process.ts';
import type { RenderSite } from './render-one.ts';
import type { FromWorker, PlainSite, ToWorker } from './render-pool.ts';

enableCompileCache();
const { NeedsTools, renderLot } = await import('./render-one.ts');
const { openStore } = await import('../../engine/store.ts');
const plainSite = workerData as PlainSite;
const { sources } = plainSite;
const site: RenderSite = {
  ...plainSite,
  sources: { ...sources, store: await openStore(sources.store) },
  tools: {
    versions: () => Promise.reject(new NeedsTools()),
  },
};

parentPort!.on('message', (message: ToWorker) => {
  if ('stop' in message) {
    stopChildren(message.stop);
    return;
  }
  void renderLot(site, message.components, (component, outcome) => {
    const result: FromWorker =
      'rendered' in outcome ? { component, ...outcome } : { component, ...plain(outcome.error) };
    parentPort!.postMessage(result);
  });
});

/** An error in a form that a message can carry. */
function plain(
  error: unknown,
): { readonly failed: PlainError } | { readonly needsTools: true } | { readonly bug: unknown } {
  if (error instanceof NeedsTools) return { needsTools: true };
  return error instanceof WeirError ? { failed: plainError(error) } : { bug: error };
}
