import { WeirError } from '../../base/errors.ts';
import { csafEntries } from './csaf.ts';
import { debianEntries } from './debian-tracker.ts';
import type { FeedEntry } from './feed-entry.ts';
import { badFeed, type FeedPlace, type Fields, field, fieldsAt, isFields, tablesAt } from './feed-fields.ts';
import { type FeedFile, feedFiles } from './feed-files.ts';
import { type JsonParts, JsonPieces } from './json-pieces.ts';
import { nvdEntries } from './nvd.ts';
import { osvEntries } from './osv.ts';

/** What was read of a feed. */
export interface FeedCounts {
  readonly files: number;
  readonly entries: number;
  /** Formats by name, sorted. */
  readonly formats: readonly string[];
}

/** The first bytes of a file by which its format is found. */
const headSize = 64 << 10;

/**
 * Reads a feed entry by entry: OSV, NVD 2.0, CSAF 2.0 or Debian's security tracker, whichever each file of it is. Memory holds
 * one entry at a time, of Debian's tracker one package.
 * @param path a file, an archive or a folder; see `feedFiles` @param shown the feed's name in errors
 * @param scratch a folder for exclusive use
 * @throws WeirError `bad-feed` with file, line and JSON pointer, and those of `feedFiles`
 */
export async function readFeed(
  path: string,
  shown: string,
  scratch: string,
  take: (entry: FeedEntry) => void,
): Promise<FeedCounts> {
  let files = 0;
  let entries = 0;
  const formats = new Set<string>();
  for await (const file of feedFiles(path, shown, scratch)) {
    const counted = await readFile(file, (entry) => {
      entries++;
      take(entry);
    });
    if (counted === undefined) continue;
    files++;
    for (const format of counted) formats.add(format);
  }
  if (files === 0) throw unknownFeed({ file: shown, line: 1, pointer: '' });
  return { files, entries, formats: [...formats].sort() };
}

/** @returns the formats of its entries, none for an empty list; undefined for a file that only accompanies a feed */
async function readFile(file: FeedFile, take: (entry: FeedEntry) => void): Promise<ReadonlySet<string> | undefined> {
  const formats = new Set<string>();
  let head: Buffer[] | undefined = [];
  let headLength = 0;
  let pieces: JsonPieces | undefined;
  let parts: JsonParts = 'values';
  const isList = (): boolean => parts === 'elements';
  const read = (iterator: ReturnType<JsonPieces['push']>): void => {
    for (const { key, pointer, line, value } of iterator) {
      const place: FeedPlace = { file: file.name, line, pointer };
      const found =
        parts === 'members'
          ? { format: 'Debian', entries: debianEntries(key!, fieldsAt(value, place), place) }
          : entriesOf(value, place, file.isMember);
      if (found === undefined) continue;
      formats.add(found.format);
      for (const entry of found.entries) take(entry);
    }
  };
  const begin = (): JsonPieces => {
    const first = Buffer.concat(head ?? []);
    head = undefined;
    parts = partsOf(first, file.name);
    pieces = new JsonPieces(file.name, parts);
    if (typeof parts === 'object') formats.add('NVD');
    read(pieces.push(first));
    return pieces;
  };
  for await (const chunk of file.chunks()) {
    if (pieces !== undefined) read(pieces.push(chunk));
    else {
      head.push(chunk);
      headLength += chunk.length;
      if (headLength >= headSize) begin();
    }
  }
  const last = pieces ?? begin();
  read(last.end());
  return formats.size === 0 && !isList() ? undefined : formats;
}

/** How to cut a file into pieces, by its beginning. @throws WeirError `bad-feed` for what is no JSON, or an old format */
function partsOf(head: Buffer, file: string): JsonParts {
  const text = head
    .toString('utf8', 0, headSize)
    .replace(/^\ufeff/, '')
    .trimStart();
  const place: FeedPlace = { file, line: 1, pointer: '' };
  if (text.startsWith('[')) return 'elements';
  if (text === '') throw badFeed(place, [], 'the file is empty');
  if (!text.startsWith('{')) throw badFeed(place, [], 'this is not JSON');
  if (/^\{\s*"CVE_data_type"/.test(text)) {
    throw new WeirError('bad-feed', "this is NVD's old format, 1.1", {
      where: { file, line: 1 },
      hint: 'download the feed in the format of API 2.0',
    });
  }
  if (/^\{\s*"(?:[^"\\]|\\.){1,200}"\s*:\s*\{\s*"(?:CVE|TEMP)-/.test(text)) return 'members';
  if (
    /^\{\s*(?:"\w+"\s*:\s*(?:"[^"\\]*"|[\w.+-]+)\s*,\s*)*"vulnerabilities"\s*:\s*\[\s*(?:\]|\{\s*"cve"\s*:\s*\{)/.test(
      text,
    )
  ) {
    return { arrays: ['vulnerabilities'] };
  }
  return 'values';
}

interface Found {
  readonly format: string;
  readonly entries: readonly FeedEntry[];
}

/** The entries of a document or of an element, by its shape. Undefined for documents that accompany a feed. */
function entriesOf(value: unknown, place: FeedPlace, isMember: boolean): Found | undefined {
  const raw = fieldsAt(value, place);
  const document = field(raw, 'document');
  if (isFields(document) && field(document, 'csaf_version') !== undefined) {
    return { format: 'CSAF', entries: csafEntries(raw, place) };
  }
  const cve = field(raw, 'cve');
  if (isFields(cve)) return { format: 'NVD', entries: nvdEntries(cve, inside(place, 'cve')) };
  if (typeof field(raw, 'id') === 'string') {
    if (field(raw, 'vulnStatus') !== undefined || field(raw, 'descriptions') !== undefined) {
      return { format: 'NVD', entries: nvdEntries(raw, place) };
    }
    return { format: 'OSV', entries: osvEntries(raw, place) };
  }
  if (field(raw, 'format') === 'NVD_CVE') {
    const all = tablesAt(field(raw, 'vulnerabilities'), place, 'vulnerabilities');
    const entries = all.flatMap((each, index) => {
      const at = inside(place, `vulnerabilities/${index}/cve`);
      return nvdEntries(fieldsAt(field(each, 'cve'), at), at);
    });
    return { format: 'NVD', entries };
  }
  if (isMember && accompanies(raw)) return undefined;
  throw unknownFeed(place);
}

function inside(place: FeedPlace, path: string): FeedPlace {
  return { ...place, pointer: `${place.pointer}/${path}` };
}

/** CSAF's own directory files: about the publisher, lists of documents (CSAF 2.0, 7.1). */
function accompanies(raw: Fields): boolean {
  return ['metadata_version', 'aggregator_version', 'feed', 'service', 'categories'].some(
    (key) => field(raw, key) !== undefined,
  );
}

function unknownFeed({ file, line, pointer }: FeedPlace): WeirError {
  const at = pointer === '' ? '' : ` at ${pointer}`;
  return new WeirError('unknown-feed', `unknown format of a feed${at}`, {
    where: { file, line },
    hint: "give OSV, NVD (API 2.0), CSAF VEX 2.0, or the JSON of Debian's security tracker",
  });
}
