import { homedir } from 'node:os';
import { join } from 'node:path';

/** The cache root: `$XDG_CACHE_HOME/weir`, by default `~/.cache/weir`. Everything in it can be recreated. */
export function cacheRoot(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'weir');
}

/** The checkout that this code runs from. */
export const installRoot: string = join(import.meta.dirname, '..', '..');
