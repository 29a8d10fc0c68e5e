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
