import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadAdvisories, parseAdvisory } from '../../src/advisory/load.ts';
import { appendEvents, createRecord, recordText } from '../../src/advisory/write.ts';
import { event, header, recordFolder } from './records.ts';

test('a new record has its fields and events, and reads back', async () => {
  const folder = join(recordFolder(), 'advisories');
  const events = [event('detected', { component: 'bash', why: 'its name' }), event('affected', { component: 'bash' })];
  const path = await createRecord(folder, header('CVE-2026-1234', { description: 'Two\nlines of "text".' }), events);
  const [record] = await loadAdvisories(folder);
  expect(record).toMatchObject({ ...header(), description: 'Two\nlines of "text".', events });
  expect(readFileSync(path, 'utf8')).toMatchInlineSnapshot(`
    "id = "CVE-2026-1234"
    title = "a fault in CVE-2026-1234"
    severity = "important"
    published = "2026-11-01T00:00:00Z"
    description = """
    Two
    lines of "text"."""

    [[events]]
    type = "detected"
    at = "2026-11-02T12:00:00Z"
    by = "Jane Doe <jane@example.com>"
    component = "bash"
    why = "its name"

    [[events]]
    type = "affected"
    at = "2026-11-02T12:00:00Z"
    by = "Jane Doe <jane@example.com>"
    component = "bash"
    "
  `);
  await expect(createRecord(folder, header())).rejects.toMatchObject({ code: 'record-exists', exit: 2 });
});

test('any text of a record reads back', () => {
  const text = fc
    .string({ unit: fc.constantFrom('"', '\\', '\n', '\t', '\r', 'a', 'é', '\x7f', ' ', "'") })
    .filter((one) => /\S/.test(one));
  fc.assert(
    fc.property(text, (description) => {
      expect(
        parseAdvisory('/x/CVE-2026-1234.toml', recordText(header('CVE-2026-1234', { description }), [])).description,
      ).toBe(description);
    }),
  );
});

test('events are added at the end, and all before stays byte for byte', async () => {
  const folder = recordFolder();
  const before = `# by hand\n${recordText(header(), [event('detected', { component: 'bash' })]).trimEnd()} # no line break`;
  writeFileSync(join(folder, 'CVE-2026-1234.toml'), before);
  const added = event('triaged', { component: 'bash', at: '2026-11-03T00:00:00Z' });
  expect((await appendEvents(folder, 'CVE-2026-1234', [added])).events).toHaveLength(2);
  const after = readFileSync(join(folder, 'CVE-2026-1234.toml'), 'utf8');
  expect(after.startsWith(`${before}\n`)).toBe(true);
  expect(parseAdvisory('/x/CVE-2026-1234.toml', after).events.at(-1)).toEqual(added);
  expect(readdirSync(folder)).toEqual(['CVE-2026-1234.toml']);
});

test('two writers at once both add theirs, or one is told to wait', async () => {
  const folder = recordFolder();
  await createRecord(folder, header());
  const adding = ['a', 'b', 'c'].map((component) =>
    appendEvents(folder, 'CVE-2026-1234', [event('detected', { component })]),
  );
  const results = await Promise.allSettled(adding);
  const [record] = await loadAdvisories(folder);
  expect(record!.events).toHaveLength(results.filter(({ status }) => status === 'fulfilled').length);
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'locked' });
});

test('an event before the last one is refused, and nothing is written', async () => {
  const folder = recordFolder();
  const path = await createRecord(folder, header(), [event('detected', { component: 'bash' })]);
  const before = readFileSync(path, 'utf8');
  const early = event('triaged', { component: 'bash', at: '2026-11-01T00:00:00Z' });
  await expect(appendEvents(folder, 'CVE-2026-1234', [early])).rejects.toMatchObject({ code: 'event-order' });
  await expect(appendEvents(folder, 'CVE-2026-0001', [early])).rejects.toMatchObject({ code: 'no-record' });
  expect(readFileSync(path, 'utf8')).toBe(before);
});

test('events that cannot be tables at the end are refused', async () => {
  const folder = recordFolder();
  const path = join(folder, 'CVE-2026-1234.toml');
  const inline = 'events = [{ type = "triaged", at = "2026-11-02T12:00:00Z", by = "x" }]';
  writeFileSync(path, recordText(header(), []).replace('title', `${inline}\ntitle`));
  await expect(appendEvents(folder, 'CVE-2026-1234', [event('triaged', {})])).rejects.toMatchObject({ exit: 2 });
  mkdirSync(join(folder, 'x'));
});
