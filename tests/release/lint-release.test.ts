import { expect, test } from 'vitest';
import { fails, type LintReport, passes, type Severity, type Verdict } from '../../src/lint/rule.ts';
import { summed } from '../../src/release/lint-release.ts';

const verdict = (status: Verdict['status'], severity: Severity): Verdict => ({
  ...{ rule: 'a-rule', severity, status },
  findings: status === 'holds' ? [] : [{ rule: 'a-rule', severity, message: `it is ${status}`, where: '/etc/x' }],
});
const report = (...verdicts: readonly Verdict[]): LintReport => ({
  ...{ file: 'a.raw', format: 'raw', target: 'generic', ok: passes(verdicts), verdicts },
});
const all = (['holds', 'broken', 'unchecked'] as const).flatMap((status) =>
  (['error', 'warning'] as const).map((severity) => verdict(status, severity)),
);

test('image lint and release build accept the same verdicts', () => {
  for (const each of all) {
    const one = report(each);
    expect([each.status, each.severity, summed([one]).broken.length === 0]).toEqual([
      each.status,
      each.severity,
      one.ok,
    ]);
    expect(one.ok).toBe(!fails(each));
  }
  expect(all.filter(fails).map(({ status, severity }) => `${status} ${severity}`)).toEqual([
    'broken error',
    'unchecked error',
    'unchecked warning',
  ]);
  expect(summed([report(...all)])).toEqual({
    rules: 6,
    broken: [
      'a-rule (generic, raw): /etc/x: it is broken',
      'a-rule (generic, raw): /etc/x: it is unchecked',
      'a-rule (generic, raw): /etc/x: it is unchecked',
    ],
    warnings: ['a-rule (generic, raw): /etc/x: it is broken'],
  });
});

test('an image without any rule passes neither', () => {
  expect(passes([])).toBe(false);
  for (const reports of [[], [report()]]) expect(summed(reports).broken).toEqual(['not checked: no rule applies']);
});
