import { relative } from 'node:path';
import type { Command } from 'commander';
import { spanWords } from '../../advisory/clock.ts';
import { recordsNamed } from '../../advisory/load.ts';
import { shownLine } from '../../base/foreign-text.ts';
import { pastReleases } from '../../release/past-releases.ts';
import { type CveReport, cveReport } from '../../release/service/cve.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<id>', 'the CVE, or another ID of the same vulnerability')
    .option('--out <folder>', 'folder of the build; default: that of the project')
    .addHelpText(
      'after',
      `
Shows the components with their states, their packages in every published
snapshot, every image by digest that contains one, and the clock: T0
public, T1 triaged, T2 patch merged, T3 built, T4 repository and advisory live,
T5 the last image, T6 a scanner found all images clean.
${examples(['weir cve CVE-2026-1234', 'weir cve CVE-2026-1234 --json | jq \'.images[] | select(.status == "affected")\''])}`,
    )
    .action(async (id: string, options: { readonly out?: string }) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const [record] = await recordsNamed(workspace.project.advisories.path, [id]);
      const releases = await pastReleases(workspace);
      const report = cveReport(record!, releases, workspace.project, Date.now() / 1000);
      printResult(settings, report, () => reportWords(report, releases.length > 0));
    });
}

function reportWords(report: CveReport, isBuilt: boolean): string {
  const components = report.components.map((one) => [one.component, one.state, one.since, one.by, detail(one)]);
  const packages = report.packages.map((one) => [one.snapshot, one.channel, one.nevra, one.status]);
  const images = report.images.map(({ name, digest, snapshot, status, latest, verified }) => [
    ...[name, digest.slice(0, 19), snapshot, status],
    [...(latest ? ['latest'] : []), ...(verified === undefined ? [] : [`verified ${verified}`])].join(', '),
  ]);
  const clock = report.clock.map(({ name, stage, at = '-', seconds }) => [
    ...[name, stage, at],
    seconds === undefined || name === 'T0' ? '' : spanWords(seconds),
  ]);
  const none = isBuilt ? 'no published package' : 'not checked: no release was built yet';
  return [
    `${report.id}  ${report.severity}  ${shownLine(report.title)}`,
    relative(process.cwd(), report.file),
    '',
    table(['COMPONENT', 'STATE', 'SINCE', 'BY', ''], components, 'no component is named'),
    '',
    table(['SNAPSHOT', 'CHANNEL', 'PACKAGE', 'STATUS'], packages, none),
    '',
    table(['IMAGE', 'DIGEST', 'SNAPSHOT', 'STATUS', ''], images, isBuilt ? 'no image contains it' : none),
    '',
    table(['CLOCK', '', 'AT', 'AFTER T0'], clock, ''),
  ].join('\n');
}

function detail({ fixed, justification, exception }: CveReport['components'][number]): string {
  if (exception !== undefined) {
    const { owner, reason, expires, expired } = exception;
    return `${expired ? 'EXPIRED' : 'until'} ${expires}, ${owner}: ${reason}`;
  }
  if (justification !== undefined) return justification;
  const [main] = fixed?.filter((name) => name.endsWith('.src')) ?? [];
  return main === undefined ? '' : `in ${main}`;
}
