import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Digest } from '../../base/digest.ts';
import { type PlainError, systemCode } from '../../base/errors.ts';
import { diskError, writeAtomic } from '../../base/files.ts';
import type { FolderStamp } from '../../overlay/rendered-folder.ts';

/** What a component was rendered from, and the result. */
export interface RenderRecord {
  readonly component: string;
  /** Digest of everything that rendering uses, except upstream's content. */
  readonly inputs: Digest;
  /** The upstream commit; undefined if upstream is not a git repository. */
  readonly commit?: string;
  /** For a dist-git on this machine: the state of its refs; while it is the same, so is the commit. */
  readonly refs?: string;
  readonly warnings: readonly string[];
  readonly folder: FolderStamp;
  /** The error, if rendering fails because of the configuration, and so would fail again. */
  readonly failed?: PlainError & {
    /** Digest of the places in the configuration that the error may name. */
    readonly places: Digest;
  };
}

/**
 * The records of a folder of rendered specs: a file with one JSON record per line; the last record of a component counts.
 * Lines are only appended, each batch with one write. So concurrent runs do not lose each other's records, a line that a kill
 * truncated is skipped, and without the file everything is rendered once more.
 */
export class RenderRecords {
  readonly #path: string;
  readonly #known: Map<string, RenderRecord>;
  #lines: number;
  #pending: string[] = [];

  constructor(path: string) {
    this.#path = path;
    this.#known = new Map();
    const text = readText(path);
    this.#lines = 0;
    for (let start = 0; start < text.length; this.#lines++) {
      const end = text.indexOf('\n', start);
      const record = end < 0 ? undefined : parseRecord(text.slice(start, end));
      if (record !== undefined) this.#known.set(record.component, record);
      start = end < 0 ? text.length : end + 1;
    }
    // The next write must not continue a truncated line.
    if (text !== '' && !text.endsWith('\n')) this.#pending.push('');
  }

  get(component: string): RenderRecord | undefined {
    return this.#known.get(component);
  }

  add(record: RenderRecord): void {
    this.#known.set(record.component, record);
    this.#pending.push(JSON.stringify(record));
    if (this.#pending.length >= 256) this.flush();
  }

  /** Writes the added records. @throws WeirError `no-space`, `not-writable` */
  flush(): void {
    if (this.#pending.length === 0) return;
    const lines = this.#pending;
    this.#pending = [];
    this.#lines += lines.length;
    try {
      append(this.#path, `${lines.join('\n')}\n`);
    } catch (error) {
      throw diskError(error, this.#path);
    }
  }

  /** Writes the added records, or the whole file if most of it is out of date. */
  async close(): Promise<void> {
    this.flush();
    if (this.#lines < 2 * this.#known.size + 500) return;
    const lines = [...this.#known.values()].map((record) => `${JSON.stringify(record)}\n`);
    await writeAtomic(this.#path, lines.join(''));
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw diskError(error, path);
  }
}

function append(path: string, text: string): void {
  try {
    appendFileSync(path, text);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, text);
  }
}

function parseRecord(line: string): RenderRecord | undefined {
  try {
    const record = JSON.parse(line) as RenderRecord;
    return typeof record.component === 'string' && Array.isArray(record.folder?.files) ? record : undefined;
  } catch {
    return undefined;
  }
}
