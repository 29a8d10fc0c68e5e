import { basename } from 'node:path';
import type { Command } from 'commander';
import { recordsNamed } from '../../advisory/load.ts';
import type { Advisory, AdvisoryEvent } from '../../advisory/record.ts';
import { standings } from '../../advisory/state.ts';
import { shownLine } from '../../base/foreign-text.ts';
import { examples, type GlobalOptions, printResult, table } from '../program.ts';
import { projectFor } from '../workspace.ts';
import { plainRecord } from './plain.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<ids...>', 'CVEs, or other IDs of the same vulnerabilities')
    .addHelpText(
      'after',
      examples(['weir advisory show CVE-2026-1234', 'weir advisory show GHSA-aaaa-bbbb-cccc --json']),
    )
    .action(async (ids: string[]) => {
      const settings = globals();
      const { advisories } = await projectFor(settings);
      const records = await recordsNamed(advisories.path, ids);
      printResult(settings, records.map(plainRecord), () => records.map(recordWords).join('\n\n'));
    });
}

function recordWords(record: Advisory): string {
  const fields = [
    ['severity', record.severity],
    ['cvss', record.cvss],
    ['public', record.published],
    ['aliases', record.aliases?.join(', ')],
    ['file', basename(record.document.path)],
    ...(record.references ?? []).map((url) => ['see', url]),
  ].flatMap(([label, text]) => (text === undefined ? [] : [`${label!.padEnd(10)}${shownLine(text)}`]));
  const states = standings(record).map(({ component, state, event }) => [
    component,
    state,
    event.at,
    shownLine(event.by),
  ]);
  const events = record.events.map((event) => [
    event.at,
    event.type,
    ('component' in event && event.component) || '-',
    eventWords(event),
  ]);
  return [
    `${record.id}  ${shownLine(record.title)}`,
    ...fields,
    ...(record.description === undefined ? [] : ['', ...record.description.split('\n').map(shownLine)]),
    '',
    table(['COMPONENT', 'STATE', 'SINCE', 'BY'], states, 'no component is named'),
    '',
    table(['AT', 'EVENT', 'COMPONENT', 'WHAT'], events, 'no events'),
  ].join('\n');
}

/** What an event says beyond its type, time and component. */
export function eventWords(event: AdvisoryEvent): string {
  const { type: _, at: __, by, note, ...fields } = event;
  const said = Object.entries(fields)
    .filter(([key]) => key !== 'component')
    .map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(', ') : value}`);
  return [...(note === undefined ? [] : [note.replace(/\s+/g, ' ')]), ...said, `by ${by}`].join('; ');
}
