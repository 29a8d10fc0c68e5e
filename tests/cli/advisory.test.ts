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
