import type { Advisory } from '../../advisory/record.ts';
import { type ComponentState, standings } from '../../advisory/state.ts';

/** A record as `--json` prints it. */
export interface PlainRecord extends Omit<Advisory, 'document'> {
  readonly file: string;
  readonly components: readonly {
    readonly component: string;
    readonly state: ComponentState;
    readonly since: string;
    readonly by: string;
  }[];
}

export function plainRecord({ document, ...record }: Advisory): PlainRecord {
  const components = standings(record).map(({ component, state, event: { at, by } }) => ({
    component,
    state,
    since: at,
    by,
  }));
  return { ...record, file: document.path, components };
}
