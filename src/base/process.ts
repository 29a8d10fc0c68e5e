import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { systemCode, WeirError } from './errors.ts';
import { noSpace } from './files.ts';

export interface RunOptions {
  readonly cwd?: string;
  /** The child's whole environment, not an addition to ours. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array | Readable;
  /** Redirects both stdout and stderr to this file. */
  readonly log?: string;
  readonly timeoutSeconds?: number;
  /** Kills the child when it fires; the exit code is then 137, as after a timeout. */
  readonly signal?: AbortSignal;
  /** When the signal fires, the child gets SIGTERM first and has this time to stop what it started in other groups. */
  readonly graceSeconds?: number;
  /** Called with the PID once the child runs. */
  readonly started?: (pid: number) => void;
  /** Limit for stdout and stderr together; the rest is discarded and `onExceeded` is called once. */
  readonly maxOutput?: { readonly bytes: number; readonly onExceeded: () => void };
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const children = new Set<ChildProcess>();
let stopping = false;

/** Runs a program to its end; a non-zero exit code is a result, not an error. @throws WeirError `no-program`, an input stream's error */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const log = options.log === undefined ? undefined : openSync(options.log, 'a');
  try {
    const child = start(argv, options, log);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let kept = 0;
    const keep =
      (chunks: Buffer[]) =>
      (chunk: Buffer): void => {
        const before = kept;
        kept += chunk.length;
        const { bytes, onExceeded } = options.maxOutput ?? { bytes: Number.POSITIVE_INFINITY };
        if (kept <= bytes) chunks.push(chunk);
        else if (before <= bytes) onExceeded?.();
      };
    child.stdout?.on('data', keep(stdout));
    child.stderr?.on('data', keep(stderr));
    const input = options.input;
    let inputError: unknown;
    if (input !== undefined && child.stdin !== null) {
      // If a child exits before it has read all its input, its exit code counts, not EPIPE.
      child.stdin.on('error', () => {});
      if (typeof input === 'string' || input instanceof Uint8Array) child.stdin.end(input);
      else {
        // Truncated input must not pass for complete input.
        input.on('error', (error) => {
          inputError = error;
          kill(child, 'SIGKILL');
        });
        input.pipe(child.stdin);
      }
    }
    const code = await ended(child, argv, options.timeoutSeconds);
    if (inputError !== undefined) throw inputError;
    return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

/** Like `run`, but a non-zero exit code is a `tool-failed` error with the last lines of output. */
export async function runOk(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await run(argv, options);
  if (result.code !== 0) {
    const said = options.log === undefined ? result.stderr || result.stdout : await tail(options.log);
    if (/No space left on device|Disk quota exceeded/i.test(said))
      throw noSpace(options.log ?? options.cwd ?? argv[0]!);
    throw new WeirError('tool-failed', `${argv[0]} failed with exit code ${result.code}`, {
      details: lastLines(said, 15),
      ...(options.log === undefined ? {} : { hint: `see the full log: ${options.log}` }),
    });
  }
  return result;
}

/** Starts a program and returns its stdout as a stream; `done` resolves to the exit code. */
export function stream(
  argv: readonly string[],
  options: RunOptions = {},
): {
  readonly stdout: Readable;
  readonly stderr: () => string;
  readonly done: Promise<number>;
} {
  const child = start(argv, options, undefined);
  const stderr: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  return {
    stdout: child.stdout!,
    stderr: () => Buffer.concat(stderr).toString(),
    done: ended(child, argv, options.timeoutSeconds),
  };
}

/** Starts a program for a dialogue over its stdin and stdout. The caller must end it, at the latest by closing its stdin. */
export function converse(argv: readonly string[], options: RunOptions = {}): ChildProcess {
  const child = start(argv, { ...options, input: '' }, undefined);
  child.on('exit', () => children.delete(child));
  child.on('error', () => children.delete(child));
  return child;
}

/**
 * Stops every child with its whole process group and lets no new one start. Callers that wait for a child or start one get a
 * WeirError `interrupted`; the work unwinds and removes its scratch folders and locks. Only for the signal handler.
 */
export function stopChildren(signal: NodeJS.Signals): void {
  stopping = true;
  for (const child of children) kill(child, signal);
}

/** Whether children are being stopped, in which case their last output means nothing. */
export function isStopping(): boolean {
  return stopping;
}

/** Each child leads its own process group, so the signal also reaches what it started. */
function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || !children.has(child)) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

/** The error for a caller whose child was stopped. */
export function interrupted(argv: readonly string[]): WeirError {
  return new WeirError('interrupted', `${argv[0]} was stopped`);
}

function start(argv: readonly string[], options: RunOptions, log: number | undefined): ChildProcess {
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError('run: empty argv');
  if (stopping) throw interrupted(argv);
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: [options.input === undefined ? 'ignore' : 'pipe', log ?? 'pipe', log ?? 'pipe'],
    detached: true,
  });
  children.add(child);
  if (child.pid !== undefined) options.started?.(child.pid);
  const { graceSeconds } = options;
  const stop = (): void => {
    kill(child, graceSeconds === undefined ? 'SIGKILL' : 'SIGTERM');
    if (graceSeconds !== undefined) setTimeout(() => kill(child, 'SIGKILL'), graceSeconds * 1000).unref();
  };
  options.signal?.addEventListener('abort', stop, { once: true });
  return child;
}

function ended(child: ChildProcess, argv: readonly string[], timeoutSeconds: number | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer =
      timeoutSeconds === undefined ? undefined : setTimeout(() => kill(child, 'SIGKILL'), timeoutSeconds * 1000);
    child.on('error', (error) => {
      clearTimeout(timer);
      children.delete(child);
      const missing = systemCode(error) === 'ENOENT';
      reject(missing ? new WeirError('no-program', `program not found: ${argv[0]}`, { cause: error }) : error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      children.delete(child);
      // The exit code of a stopped program must not count as a result.
      if (stopping && code !== 0) reject(interrupted(argv));
      else resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15));
    });
  });
}

/** The last `count` lines that are not blank. */
export function lastLines(text: string, count: number): string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count);
}

/** The end of a file as text, at most `bytes` of it. */
export async function tail(path: string, bytes = 16_384): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, bytes);
    const buffer = Buffer.alloc(length);
    await handle.read(buffer, 0, length, size - length);
    return buffer.toString();
  } finally {
    await handle.close();
  }
}
