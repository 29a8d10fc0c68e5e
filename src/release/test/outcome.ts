/** Counts of the test cases in a report. */
export interface CaseCounts {
  readonly tests: number;
  readonly failures: number;
  readonly errors: number;
  readonly skipped: number;
}

/** What became of one test. */
export interface TestOutcome {
  readonly name: string;
  readonly type: 'pytest' | 'lisa' | 'tmt';
  /** `not checked`: it could not run, which is no success. `skipped`: the image lacks a capability that it requires. */
  readonly state: 'passed' | 'failed' | 'skipped' | 'not checked';
  /** Why it did not pass. */
  readonly reason?: string;
  /** Further lines about that. */
  readonly details?: readonly string[];
  readonly cases?: CaseCounts;
  /** The output of its tool. */
  readonly log?: string;
  /** Its JUnit report, as XML. */
  readonly report?: string;
}

/** Why a run without a failed case checked nothing; undefined if at least one case passed. */
export function whyNothingChecked({ tests, failures, errors, skipped }: CaseCounts): string | undefined {
  if (tests - failures - errors - skipped > 0) return undefined;
  if (tests === 0) return 'no case ran';
  return skipped === 1 ? 'the only case was skipped' : `all ${skipped} cases were skipped`;
}
