import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { readFeed } from '../../../src/advisory/match/feed.ts';
import type { Description, FeedEntry, Rating } from '../../../src/advisory/match/feed-entry.ts';

/** A new folder with these files, gone when the test ends. */
export function filesIn(files: Readonly<Record<string, string | Uint8Array>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'weir-feed-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  return dir;
}

/** An entry with all that it says; of Debian's releases, trixie rates. */
export type ReadEntry = Omit<FeedEntry, 'rating' | 'description'> & Rating & Description;

function readAll({ rating, description, ...entry }: FeedEntry): ReadEntry {
  return { ...entry, ...rating('trixie'), ...description() };
}

/** The entries of a feed with this content. @param name of the file */
export async function entriesIn(content: string | Uint8Array | object, name = 'feed.json'): Promise<ReadEntry[]> {
  const isRaw = typeof content === 'string' || content instanceof Uint8Array;
  return entriesAt(join(filesIn({ [name]: isRaw ? content : JSON.stringify(content) }), name), name);
}

/** The entries of a feed on disk. */
export async function entriesAt(path: string, shown = path): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  await readFeed(path, shown, filesIn({}), (entry) => entries.push(readAll(entry)));
  return entries;
}

/** A CPE 2.3 name. */
export function cpe(vendor: string, product: string, version = '*', update = '*', target = '*'): string {
  return `cpe:2.3:a:${vendor}:${product}:${version}:${update}:*:*:*:${target}:*:*`;
}

interface CpeMatch {
  readonly criteria: string;
  readonly vulnerable?: boolean;
  readonly versionStartIncluding?: string;
  readonly versionStartExcluding?: string;
  readonly versionEndIncluding?: string;
  readonly versionEndExcluding?: string;
}

/** An entry of NVD. */
export function nvd(id: string, cpeMatch: readonly CpeMatch[], more: object = {}): { readonly cve: object } {
  const nodes = [{ operator: 'OR', negate: false, cpeMatch: cpeMatch.map((one) => ({ vulnerable: true, ...one })) }];
  return {
    cve: {
      id,
      published: '2026-01-02T03:04:05.678',
      vulnStatus: 'Analyzed',
      descriptions: [{ lang: 'en', value: `A fault in ${id}. It is bad.` }],
      configurations: [{ nodes }],
      ...more,
    },
  };
}

/** A response of NVD's API. */
export function nvdFeed(...vulnerabilities: readonly object[]): object {
  return { resultsPerPage: vulnerabilities.length, startIndex: 0, format: 'NVD_CVE', version: '2.0', vulnerabilities };
}

/** An entry of OSV with one package. @param events each one bound: `{ introduced: '0' }` */
export function osv(
  id: string,
  ecosystem: string,
  name: string,
  events: readonly object[],
  more: {
    readonly type?: string;
    readonly versions?: readonly string[];
    readonly entry?: object;
    readonly affected?: object;
  } = {},
): object {
  const { type = 'ECOSYSTEM', versions, entry, affected } = more;
  return {
    ...{ schema_version: '1.7.0', id, modified: '2026-01-03T00:00:00Z', published: '2026-01-02T03:04:05Z' },
    ...{ summary: `fault of ${name}`, details: 'It is bad.' },
    affected: [
      {
        package: { ecosystem, name },
        ranges: events.length === 0 ? [] : [{ type, events }],
        ...(versions && { versions }),
        ...affected,
      },
    ],
    ...entry,
  };
}

/** A CSAF VEX document. @param products product ID → purl, or name and version of a branch */
export function csaf(
  cve: string,
  products: Readonly<Record<string, object>>,
  status: Readonly<Record<string, readonly string[]>>,
  more: object = {},
): object {
  return {
    document: {
      ...{ category: 'csaf_vex', csaf_version: '2.0', title: `VEX of ${cve}` },
      publisher: { category: 'vendor', name: 'Example', namespace: 'https://example.org' },
      tracking: { id: cve, status: 'final', version: '1', initial_release_date: '2026-01-02T03:04:05Z' },
    },
    product_tree: { branches: [{ category: 'vendor', name: 'Example', branches: Object.values(products) }] },
    vulnerabilities: [{ cve, product_status: status, ...more }],
  };
}

/** A product of a CSAF document that a package URL names. */
export function csafPurl(id: string, purl: string): object {
  return {
    ...{ category: 'product_name', name: id },
    product: { product_id: id, name: id, product_identification_helper: { purl } },
  };
}

/** The JSON of Debian's tracker for one package. */
export function tracker(source: string, cve: string, releases: Readonly<Record<string, object>>): object {
  return { [source]: { [cve]: { description: `fault of ${source}`, scope: 'remote', releases } } };
}
