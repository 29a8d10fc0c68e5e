import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadAdvisories, parseAdvisory } from '../../src/advisory/load.ts';
import { componentsIn } from '../../src/advisory/state.ts';
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
    .string({ unit: fc.constantFrom('"', '\\', '\n', '\t', '\r', 'a', 'n', 't', 'é', '\x7f', ' ', "'") })
    .filter((one) => /\S/.test(one));
  fc.assert(
    fc.property(text, (description) => {
      expect(
        parseAdvisory('/x/CVE-2026-1234.toml', recordText(header('CVE-2026-1234', { description }), [])).description,
      ).toBe(description);
    }),
    { examples: [['a\nb"""'], ['a\n\\n\\']] },
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

test('writers at once wait for each other', async () => {
  const folder = recordFolder();
  await createRecord(folder, header());
  const names = ['a', 'b', 'c'];
  await Promise.all(
    names.map((component) => appendEvents(folder, 'CVE-2026-1234', [event('detected', { component })])),
  );
  const [record] = await loadAdvisories(folder);
  expect(componentsIn(record!).sort()).toEqual(names);
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

test.each(['[{ type = "triaged", at = "2026-11-02T12:00:00Z", by = "x" }]', '[]'])(
  'an event is not added to an array of inline tables: %s',
  async (inline) => {
    const folder = recordFolder();
    const text = recordText(header(), []).replace('title', `events = ${inline}\ntitle`);
    writeFileSync(join(folder, 'CVE-2026-1234.toml'), text);
    await expect(appendEvents(folder, 'CVE-2026-1234', [event('triaged', {})])).rejects.toMatchObject({
      message: 'events cannot be added at the end of this file',
      hint: expect.stringContaining('[[events]]'),
      exit: 2,
    });
  },
);

test('nothing is dated later than now', async () => {
  const folder = recordFolder();
  const now = Date.parse('2026-11-02T12:00:00Z') / 1000;
  const late = event('triaged', { at: '2026-11-02T12:00:01Z' });
  const refused = { code: 'future-date', exit: 2 };
  await expect(createRecord(folder, header(), [late], { now })).rejects.toMatchObject(refused);
  await expect(
    createRecord(folder, header('CVE-2026-1234', { published: '2026-11-03T00:00:00Z' }), [], { now }),
  ).rejects.toMatchObject(refused);
  expect(readdirSync(folder)).toEqual([]);
  await createRecord(folder, header(), [event('triaged', {})], { now });
  await expect(appendEvents(folder, 'CVE-2026-1234', [late], { now })).rejects.toMatchObject(refused);
  await expect(
    appendEvents(folder, 'CVE-2026-1234', [event('triaged', { at: '2100-01-01T00:00:00Z' })]),
  ).rejects.toMatchObject(refused);
  expect((await loadAdvisories(folder))[0]!.events).toHaveLength(1);
});

test.each([
  ['an alias that is the ID of a record', 'CVE-2026-0002', ['CVE-2026-1234']],
  ['an alias that a record has', 'CVE-2026-0002', ['GHSA-aaaa-bbbb-cccc']],
  ['an ID that is an alias of a record', 'GHSA-aaaa-bbbb-cccc', []],
])('a record with %s is refused', async (_, id, aliases) => {
  const folder = recordFolder();
  const path = await createRecord(folder, header('CVE-2026-1234', { aliases: ['GHSA-aaaa-bbbb-cccc'] }));
  const refused = { code: 'duplicate-record', exit: 2, where: { file: path } };
  await expect(createRecord(folder, header(id, { aliases }))).rejects.toMatchObject(refused);
  const known = await loadAdvisories(folder);
  await expect(createRecord(folder, header(id, { aliases }), [], { known })).rejects.toMatchObject(refused);
  expect(readdirSync(folder)).toEqual(['CVE-2026-1234.toml']);
});

test('an ID with a path is no record', async () => {
  const folder = recordFolder();
  await createRecord(join(folder, 'other'), header());
  await expect(
    appendEvents(join(folder, 'advisories'), '../other/CVE-2026-1234', [event('triaged', {})]),
  ).rejects.toMatchObject({ code: 'no-record', exit: 2 });
});

test('a record that is not a regular file is one clear error', async () => {
  const folder = recordFolder();
  const real = await createRecord(join(folder, 'real'), header());
  const [pipes, links] = [join(folder, 'pipes'), join(folder, 'links')];
  for (const each of [pipes, links]) mkdirSync(each);
  execFileSync('mkfifo', [join(pipes, 'CVE-2026-1234.toml')]);
  symlinkSync(real, join(links, 'CVE-2026-1234.toml'));
  const add = (to: string) => appendEvents(to, 'CVE-2026-1234', [event('triaged', {})]);
  await expect(add(pipes)).rejects.toMatchObject({ code: 'not-a-file', exit: 2 });
  await expect(loadAdvisories(pipes)).rejects.toMatchObject({ exit: 2 });
  await expect(add(links)).rejects.toMatchObject({ code: 'linked-record', exit: 2 });
  await expect(loadAdvisories(links)).rejects.toMatchObject({ code: 'linked-record', exit: 2 });
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const noFolder = { code: 'not-a-folder', exit: 2 };
  await expect(createRecord(file, header())).rejects.toMatchObject(noFolder);
  await expect(loadAdvisories(file)).rejects.toMatchObject(noFolder);
});
