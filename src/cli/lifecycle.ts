import type { Command } from 'commander';
import { plural } from '../base/plural.ts';
import { isoDay } from '../base/time.ts';
import type { LifecycleReport } from '../release/lifecycle/report.ts';
import { lifecycleReport } from '../release/lifecycle/report.ts';
import { supportWords } from '../release/lifecycle/words.ts';
import { momentOption } from './moment.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from './program.ts';
import { projectWorkspaceFor } from './workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--at <date>', 'state on this day or moment, in UTC; default: now')
    .option('--packages', 'list every published package')
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      `
Shows how long the release is supported, by channel and package, and compares the
os-release of each built image with [lifecycle]. The exit code is 1 if an image
differs; an image without os-release is not checked.
${examples([
  'weir lifecycle',
  'weir lifecycle --at 2028-11-19',
  'weir lifecycle --json | jq \'.packages[] | select(.state == "ended").name\'',
])}`,
    )
    .action(async (options: { at?: string; packages?: boolean; out?: string }) => {
      const settings = globals();
      const day = (momentOption(options.at) ?? isoDay(Date.now() / 1000)).slice(0, 10);
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const report = await lifecycleReport(workspace, day);
      printResult(settings, report, () => text(report, options.packages === true).join('\n\n'));
      for (const glob of report.unmatched)
        process.stderr.write(`warning: no published package matches the exception ${JSON.stringify(glob)}\n`);
      for (const { name, differences } of report.images) {
        for (const { key, found, expected } of differences) {
          const [has, wanted] = [found ?? 'missing', expected ?? 'none'].map((each) => JSON.stringify(each));
          process.stderr.write(`error: ${name}: os-release has ${key} ${has}, [lifecycle] requires ${wanted}\n`);
        }
      }
      if (!report.ok) process.exitCode = 1;
    });
}

function text(report: LifecycleReport, allPackages: boolean): string[] {
  const { name, version, id, day, releaseDate, fullSupportEnd, supportEnd, snapshot } = report;
  const facts = [
    ['release', `${name} ${version} (${id})${report.lts ? ', long-term support' : ''}`],
    ['state', `${supportWords(report)} (${day})`],
    ['released', releaseDate ?? '-'],
    ...(fullSupportEnd === undefined ? [] : [['full support', `until ${fullSupportEnd}`]]),
    ['support', supportEnd === undefined ? 'no end is configured' : `until ${supportEnd}`],
    ['snapshot', snapshot ?? 'nothing was built yet'],
  ];
  const width = Math.max(...facts.map(([key]) => key!.length));
  const channels = report.channels.map((each) => [
    each.name,
    String(each.packages ?? '-'),
    each.supportEnd ?? '-',
    supportWords(each),
    each.reason ?? '',
  ]);
  const exceptions = report.exceptions.map((each) => [
    each.package,
    String(each.matches?.length ?? '-'),
    each.supportEnd ?? '-',
    supportWords(each),
    each.reason,
  ]);
  const packages = report.packages.map((each) => [
    each.name,
    each.channel,
    each.supportEnd ?? '-',
    supportWords(each),
    each.reason ?? '',
  ]);
  const images = report.images.map(({ name: image, status, reason, differences }) => [
    image,
    status === 'same'
      ? 'as configured'
      : status === 'differs'
        ? plural(differences.length, 'difference')
        : `not checked: ${reason}`,
  ]);
  return [
    facts.map(([key, value]) => `${key!.padEnd(width)}  ${value}`).join('\n'),
    table(['CHANNEL', 'PACKAGES', 'UNTIL', 'STATE', 'EXCEPTION'], channels, 'no channels'),
    ...(exceptions.length === 0 ? [] : [table(['PACKAGE', 'NAMES', 'UNTIL', 'STATE', 'EXCEPTION'], exceptions, '')]),
    ...(allPackages ? [table(['PACKAGE', 'CHANNEL', 'UNTIL', 'STATE', 'EXCEPTION'], packages, 'no packages')] : []),
    table(['IMAGE', 'OS-RELEASE'], images, 'no images'),
  ];
}
