import { sha256 } from '../base/digest.ts';
import { readIfExists, writeAtomic } from '../base/files.ts';
import { byKey } from '../base/order.ts';
import { cachePath } from '../base/paths.ts';
import type { ComponentStatus } from './status-model.ts';

/** A status with what it was found from. */
export interface StatusRecord {
  /** Digest of the component's upstream and of the question. */
  readonly asked: string;
  /** For a dist-git on this machine: the state of its refs; while it is the same, so are both commits. */
  readonly refs?: string;
  /** Without overlays, unless they were checked. */
  readonly status: ComponentStatus;
  /** Digest of the overlays that were checked, as `overlaysDigest` returns it. */
  readonly checked?: string;
}

/**
 * The statuses of earlier runs on a project. Commits never change, so what lies between two of them is compared once. A file with one
 * JSON record per line; without it everything is compared once more.
 */
export class StatusRecords {
  readonly #path: string;
  readonly #known: Map<string, StatusRecord>;
  #changed = false;

  private constructor(path: string, known: Map<string, StatusRecord>) {
    this.#path = path;
    this.#known = known;
  }

  /** @param project its folder */
  static async open(cache: string, project: string): Promise<StatusRecords> {
    const path = cachePath(cache, 'upstream', `${sha256(project).slice(0, 32)}.jsonl`);
    const known = new Map<string, StatusRecord>();
    for (const line of ((await readIfExists(path)) ?? '').split('\n')) {
      const record = parse(line);
      if (record !== undefined) known.set(record.status.component, record);
    }
    return new StatusRecords(path, known);
  }

  /** The record of a component, if it answers the same question. */
  get(component: string, asked: string): StatusRecord | undefined {
    const record = this.#known.get(component);
    return record?.asked === asked ? record : undefined;
  }

  add(record: StatusRecord): void {
    this.#known.set(record.status.component, record);
    this.#changed = true;
  }

  /** Writes the file, if something was added. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    const lines = [...this.#known].sort(byKey).map(([, record]) => `${JSON.stringify(record)}\n`);
    await writeAtomic(this.#path, lines.join(''));
    this.#changed = false;
  }
}

function parse(line: string): StatusRecord | undefined {
  if (line === '') return undefined;
  try {
    const record = JSON.parse(line) as StatusRecord;
    return typeof record.asked === 'string' && typeof record.status?.component === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}
