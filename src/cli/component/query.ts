import { resolve } from 'node:path';
import type { Command } from 'commander';
import { errorJson, formatError, WeirError } from '../../base/errors.ts';
import { type QueriedComponent, queryComponents, renderedSpec } from '../../component/query.ts';
import { isEmptySelection, selectComponents } from '../../project/select.ts';
import { printSpec, specBytes } from '../../spec/parse.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface QueryCommandOptions extends SelectionOptions {
  readonly spec?: boolean;
  readonly sources?: string;
  readonly macros?: readonly string[];
}

export function register(command: Command, globals: () => GlobalOptions): void {
  const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
  addSelection(command)
    .option('--spec', 'print the rendered spec instead; for a single component')
    .option('--macros <file>', 'macro file of the distribution to load (may be repeated)', collect)
    .option('--sources <dir>', 'folder with the upstream sources, instead of fetching them')
    .addHelpText(
      'after',
      examples([
        'weir component query less',
        'weir component query less --spec',
        "weir component query -p 'python-*'",
        "weir component query -a --json | jq -r '.[].packages[].nevra'",
      ]),
    )
    .action(async (names: string[], options: QueryCommandOptions) => {
      const settings = globals();
      const selection = selectionOf(names, options);
      if (isEmptySelection(selection)) {
        throw new WeirError('no-selection', 'no component selected', {
          hint: 'name components, or use -p GLOB, -g GROUP or -a',
          exit: 2,
        });
      }
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const components = selectComponents(workspace.project, selection);
      const upstream = {
        ...(options.sources === undefined ? {} : { sources: resolve(options.sources) }),
      };
      if (options.spec === true) {
        const [component] = components;
        if (component === undefined || components.length > 1) {
          throw new WeirError('one-component', `--spec allows one component, not ${components.length}`, { exit: 2 });
        }
        const spec = await renderedSpec(workspace, component, upstream);
        if (settings.json) printResult(settings, { component: component.name, spec: printSpec(spec) }, '');
        else process.stdout.write(specBytes(spec));
        return;
      }
      const macros = (options.macros ?? []).map((path) => resolve(path));
      const report = await queryComponents(workspace, components, { ...upstream, macros });
      const rows = report.components.map(({ problem, ...rest }) => ({
        ...rest,
        ...(problem === undefined ? {} : { problem: errorJson(problem).error }),
      }));
      const failed = report.failed.map(({ component, error }) => ({ component, ...errorJson(error) }));
      const text = components.length === 1 ? report.components.map(details).join('') : overview(report.components);
      printResult(settings, [...rows, ...failed], text);
      for (const { component, problem } of report.components) {
        if (problem === undefined) continue;
        process.stderr.write(
          `warning: ${component}: rpm cannot parse the spec; showing the text without expanding macros\n`,
        );
        for (const detail of problem.details) process.stderr.write(`  ${detail}\n`);
      }
      for (const { error } of report.failed) process.stderr.write(`${formatError(error)}\n`);
      if (report.failed.length === 0) return;
      process.exitCode = report.failed.length === 1 && components.length === 1 ? report.failed[0]!.error.exit : 1;
    });
}

function overview(components: readonly QueriedComponent[]): string {
  const rows = components.flatMap(({ component, packages, by, unknown }) =>
    packages.map((each) => [
      component,
      each.name,
      `${each.epoch === undefined ? '' : `${each.epoch}:`}${each.version}-${each.release}`,
      each.arch,
      by === 'text' ? 'text only' : unknown.length === 0 ? '' : `${unknown.length} unknown macros`,
    ]),
  );
  return table(['COMPONENT', 'PACKAGE', 'VERSION', 'ARCH', 'NOTE'], rows, 'no packages');
}

function details(found: QueriedComponent): string {
  const lines: string[] = [];
  const add = (name: string, values: readonly string[]): void => {
    for (const [index, value] of values.entries()) lines.push(`${(index === 0 ? name : '').padEnd(15)}${value}`);
  };
  const evr = `${found.epoch === undefined ? '' : `${found.epoch}:`}${found.version}-${found.release}`;
  add('component', [found.component]);
  add('source', [`${found.name}-${evr}.src`]);
  add('summary', [found.summary]);
  add('license', [found.license]);
  if (found.exclusiveArch.length > 0) add('only on', [found.exclusiveArch.join(', ')]);
  if (found.excludeArch.length > 0) add('not on', [found.excludeArch.join(', ')]);
  add(
    'sources',
    found.sources.map(({ number, url }) => `${number}: ${url}`),
  );
  add(
    'patches',
    found.patches.map(({ number, url }) => `${number}: ${url}`),
  );
  add('build requires', found.buildRequires);
  for (const each of found.packages) {
    lines.push('');
    add('package', [each.nevra]);
    add('  summary', [each.summary]);
    add(
      '  requires',
      each.requires.map(({ name, types }) => {
        const special = types.filter((type) => type !== 'manual' && type !== '');
        return special.length === 0 ? name : `${name} (${special.join(', ')})`;
      }),
    );
    for (const kind of [
      'provides',
      'recommends',
      'suggests',
      'supplements',
      'enhances',
      'conflicts',
      'obsoletes',
    ] as const) {
      add(`  ${kind}`, each[kind]);
    }
  }
  const made = found.macroMade.map(({ macro, line, sections }) => `line ${line}: ${macro}: ${sections.join(', ')}`);
  if (made.length + found.unknown.length + found.unset.length + found.messages.length > 0) lines.push('');
  add('made by macros', made);
  add('unknown here', found.unknown.length === 0 ? [] : [found.unknown.map((name) => `%${name}`).join(' ')]);
  add('not set here', found.unset.length === 0 ? [] : [found.unset.map((name) => `%{?${name}}`).join(' ')]);
  add('rpm messages', found.messages);
  return lines.join('\n');
}
