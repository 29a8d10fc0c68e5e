import { expect, test } from 'vitest';
import type { AdvisoryEvent } from '../../src/advisory/record.ts';
import { momentOf } from '../../src/advisory/record.ts';
import { type Statement, statementsOf } from '../../src/advisory/statements.ts';
import { nevra } from '../../src/repo/metadata.ts';
import { formatEvr } from '../../src/rpm/version.ts';
import { event } from './records.ts';
import { pkg, record, snapshot } from './snapshot.ts';

const sourceRpm = 'bash-5.2-3.src.rpm';
const shell = snapshot({
  sdk: [pkg('bash-devel-5.2-3.x86_64', { origin: 'bash', sourceRpm }), pkg('bash-5.2-3.src')],
  base: [
    pkg('glibc-2.42-1.x86_64', { origin: 'seed' }),
    pkg('glibc-common-2.42-1.x86_64', { origin: 'seed', sourceRpm: 'glibc-2.42-1.src.rpm' }),
    pkg('bash-5.2-3.x86_64'),
  ],
});

const about = (events: readonly AdvisoryEvent[]): readonly Statement[] =>
  statementsOf([record('CVE-2026-0001', events)], shell);

const affected = event('affected', { component: 'bash' });
const fixed = event('fixed', {
  component: 'bash',
  in: ['bash-5.2-2.x86_64', 'bash-devel-5.2-3.x86_64', 'bash-5.2-2.src'],
  at: '2026-11-03T01:00:00+01:00',
});

/** What a statement says, in one line each. */
const said = (statements: readonly Statement[]): string[] =>
  statements.map(
    ({ record: { id }, component, status, packages }) =>
      `${id} ${component} ${status}: ${packages
        .map(
          ({ channel, pkg: one, fixedIn }) =>
            `${channel}/${nevra(one)}${fixedIn === undefined ? '' : ` since ${formatEvr(fixedIn)}`}`,
        )
        .join(', ')}`,
  );

test('a fix names every package of the component, and the first version of each that has it', () => {
  const statements = about([event('detected', { component: 'bash' }), affected, fixed]);
  expect(said(statements)).toEqual([
    'CVE-2026-0001 bash fixed: base/bash-5.2-3.x86_64 since 5.2-2, sdk/bash-5.2-3.src since 5.2-2, sdk/bash-devel-5.2-3.x86_64 since 5.2-3',
  ]);
  expect(statements[0]).toMatchObject({
    issued: momentOf('2026-11-03T00:00:00Z'),
    first: momentOf('2026-11-02T12:00:00Z'),
    updated: momentOf('2026-11-03T00:00:00Z'),
  });
});

test('events that only record progress change no statement', () => {
  const later = { at: '2026-11-09T12:00:00Z', snapshot: '20261109-01234567' };
  const more = [
    event('published', { ...later, component: 'bash' }),
    event('image', { ...later, image: 'vm-base', digest: `sha256:${'0'.repeat(64)}` }),
  ];
  const withoutRecord = (statements: readonly Statement[]) => statements.map(({ record: _, ...rest }) => rest);
  expect(withoutRecord(about([affected, fixed, ...more]))).toEqual(withoutRecord(about([affected, fixed])));
});

test('packages that no component builds go by their source package', () => {
  const statements = about([event('triaged', {}), event('detected', { component: 'glibc' })]);
  expect(said(statements)).toEqual([
    'CVE-2026-0001 glibc under-investigation: base/glibc-2.42-1.x86_64, base/glibc-common-2.42-1.x86_64',
  ]);
});

test.each([
  ['there is no fix', affected, 'There is no fix yet.'],
  ['there is advice', event('affected', { component: 'bash', action: 'Turn it off.' }), 'Turn it off.'],
  ['a fix is on its way', event('fix-pending', { component: 'bash' }), /^A fix is being made/],
  [
    'there is an exception',
    event('exception', { component: 'bash', owner: 'Jane', reason: 'nobody can reach it', expires: '2027-01-31' }),
    'Not fixed until 2027-01-31: nobody can reach it',
  ],
])('affected users are told what to do if %s', (_, last, action) => {
  const [statement, ...others] = about([last]);
  expect(others).toEqual([]);
  expect(statement).toMatchObject({ status: 'affected', action: expect.stringMatching(action) });
});

test('not affected is always justified, by the record or by the range of versions', () => {
  const justification = 'vulnerable_code_not_in_execute_path';
  expect(about([event('not-affected', { component: 'bash', justification, note: 'no such option' })])[0]).toMatchObject(
    { status: 'not-affected', justification, reason: 'no such option' },
  );
  expect(about([event('affected', { component: 'bash', last: '5.1-9' })])[0]).toMatchObject({
    status: 'not-affected',
    justification: 'vulnerable_code_not_present',
  });
});

test('packages of one component can differ in status', () => {
  const mixed = snapshot({ base: [pkg('a-1-1.noarch'), pkg('a-libs-7-1.noarch', { origin: 'a' })] });
  const statements = statementsOf([record('CVE-2026-0001', [event('affected', { component: 'a', last: '2' })])], mixed);
  expect(said(statements)).toEqual([
    'CVE-2026-0001 a affected: base/a-1-1.noarch',
    'CVE-2026-0001 a not-affected: base/a-libs-7-1.noarch',
  ]);
  expect(statements[0]?.range).toEqual({ last: '2' });
});

test('statements are in order, whatever the order of the records', () => {
  const ids = ['CVE-2026-10000', 'CVE-2026-9999'].map((id) => record(id, [affected]));
  expect(statementsOf(ids, shell).map((one) => one.record.id)).toEqual(['CVE-2026-9999', 'CVE-2026-10000']);
});

test('a fix that the repository does not have is an error at its event, all at once', () => {
  const early = event('fixed', { component: 'bash', in: ['bash-5.2-4.x86_64', 'bash-5.2-4.src'] });
  const records = ['CVE-2026-0001', 'CVE-2026-0002'].map((id) => record(id, [affected, early]));
  expect(() => statementsOf(records, shell)).toThrow(
    expect.objectContaining({
      code: 'advisory-ahead',
      message:
        'the record says that CVE-2026-0001 is fixed in bash, but the repository has the older bash-5.2-3.x86_64, bash-5.2-3.src, bash-devel-5.2-3.x86_64',
      where: { file: '/advisories/CVE-2026-0001.toml', line: 17, column: 1, component: 'bash' },
      others: [expect.objectContaining({ where: expect.objectContaining({ file: '/advisories/CVE-2026-0002.toml' }) })],
    }),
  );
});

test('found affected again, an older version is no error', () => {
  const early = event('fixed', { component: 'bash', in: ['bash-5.2-4.x86_64'] });
  expect(said(about([affected, early, affected]))[0]).toMatch(/^CVE-2026-0001 bash affected: /);
});

test('a component without packages is an error at the event that names it, unless it is recorded as gone', () => {
  const wrong = event('detected', { component: 'bsh' });
  expect(() => about([affected, wrong])).toThrow(
    expect.objectContaining({
      code: 'advisory-without-package',
      where: expect.objectContaining({ line: 16 }),
      hint: expect.stringMatching(/^did you mean bash\?/),
    }),
  );
  const gone = event('not-affected', { component: 'bsh', justification: 'component_not_present' });
  expect(said(about([affected, wrong, gone]))).toHaveLength(1);
});
