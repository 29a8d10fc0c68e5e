import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from './action.ts';
import { openStore, sweep } from './store.ts';

/** Opens the engine under a cache root, sweeping what killed runs left. */
export async function openEngine(cache: string): Promise<Engine> {
  const store = await openStore(join(cache, 'store'));
  const results = join(cache, 'actions');
  const scratch = join(cache, 'scratch');
  await mkdir(results, { recursive: true });
  await mkdir(scratch, { recursive: true });
  await sweep(store);
  return { store, results, scratch, counts: { ran: 0, cached: 0 } };
}
