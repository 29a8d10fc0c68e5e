import { type Command, Option } from 'commander';
import { loadAdvisories } from '../../advisory/load.ts';
import type { Advisory, Severity } from '../../advisory/record.ts';
import { severities } from '../../advisory/schema.ts';
import { type ComponentState, componentStates, type Standing, standings } from '../../advisory/state.ts';
import { examples, type GlobalOptions, gather, printResult, table } from '../program.ts';
import { projectFor } from '../workspace.ts';
import { plainRecord } from './plain.ts';

interface ListOptions {
  readonly state?: ComponentState;
  readonly severity?: Severity;
  readonly component?: readonly string[];
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .addOption(new Option('--state <state>', 'records in which a component is in this state').choices(componentStates))
    .addOption(new Option('--severity <severity>', 'records of this severity').choices(severities))
    .option('--component <name>', 'records of this component (may be repeated)', gather)
    .addHelpText(
      'after',
      examples([
        'weir advisory list',
        'weir advisory list --state exception',
        "weir advisory list --severity critical --json | jq -r '.[].id'",
      ]),
    )
    .action(async (options: ListOptions) => {
      const settings = globals();
      const { advisories } = await projectFor(settings);
      const rows = (await loadAdvisories(advisories.path)).flatMap((record) => chosen(record, options));
      const records = [...new Set(rows.map(({ record }) => record))];
      printResult(settings, records.map(plainRecord), () =>
        table(['ID', 'SEVERITY', 'COMPONENT', 'STATE', 'SINCE', 'TITLE'], rows.map(cells), 'no records'),
      );
    });
}

interface Row {
  readonly record: Advisory;
  readonly standing?: Standing;
}

function chosen(record: Advisory, { state, severity, component }: ListOptions): Row[] {
  if (severity !== undefined && record.severity !== severity) return [];
  const all = standings(record);
  const wanted = all.filter(
    (one) => (state === undefined || one.state === state) && (component?.includes(one.component) ?? true),
  );
  // A record that names no component yet is listed, unless a state or a component is requested.
  if (all.length === 0 && state === undefined && component === undefined) return [{ record }];
  return wanted.map((standing) => ({ record, standing }));
}

function cells({ record, standing }: Row): string[] {
  const { component = '-', state = '-', event } = standing ?? {};
  return [record.id, record.severity, component, state, event?.at.slice(0, 10) ?? '-', record.title];
}
