import { type Command, InvalidArgumentError } from 'commander';
import { errorJson, formatError } from '../base/errors.ts';
import { type ComponentResult, ComponentsError } from '../component/outcome.ts';
import { type GlobalOptions, gather, printResult, table } from './program.ts';

/** The values of the options of `addBuildOptions`. */
export interface BuildCommandOptions {
  readonly jobs?: number;
  readonly keepGoing?: boolean;
  readonly repo?: readonly string[];
}

/** Adds the options of every command that builds components. */
export function addBuildOptions(command: Command): Command {
  const number = (value: string): number => {
    if (!/^[1-9]\d{0,3}$/.test(value)) throw new InvalidArgumentError('not a number from 1 to 9999');
    return Number(value);
  };
  return command
    .option('-j, --jobs <number>', 'components to build at the same time (default: 2)', number)
    .option('-k, --keep-going', 'after a failure, build everything that does not wait for the failed component')
    .option('--repo <[id=]url>', 'also take packages from this RPM repository (may be repeated)', gather);
}

/** Only what was given. */
export function buildOptionsOf({
  jobs,
  keepGoing = false,
}: BuildCommandOptions): Pick<BuildCommandOptions, 'jobs' | 'keepGoing'> {
  return { keepGoing, ...(jobs === undefined ? {} : { jobs }) };
}

/** Runs a build; if components failed, prints what became of each, then the error. */
export async function withResults(globals: GlobalOptions, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ComponentsError)) throw error;
    printResult(globals, { ...errorJson(error), components: error.results }, () =>
      error.results.length === 1 ? '' : resultTable(error.results),
    );
    process.stderr.write(`${formatError(error)}\n`);
    if (globals.verbose) process.stderr.write(`${error.stack}\n`);
    process.exitCode = error.exit;
  }
}

/** One line a component: what became of it and why. */
export function resultTable(results: readonly ComponentResult[]): string {
  const rows = results.map(({ component, state, class: failed, seconds, why = '', log }) => [
    component,
    failed === undefined ? state : `${state} (${failed})`,
    state === 'built' && seconds !== undefined ? `${seconds.toFixed(1)} s` : '',
    log === undefined || failed === undefined ? why : `${why} [${log}]`,
  ]);
  return table(['COMPONENT', 'RESULT', 'TIME', 'WHY'], rows, 'no components');
}
