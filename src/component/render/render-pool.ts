import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type PlainError, revivedError, WeirError } from '../../base/errors.ts';
import type { ResolvedComponent } from '../../project/model/component.ts';
import type { RenderedOne, RenderSite } from './render-one.ts';

/** Components are sent to threads in batches, so that one git process can read for a whole batch. */
export type ToWorker = { readonly components: readonly ResolvedComponent[] } | { readonly stop: NodeJS.Signals };

export type FromWorker = { readonly component: string } & (
  | { readonly rendered: RenderedOne }
  | { readonly failed: PlainError }
  | { readonly needsTools: true }
  | { readonly bug: unknown }
);

/** A site in a form that can be sent to a thread, which opens the store itself. */
export type PlainSite = Omit<RenderSite, 'sources' | 'tools'> & {
  readonly sources: Omit<RenderSite['sources'], 'store'> & { readonly store: string };
};

function plainSite(site: RenderSite): PlainSite {
  const { tools: _, ...plain } = site;
  return { ...plain, sources: { ...site.sources, store: site.sources.store.dir } };
}

const lotSize = 16;

type Settle = (name: string, outcome: RenderedOne | WeirError | 'needs-tools') => void;

/**
 * Renders components on threads, one per processor; threads have no tools.
 * @param settle called for each component when it is done, in any order
 * @throws WeirError `interrupted`; and any error of a thread that is not a WeirError
 */
export async function renderOnThreads(
  site: RenderSite,
  components: readonly ResolvedComponent[],
  settle: Settle,
): Promise<void> {
  let taken = 0;
  let failed = false;
  const next = (): readonly ResolvedComponent[] => {
    if (stopped !== undefined || failed) return [];
    const lot = components.slice(taken, taken + lotSize);
    taken += lot.length;
    return lot;
  };
  const count = Math.min(availableParallelism(), 16, Math.ceil(components.length / lotSize));
  const threads: Thread[] = [];
  let stopped: NodeJS.Signals | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    stopped = signal;
    for (const { worker } of threads) worker.postMessage({ stop: signal } satisfies ToWorker);
  };
  const signals = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, stop);
  try {
    const work = Array.from({ length: count }, () => {
      const thread = new Thread(site);
      threads.push(thread);
      return thread.work(next, settle).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    });
    for (const outcome of await Promise.allSettled(work)) if (outcome.status === 'rejected') throw outcome.reason;
  } finally {
    for (const signal of signals) process.off(signal, stop);
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }
  if (stopped !== undefined) throw new WeirError('interrupted', 'rendering was interrupted');
}

class Thread {
  readonly worker: Worker;
  #busy = 0;

  constructor(site: RenderSite) {
    this.worker = new Worker(new URL('./render-worker.ts', import.meta.url), {
      workerData: plainSite(site),
    });
  }

  /** Renders batches from `next` until it returns an empty one. */
  async work(next: () => readonly ResolvedComponent[], settle: Settle): Promise<void> {
    const { worker } = this;
    const send = (): void => {
      const components = next();
      if (components.length === 0) return;
      this.#busy += components.length;
      worker.postMessage({ components } satisfies ToWorker);
    };
    let failure: { readonly reason: unknown } | undefined;
    const take = (message: FromWorker): void => {
      // After a failure, running work is awaited so that nothing stays half-written, but its results are ignored.
      if (failure !== undefined) return;
      try {
        if ('bug' in message) throw message.bug;
        if ('needsTools' in message) settle(message.component, 'needs-tools');
        else settle(message.component, 'rendered' in message ? message.rendered : revivedError(message.failed));
      } catch (reason) {
        failure = { reason };
      }
    };
    await new Promise<void>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', () => reject(new Error('a rendering thread exited unexpectedly')));
      worker.on('message', (message: FromWorker) => {
        this.#busy--;
        take(message);
        // One batch is always queued, so that the thread never idles.
        if (failure === undefined && this.#busy <= lotSize) send();
        if (this.#busy > 0) return;
        if (failure === undefined) resolve();
        else reject(failure.reason);
      });
      send();
      send();
      if (this.#busy === 0) resolve();
    });
  }
}
