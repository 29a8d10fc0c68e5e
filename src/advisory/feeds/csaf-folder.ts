import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { compareText } from '../../base/order.ts';
import { isoTime } from '../../base/time.ts';
import { type FeedContext, feedUrl, sortedJsonText } from './context.ts';
import { type CsafDocument, publisherOf } from './csaf.ts';

/** Files that tell others where the CSAF documents are, and their digests; paths in the folder of CSAF. */
export function csafFolder(
  context: FeedContext,
  documents: readonly CsafDocument[],
  fingerprint: string,
): ReadonlyMap<string, string> {
  const sorted = documents.toSorted((a, b) => compareText(a.path, b.path));
  const newestFirst = sorted.toSorted((a, b) => compareText(b.updated, a.updated));
  const files = new Map<string, string>([
    // CSAF 2.0, 7.1.12 and 7.1.13.
    ['index.txt', sorted.map(({ path }) => `${path}\n`).join('')],
    ['changes.csv', newestFirst.map(({ path, updated }) => `"${path}","${updated}"\n`).join('')],
    [
      'provider-metadata.json',
      providerMetadata(context, newestFirst[0]?.updated ?? isoTime(context.clock), fingerprint),
    ],
  ]);
  for (const { path, text } of sorted) {
    files.set(path, text);
    for (const algorithm of ['sha256', 'sha512']) {
      files.set(`${path}.${algorithm}`, `${createHash(algorithm).update(text).digest('hex')}  ${basename(path)}\n`);
    }
  }
  return files;
}

/** CSAF 2.0, 7.1.7. A trusted provider: its documents have digests and signatures. */
function providerMetadata(context: FeedContext, updated: string, fingerprint: string): string {
  return sortedJsonText({
    canonical_url: feedUrl(context, 'csaf/provider-metadata.json'),
    distributions: [{ directory_url: feedUrl(context, 'csaf') }],
    last_updated: updated,
    list_on_CSAF_aggregators: false,
    metadata_version: '2.0',
    mirror_on_CSAF_aggregators: false,
    public_openpgp_keys: [{ fingerprint, url: `${context.snapshotUrl}/RPM-GPG-KEY` }],
    publisher: publisherOf(context),
    role: 'csaf_trusted_provider',
  });
}
