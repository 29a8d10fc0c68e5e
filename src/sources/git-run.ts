import { WeirError } from '../base/errors.ts';
import { lastLines, type RunOptions, type RunResult, run } from '../base/process.ts';

/** A repository that commits are read from. */
export interface GitRepository {
  /** As it was asked for: a URL, or an absolute path. */
  readonly url: string;
  /** Its `.git`, or the folder itself where it is bare. */
  readonly gitDir: string;
  /** Whether it is a partial clone in the store: what it lacks comes from `url`. Others are read where they are. */
  readonly remote: boolean;
}

/** Whether to ask upstream at all, and how often; the fields are those of a download. */
export interface RetryOptions {
  readonly offline?: boolean;
  /** Upstream is asked although an earlier run's answer is known. */
  readonly fresh?: boolean;
  readonly attempts?: number;
  readonly wait?: (attempt: number) => Promise<void>;
}

/** Variables that would have git look at another repository than the one it is told. */
const foreign =
  /^GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|GRAFT_FILE|SHALLOW_FILE)$/;

let inherited: Readonly<Record<string, string>> | undefined;

/** The environment that git runs in: the user's own configuration stays in force, it may know the way through a proxy. */
export function gitEnvironment(): Readonly<Record<string, string>> {
  inherited ??= {
    ...Object.fromEntries(
      Object.entries(process.env).filter(
        (pair): pair is [string, string] => pair[1] !== undefined && !foreign.test(pair[0]),
      ),
    ),
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C',
  };
  return inherited;
}

/** Only a slow transfer may take long, not one that stands still; and no housekeeping beside runs that read. */
const settings = ['gc.auto=0', 'maintenance.auto=false', 'http.lowSpeedLimit=1', 'http.lowSpeedTime=60'];

/** A git command line on one repository. @param gitDir its `.git`, or the folder itself where it is bare */
export function gitArgv(gitDir: string, args: readonly string[], more: readonly string[] = []): string[] {
  return ['git', '--git-dir', gitDir, ...[...settings, ...more].flatMap((setting) => ['-c', setting]), ...args];
}

/** Runs git to its end; a non-zero exit is a result. */
export function runGit(
  gitDir: string,
  args: readonly string[],
  options: RunOptions & { readonly settings?: readonly string[] } = {},
): Promise<RunResult> {
  const { settings: more, ...rest } = options;
  return run(gitArgv(gitDir, args, more), { env: gitEnvironment(), ...rest });
}

/** What git says when the network or the server is the reason, so that another attempt may do. */
const passing =
  /could not resolve host|timed out|connection (?:reset|refused|closed)|rpc failed|early eof|hung up|unexpected disconnect|returned error: (?:408|429|5\d\d)|too slow/i;

/** Runs a git command that talks to a server, again where it failed for a reason that passes. @returns the last result */
export async function runPatiently(command: () => Promise<RunResult>, retry: RetryOptions): Promise<RunResult> {
  const wait = retry.wait ?? ((attempt: number) => new Promise((done) => setTimeout(done, 500 * 2 ** attempt)));
  for (let attempt = 1; ; attempt++) {
    const result = await command();
    if (result.code === 0 || attempt >= (retry.attempts ?? 4) || !passing.test(result.stderr)) return result;
    await wait(attempt);
  }
}

/** A command of git's that failed. */
export function gitFailed(message: string, said: string): WeirError {
  return new WeirError('git-failed', message, { details: lastLines(said, 5) });
}
