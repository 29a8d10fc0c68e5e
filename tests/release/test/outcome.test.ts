import { describe, expect, it } from 'vitest';
import { judgedRun } from '../../../src/release/test/pytest.ts';

const counts = { tests: 0, failures: 0, errors: 0, skipped: 0 };

describe('a run of pytest', () => {
  it.each([
    ['with a passed case', 0, { ...counts, tests: 2, skipped: 1 }, 'passed', undefined],
    ['whose cases were all skipped', 0, { ...counts, tests: 2, skipped: 2 }, 'not checked', 'all 2 cases were skipped'],
    ['whose only case was skipped', 0, { ...counts, tests: 1, skipped: 1 }, 'not checked', 'the only case was skipped'],
    ['that only collected', 0, counts, 'not checked', 'no case ran'],
    ['with a failed case', 1, { ...counts, tests: 3, failures: 1 }, 'failed', '1 of 3 cases failed'],
    ['with a case that failed twice', 1, { ...counts, tests: 1, failures: 1, errors: 1 }, 'failed', '1 of 1 cases'],
    ['that failed beside its cases', 1, { ...counts, tests: 1 }, 'failed', 'although no case failed'],
    ['without a report', 0, undefined, 'not checked', 'exit code 0'],
    ['without tests', 5, counts, 'not checked', 'found no tests'],
  ] as const)('%s', (_what, code, cases, state, reason) => {
    const judged = judgedRun(code, cases);
    expect(judged.state).toBe(state);
    if (reason !== undefined) expect(judged.reason).toContain(reason);
  });
});
