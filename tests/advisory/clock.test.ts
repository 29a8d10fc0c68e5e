import { expect, test } from 'vitest';
import { clockFigures, clockOf, spanWords } from '../../src/advisory/clock.ts';
import type { AdvisoryEvent } from '../../src/advisory/record.ts';
import { event, header } from './records.ts';

const component = 'bash';
const day = (number: number) => `2026-11-${String(number).padStart(2, '0')}T00:00:00Z`;
const [one, two] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];

const whole: readonly AdvisoryEvent[] = [
  event('detected', { component, at: day(2) }),
  event('triaged', { component, at: day(3) }),
  event('fix-pending', { component, at: day(4) }),
  event('fixed', { component, in: ['bash-5.2-2.src'], at: day(5) }),
  event('published', { component, snapshot: 's', at: day(6) }),
  event('image', { image: 'vm', digest: one, snapshot: 's', at: day(7) }),
  event('image', { image: 'container', digest: two, snapshot: 's', at: day(8) }),
  event('verified', { image: 'vm', digest: one, scanner: 'x 1', at: day(9) }),
];

const days = (events: readonly AdvisoryEvent[]) =>
  clockOf({ ...header(), events }).map(({ seconds }) => seconds && seconds / 86_400);

test('each stage is counted from publication', () => {
  expect(days(whole)).toEqual([0, 2, 3, 4, 5, 7, undefined]);
  const clean = event('verified', { image: 'container', digest: two, scanner: 'x 1', at: day(10) });
  expect(days([...whole, clean])).toEqual([0, 2, 3, 4, 5, 7, 9]);
});

test('a decision counts as triaged, and a stage that was not reached has no time', () => {
  expect(days([event('affected', { component, at: day(4) })])).toEqual([0, 3, ...Array(5).fill(undefined)]);
  expect(days([])).toEqual([0, ...Array(6).fill(undefined)]);
});

test('a stage is reached when all components that need a fix have reached it', () => {
  const other = 'dash';
  const found = event('detected', { component: other, at: day(9) });
  expect(days([...whole, found])).toEqual([0, ...Array(6).fill(undefined)]);
  const decided = [...whole, found, event('affected', { component: other, at: day(10) })];
  expect(days(decided)).toEqual([0, 9, ...Array(5).fill(undefined)]);
  const fixed = [
    ...decided,
    event('fix-pending', { component: other, at: day(11) }),
    event('fixed', { component: other, in: ['dash-1-2.src'], at: day(12) }),
  ];
  // The images of the first fix lack the second.
  expect(days(fixed)).toEqual([0, 9, 10, 11, undefined, undefined, undefined]);
  const live = event('published', { component: other, snapshot: 't', at: day(13) });
  const image = event('image', { image: 'vm', digest: two, snapshot: 't', at: day(14) });
  expect(days([...fixed, live, image])).toEqual([0, 9, 10, 11, 12, 13, undefined]);
});

test.each([
  event('not-affected', { component: 'dash', justification: 'vulnerable_code_not_present', at: day(10) }),
  event('disputed', { component: 'dash', reason: 'no fault', at: day(10) }),
  event('exception', { component: 'dash', owner: 'x', reason: 'y', expires: '2027-01-01', at: day(10) }),
])('no stage waits for a component that is $type', (last) => {
  expect(days([...whole, event('detected', { component: 'dash', at: day(9) }), last])).toEqual(days(whole));
  expect(days([last])).toEqual([0, 9, ...Array(5).fill(undefined)]);
});

test('only what happened since the last fix counts', () => {
  expect(days([...whole, event('affected', { component, at: day(10) })])).toEqual([0, 2, ...Array(5).fill(undefined)]);
  const pending = [...whole, event('fix-pending', { component, at: day(11) })];
  expect(days(pending)).toEqual([0, 2, 10, ...Array(4).fill(undefined)]);
  const fixed = [...pending, event('fixed', { component, in: ['bash-5.2-3.src'], at: day(12) })];
  expect(days(fixed)).toEqual([0, 2, 10, 11, undefined, undefined, undefined]);
  const again = [...whole, event('fixed', { component, in: ['bash-5.2-3.src'], at: day(12) })];
  expect(days(again)).toEqual([0, 2, 3, 11, undefined, undefined, undefined]);
});

test('superseded digests of an image do not count', () => {
  const three = `sha256:${'3'.repeat(64)}`;
  const next = [
    ...whole,
    event('image', { image: 'container', digest: three, snapshot: 't', at: day(10) }),
    event('verified', { image: 'container', digest: two, scanner: 'x 1', at: day(11) }),
  ];
  expect(days(next)).toEqual([0, 2, 3, 4, 5, 9, undefined]);
  const clean = event('verified', { image: 'container', digest: three, scanner: 'x 1', at: day(12) });
  expect(days([...next, clean])).toEqual([0, 2, 3, 4, 5, 9, 11]);
});

test('figures are by severity, with the median and the worst', () => {
  const record = (id: string, at: number, severity: 'low' | 'critical' = 'low') => ({
    ...header(id, { severity }),
    events: [event('triaged', { component, at: day(at) })],
    document: { path: '', text: '' },
  });
  const figures = clockFigures([
    record('CVE-2026-0001', 3),
    record('CVE-2026-0002', 9),
    record('CVE-2026-0003', 4),
    record('CVE-2026-0004', 2, 'critical'),
  ]);
  expect(figures.map(({ severity, records, open, stages: [first] }) => [severity, records, open, first])).toEqual([
    ['critical', 1, 1, { stage: 'triaged', count: 1, median: 86_400, worst: { id: 'CVE-2026-0004', seconds: 86_400 } }],
    [
      'low',
      3,
      3,
      { stage: 'triaged', count: 3, median: 3 * 86_400, worst: { id: 'CVE-2026-0002', seconds: 8 * 86_400 } },
    ],
  ]);
  expect(figures[1]!.stages[5]).toEqual({ stage: 'verified', count: 0 });
});

test.each([
  [0, '0'],
  [59, '59 s'],
  [60, '1 min'],
  [3600, '1 h'],
  [86_400 + 7200, '1 d 2 h'],
  [86_400 + 60, '1 d'],
  [-7260, '-2 h 1 min'],
])('%i seconds are %j', (seconds, words) => expect(spanWords(seconds)).toBe(words));
