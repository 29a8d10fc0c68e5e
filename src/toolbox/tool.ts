import type { Readable } from 'node:stream';
import type { RunResult } from '../base/process.ts';
import type { Bind, Jail, ToolStep } from '../engine/jail.ts';
import type { Limits } from '../engine/limits.ts';
import { runSandboxed, runSandboxedOk, streamSandboxed } from '../engine/sandbox.ts';
import { withPlainPaths } from './plain-paths.ts';

/** A root folder with the tools, and the way to run them. */
export interface Toolbox {
  readonly root: string;
  readonly jail: Jail;
  /** Digest over the toolbox's packages, for the inputs of actions. */
  readonly digest: string;
  /** The project's limits for builds, overriding Weir's defaults. */
  readonly limits?: Partial<Limits>;
}

export interface ToolRun {
  readonly argv: readonly string[];
  /** Folders and files of the host that the tool sees, under the same path unless that is not plain or `to` is set. */
  readonly binds?: readonly Bind[];
  /** A folder mounted writable through an overlay; changes go to `upper`. */
  readonly treeOverlay?: NonNullable<ToolStep['treeOverlay']>;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array | Readable;
  readonly log?: string;
  readonly network?: boolean;
  readonly devices?: readonly string[];
}

function inToolbox(toolbox: Toolbox, tool: ToolRun): ToolStep {
  return { code: 'tool', root: toolbox.root, ...withPlainPaths(tool) };
}

/** Runs a program of the toolbox; a non-zero exit code is a WeirError `tool-failed` with the last lines of output. */
export function runTool(toolbox: Toolbox, tool: ToolRun): Promise<RunResult> {
  return runSandboxedOk(toolbox.jail, inToolbox(toolbox, tool));
}

/** Runs a program of the toolbox; a non-zero exit code is a result. */
export function tryTool(toolbox: Toolbox, tool: ToolRun): Promise<RunResult> {
  return runSandboxed(toolbox.jail, inToolbox(toolbox, tool));
}

/** Runs a program of the toolbox with its stdout as a stream. */
export function streamTool(toolbox: Toolbox, tool: ToolRun): ReturnType<typeof streamSandboxed> {
  return streamSandboxed(toolbox.jail, inToolbox(toolbox, tool));
}
