import { basename, join, resolve } from 'node:path';
import { type FeedCounts, readFeed } from '../../advisory/match/feed.ts';
import type { FeedEntry } from '../../advisory/match/feed-entry.ts';
import { WeirError } from '../../base/errors.ts';
import { shownLine } from '../../base/foreign-text.ts';
import { isOffline } from '../../base/network.ts';
import { cachePath } from '../../base/paths.ts';
import { withScratch } from '../../engine/scratch.ts';
import { type DownloadOptions, downloadOnce } from '../../sources/download.ts';

/** A feed that a user named. */
export interface NamedFeed {
  /** A path, or an http or https URL. */
  readonly address: string;
  /** As records and messages name it: a URL without user, password and query, or a file's name. */
  readonly name: string;
}

/** @throws WeirError `bad-option` (exit 2) for a URL of another kind */
export function namedFeed(address: string): NamedFeed {
  if (address === '') throw new WeirError('bad-option', '--feed requires a file or a URL, but is empty', { exit: 2 });
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) {
    return { address: resolve(address), name: shownLine(basename(resolve(address))) };
  }
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new WeirError(
      'bad-option',
      `invalid --feed ${shownLine(address.replace(/\/\/[^/]*@/, '//').replace(/\?.*/s, ''))}: not a file, and not an http or https URL`,
      {
        exit: 2,
      },
    );
  }
  url.username = '';
  url.password = '';
  // A query may hold a key.
  url.search = '';
  url.hash = '';
  return { address, name: url.href };
}

/** A feed may have at most this many bytes, packed. */
const mostOfFeed = 4 * 2 ** 30;

/**
 * Reads a feed of the user; one of a URL is downloaded first, and removed afterwards.
 * @throws WeirError those of `readFeed` and `downloadOnce`
 */
export async function readNamedFeed(
  { address, name }: NamedFeed,
  cache: string,
  take: (entry: FeedEntry) => void,
  options: DownloadOptions = {},
): Promise<FeedCounts> {
  return withScratch(cachePath(cache, 'tmp'), async (scratch) => {
    if (!/^https?:/i.test(address)) return readFeed(address, address, scratch, take);
    const file = join(scratch, 'feed');
    await downloadOnce(name, address, file, { most: mostOfFeed, offline: isOffline(), ...options });
    return readFeed(file, name, scratch, take);
  });
}
