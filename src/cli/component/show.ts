import type { Command } from 'commander';
import { channelOf } from '../../project/channel.ts';
import { componentTables, keysOf } from '../../project/resolve.ts';
import { findComponent } from '../../project/select.ts';
import { placeOf } from '../../project/toml.ts';
import { overlayRows, plainValue, specOrigin } from '../../release/describe.ts';
import { examples, type GlobalOptions, printResult } from '../program.ts';
import { configurationFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<name>', 'name of the component')
    .addHelpText(
      'after',
      `\nTo see the table that each value comes from, run weir config resolve NAME --origins.\n${examples([
        'weir component show chrony',
        'weir component show chrony --json',
      ])}`,
    )
    .action(async (name: string) => {
      const settings = globals();
      const configuration = await configurationFor(settings);
      const { project } = configuration;
      const component = findComponent(project, name);
      const { build } = component;
      const options = [
        ...build.with.map((each) => `with ${each}`),
        ...build.without.map((each) => `without ${each}`),
        ...Object.entries(build.defines).map(([key, value]) => `${key}=${value}`),
        ...build.undefines.map((each) => `undefine ${each}`),
        ...(build.check.skip ? [`%check skipped: ${build.check.skipReason ?? 'no reason given'}`] : []),
        ...(build.failure.expected ? [`known to fail: ${build.failure.expectedReason ?? 'no reason given'}`] : []),
        ...(build.expensive ? ['expensive'] : []),
      ];
      const tables = componentTables(configuration, component).map(({ source, says }) => ({
        place: placeOf(source, project),
        sets: keysOf(says),
      }));
      const lines = [
        `component  ${component.name}`,
        `defined    ${placeOf({ ...component.origin, table: [] }, project)}`,
        `spec       ${specOrigin(project, component.spec)}`,
        `channel    ${channelOf(project, component, component.name) ?? 'none'}`,
        `groups     ${component.groups.join(', ') || 'none'}`,
        `release    ${component.release.calculation}`,
        `build      ${options.join(', ') || 'as upstream'}`,
        `sources    ${component.sourceFiles.map(({ filename, origin }) => `${filename} (${origin.type})`).join(', ') || "upstream's"}`,
        ...tables.flatMap(({ place, sets }, index) => [
          `${index === 0 ? 'made of    ' : '           '}${place}`,
          `             ${sets.length === 0 ? 'no settings' : sets.join(', ')}`,
        ]),
        `overlays   ${component.overlays.length}`,
        ...overlayRows(project, [component]).flatMap((row) => [
          `  ${row.number}. ${row.type}: ${row.description}`,
          `     ${[row.category, row.upstreamStatus, row.place].filter(Boolean).join(', ')}`,
        ]),
      ];
      printResult(settings, { ...(plainValue(component) as object), madeOf: tables }, lines.join('\n'));
    });
}
