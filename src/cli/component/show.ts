import { relative } from 'node:path';
import type { Command } from 'commander';
import { channelOf } from '../../project/publish.ts';
import { findComponent } from '../../project/select.ts';
import { overlayRows, plainValue, specOrigin } from '../../release/describe.ts';
import { examples, type GlobalOptions, printResult } from '../program.ts';
import { projectFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<name>', 'name of the component')
    .addHelpText('after', examples(['weir component show chrony', 'weir component show chrony --json']))
    .action(async (name: string) => {
      const settings = globals();
      const project = await projectFor(settings);
      const component = findComponent(project, name);
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
