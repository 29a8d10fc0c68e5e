import { type Divergence, type DivergenceLedger, divergenceOf, type FailCondition } from '../audit/divergence.ts';
import { overlayTimes, presentTime, unknownAges } from '../history/overlay-age.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';

export interface DivergenceReport extends DivergenceLedger {
  /** Entries that match a fail condition of the caller. */
  readonly failed: readonly { readonly condition: string; readonly entries: readonly Divergence[] }[];
  readonly warnings: readonly string[];
}

/** The divergence ledger of some components, with ages from the project's git, and the failed conditions. */
export async function divergenceReport(
  project: Pick<Project, 'root'>,
  components: readonly ResolvedComponent[],
  options: {
    readonly categories?: readonly string[];
    readonly upstreamStatuses?: readonly string[];
    readonly conditions?: readonly FailCondition[];
  } = {},
): Promise<DivergenceReport> {
  const introduced = await overlayTimes(project.root, components);
  const { conditions = [], ...filters } = options;
  const ledger = divergenceOf(project, components, { now: presentTime(), introduced, ...filters });
  const failed = conditions
    .map(({ words, matches }) => ({ condition: words, entries: ledger.entries.filter(matches) }))
    .filter(({ entries }) => entries.length > 0);
  const needsAges = conditions.some(({ words }) => words.includes('older-than'));
  const warnings = needsAges ? unknownAges(ledger.totals.age.unknown ?? 0) : [];
  return { ...ledger, failed, warnings };
}
