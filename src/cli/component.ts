import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Command } from 'commander';
import { errorJson, formatError } from '../base/errors.ts';
import { channelOf } from '../project/publish.ts';
import { findComponent } from '../release/components.ts';
import { componentRows, overlayRows, plainValue, specOrigin } from '../release/describe.ts';
import { buildSelected, lastBuildLog } from '../release/packages.ts';
import { diffComponent, renderComponents } from '../release/render.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from './program.ts';
import { projectFor, workspaceFor } from './workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText(
    'after',
    examples(['weir component list', 'weir component diff less', 'weir component render --check']),
  );
  list(command, globals);
  show(command, globals);
  render(command, globals);
  diff(command, globals);
  build(command, globals);
  log(command, globals);
}

function list(command: Command, globals: () => GlobalOptions): void {
  command
    .command('list')
    .description('list components: where the spec comes from, overlays, channel')
    .addHelpText('after', examples(['weir component list', "weir component list --json | jq '.[].name'"]))
    .action(async () => {
      const settings = globals();
      const rows = componentRows(await projectFor(settings));
      const cells = rows.map((row) => [row.name, row.spec, String(row.overlays), row.channel ?? '-']);
      printResult(settings, rows, table(['COMPONENT', 'SPEC', 'OVERLAYS', 'CHANNEL'], cells, 'no components'));
    });
}

function show(command: Command, globals: () => GlobalOptions): void {
  command
    .command('show')
    .description('show a component with everything it inherits')
    .argument('<name>', 'name of the component')
    .addHelpText('after', examples(['weir component show chrony', 'weir component show chrony --json']))
    .action(async (name: string) => {
      const settings = globals();
      const project = await projectFor(settings);
      const component = findComponent({ project }, name);
      const { build } = component;
      const options = [
        ...build.with.map((each) => `with ${each}`),
        ...build.without.map((each) => `without ${each}`),
        ...Object.entries(build.defines).map(([key, value]) => `${key}=${value}`),
        ...(build.check.skip ? [`no %check: ${build.check.skipReason ?? 'no reason given'}`] : []),
      ];
      const lines = [
        `component  ${component.name}`,
        `defined    ${relative(process.cwd(), component.origin.file)}:${component.origin.line}`,
        `spec       ${specOrigin(project, component.spec)}`,
        `channel    ${channelOf(project, component, component.name) ?? 'none'}`,
        `groups     ${component.groups.join(', ') || 'none'}`,
        `release    ${component.release.calculation}`,
        `build      ${options.join(', ') || 'as upstream'}`,
        `overlays   ${component.overlays.length}`,
        ...overlayRows(project, [component]).flatMap((row) => [
          `  ${row.number}. ${row.type}: ${row.description}`,
          `     ${[row.category, row.upstreamStatus, row.place].filter(Boolean).join(', ')}`,
        ]),
      ];
      printResult(settings, plainValue(component), lines.join('\n'));
    });
}

function render(command: Command, globals: () => GlobalOptions): void {
  command
    .command('render')
    .description('write the rendered specs that the project keeps in git')
    .argument('[names...]', 'components; all where none is named')
    .option('--check', 'write nothing; exit 1 where a file is stale, and name it')
    .option('--clean', 'remove rendered folders that no component has any more')
    .addHelpText(
      'after',
      examples(['weir component render', 'weir component render less gzip', 'weir component render --check']),
    )
    .action(async (names: string[], options: { check?: boolean; clean?: boolean }) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings));
      const report = await renderComponents(workspace, names, options);
      const failed = report.failed.map(({ component, error }) => ({ component, ...errorJson(error) }));
      const gone = (state: string): boolean => state === 'extra' || state === 'orphan';
      const lines = report.changed.map(
        ({ path, state }) => `${options.check === true ? state : gone(state) ? 'removed' : 'wrote'} ${path}`,
      );
      printResult(settings, { ...report, failed }, lines.join('\n'));
      for (const { component, warning } of report.warnings) process.stderr.write(`warning: ${component}: ${warning}\n`);
      for (const { error } of report.failed) process.stderr.write(`${formatError(error)}\n`);
      if (options.check === true && report.changed.length > 0) {
        process.stderr.write(
          `error: ${report.changed.length} rendered files are stale\nhint: weir component render --clean writes them\n`,
        );
      }
      const stale = options.check === true && report.changed.length > 0;
      process.exitCode = stale || report.failed.length > 0 ? 1 : 0;
    });
}

function diff(command: Command, globals: () => GlobalOptions): void {
  command
    .command('diff')
    .description("show what the overlays change: upstream's files against the rendered ones")
    .argument('<name>', 'name of the component')
    .addHelpText('after', examples(['weir component diff less', 'weir component diff less | less']))
    .action(async (name: string) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings));
      const text = await diffComponent(workspace, name);
      printResult(settings, { component: name, diff: text }, text.trimEnd());
    });
}

function build(command: Command, globals: () => GlobalOptions): void {
  command
    .command('build')
    .description('build components, and before them only what they wait for; nothing is published')
    .argument('<names...>', 'names of components')
    .addHelpText('after', examples(['weir component build less', 'weir component build less gzip --json']))
    .action(async (names: string[]) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings));
      const built = await buildSelected(workspace, names);
      const lines = built.flatMap((each) => [...each.packages, `${each.log} (log)`]);
      printResult(settings, built, lines.join('\n'));
    });
}

function log(command: Command, globals: () => GlobalOptions): void {
  command
    .command('log')
    .description("print the log of a component's last build")
    .argument('<name>', 'name of the component')
    .option('--path', 'print where the log is instead')
    .addHelpText('after', examples(['weir component log less', 'weir component log less --path']))
    .action(async (name: string, options: { path?: boolean }) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings));
      const found = await lastBuildLog(workspace, name);
      const text = options.path === true ? found.path : await readFile(found.path, 'utf8');
      printResult(settings, { component: name, ...found }, text.trimEnd());
    });
}
