import { WeirError } from '../../src/base/errors.ts';
import { archiveTargets } from './archives.ts';
import { feedTargets } from './feeds.ts';
import { imageTargets } from './images.ts';
import { mockTargets } from './mock.ts';
import { inputOf } from './mutate.ts';
import { packageTargets } from './packages.ts';
import { randomOf } from './random.ts';
import type { Target } from './target.ts';
import { textTargets } from './texts.ts';
import { yamlTargets } from './yaml.ts';

export const targets: readonly Target[] = [
  ...archiveTargets,
  ...packageTargets,
  ...textTargets,
  ...yamlTargets,
  ...mockTargets,
  ...imageTargets,
  ...feedTargets,
];

/** Result of one input: read, rejected with a WeirError, or a crash. */
export type Outcome = 'read' | 'refused' | { readonly crash: unknown };

/** The bytes that a target gets for a seed; most of them with valid checksums. */
export function bytesOf(target: Target, samples: readonly Buffer[], seed: number): Buffer {
  const input = inputOf(seed, samples);
  return target.repair === undefined || randomOf(seed + 0.5).below(10) === 0 ? input : target.repair(input);
}

export async function outcomeOf(target: Target, input: Buffer, work: string): Promise<Outcome> {
  try {
    await target.read(input, work);
    return 'read';
  } catch (error) {
    return error instanceof WeirError ? 'refused' : { crash: error };
  }
}
