import type { Command } from 'commander';
import { lockedTools, runOnTerminal, toolSet } from '../workspace/toolbox-commands.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from './program.ts';
import { projectFor, projectWorkspaceFor } from './workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText('after', examples(['weir toolbox list', 'weir toolbox run -- rpm -qpi some.rpm']));
  command
    .command('list')
    .description('list the tools with their versions from toolbox.lock')
    .option('--all', 'also list their dependencies')
    .addHelpText('after', examples(['weir toolbox list', 'weir toolbox list --all --json']))
    .action(async (options: { all?: boolean }) => {
      const settings = globals();
      const sets = await lockedTools({ project: await projectFor(settings) });
      const rows = sets.flatMap(({ set, roots, packages }) =>
        packages
          .filter((pkg) => options.all === true || roots.includes(pkg.name))
          .map(({ name, version, arch, sha256 }) => ({ set, name, version, arch, sha256 })),
      );
      const cells = rows.map((row) => [row.set, row.name, row.version, row.arch]);
      const none = 'no toolbox is locked yet (run: weir build)';
      printResult(settings, rows, table(['SET', 'PACKAGE', 'VERSION', 'ARCH'], cells, none));
    });
  command
    .command('run')
    .description('run a tool in its sandbox, which contains only the working folder')
    .argument('<command...>', 'the program and its arguments, after --')
    .option('--set <name>', 'tool set', 'core')
    .option('--network', "share the host's network")
    .usage('[options] -- <command...>')
    .addHelpText(
      'after',
      examples([
        'weir toolbox run -- rpm -qpl some.rpm',
        'weir toolbox run -- bash',
        'weir toolbox run --set boot -- qemu-img info disk.qcow2',
      ]),
    )
    .action(async (argv: string[], options: { set: string; network?: boolean }) => {
      const settings = globals();
      const set = toolSet(options.set);
      const workspace = await projectWorkspaceFor(settings, progressFor({ ...settings, quiet: true }));
      process.exitCode = await runOnTerminal(workspace, set, argv, { network: options.network === true });
    });
}
