import type { z } from 'zod';
import type { Frozen } from '../base/frozen.ts';
import type { Document } from '../toml/document.ts';
import type { advisorySchema, eventSchema, justifications, severities } from './schema.ts';

export type Severity = (typeof severities)[number];
export type Justification = (typeof justifications)[number];

/** One thing that happened; `at` is an RFC 3339 moment. */
export type AdvisoryEvent = Frozen<z.output<typeof eventSchema>>;
export type EventType = AdvisoryEvent['type'];

/** An event of one type. */
export type EventOf<T extends EventType> = Extract<AdvisoryEvent, { readonly type: T }>;

/** A vulnerability and its history. */
export interface Advisory extends Omit<Frozen<z.output<typeof advisorySchema>>, '$schema' | 'events'> {
  /** In order of time. */
  readonly events: readonly AdvisoryEvent[];
  /** The file that it was read from, for places in messages. */
  readonly document: Pick<Document, 'path' | 'text'>;
}

/** Seconds since 1970 of an event's or a record's moment. */
export function momentOf(text: string): number {
  return Math.floor(Date.parse(text) / 1000);
}
