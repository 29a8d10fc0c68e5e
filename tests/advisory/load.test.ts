import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadAdvisories } from '../../src/advisory/load.ts';
import type { AdvisoryEvent } from '../../src/advisory/record.ts';
import { recordText } from '../../src/advisory/write.ts';
import { event, header, recordFolder } from './records.ts';

test('a project without the folder has no records', async () => {
  expect(await loadAdvisories('/no/such/folder')).toEqual([]);
});

test('records are sorted by the numbers of their IDs', async () => {
  const folder = recordFolder();
  for (const id of ['CVE-2026-10000', 'CVE-2026-9999', 'CVE-2025-20000'])
    writeFileSync(join(folder, `${id}.toml`), recordText(header(id), []));
  expect((await loadAdvisories(folder)).map(({ id }) => id)).toEqual([
    'CVE-2025-20000',
    'CVE-2026-9999',
    'CVE-2026-10000',
  ]);
});

const detected = event('detected', { component: 'bash' });
const broken = (type: string, fields: object): AdvisoryEvent => ({ ...detected, type, ...fields }) as AdvisoryEvent;

test.each([
  ['another name', recordText(header('CVE-2026-0002'), []), 'record-name', /in a file of another name/, 1],
  ['a CVE ID with three digits', recordText({ ...header(), id: 'CVE-2026-999' }, []), 'invalid-value', /id/, 1],
  ['an unknown key', `${recordText(header(), [])}sevrity = "low"\n`, 'unknown-key', /sevrity/, 5],
  ['an unknown severity', recordText({ ...header(), severity: 'high' as 'low' }, []), 'invalid-value', /severity/, 3],
  [
    'a day that does not exist',
    recordText({ ...header(), published: '2026-02-30T00:00:00Z' }, []),
    'invalid-value',
    /no such moment/,
    4,
  ],
  ['an unknown kind of event', recordText(header(), [broken('fixt', {})]), 'invalid-value', /type/, 7],
  [
    'another justification',
    recordText(header(), [broken('not-affected', { justification: 'too_hard' })]),
    'invalid-value',
    /justification/,
    11,
  ],
  [
    'a fix without packages',
    recordText(header(), [broken('fixed', { in: ['bash'] })]),
    'invalid-value',
    /name-\[epoch:\]version/,
    11,
  ],
  [
    'an exception without an owner',
    recordText(header(), [broken('exception', { reason: 'x', expires: '2027-01-01' })]),
    'missing-key',
    /owner/,
    6,
  ],
  [
    'a key of another event',
    recordText(header(), [broken('triaged', { expires: '2027-01-01' })]),
    'unknown-key',
    /expires/,
    11,
  ],
])('%s is an error with its line', async (_, text, code, message, line) => {
  const folder = recordFolder();
  writeFileSync(join(folder, 'CVE-2026-1234.toml'), text);
  const error = await loadAdvisories(folder).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code, exit: 2, message: expect.stringMatching(message), where: { line } });
});

test('two records of one vulnerability are an error, by ID or alias', async () => {
  const folder = recordFolder();
  writeFileSync(
    join(folder, 'CVE-2026-0001.toml'),
    recordText(header('CVE-2026-0001', { aliases: ['GHSA-aaaa-bbbb-cccc'] }), []),
  );
  writeFileSync(
    join(folder, 'CVE-2026-0002.toml'),
    recordText(header('CVE-2026-0002', { aliases: ['GHSA-aaaa-bbbb-cccc'] }), []),
  );
  await expect(loadAdvisories(folder)).rejects.toMatchObject({ code: 'duplicate-record', where: { line: 5 } });
});

test('all bad records are reported at once', async () => {
  const folder = recordFolder();
  for (const id of ['CVE-2026-0001', 'CVE-2026-0002']) writeFileSync(join(folder, `${id}.toml`), 'x = 1\n');
  const error = (await loadAdvisories(folder).catch((reason: unknown) => reason)) as {
    others: { where: { file: string } }[];
  };
  expect(error.others.some(({ where }) => where.file.endsWith('CVE-2026-0002.toml'))).toBe(true);
});
