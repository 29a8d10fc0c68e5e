import { describe, expect, test } from 'vitest';
import type { Advisory, AdvisoryEvent } from '../../../src/advisory/record.ts';
import { advisoryChanges } from '../../../src/release/diff/fixed-advisories.ts';
import { event, header } from '../../advisory/records.ts';

const releaseOf = (...nevras: string[]) => ({
  channels: [{ name: 'base', packages: nevras.map((nevra) => ({ nevra, sha256: 'ab', origin: 'bash' })) }],
});
const recordOf = (id: string, events: readonly AdvisoryEvent[], more = {}): Advisory => ({
  ...header(id, more),
  events,
  document: { path: `${id}.toml`, text: '' },
});
const fixed = (component: string, ...nevras: string[]): AdvisoryEvent => event('fixed', { component, in: nevras });
const bash = recordOf('CVE-2026-1234', [
  event('affected', { component: 'bash' }),
  fixed('bash', 'bash-5.3-5.x86_64', 'bash-doc-5.3-5.noarch', 'bash-5.3-5.src'),
]);
const ids = (list: readonly { readonly id: string }[]): string[] => list.map(({ id }) => id);

describe('between two releases', () => {
  test.each([
    ['the build with the fix', 'bash-5.3-5.x86_64'],
    ['a later one, which the record does not name', 'bash-5.3-10.x86_64'],
    ['another epoch', 'bash-1:5.2-1.x86_64'],
  ])('a vulnerability is fixed by %s', (_what, after) => {
    const { fixed, returned } = advisoryChanges([bash], releaseOf('bash-5.3-4.x86_64'), releaseOf(after));
    expect(fixed).toEqual([
      {
        id: 'CVE-2026-1234',
        component: 'bash',
        severity: 'important',
        title: 'a fault in CVE-2026-1234',
        packages: [after],
      },
    ]);
    expect(returned).toEqual([]);
  });

  test('all packages that changed are named, and no others', () => {
    const before = releaseOf('bash-5.3-4.x86_64', 'bash-doc-5.3-5.noarch', 'bash-5.3-4.src', 'zsh-1-1.x86_64');
    const after = releaseOf('bash-5.3-5.x86_64', 'bash-doc-5.3-5.noarch', 'bash-5.3-5.src', 'zsh-2-1.x86_64');
    expect(advisoryChanges([bash], before, after).fixed[0]?.packages).toEqual(['bash-5.3-5.src', 'bash-5.3-5.x86_64']);
  });

  test.each([
    ['was there before', ['bash-5.3-5.x86_64'], ['bash-5.3-6.x86_64']],
    ['is not there yet', ['bash-5.3-3.x86_64'], ['bash-5.3-4.x86_64']],
    ['came with a package that is new', [], ['bash-5.3-5.x86_64']],
    ['went with a package that is gone', ['bash-5.3-4.x86_64'], []],
    ['is for another package', ['zsh-1-1.x86_64'], ['zsh-9-1.x86_64']],
    ['is beside an older build that is kept', ['bash-5.3-4.x86_64', 'bash-5.3-5.x86_64'], ['bash-5.3-5.x86_64']],
  ])('a fix that %s changes nothing', (_what, before, after) => {
    expect(advisoryChanges([bash], releaseOf(...before), releaseOf(...after))).toEqual({ fixed: [], returned: [] });
  });

  test('a version below the affected range had nothing to fix', () => {
    const record = recordOf('CVE-2026-0001', [
      event('affected', { component: 'bash', first: '5.3' }),
      fixed('bash', 'bash-5.3-5.x86_64'),
    ]);
    const changes = (before: string) =>
      ids(advisoryChanges([record], releaseOf(before), releaseOf('bash-5.3-5.x86_64')).fixed);
    expect(changes('bash-5.2-9.x86_64')).toEqual([]);
    expect(changes('bash-5.3-1.x86_64')).toEqual(['CVE-2026-0001']);
  });

  test('a not-affected decision counts', () => {
    const justification = 'vulnerable_code_not_present';
    const record = {
      ...bash,
      events: [...bash.events, event('not-affected', { component: 'bash', justification, note: 'x' })],
    };
    const [before, after] = [releaseOf('bash-5.3-4.x86_64'), releaseOf('bash-5.3-5.x86_64')];
    expect(advisoryChanges([record], before, after)).toEqual({ fixed: [], returned: [] });
  });

  test('an older package makes it vulnerable again', () => {
    const { fixed, returned } = advisoryChanges([bash], releaseOf('bash-5.3-5.x86_64'), releaseOf('bash-5.3-4.x86_64'));
    expect(fixed).toEqual([]);
    expect(returned).toMatchObject([{ id: 'CVE-2026-1234', packages: ['bash-5.3-4.x86_64'] }]);
  });

  test('the worst comes first, then the oldest number', () => {
    const of = (id: string, severity: string) => recordOf(id, bash.events, { severity });
    const records = [of('CVE-2026-10000', 'low'), of('CVE-2026-9999', 'low'), of('CVE-2026-2000', 'critical')];
    const { fixed } = advisoryChanges(records, releaseOf('bash-5.3-4.x86_64'), releaseOf('bash-5.3-5.x86_64'));
    expect(ids(fixed)).toEqual(['CVE-2026-2000', 'CVE-2026-9999', 'CVE-2026-10000']);
  });
});
