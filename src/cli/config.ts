import { relative } from 'node:path';
import type { Command } from 'commander';
import { WeirError } from '../base/errors.ts';
import type { Project } from '../project/model/project.ts';
import { componentOfKey, partAt, resolvedTables } from '../project/resolve.ts';
import { isEmptySelection, selectComponents } from '../project/select.ts';
import { printPart, printTables } from '../project/toml.ts';
import { leaves, plain, type Traced } from '../project/trace.ts';
import { plainValue, projectSummary } from '../release/describe.ts';
import { examples, type GlobalOptions, printResult } from './program.ts';
import { addSelection, type SelectionOptions, selectionOf } from './selection.ts';
import { configurationFor, projectFor } from './workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText(
    'after',
    examples([
      'weir config show',
      'weir -C my-distro config show',
      'weir config resolve --key components.curl --origins',
    ]),
  );
  addShow(command, globals);
  addResolve(command, globals);
}

function addShow(command: Command, globals: () => GlobalOptions): void {
  command
    .command('show')
    .description('show a summary of the project and its files; with --json, the whole resolved project')
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

interface ResolveOptions extends SelectionOptions {
  readonly key?: string;
  readonly origins?: boolean;
}

function addResolve(command: Command, globals: () => GlobalOptions): void {
  const resolve = command
    .command('resolve')
    .description('print the configuration after includes, merging and inheritance, as TOML')
    .option('--key <key>', 'print only this part, such as components.curl.build')
    .option('--origins', 'show for each value where it comes from and which values it overrides');
  addSelection(resolve, 'components; default: the whole configuration')
    .addHelpText(
      'after',
      examples([
        'weir config resolve curl --origins',
        'weir config resolve --key components.curl.spec --origins',
        "weir config resolve -p 'python3*' --json",
        'weir config resolve --key distros.fedora',
      ]),
    )
    .action(async (names: string[], options: ResolveOptions) => {
      const settings = globals();
      const selection = selectionOf(names, options);
      const selected = !isEmptySelection(selection);
      if (selected && options.key !== undefined) {
        throw new WeirError('two-selections', '--key and a selection of components exclude each other', { exit: 2 });
      }
      const configuration = await configurationFor(settings);
      const { project } = configuration;
      const asked = options.key === undefined ? undefined : componentOfKey(project, options.key);
      const components = selected ? selectComponents(project, selection) : asked === undefined ? undefined : [asked];
      const tables = resolvedTables(configuration, components);
      const { path, value } = options.key === undefined ? { path: [], value: tables } : partAt(tables, options.key);
      const print = { origins: options.origins === true, root: project.root };
      const json = options.origins === true ? originRows(path, value) : plain(value);
      const text = settings.json ? '' : path.length === 0 ? printTables(tables, print) : printPart(path, value, print);
      printResult(settings, json, text);
    });
}

/** Every value with its origins, the strongest first. */
function originRows(path: readonly string[], value: Traced): unknown[] {
  return [...leaves(value, path)].map((leaf) => ({
    path: leaf.path,
    value: leaf.value,
    said: leaf.said.toReversed().map(({ value: said, by }) => ({ value: said, ...by })),
  }));
}
