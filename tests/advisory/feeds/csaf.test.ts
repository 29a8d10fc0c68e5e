import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { csafSchemaFindings } from './csaf-validator.ts';
import { jsonOf, sampleFeeds, textOf } from './sample.ts';

const feeds = sampleFeeds();
const documents = [...feeds.files.keys()].filter((path) => /\/csaf\/\d{4}\/[^/]+\.json$/.test(path)).sort();

test('there is one document for each vulnerability', () => {
  expect(documents.map((path) => path.replace(/^.*\//, ''))).toEqual([
    'testlinux-cve-2025-20000.json',
    'testlinux-cve-2026-1001.json',
    'testlinux-cve-2026-1002.json',
    'testlinux-cve-2026-1003.json',
    'testlinux-cve-2026-1004.json',
    'testlinux-cve-2026-1005.json',
    'testlinux-ghsa-dddd-eeee-ffff.json',
    'testlinux-ghsa-dddd-eeee-0000.json',
  ]);
});

// All tests of CSAF's validator take seconds to load: `npm run conformance:feeds` runs them.
test.each(documents)('%s is valid by the strict schema of CSAF', async (path) => {
  expect(await csafSchemaFindings(JSON.parse(feeds.files.get(path)!))).toEqual([]);
});

test('the schema finds what is wrong', async () => {
  const document = jsonOf(feeds, 'csaf/2026/testlinux-cve-2026-1002.json') as { document: { title?: string } };
  delete document.document.title;
  expect(await csafSchemaFindings(document)).toEqual([expect.stringContaining('title')]);
});

test('each event is a revision, except those that come after the fix', () => {
  expect(jsonOf(feeds, 'csaf/2026/testlinux-cve-2026-1001.json')).toMatchObject({
    document: {
      tracking: {
        version: '2',
        initial_release_date: '2026-11-02T12:00:00Z',
        current_release_date: '2026-11-03T08:00:00Z',
        revision_history: [
          { number: '1', summary: 'bash: detected; bash: affected' },
          { number: '2', summary: 'bash: fixed' },
        ],
      },
    },
  });
});

test('the folder lists its documents, with digests', () => {
  const relative = documents.map((path) => path.replace('advisories/csaf/', ''));
  expect(textOf(feeds, 'csaf/index.txt').trim().split('\n')).toEqual(relative);
  const changes = textOf(feeds, 'csaf/changes.csv').trim().split('\n');
  expect(changes).toHaveLength(relative.length);
  expect(changes[0]).toBe('"2027/testlinux-ghsa-dddd-eeee-0000.json","2027-01-01T00:00:00Z"');
  expect(changes.at(-1)).toMatch(/"2026-11-02T12:00:00Z"$/);
  for (const path of relative) {
    for (const algorithm of ['sha256', 'sha512']) {
      const digest = createHash(algorithm)
        .update(textOf(feeds, `csaf/${path}`))
        .digest('hex');
      expect(textOf(feeds, `csaf/${path}.${algorithm}`)).toBe(`${digest}  ${path.replace(/^.*\//, '')}\n`);
    }
  }
  expect(feeds.signed.toSorted()).toEqual(relative.map((path) => `advisories/csaf/${path}`).sort());
});

test('the provider says where its documents and its key are', () => {
  expect(jsonOf(feeds, 'csaf/provider-metadata.json')).toEqual({
    canonical_url: 'https://repo.test.example/4.0/latest/advisories/csaf/provider-metadata.json',
    distributions: [{ directory_url: 'https://repo.test.example/4.0/latest/advisories/csaf' }],
    last_updated: '2027-01-01T00:00:00Z',
    list_on_CSAF_aggregators: false,
    metadata_version: '2.0',
    mirror_on_CSAF_aggregators: false,
    public_openpgp_keys: [{ fingerprint: 'A'.repeat(40), url: 'https://repo.test.example/4.0/latest/RPM-GPG-KEY' }],
    publisher: {
      category: 'vendor',
      contact_details: 'security@test.example',
      name: 'Test & Co',
      namespace: 'https://test.example',
    },
    role: 'csaf_trusted_provider',
  });
});
