import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AdvisoryEvent, EventOf, EventType } from '../../src/advisory/record.ts';
import type { RecordHeader } from '../../src/advisory/write.ts';

/** A new empty folder, gone when the test ends. */
export function recordFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-advisories-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The fields of a record without its events. */
export function header(id = 'CVE-2026-1234', more: Partial<RecordHeader> = {}): RecordHeader {
  return { id, title: `a fault in ${id}`, severity: 'important', published: '2026-11-01T00:00:00Z', ...more };
}

type Fields<T extends EventType> = Omit<EventOf<T>, 'type' | 'at' | 'by'> & { readonly at?: string };

/** An event; unless it says otherwise, of noon on 2026-11-02. */
export function event<T extends EventType>(type: T, fields: Fields<T>): AdvisoryEvent {
  return { type, at: '2026-11-02T12:00:00Z', by: 'Jane Doe <jane@example.com>', ...fields } as AdvisoryEvent;
}
