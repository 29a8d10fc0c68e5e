import { describe, expect, it } from 'vitest';
import { countsOf, junitReport } from '../../../src/release/test/junit.ts';

const pytest = `<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="9" time="0.1"><testcase classname="t" name="a > b" time="0"/></testsuite></testsuites>`;

describe('a JUnit report', () => {
  it('states its cases', () => {
    expect(countsOf(pytest)).toEqual({ tests: 9, failures: 2, errors: 1, skipped: 3 });
    expect(countsOf('<testsuite tests="1" failures="0" errors="0" skipped="0"/>')).toMatchObject({ tests: 1 });
    expect(countsOf('<html/>')).toBeUndefined();
  });

  it('of all tests has each under its name, also those that did not run', () => {
    const xml = junitReport([
      { name: 'files', type: 'pytest', state: 'failed', report: pytest },
      { name: 'boots', type: 'pytest', state: 'skipped', reason: 'lacks <systemd> & "x"\u0001' },
      { name: 'plan', type: 'tmt', state: 'not checked', reason: 'no tmt' },
    ]);
    expect(xml).toMatchInlineSnapshot(`
      "<?xml version="1.0" encoding="utf-8"?>
      <testsuites>
      <testsuite name="files" errors="1" failures="2" skipped="3" tests="9" time="0.1"><testcase classname="t" name="a > b" time="0"/></testsuite>
      <testsuite name="boots" tests="1" failures="0" errors="0" skipped="1"><testcase classname="weir" name="boots"><skipped message="lacks &lt;systemd&gt; &amp; &quot;x&quot;"></skipped></testcase></testsuite>
      <testsuite name="plan" tests="1" failures="0" errors="1" skipped="0"><testcase classname="weir" name="plan"><error message="no tmt"></error></testcase></testsuite>
      </testsuites>
      "
    `);
  });

  it('of a run that did not pass is not green, although no case of it failed', () => {
    const report = '<testsuite name="pytest" errors="0" failures="0" skipped="1" tests="1"></testsuite>';
    const outcome = { name: 'files', type: 'pytest', report } as const;
    for (const state of ['failed', 'not checked'] as const) {
      const counts = countsOf(junitReport([{ ...outcome, state, reason: 'why' }]))!;
      expect(counts).toMatchObject({ tests: 2 });
      expect(counts.failures + counts.errors).toBe(1);
    }
    expect(countsOf(junitReport([{ ...outcome, state: 'passed' }]))).toMatchObject({
      tests: 1,
      failures: 0,
      errors: 0,
    });
  });
});
