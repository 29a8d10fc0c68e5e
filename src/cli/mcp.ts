import type { Command } from 'commander';
import { examples, type GlobalOptions } from './program.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      `
Speaks the Model Context Protocol on stdin and stdout, for assistants and
editors. Its tools are commands of Weir that only read, and their results are
those of --json. The server never writes to the project.
${examples(['weir -C my-distro mcp', 'weir --offline mcp                       # never downloads sources or tools'])}`,
    )
    .action(async (options: { out?: string }) => {
      const { serve } = await import('../mcp/server.ts');
      const settings = { globals: globalWords(globals()), out: options.out };
      await serve(weirVersion(command), settings, (error) => process.stderr.write(`error: ${error.message}\n`));
    });
}

/** The global options that decide what is read, for the commands that the server runs. */
function globalWords({ directory, profile, configFiles, permissive }: GlobalOptions): string[] {
  return [
    ...(directory === undefined ? [] : [`--directory=${directory}`]),
    ...(profile === undefined ? [] : [`--profile=${profile}`]),
    ...configFiles.map((file) => `--config-file=${file}`),
    ...(permissive ? ['--permissive-config'] : []),
  ];
}

function weirVersion(command: Command): string {
  let root = command;
  while (root.parent !== null) root = root.parent;
  return root.version() ?? '';
}
