import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { CallToolResult } from '@modelcontextprotocol/server';
import { installRoot } from '../base/paths.ts';
import { run } from '../base/process.ts';
import { readOnlyVariable } from '../base/read-only.ts';
import { type Arguments, commandLine, type Tool } from './tools.ts';

/** What the server was started with. */
export interface CallSettings {
  /** Global options for every command: `-C DIR` and the like. */
  readonly globals: readonly string[];
  /** Output folder of the build, if given. */
  readonly out: string | undefined;
}

/** Calls that run now, and those that wait for their turn. */
const most = Math.max(2, availableParallelism());
let running = 0;
const waiting: (() => void)[] = [];

/** Longer than a command takes to stop its own children, each of which leads a group of processes. */
const cancelSeconds = 8;

/**
 * Runs a tool's command as a process of its own, so that neither a crash nor output of the command reaches the protocol. Its
 * result, unchanged but for spaces, is the first text; what it said on stderr is the second. A failed command is an answer
 * with `isError`, and its words say what, where and what to do.
 */
export async function callTool(
  tool: Tool,
  given: Arguments,
  settings: CallSettings,
  signal: AbortSignal,
): Promise<CallToolResult> {
  if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
  running++;
  try {
    if (signal.aborted) return answer(['cancelled'], true);
    const argv = [...settings.globals, '--json', '--quiet', ...commandLine(tool, given, settings.out)];
    const { code, stdout, stderr } = await run([join(installRoot, 'weir'), ...argv], {
      env: { ...process.env, [readOnlyVariable]: '1', NO_COLOR: '1' } as Record<string, string>,
      signal,
      graceSeconds: cancelSeconds,
    });
    return answerOf(tool, given, code, stdout, stderr);
  } finally {
    running--;
    waiting.shift()?.();
  }
}

function answerOf(tool: Tool, given: Arguments, code: number, stdout: string, stderr: string): CallToolResult {
  const said = stderr.trim();
  const failed = code !== 0;
  let value: unknown;
  try {
    value = JSON.parse(stdout);
  } catch {
    // A crash, or a command that was stopped: its own words are all there is.
    return answer([said === '' ? `weir ${tool.command.join(' ')} ended with exit code ${code}` : said], true);
  }
  // An error as JSON says the same as stderr.
  if (failed && isErrorOnly(value)) return answer([said, JSON.stringify(value)], true);
  const { rows, note } = partOf(tool, given, value);
  return answer([JSON.stringify(rows), note, said], failed);
}

function answer(texts: readonly string[], isError: boolean): CallToolResult {
  return { content: texts.filter((text) => text !== '').map((text) => ({ type: 'text', text })), isError };
}

function isErrorOnly(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && Object.keys(value).every((key) => ['error', 'others'].includes(key))
  );
}

/** The rows that the client asked for, and which they are if not all. */
function partOf(tool: Tool, given: Arguments, value: unknown): { readonly rows: unknown; readonly note: string } {
  const offset = typeof given.offset === 'number' ? given.offset : 0;
  const limit = typeof given.limit === 'number' ? given.limit : Number.POSITIVE_INFINITY;
  if (tool.rows !== true || !Array.isArray(value)) return { rows: value, note: '' };
  const rows: unknown[] = value.slice(offset, offset + limit);
  if (rows.length === value.length) return { rows, note: '' };
  const shown = rows.length === 0 ? 'no rows' : `rows ${offset + 1} to ${offset + rows.length}`;
  return { rows, note: `${shown} of ${value.length}` };
}
