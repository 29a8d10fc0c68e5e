import { homedir } from 'node:os';
import { join } from 'node:path';

/** The cache root: `$XDG_CACHE_HOME/weir`, by default `~/.cache/weir`. Everything in it can be recreated. */
export function cacheRoot(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'weir');
}

/**
 * The folders of the cache, with a description of their content. Only this table names them. A file with links in several folders is
 * counted in the first of them, by the order of this table.
 */
export const cacheParts = {
  store: 'downloads, packages and all other content, by digest',
  actions: 'cached results, by digest of their inputs',
  toolbox: 'the tools, unpacked',
  launcher: 'the programs that create sandboxes',
  repos: 'repositories for resolving packages',
  roots: 'buildroots',
  apt: "apt's lists of packages",
  dnf: 'metadata of repositories that were queried',
  git: 'upstream git repositories',
  rendered: 'digests of the inputs of rendered specs',
  history: 'the history of components',
  upstream: 'what lies between pins and upstream, and unfinished updates',
  makers: 'packages that components make',
  hashes: 'digests of downloaded files by other algorithms',
  partial: 'interrupted downloads',
  custom: 'results of scripts that generate source files',
  projects: 'loaded projects',
  stamps: 'stamps of image files in output folders',
  tests: 'Python environments of tests',
  logs: 'logs of failed builds and of tests',
  scratch: 'work in progress',
  tmp: 'work in progress',
  keys: 'the development key; --cache keeps it, because installed systems trust it',
} as const;

export type CachePart = keyof typeof cacheParts;

/** A path in the cache. @param cache its root @param names below the part's folder */
export function cachePath(cache: string, part: CachePart, ...names: readonly string[]): string {
  return join(cache, part, ...names);
}

/** The checkout that this code runs from. */
export const installRoot: string = join(import.meta.dirname, '..', '..');
