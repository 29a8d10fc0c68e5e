import type { Command } from 'commander';
import { formatError, revivedError } from '../../base/errors.ts';
import { sourceContext } from '../../component/sources.ts';
import { selectComponents } from '../../project/select.ts';
import { upstreamStatus } from '../../upstream/status.ts';
import type { ComponentStatus, StatusReport } from '../../upstream/status-model.ts';
import { changeWords, countWords, statusDetails } from '../../upstream/words.ts';
import { momentOption } from '../moment.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOrAll } from '../selection.ts';
import { configurationFor, projectWorkspaceFor } from '../workspace.ts';

interface Options extends SelectionOptions {
  readonly to?: string;
  readonly details?: boolean;
  /** False with `--no-overlays`. */
  readonly overlays: boolean;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command, 'components; default: all')
    .option('--to <date>', 'compare with the last commit up to this day or moment, instead of the newest')
    .option('--details', 'list what lies between, component by component')
    .option('--no-overlays', 'do not check overlays')
    .addHelpText(
      'after',
      `
Compares the commit that each component uses with the newest one of its branch:
commits, version, release, patches, sources, macros, and CVE numbers that
messages, changelogs or patches name. Overlays are applied to the newest commit;
those that fail, have no effect, or are in upstream are listed.
${examples([
  'weir upstream status',
  'weir upstream status curl openssl --details',
  "weir upstream status -p 'python-*' --to 2026-08-01",
  "weir upstream status --json | jq '.components[] | select(.between.cves != []).component'",
])}`,
    )
    .action(async (names: string[], options: Options) => {
      const settings = globals();
      const to = momentOption(options.to);
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const components = selectComponents(workspace.project, selectionOrAll(names, options));
      const report = await upstreamStatus(workspace, components, await sourceContext(workspace), {
        ...(to === undefined ? {} : { to }),
        withoutOverlays: !options.overlays,
        configuration: () => configurationFor(settings),
      });
      printResult(settings, report, () => (options.details === true ? statusDetails(report) : statusTable(report)));
      const failed = report.components.flatMap(({ error }) => (error === undefined ? [] : [revivedError(error)]));
      for (const error of failed) process.stderr.write(`${formatError(error)}\n`);
      if (failed.length > 0) process.exitCode = 1;
    });
}

function statusTable({ components }: StatusReport): string {
  const rows = components.filter(({ state }) => !['current', 'skipped', 'failed'].includes(state)).map(row);
  const heading = ['COMPONENT', 'STATE', 'PINNED', 'NEWEST', 'COMMITS', 'VERSION', 'CHANGES', 'OVERLAYS', 'CVE'];
  return table(heading, rows, 'all components use the newest commit of their branch');
}

function row({ component, state, pinned, newest, between, overlays }: ComponentStatus): string[] {
  const version = between?.spec?.version;
  const cves = between?.cves ?? [];
  return [
    component,
    state,
    pinned?.commit.slice(0, 12) ?? '-',
    newest?.commit.slice(0, 12) ?? '-',
    String(between?.commits.length ?? 0),
    version === undefined ? '-' : changeWords(version),
    (between === undefined ? '' : countWords(between)) || '-',
    [...new Set(overlays.map(({ kind }) => kind))].join(', ') || '-',
    cves.length > 3 ? `${cves.length} CVEs` : cves.map(({ id }) => id).join(', ') || '-',
  ];
}
