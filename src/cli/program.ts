import { Command, CommanderError, Option } from 'commander';
import { errorJson, formatError, systemCode, WeirError } from '../base/errors.ts';
import { diskError, tooManyFiles } from '../base/files.ts';
import { shownLine } from '../base/foreign-text.ts';
import { stopChildren } from '../base/process.ts';
import { createProgress, type Progress } from '../base/progress.ts';
import { commands } from './commands.ts';

/** Options allowed before or after any command. */
export interface GlobalOptions {
  /** The project's folder, if given. */
  readonly directory: string | undefined;
  /** The project's profile, if given. */
  readonly profile: string | undefined;
  /** Extra configuration files, merged last. */
  readonly configFiles: readonly string[];
  /** Whether unknown configuration keys are only warnings. */
  readonly permissive: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
}

/**
 * The export of a command's file: adds sub-commands and options to `command`.
 * @param asked the words after the command's name
 */
export interface CommandModule {
  readonly register: (command: Command, globals: () => GlobalOptions, asked: readonly string[]) => void | Promise<void>;
}

/**
 * Adds the verbs of a noun. Each is a file in the noun's folder, imported only when needed.
 * @param verbs names with descriptions, in help order
 */
export async function registerVerbs(
  command: Command,
  globals: () => GlobalOptions,
  asked: readonly string[],
  verbs: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [verb, description] of Object.entries(verbs)) {
    const added = command.command(verb).description(description).helpCommand(false);
    if (asked[0] !== verb) continue;
    const module = (await import(`./${command.name()}/${verb}.ts`)) as CommandModule;
    await module.register(added, globals, asked.slice(1));
  }
}

/** Runs one command line. @returns the exit code: 0 done, 1 failed, 2 wrong use or configuration, 128 + n by a signal */
export async function runCommand(argv: readonly string[], version: string): Promise<number> {
  const words = withHelpOption(argv);
  let program = await makeProgram(commandWords(words), version);
  const stopped = handleSignals(() => program.opts().json === true);
  // A reader that closes the pipe early (`| head`) is not a failure.
  process.stdout.on('error', (error) => process.exit(systemCode(error) === 'EPIPE' ? 0 : 1));
  for (let again = false; ; again = true) {
    try {
      await program.parseAsync(words, { from: 'user' });
      return stopped() ?? Number(process.exitCode ?? 0);
    } catch (error) {
      const ended = stopped();
      if (ended !== undefined) return ended;
      const globals = globalOptions(program.opts());
      if (again || !(await isRepaired(error, globals))) return report(error, globals);
      program = await makeProgram(commandWords(words), version);
    }
  }
}

/**
 * After a command met corrupt or missing cache content: checks the whole cache and removes the faulty parts, so that the command
 * can be retried. @returns whether to retry
 */
async function isRepaired(error: unknown, globals: GlobalOptions): Promise<boolean> {
  if (!(error instanceof WeirError) || !['bad-blob', 'missing-blob'].includes(error.code)) return false;
  process.stderr.write(`${formatError(error, 'warning')}\n`);
  const { repairCache } = await import('../release/cache-check.ts');
  const progress = progressFor(globals);
  const { faults } = await repairCache(progress);
  for (const { path, message } of faults.slice(0, 20)) progress.note('cache', `removed ${path}: ${message}`);
  if (faults.length > 20) progress.note('cache', `${faults.length - 20} more removed`);
  return true;
}

/** All commands by name, with the options of the command in `asked`. Other commands' files are not read. */
export async function makeProgram(asked: readonly string[], version: string): Promise<Command> {
  const program = new Command('weir')
    .description('Builds a Linux distribution from an upstream one and your changes to it.')
    .usage('[options] <command>')
    .version(version, '-V, --version', 'show the version')
    .option('-C, --directory <dir>', 'folder of the project, or one below it')
    .option('--profile <name>', 'profile of the project: profiles/NAME.toml, which overrides its other files')
    .option('--config-file <file>', 'extra configuration file, which overrides the others (may be repeated)', gather)
    .option('--permissive-config', 'ignore unknown keys in the configuration with a warning')
    .option('--offline', 'do not use the network; anything missing from the cache is an error')
    .option('--json', 'print results and progress as JSON')
    .option('-q, --quiet', 'print errors only, no progress')
    .option('-v, --verbose', 'print stack traces of errors')
    .addOption(
      new Option('--color <when>', 'colour progress output').choices(['auto', 'always', 'never']).default('auto'),
    )
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command...]', 'show help')
    .configureHelp({ showGlobalOptions: true })
    .hook('preAction', (root) => {
      // Network code checks this variable, in worker threads and child processes too.
      if (root.opts().offline === true) process.env.WEIR_OFFLINE = '1';
    })
    .exitOverride()
    .showHelpAfterError('hint: run with --help for usage')
    .addHelpText(
      'after',
      examples(['weir build', 'weir boot vm-base', 'weir component list --json', 'weir help image']),
    );
  const globals = (): GlobalOptions => globalOptions(program.opts());
  for (const [name, description] of Object.entries(commands)) {
    const command = program.command(name).description(description).helpCommand(false);
    if (name !== asked[0]) continue;
    const module = (await import(`./${name}.ts`)) as CommandModule;
    await module.register(command, globals, asked.slice(1));
  }
  return program;
}

/** Examples for the end of a command's help. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** Turns `weir help image list` and `weir image help list` into `weir image list --help`: commander supports only one level. */
function withHelpOption(argv: readonly string[]): string[] {
  const [first, ...rest] = commandWords(argv);
  if (first === 'help') return [...rest, '--help'];
  // These take the name of an image or a shell, not a verb.
  const noun = first !== undefined && first in commands && !['boot', 'completion'].includes(first);
  return noun && rest[0] === 'help' ? [first, ...rest.slice(1), '--help'] : [...argv];
}

/** The global options that take a value. */
const withValue = ['-C', '--directory', '--profile', '--config-file', '--color'];

export function gather(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** The words of a command line before `--`, without options and their values. */
export function commandWords(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.filter((word, index) => !word.startsWith('-') && !withValue.includes(words[index - 1] ?? ''));
}

function globalOptions(options: Record<string, unknown>): GlobalOptions {
  const color =
    options.color === 'always' ||
    (options.color === 'auto' && process.stderr.isTTY && process.env.NO_COLOR === undefined);
  const directory = typeof options.directory === 'string' ? options.directory : undefined;
  return {
    directory,
    profile: typeof options.profile === 'string' ? options.profile : undefined,
    configFiles: (options.configFile as readonly string[] | undefined) ?? [],
    permissive: options.permissiveConfig === true,
    json: options.json === true,
    quiet: options.quiet === true,
    verbose: options.verbose === true,
    color,
  };
}

/** Progress on standard error, in the form that suits its type. */
export function progressFor(globals: GlobalOptions): Progress {
  const mode = globals.quiet ? 'quiet' : globals.json ? 'json' : process.stderr.isTTY ? 'spinner' : 'plain';
  return createProgress(mode, globals.color, (text) => void process.stderr.write(text));
}

/** Prints a result: as JSON with `--json`, else as the given text, which may be made only when it is needed. */
export function printResult(globals: GlobalOptions, value: unknown, text: string | (() => string)): void {
  if (globals.json) {
    process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    return;
  }
  const shown = typeof text === 'string' ? text : text();
  process.stdout.write(shown === '' ? '' : `${shown}\n`);
}

/** Aligned columns under a heading, one line a row; the text `none` if there are no rows. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  if (rows.length === 0) return none;
  const all = [heading, ...rows].map((row) => row.map(shownLine));
  const widths = heading.map((_, column) => all.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function report(error: unknown, globals: GlobalOptions): number {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0 && globals.json) printError(usageError(error));
    return error.exitCode === 0 ? 0 : 2;
  }
  const known = worded(error);
  if (known instanceof WeirError) {
    if (globals.json) printError(known);
    process.stderr.write(`${formatError(known)}\n`);
    if (globals.verbose) process.stderr.write(`${known.stack}\n`);
    return known.exit;
  }
  const said = error instanceof Error ? error.message : String(error);
  if (globals.json) printError(new WeirError('bug', said));
  const shown = error instanceof Error && globals.verbose ? error.stack : said;
  process.stderr.write(`error: bug in weir: ${shown}\nhint: please report it; run with -v for a stack trace\n`);
  return 1;
}

/** Turns system errors into readable ones, wherever they occurred. */
function worded(error: unknown): unknown {
  if (/^E[MN]FILE$/.test(systemCode(error) ?? '')) {
    return tooManyFiles(error instanceof Error && 'path' in error ? String(error.path) : undefined, error);
  }
  return error instanceof Error && 'path' in error ? diskError(error, String(error.path)) : error;
}

function printError(error: WeirError): void {
  process.stdout.write(`${JSON.stringify(errorJson(error), null, 2)}\n`);
}

/** An error that commander has already printed to standard error, as a WeirError. */
function usageError(error: CommanderError): WeirError {
  if (error.code === 'commander.help') return new WeirError('no-command', 'missing command', { exit: 2 });
  const code = error.code.replace('commander.', '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const [message = '', hint] = error.message.replace(/^error: /, '').split('\n');
  return new WeirError(code, message, {
    exit: 2,
    ...(hint === undefined ? {} : { hint: hint.replace(/^\(|\)$/g, '') }),
  });
}

/**
 * Ctrl-C stops the child processes; the work that waits for them unwinds and cleans up. If that takes too long, or on a second
 * Ctrl-C, the process exits at once; nothing incomplete has a final name.
 * @returns a function that reports a stopped run, if there was one, and returns its exit code
 */
function handleSignals(json: () => boolean): () => number | undefined {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  let stopped: keyof typeof numbers | undefined;
  const say = (signal: keyof typeof numbers): number => {
    const error = new WeirError('interrupted', `stopped by ${signal}; the next run reuses what is done`);
    if (json()) printError(error);
    process.stderr.write(`${formatError(error)}\n`);
    return 128 + numbers[signal];
  };
  const cutOff = (signal: keyof typeof numbers): void => {
    stopChildren('SIGKILL');
    process.exit(say(signal));
  };
  for (const signal of Object.keys(numbers) as (keyof typeof numbers)[]) {
    process.on(signal, () => {
      if (stopped !== undefined) return cutOff(signal);
      stopped = signal;
      // After the ^C that the terminal printed.
      if (process.stderr.isTTY) process.stderr.write('\n');
      // Abandoned work may fail, too.
      process.on('unhandledRejection', () => {});
      stopChildren('SIGTERM');
      setTimeout(() => stopChildren('SIGKILL'), 2000);
      setTimeout(() => cutOff(signal), 5000);
    });
  }
  return () => (stopped === undefined ? undefined : say(stopped));
}
