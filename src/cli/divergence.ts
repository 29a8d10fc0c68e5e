import { type Command, Option } from 'commander';
import {
  ageBand,
  ageWords,
  byComponent,
  type Divergence,
  type DivergenceLedger,
  divergenceKinds,
  ledgerMarkdown,
  parseConditions,
} from '../audit/divergence.ts';
import { compareText } from '../base/order.ts';
import { plural } from '../base/plural.ts';
import { isEmptySelection, selectComponents } from '../project/select.ts';
import { divergenceReport } from '../release/divergence.ts';
import { examples, type GlobalOptions, printResult, table } from './program.ts';
import { addSelection, type SelectionOptions, selectionOf } from './selection.ts';
import { projectFor } from './workspace.ts';

interface Options extends SelectionOptions {
  readonly by: keyof typeof groupings;
  readonly category?: readonly string[];
  readonly upstreamStatus?: readonly string[];
  readonly markdown?: boolean;
  readonly failOn?: string;
}

/** Groupings of the table; all but `component` count overlays. */
const groupings = {
  component: undefined,
  category: (entry: Divergence) => entry.category ?? 'none',
  'upstream-status': (entry: Divergence) => entry.upstreamStatus ?? 'none',
  age: ageBand,
  type: (entry: Divergence) => entry.type ?? '',
} as const;

export function register(command: Command, globals: () => GlobalOptions): void {
  const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
  addSelection(command, 'components; default: all')
    .addOption(new Option('--by <what>', 'grouping of the table').choices(Object.keys(groupings)).default('component'))
    .option('--category <name>', 'only overlays of this category; "none" means without metadata', collect)
    .option('--upstream-status <status>', 'only overlays with this upstream status', collect)
    .option('--markdown', 'print Markdown instead of a table')
    .option(
      '--fail-on <conditions>',
      'exit 1 if one matches: no-metadata, no-description, category=…, upstream-status=…, type=…, kind=…, ' +
        'older-than=180d; "," means or, "+" means and',
    )
    .addHelpText(
      'after',
      examples([
        'weir divergence',
        'weir divergence --by category',
        'weir divergence --markdown > divergence.md',
        'weir divergence --fail-on no-metadata,category=azl-temp-workaround+older-than=180d',
      ]),
    )
    .action(async (names: string[], options: Options) => {
      const settings = globals();
      const conditions = options.failOn === undefined ? [] : parseConditions(options.failOn);
      const project = await projectFor(settings);
      const selection = selectionOf(names, options);
      const chosen = isEmptySelection(selection)
        ? [...project.components.values()]
        : selectComponents(project, selection);
      const report = await divergenceReport(project, chosen, {
        categories: options.category ?? [],
        upstreamStatuses: options.upstreamStatus ?? [],
        conditions,
      });
      const text =
        options.markdown === true ? ledgerMarkdown(report, 'Divergence from upstream') : asText(report, options);
      printResult(settings, report, text);
      for (const warning of report.warnings) process.stderr.write(`warning: ${warning}\n`);
      for (const { condition, entries } of report.failed) {
        process.stderr.write(
          `error: ${plural(entries.length, 'difference')} ${entries.length === 1 ? 'matches' : 'match'} ${condition}\n`,
        );
        for (const entry of entries.slice(0, 10)) {
          const number = entry.number === undefined ? '' : ` ${entry.number}`;
          process.stderr.write(`  ${entry.place}: ${entry.component}, ${entry.kind}${number}: ${entry.description}\n`);
        }
        if (entries.length > 10) process.stderr.write(`  and ${entries.length - 10} more\n`);
      }
      if (report.failed.length > 0) process.exitCode = 1;
    });
}

function asText(ledger: DivergenceLedger, options: Options): string {
  const grouping = groupings[options.by];
  const rows = grouping === undefined ? componentRows(ledger) : groupRows(ledger, grouping);
  const heading =
    grouping === undefined
      ? ['COMPONENT', 'OVERLAYS', 'CATEGORY', 'UPSTREAM', 'OLDEST', 'ALSO']
      : [options.by.toUpperCase(), 'OVERLAYS', 'COMPONENTS'];
  return `${table(heading, rows, 'no differences from upstream')}\n\n${totals(ledger)}`;
}

function componentRows({ entries }: DivergenceLedger): string[][] {
  return [...byComponent(entries)].map(([name, own]) => {
    const overlays = own.filter((entry) => entry.kind === 'overlay');
    const oldest = overlays.toSorted((a, b) => (b.ageDays ?? -1) - (a.ageDays ?? -1))[0];
    return [
      name,
      String(overlays.length),
      unique(overlays.map((entry) => entry.category ?? 'none')),
      unique(overlays.map((entry) => entry.upstreamStatus ?? 'none')),
      oldest === undefined ? '-' : ageWords(oldest),
      unique(own.filter((entry) => entry.kind !== 'overlay').map((entry) => entry.kind)),
    ];
  });
}

function groupRows({ entries }: DivergenceLedger, grouping: (entry: Divergence) => string): string[][] {
  const groups = new Map<string, Divergence[]>();
  for (const entry of entries) {
    if (entry.kind !== 'overlay') continue;
    groups.set(grouping(entry), [...(groups.get(grouping(entry)) ?? []), entry]);
  }
  return [...groups]
    .sort(([a, own], [b, others]) => others.length - own.length || compareText(a, b))
    .map(([name, own]) => [name, String(own.length), String(new Set(own.map((entry) => entry.component)).size)]);
}

function unique(values: readonly string[]): string {
  return [...new Set(values)].join(', ') || '-';
}

function totals({ totals: counts, components, diverging }: DivergenceLedger): string {
  const list = (values: Readonly<Record<string, number>>): string =>
    Object.entries(values)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || '-';
  const kinds = Object.entries(divergenceKinds).flatMap(([kind, words]) => {
    const count = counts.kind[kind] ?? 0;
    return count === 0 ? [] : [`${count} ${count === 1 ? words.replace(/s$/, '') : words}`];
  });
  return [
    `${diverging} of ${components} components differ from upstream: ${kinds.join(', ') || 'nothing'}`,
    `category         ${list(counts.category)}`,
    `upstream status  ${list(counts.upstreamStatus)}`,
    `age              ${list(counts.age)}`,
  ].join('\n');
}
