import type { KiwiImage } from '../project/model/image.ts';
import { readDescription } from './description.ts';
import { type ResolvedKiwi, resolveKiwi } from './resolve.ts';
import { readRuntimeConfig } from './runtime-config.ts';
import { type KiwiAsWeir, weirImage } from './weir-image.ts';

/**
 * Reads the description of an image definition as a Weir definition.
 * @param config file of `kiwi-config-override`
 * @throws WeirError (exit 2) `no-file`, `xml-syntax`, `invalid-kiwi`, `no-profile`, `kiwi-type`, `invalid-kiwi-config`
 */
export function kiwiImage(
  { path, profile }: Pick<KiwiImage, 'path' | 'profile'>,
  arch: string,
  config?: string,
): KiwiAsWeir & { readonly resolved: ResolvedKiwi } {
  const resolved = resolveKiwi(readDescription(path), { arch, ...(profile === undefined ? {} : { profile }) });
  const runtime = config === undefined ? { without: [] } : readRuntimeConfig(config);
  return { ...weirImage(resolved, runtime), resolved };
}
