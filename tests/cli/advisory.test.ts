import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folder, weir } from './weir.ts';

const project = (): string =>
  folder({
    'weir.toml': '[components.bash]\nspec = { type = "local", path = "bash.spec" }\n',
    'bash.spec': 'Name: bash\n',
  });

const by = ['--by', 'Jane Doe <jane@example.com>'];
const fields = ['--title', 'bash: stack overflow', '--severity', 'important', '--published', '2026-11-01'];
const record = [
  'advisory',
  'new',
  'CVE-2026-1234',
  ...fields,
  ...by,
  '--at',
  '2026-11-02T00:00:00Z',
  '--component',
  'bash',
];

test('a record is made, decided about, listed, shown and checked', () => {
  const cwd = project();
  const run = (...words: readonly string[]) => weir(words, { cwd });
  expect(run(...record)).toMatchObject({ code: 0, stdout: 'advisories/CVE-2026-1234.toml\n', stderr: '' });
  const decided = [
    'advisory',
    'event',
    'CVE-2026-1234',
    'exception',
    '--component',
    'bash',
    '--at',
    '2026-11-03T00:00:00Z',
  ];
  const why = ['--owner', 'Jane', '--reason', 'no fix yet', '--expires', '2026-11-30'];
  expect(run(...decided, ...why, ...by).code).toBe(0);
  expect(run('advisory', 'list').stdout).toBe(
    'ID             SEVERITY   COMPONENT  STATE      SINCE       TITLE\n' +
      'CVE-2026-1234  important  bash       exception  2026-11-03  bash: stack overflow\n',
  );
  expect(run('advisory', 'list', '--state', 'fixed').stdout).toBe('no records\n');
  expect(run('advisory', 'show', 'cve-2026-1234').stdout).toMatch(
    /exception {2}bash +owner Jane; reason no fix yet; expires 2026-11-30; by Jane Doe/,
  );
  expect(JSON.parse(run('advisory', 'show', 'CVE-2026-1234', '--json').stdout)).toMatchObject([
    {
      id: 'CVE-2026-1234',
      components: [{ component: 'bash', state: 'exception' }],
      events: [{}, { expires: '2026-11-30' }],
    },
  ]);
  expect(run('advisory', 'check', '--at', '2026-11-30')).toMatchObject({ code: 0, stdout: '1 record, 0 problems\n' });
  const late = run('advisory', 'check', '--at', '2026-12-01');
  expect(late.code).toBe(1);
  expect(late.stderr).toMatch(
    /CVE-2026-1234\.toml:19:\d+, component bash: the exception of bash for CVE-2026-1234 ended on 2026-11-30/,
  );
  expect(JSON.parse(run('advisory', 'check', '--at', '2026-12-01', '--json').stdout)).toMatchObject({
    problems: [{ code: 'exception-expired' }],
  });
});

test('what does not fit is one error, and changes nothing', () => {
  const cwd = project();
  const run = (...words: readonly string[]) => weir(words, { cwd });
  run(...record);
  const file = join(cwd, 'advisories/CVE-2026-1234.toml');
  const before = readFileSync(file, 'utf8');
  const event = (...words: readonly string[]) => run('advisory', 'event', 'CVE-2026-1234', ...words, ...by);
  expect(event('exception', '--component', 'bash', '--owner', 'x', '--reason', 'y').stderr).toMatch(
    /^error: .*CVE-2026-1234\.toml: "expires" is missing$/m,
  );
  expect(event('not-affected', '--component', 'bash', '--justification', 'too_hard').code).toBe(2);
  expect(event('triaged', '--at', '2026-11-01').stderr).toMatch(/is before that of the previous event/);
  expect(run(...record).stderr).toMatch(/a record of CVE-2026-1234 already exists/);
  expect(run('advisory', 'show', 'CVE-2026-1243').stderr).toMatch(/did you mean CVE-2026-1234/);
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect(readdirSync(join(cwd, 'advisories'))).toEqual(['CVE-2026-1234.toml']);
});

test('a day alone is never in the future, and no event is', () => {
  const cwd = project();
  const run = (...words: readonly string[]) => weir(words, { cwd });
  const day = (after: number) => new Date(Date.now() + after * 86_400_000).toISOString().slice(0, 10);
  expect(run('advisory', 'new', 'CVE-2026-1234', ...fields, ...by, '--component', 'bash', '--at', day(0)).code).toBe(0);
  const event = (...words: readonly string[]) => run('advisory', 'event', 'CVE-2026-1234', 'triaged', ...words, ...by);
  expect(event('--at', day(0)).code).toBe(0);
  expect(event('--at', day(2)).stderr).toMatch(/is in the future/);
  expect(run('advisory', 'check')).toMatchObject({ code: 0, stdout: '1 record, 0 problems\n' });
});

test('an event is added by an alias or in lower case, and never outside of the folder', () => {
  const cwd = project();
  const run = (...words: readonly string[]) => weir([...words, ...by, '--at', '2026-11-03'], { cwd });
  run('advisory', 'new', 'CVE-2026-1234', ...fields, '--alias', 'GHSA-aaaa-bbbb-cccc');
  for (const id of ['cve-2026-1234', 'GHSA-aaaa-bbbb-cccc']) {
    expect(run('advisory', 'event', id, 'triaged')).toMatchObject({ code: 0, stdout: 'CVE-2026-1234: triaged\n' });
  }
  expect(run('advisory', 'event', '../advisories/CVE-2026-1234', 'triaged')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/there is no record of \.\.\/advisories/),
  });
  expect(run('advisory', 'new', 'CVE-2026-0002', ...fields, '--alias', 'GHSA-aaaa-bbbb-cccc').stderr).toMatch(
    /CVE-2026-1234\.toml: CVE-2026-1234 already names GHSA-aaaa-bbbb-cccc/,
  );
});

test.each([
  [['advisory', 'event', 'CVE-2026-1234', 'affected', '--first', '']],
  [['advisory', 'event', 'CVE-2026-1234', 'triaged', '--note', '']],
  [['advisory', 'export', '--trivy-db', '']],
])('an empty value is an error: %j', (words) => {
  const cwd = project();
  weir(record, { cwd });
  expect(weir(words, { cwd })).toMatchObject({ code: 2, stderr: expect.stringContaining('but is empty') });
});

test('CVEs are completed beside the verbs', () => {
  const cwd = project();
  weir(record, { cwd });
  const words = (begun: string) =>
    weir(['completion', 'candidates', '--', 'cve', begun], { cwd }).stdout.replace(/\t.*/g, '');
  expect(words('CVE')).toBe('CVE-2026-1234\n');
  expect(words('cl')).toBe('clock\n');
});

test('records are completed by ID', () => {
  const cwd = project();
  weir(record, { cwd });
  expect(weir(['completion', 'candidates', '--', 'advisory', 'show', 'CVE'], { cwd }).stdout).toBe(
    'CVE-2026-1234\tbash: stack overflow\n',
  );
  writeFileSync(join(cwd, 'advisories/CVE-2026-1234.toml'), 'x');
  expect(weir(['completion', 'candidates', '--', 'advisory', 'show', 'CVE'], { cwd })).toMatchObject({
    code: 0,
    stdout: '',
  });
});

test('the schema of records is printed', () => {
  expect(JSON.parse(weir(['schema', '--advisory']).stdout)).toMatchObject({
    title: 'Weir advisory record',
    required: expect.arrayContaining(['id']),
  });
});
