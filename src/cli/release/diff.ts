import type { Command } from 'commander';
import type { ChangedAdvisory } from '../../release/diff/fixed-advisories.ts';
import { changesMarkdown, imageCells, imageHeading } from '../../release/diff/markdown.ts';
import { diffReleases, type ReleaseChanges } from '../../release/diff/release-diff.ts';
import { packagesText } from '../package-changes.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<a>', 'snapshot or a unique start of it, latest, previous, or path of a release.json')
    .argument('<b>', 'release to compare with, in the same forms as <a>')
    .option('--markdown', 'print Markdown for release notes instead of tables')
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      `
Compares the records of two releases: packages by channel, vulnerabilities that
the newer packages fix, images with their packages and sizes. It reads no package
and no image; weir image diff compares files. The exit code is 0 whether
there are differences or not.
${examples([
  'weir release diff previous latest',
  'weir release diff 20261101 latest --markdown > notes.md',
  "weir release diff ../4.0/out/release.json latest --json | jq -r '.advisories.fixed[].id'",
])}`,
    )
    .action(async (a: string, b: string, options: { markdown?: boolean; out?: string }) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const changes = await diffReleases(workspace, a, b);
      printResult(settings, changes, () =>
        options.markdown === true ? changesMarkdown(changes) : changesText(changes).join('\n\n'),
      );
    });
}

function changesText({ a, b, channels, advisories, images }: ReleaseChanges): string[] {
  const facts = [a, b].map(({ version, snapshot, date, file }, index) => ['AB'[index]!, version, snapshot, date, file]);
  const rows = imageCells(images);
  return [
    table(['', 'VERSION', 'SNAPSHOT', 'DATE', 'RECORD'], facts, ''),
    ...channels.map(({ name, packages }) => packagesText(`channel ${name}`, packages)),
    advisoriesText('vulnerabilities fixed', advisories.fixed),
    ...(advisories.returned.length === 0 ? [] : [advisoriesText('vulnerable again', advisories.returned)]),
    rows.length === 0
      ? 'images: no differences'
      : `images: ${rows.length} of ${rows.length + images.unchanged.length} differ\n${table(
          imageHeading.map((each) => each.toUpperCase()),
          rows,
          '',
        )}`,
    ...images.changed
      .filter(({ packages }) => packages.length > 0)
      .map(({ name, packages }) => packagesText(`image ${name}`, packages)),
  ];
}

function advisoriesText(what: string, advisories: readonly ChangedAdvisory[]): string {
  if (advisories.length === 0) return `${what}: none`;
  const rows = advisories.map(({ id, severity, component, packages, title }) => [
    id,
    severity,
    component,
    packages.length > 2 ? `${packages.length} packages` : packages.join(' '),
    title,
  ]);
  return `${what}: ${advisories.length}\n${table(['ID', 'SEVERITY', 'COMPONENT', 'IN', 'TITLE'], rows, '')}`;
}
