import { relative } from 'node:path';
import type { Command } from 'commander';
import type { Project } from '../../project/model/project.ts';
import { plainValue, projectSummary } from '../../release/describe.ts';
import { examples, type GlobalOptions, printResult } from '../program.ts';
import { projectFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--files', 'list all files, even if one file includes many')
    .addHelpText(
      'after',
      examples(['weir config show', 'weir config show --files', "weir config show --json | jq '.components | keys'"]),
    )
    .action(async (options: { files?: boolean }) => {
      const settings = globals();
      const project = await projectFor(settings);
      const summary = projectSummary(project);
      const counts = (values: Readonly<Record<string, number>>): string =>
        Object.entries(values)
          .map(([name, count]) => `${count} ${name}`)
          .join(', ') || 'none';
      const { release } = summary;
      const lines = [
        `project     ${relative(process.cwd(), summary.file)}`,
        ...(summary.description === undefined ? [] : [`            ${summary.description}`]),
        `dialect     ${summary.dialect.name}: ${summary.dialect.because}`,
        release === undefined
          ? 'release     none'
          : `release     ${release.version}, snapshot ${release.snapshot}, ${release.architectures.join(' ')}`,
        `channels    ${release?.channels.join(', ') ?? 'none'}`,
        `components  ${summary.components.total}: ${counts(summary.components.bySource)}`,
        `overlays    ${summary.overlays.total}: ${counts(summary.overlays.byType)}`,
        `            ${counts(summary.overlays.byCategory)}`,
        `images      ${summary.images.join(', ') || 'none'}`,
        `inputs      ${summary.inputs.join(', ') || 'none'}`,
        `toolbox     ${summary.toolbox}`,
        `signing     ${summary.signing}`,
        ...fileLines(project, options.files === true),
      ];
      printResult(settings, plainValue(project), lines.join('\n'));
    });
}

/** The files in reading order, each below the file that includes it. Lists only the first three of a row unless `all`. */
function fileLines({ root, configFiles }: Project, all: boolean): string[] {
  const name = (path: string): string => (path.startsWith(`${root}/`) ? relative(root, path) : path);
  const depths = new Map<string, number>();
  const rows = new Map<string, number>();
  const lines: string[] = [];
  const margin = (depth: number): string => ' '.repeat(12 + 2 * depth);
  for (const [index, { path, from, by }] of configFiles.entries()) {
    const depth = by === undefined ? 0 : (depths.get(by) ?? 0) + 1;
    depths.set(path, depth);
    const row = by === undefined ? 0 : (rows.get(by) ?? 0) + 1;
    if (by !== undefined) rows.set(by, row);
    const isLast = by !== undefined && configFiles[index + 1]?.by !== by;
    const why = from === 'user' ? '  user' : from === 'option' ? '  --config-file' : '';
    if (all || row <= 3) lines.push(`${margin(depth)}${name(path)}${why}`);
    else if (isLast) lines.push(`${margin(depth)}… and ${row - 3} more (--files shows them)`);
  }
  return lines.map((line, index) => (index === 0 ? `files${line.slice(5)}` : line));
}
