import { Command, CommanderError } from 'commander';
import { errorJson, formatError, WeirError } from '../base/errors.ts';
import { killChildren } from '../base/process.ts';
import { createProgress, type Progress } from '../base/progress.ts';

/** Options that stand before or after any command. */
export interface GlobalOptions {
  /** Folder of the project, where one was named. */
  readonly directory: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
}

/** What a command's file exports: it adds its sub-commands and options to `command`. */
export interface CommandModule {
  readonly register: (command: Command, globals: () => GlobalOptions) => void;
}

/** Runs one command line. @returns the exit code: 0 done, 1 failed, 2 wrong use or configuration */
export async function runCommand(
  argv: readonly string[],
  commands: Readonly<Record<string, string>>,
  version: string,
): Promise<number> {
  const program = new Command('weir')
    .description('Makes a Linux distribution out of an upstream one and your changes to it.')
    .version(version, '-V, --version')
    .option('-C, --directory <dir>', 'folder of the project (or below it)')
    .option('--json', 'results and progress as JSON')
    .option('-q, --quiet', 'no progress, errors only')
    .option('-v, --verbose', 'stack traces with errors')
    .option('--color <when>', 'auto, always or never', 'auto')
    .exitOverride()
    .showHelpAfterError('(weir --help shows what there is)')
    .configureOutput({ writeErr: (text) => process.stderr.write(text) });
  const globals = (): GlobalOptions => globalOptions(program.opts());
  const asked = argv.find(
    (word, index) => !word.startsWith('-') && !['-C', '--directory', '--color'].includes(argv[index - 1] ?? ''),
  );
  for (const [name, description] of Object.entries(commands)) {
    const command = program.command(name).description(description);
    if (name !== asked) continue;
    const module = (await import(`./${name}.ts`)) as CommandModule;
    module.register(command, globals);
    for (const each of [command, ...command.commands]) each.exitOverride();
  }
  handleSignals();
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error, globals());
  }
}

function globalOptions(options: Record<string, unknown>): GlobalOptions {
  const color =
    options.color === 'always' ||
    (options.color === 'auto' && process.stderr.isTTY && process.env.NO_COLOR === undefined);
  const directory = typeof options.directory === 'string' ? options.directory : undefined;
  return {
    directory,
    json: options.json === true,
    quiet: options.quiet === true,
    verbose: options.verbose === true,
    color,
  };
}

/** Progress on standard error, in the form that fits what it is connected to. */
export function progressFor(globals: GlobalOptions): Progress {
  const mode = globals.quiet ? 'quiet' : globals.json ? 'json' : process.stderr.isTTY ? 'spinner' : 'plain';
  return createProgress(mode, globals.color, (text) => void process.stderr.write(text));
}

/** Prints a result: as JSON with `--json`, else as the given text. */
export function printResult(globals: GlobalOptions, value: unknown, text: string): void {
  process.stdout.write(globals.json ? `${JSON.stringify(value, null, 2)}\n` : text === '' ? '' : `${text}\n`);
}

function report(error: unknown, globals: GlobalOptions): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof WeirError) {
    if (globals.json) process.stdout.write(`${JSON.stringify(errorJson(error), null, 2)}\n`);
    process.stderr.write(`${formatError(error)}\n`);
    if (globals.verbose) process.stderr.write(`${error.stack}\n`);
    return error.exit;
  }
  const shown = error instanceof Error ? (globals.verbose ? error.stack : error.message) : String(error);
  process.stderr.write(`error: this is a bug in weir: ${shown}\nhint: -v shows where; please report it\n`);
  return 1;
}

/** Ctrl-C ends the children, then us; scratch folders that stay are swept by the next run, and nothing half-made has a final name. */
function handleSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      killChildren('SIGTERM');
      process.stderr.write(`\nerror: stopped by ${signal}; the next run goes on from what is done\n`);
      process.exit(signal === 'SIGINT' ? 130 : 143);
    });
  }
}
