import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Digest } from '../../base/digest.ts';
import { type PlainError, systemCode } from '../../base/errors.ts';
import { diskError, writeAtomic } from '../../base/files.ts';
import type { FolderStamp } from '../../overlay/rendered-folder.ts';

/** What a component was rendered from, and what came of it. */
export interface RenderRecord {
  readonly component: string;
  /** Of everything that rendering takes, but for upstream's content. */
  readonly inputs: Digest;
  /** The upstream commit; undefined where upstream is no git. */
  readonly commit?: string;
  /** For a dist-git on this machine: what its refs looked like; while they do, the commit is the same. */
  readonly refs?: string;
  readonly warnings: readonly string[];
  readonly folder: FolderStamp;
  /** Where rendering fails by what the configuration says, as it will each time. */
  readonly failed?: PlainError & {
    /** Of the places in the configuration that the error may name. */
    readonly places: Digest;
  };
}

/**
 * What is remembered of a folder of rendered specs: a file of lines, each a record as JSON, of which a component's last
 * counts. Lines are only ever added, each lot by one write: runs at the same time do not lose one another's, a line that
 * was cut off by a kill is skipped, and without the file everything is rendered once more.
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
    // What comes next must not go on with half a line.
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

  /** Writes what was added. @throws WeirError `no-space`, `not-writable` */
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

  /** Writes what was added, and the file anew where most of it is out of date. */
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
