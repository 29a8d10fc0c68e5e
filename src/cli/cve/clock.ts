import type { Command } from 'commander';
import { clockFigures, spanWords, stages } from '../../advisory/clock.ts';
import { loadAdvisories } from '../../advisory/load.ts';
import { beginningOption } from '../advisory/who.ts';
import { examples, type GlobalOptions, printResult, table } from '../program.ts';
import { projectFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--since <date>', 'only vulnerabilities that were public on this day or later')
    .addHelpText(
      'after',
      `
Median and worst time from public (T0) to each stage, by severity.
${examples(['weir cve clock', 'weir cve clock --since 2026-01-01 --json'])}`,
    )
    .action(async ({ since }: { readonly since?: string }) => {
      const settings = globals();
      const from = since === undefined ? 0 : Date.parse(beginningOption(since));
      const { advisories } = await projectFor(settings);
      const records = (await loadAdvisories(advisories.path)).filter(({ published }) => Date.parse(published) >= from);
      const figures = clockFigures(records);
      printResult(settings, figures, () => {
        const heading = [
          'SEVERITY',
          'RECORDS',
          'OPEN',
          ...stages.slice(1).map((stage, index) => `T${index + 1} ${stage}`.toUpperCase()),
        ];
        const rows = figures.map(({ severity, records: count, open, stages: each }) => [
          ...[severity, String(count), String(open)],
          ...each.map(({ median, worst }) =>
            median === undefined ? '-' : `${spanWords(median)} (${spanWords(worst!.seconds)})`,
          ),
        ]);
        const lines = table(heading, rows, 'no records');
        return rows.length === 0 ? lines : `${lines}\nmedian (worst) after public`;
      });
    });
}
