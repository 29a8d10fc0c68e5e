import { codeSpan, tableCell } from '../../base/markdown.ts';
import { megabytes, signedSize } from '../../base/progress.ts';
import { changeCells, changeCounts, type PackageChange } from '../image/package-diff.ts';
import type { ChangedAdvisory } from './fixed-advisories.ts';
import type { ImageChange, ReleaseChanges } from './release-diff.ts';

/** The changes as Markdown for release notes: what was fixed first, then images, then packages. */
export function changesMarkdown(changes: ReleaseChanges): string {
  const { a, b, channels, advisories, images } = changes;
  const version = a.version === b.version ? b.version : `${a.version} → ${b.version}`;
  const parts = [
    `# Changes from ${codeSpan(a.snapshot)} to ${codeSpan(b.snapshot)}`,
    `Version ${tableCell(version)}, ${b.date.slice(0, 10)}; before it ${a.date.slice(0, 10)}.`,
    ...section('## Security fixes', advisoryLines(advisories.fixed)),
    ...section('## Vulnerable again', advisoryLines(advisories.returned)),
    ...section('## Images', imageLines(images)),
    ...channels.flatMap(({ name, packages }) =>
      section(`## Packages: ${tableCell(name)}`, packages.length === 0 ? [] : packageLines(packages)),
    ),
  ];
  if (parts.length === 2) parts.push('Nothing changed.');
  return parts.join('\n\n');
}

function section(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [heading, lines.join('\n')];
}

function advisoryLines(advisories: readonly ChangedAdvisory[]): string[] {
  return advisories.map(
    ({ id, severity, title, packages }) =>
      `- **${id}** (${severity}): ${codeSpan(title)}, in ${packages.map((each) => codeSpan(each)).join(', ')}`,
  );
}

/** The heading of the images' table, and the cells of its rows: for people, in a terminal too. */
export const imageHeading = ['Image', 'Change', 'Packages', 'Installed', 'Difference', 'Files', 'Difference'] as const;

export function imageCells({ added, removed, changed }: ReleaseChanges['images']): string[][] {
  const alone = (change: string) => (image: ImageChange['before']) => [
    image.name,
    change,
    String(image.packages),
    megabytes(image.installedSize),
    '-',
    megabytes(image.fileSize),
    '-',
  ];
  return [
    ...changed.map(({ name, packages, before, after }) => [
      name,
      'changed',
      changeCounts(packages) || '-',
      megabytes(after.installedSize),
      difference(before.installedSize, after.installedSize),
      megabytes(after.fileSize),
      difference(before.fileSize, after.fileSize),
    ]),
    ...added.map(alone('added')),
    ...removed.map(alone('removed')),
  ];
}

function difference(before: number, after: number): string {
  return before === after ? '-' : signedSize(after - before);
}

function imageLines(images: ReleaseChanges['images']): string[] {
  const rows = imageCells(images);
  const same =
    images.unchanged.length === 0
      ? []
      : ['', `Unchanged: ${images.unchanged.map((each) => codeSpan(each)).join(', ')}.`];
  return rows.length === 0 ? [] : [...markdownTable(imageHeading, rows), ...same];
}

function packageLines(packages: readonly PackageChange[]): string[] {
  return [
    `${changeCounts(packages)}.`,
    '',
    ...markdownTable(['Package', 'Change', 'Before', 'After'], changeCells(packages)),
  ];
}

function markdownTable(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [heading, heading.map(() => '---'), ...rows.map((row) => row.map(tableCell))].map(
    (row) => `| ${row.join(' | ')} |`,
  );
}
