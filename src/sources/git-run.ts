import { WeirError } from '../base/errors.ts';
import { lastLines, type RunOptions, type RunResult, run } from '../base/process.ts';

/** A repository that commits are read from. */
export interface GitRepository {
  /** As requested: a URL, or an absolute path. */
  readonly url: string;
  /** Its `.git`, or the folder itself if it is bare. */
  readonly gitDir: string;
  /** Whether it is a partial clone in the store, which fetches missing objects from `url`. Other repositories are read in place. */
  readonly remote: boolean;
}

/** Whether upstream may be contacted, and the retry policy; the fields are those of a download. */
export interface RetryOptions {
  readonly offline?: boolean;
  /** Contacts upstream even if an earlier run recorded the answer. */
  readonly fresh?: boolean;
  readonly attempts?: number;
  readonly wait?: (attempt: number) => Promise<void>;
}

/** Variables that would make git use another repository than the given one. */
const foreign =
  /^GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|GRAFT_FILE|SHALLOW_FILE)$/;

let inherited: Readonly<Record<string, string>> | undefined;

/** The environment that git runs in. The user's own configuration stays in effect: it may set a proxy. */
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

/** Aborts stalled transfers, but not slow ones; and no maintenance while other runs read. */
const settings = ['gc.auto=0', 'maintenance.auto=false', 'http.lowSpeedLimit=1', 'http.lowSpeedTime=60'];

/** A git command line on one repository. @param gitDir its `.git`, or the folder itself if it is bare */
export function gitArgv(gitDir: string, args: readonly string[], more: readonly string[] = []): string[] {
  return ['git', '--git-dir', gitDir, ...[...settings, ...more].flatMap((setting) => ['-c', setting]), ...args];
}

/** Runs git to completion; a non-zero exit is returned, not thrown. */
export function runGit(
  gitDir: string,
  args: readonly string[],
  options: RunOptions & { readonly settings?: readonly string[] } = {},
): Promise<RunResult> {
  const { settings: more, ...rest } = options;
  return run(gitArgv(gitDir, args, more), { env: gitEnvironment(), ...rest });
}

/** Messages of git for network and server errors, which another attempt may fix. */
const passing =
  /could not resolve host|timed out|connection (?:reset|refused|closed)|rpc failed|early eof|hung up|unexpected disconnect|returned error: (?:408|429|5\d\d)|too slow/i;

/** Runs a git command that talks to a server, with retries for temporary errors. @returns the last result */
export async function runPatiently(command: () => Promise<RunResult>, retry: RetryOptions): Promise<RunResult> {
  const wait = retry.wait ?? ((attempt: number) => new Promise((done) => setTimeout(done, 500 * 2 ** attempt)));
  for (let attempt = 1; ; attempt++) {
    const result = await command();
    if (result.code === 0 || attempt >= (retry.attempts ?? 4) || !passing.test(result.stderr)) return result;
    await wait(attempt);
  }
}

/** The error for a failed git command. */
export function gitFailed(message: string, said: string): WeirError {
  return new WeirError('git-failed', message, { details: lastLines(said, 5) });
}
