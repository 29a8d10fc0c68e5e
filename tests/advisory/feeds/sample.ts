import type { Feeds } from '../../../src/advisory/feeds/agree.ts';
import type { FeedContext } from '../../../src/advisory/feeds/context.ts';
import { readCsaf, readOpenvex, readOsv, readOval, readUpdateinfo } from '../../../src/advisory/feeds/read.ts';
import { type FeedFiles, feedFiles } from '../../../src/advisory/feeds/write.ts';
import { statementsOf } from '../../../src/advisory/statements.ts';
import { event } from '../records.ts';
import { pkg, record, snapshot } from '../snapshot.ts';

export const context: FeedContext = {
  distribution: { id: 'testlinux', name: 'Test Linux', version: '4.0' },
  publisher: { name: 'Test & Co', namespace: 'https://test.example', contact: 'security@test.example' },
  snapshotUrl: 'https://repo.test.example/4.0/latest',
  clock: Date.UTC(2026, 10, 20) / 1000,
};

const of = (name: string, more: string, origin = name): { origin: string; sourceRpm: string } => ({
  origin,
  sourceRpm: `${name}-${more}.src.rpm`,
});

export const sampleSnapshot = snapshot({
  base: [
    pkg('bash-5.2-3.x86_64'),
    pkg('glibc-2.42-1.x86_64', of('glibc', '2.42-1', 'seed')),
    pkg('glibc-common-2.42-1.x86_64', of('glibc', '2.42-1', 'seed')),
    pkg('kernel-core-1:6.18-4.x86_64', of('kernel', '6.18-4')),
    pkg('libstdc++-15~rc1^git1-2.x86_64', of('gcc', '15~rc1^git1-2')),
    pkg('less-668-1.noarch'),
  ],
  sdk: [
    pkg('bash-5.2-3.src'),
    pkg('bash-devel-5.2-3.x86_64', of('bash', '5.2-3')),
    pkg('kernel-1:6.18-4.src'),
    pkg('python-0-1.noarch', of('less', '668-1')),
  ],
});

const bash = { component: 'bash' };
const kernel = { component: 'kernel' };
const later = (day: number): string => `2026-11-${String(day).padStart(2, '0')}T08:00:00Z`;

/** Records with every state, with awkward texts, packages older than the snapshot's, an epoch, and a mix of two components. */
export const sampleRecords = [
  record(
    'CVE-2026-1001',
    [
      event('detected', { ...bash, feed: 'https://nvd.example/feed' }),
      event('affected', bash),
      event('fixed', { ...bash, in: ['bash-5.2-2.x86_64', 'bash-devel-5.2-3.x86_64', 'bash-5.2-2.src'], at: later(3) }),
      event('published', { ...bash, snapshot: '20261103-01234567', at: later(4) }),
    ],
    {
      title: 'bash: "stack" overflow in <read> & \u{1F40D}',
      description: 'First line.\nSecond <line> & ]]> \u0001 more.',
      aliases: ['GHSA-aaaa-bbbb-cccc'],
      references: ['https://example.com/a?b=1&c=2'],
      cwe: ['CWE-787'],
      cvss: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
      severity: 'critical',
    },
  ),
  record('CVE-2026-1002', [
    event('affected', { ...kernel, action: 'Do not load the module.' }),
    event('fix-pending', { ...kernel, at: later(5) }),
    event('not-affected', { component: 'glibc', justification: 'inline_mitigations_already_exist', at: later(6) }),
  ]),
  record('CVE-2026-1003', [
    event('fixed', { ...kernel, in: ['kernel-core-1:6.18-4.x86_64', 'kernel-1:6.18-4.src'], at: later(7) }),
    event('exception', { ...bash, owner: 'Jane', reason: 'not reachable', expires: '2027-01-31', at: later(8) }),
  ]),
  record('CVE-2025-20000', [event('detected', { component: 'gcc' })], { severity: 'none' }),
  record('CVE-2026-1004', [event('affected', { component: 'gcc', last: '14' })], { severity: 'low' }),
  record('CVE-2026-1005', [event('affected', { component: 'less', last: '500' })], { severity: 'moderate' }),
  record('GHSA-dddd-eeee-ffff', [
    event('affected', { component: 'gcc', first: '15~rc1' }),
    event('disputed', { component: 'gcc', reason: 'works as meant', at: later(9) }),
  ]),
  record('GHSA-dddd-eeee-0000', [
    event('fixed', { component: 'gcc', in: ['libstdc++-15~rc1^git1-2.x86_64'], at: '2027-01-01T00:00:00Z' }),
  ]),
];

export function sampleFeeds(): FeedFiles {
  const channels = sampleSnapshot.channels.map(({ name }) => name);
  return feedFiles(context, statementsOf(sampleRecords, sampleSnapshot), channels, 'A'.repeat(40));
}

/** Text of one file, which must be there. */
export function textOf({ files }: FeedFiles, path: string): string {
  const text = files.get(`advisories/${path}`);
  if (text === undefined) throw new Error(`no ${path}: ${[...files.keys()].join(', ')}`);
  return text;
}

export function jsonOf(feeds: FeedFiles, path: string): Record<string, unknown> {
  return JSON.parse(textOf(feeds, path)) as Record<string, unknown>;
}

export function readBack({ files, updateinfo }: FeedFiles): Feeds {
  const named = (pattern: RegExp): [string, string][] => [...files].filter(([path]) => pattern.test(path));
  return {
    csaf: named(/\/csaf\/\d+\/.*\.json$/).flatMap(([path, text]) => readCsaf(path, text)),
    openvex: named(/openvex\.json$/).flatMap(([path, text]) => readOpenvex(path, text)),
    osv: named(/\/osv\//).flatMap(([path, text]) => readOsv(path, text)),
    oval: named(/oval\.xml$/).flatMap(([path, text]) => readOval(path, text)),
    updateinfo: [...updateinfo].flatMap(([channel, text]) => readUpdateinfo(channel, text)),
  };
}
