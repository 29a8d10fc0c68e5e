import type { Command } from 'commander';
import { plural } from '../../base/plural.ts';
import { namedFeed } from '../../release/service/feeds.ts';
import { type Finding, type ScanReport, scanFeeds } from '../../release/service/scan.ts';
import { examples, type GlobalOptions, gather, printResult, progressFor, table } from '../program.ts';
import { ownWorkspaceFor } from '../workspace.ts';

interface Options {
  readonly feed: readonly string[];
  readonly component?: readonly string[];
  readonly dryRun?: boolean;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .requiredOption('--feed <file-or-url...>', 'feeds: files, archives, folders, http or https URLs', gatherAll)
    .option('--component <name>', 'only this component or source package (may be repeated)', gather)
    .option('-n, --dry-run', 'write nothing')
    .option('-o, --out <dir>', 'output folder with the release')
    .addHelpText(
      'after',
      `
Compares vulnerability feeds with the last release, and opens a record in the
project for each vulnerability that affects it. Feeds are OSV, NVD (API 2.0),
CSAF VEX 2.0 and the JSON of Debian's security tracker, by content: JSON, JSON
lines, gzip, zstd, zip, tar, or a folder of them.

A record that already names the component stays as it is. Nothing is opened for
a component with an overlay, or a patch of the spec, that names the CVE. Running
the command again changes nothing.
${examples([
  'weir cve scan --feed nvdcve-2.0-2026.json.gz',
  'weir cve scan --feed tracker.json https://feeds.example.org/osv/all.zip --dry-run',
  'weir cve scan --feed csaf/ --json | jq -r \'.findings[] | select(.state == "new").id\'',
])}`,
    )
    .action(async ({ feed, component, dryRun, out }: Options) => {
      const settings = globals();
      const feeds = feed.map(namedFeed);
      const workspace = await ownWorkspaceFor(settings, progressFor(settings), out);
      const report = await scanFeeds(workspace, {
        feeds,
        ...(component === undefined ? {} : { components: component }),
        dryRun: dryRun === true,
      });
      printResult(settings, report, () => text(report));
    });
}

function gatherAll(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

const stateWords: Readonly<Record<Finding['state'], string>> = {
  new: 'new',
  added: 'new in its record',
  known: 'known',
  handled: 'not opened',
};

function text({ findings, notChecked, records, dryRun, checked }: ScanReport): string {
  const rows = findings.map(({ id, severity, component, ours, fixed, why, state, reason }) => [
    ...[id, severity, component, ours, fixed ?? '-', why],
    `${stateWords[state]}${reason === undefined ? '' : `: ${reason}`}`,
  ]);
  const heading = ['CVE', 'SEVERITY', 'COMPONENT', 'OURS', 'FIXED UPSTREAM', 'WHY', 'RECORD'];
  const written = `${plural(records.length, 'record')} ${dryRun ? 'to write (dry run)' : 'written'}`;
  return [
    table(heading, rows, `the feeds name none of the ${checked} components and source packages`),
    ...(findings.length === 0 ? [] : ['', written]),
    ...notChecked.map((what) => `not checked: ${what}`),
  ].join('\n');
}
