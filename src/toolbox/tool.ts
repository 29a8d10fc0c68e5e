import type { Readable } from 'node:stream';
import type { RunResult } from '../base/process.ts';
import type { Bind, Jail, ToolStep } from '../engine/jail.ts';
import type { Limits } from '../engine/limits.ts';
import { runSandboxed, runSandboxedOk, streamSandboxed } from '../engine/sandbox.ts';
import { withPlainPaths } from './plain-paths.ts';

/** A root folder with the field's tools, and the way to run them. */
export interface Toolbox {
  readonly root: string;
  readonly jail: Jail;
  /** Digest over the toolbox's packages, for the inputs of actions. */
  readonly digest: string;
  /** What the project lets a build use, in place of Weir's own limits. */
  readonly limits?: Partial<Limits>;
}

export interface ToolRun {
  readonly argv: readonly string[];
  /** Folders and files of the host that the tool sees, under the same path unless that is not plain or `to` says otherwise. */
  readonly binds?: readonly Bind[];
  /** A folder mounted writable through an overlay, whose changes land in `upper`. */
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

/** Runs one of the toolbox's programs; a non-zero exit is a WeirError `tool-failed` with the last lines it said. */
export function runTool(toolbox: Toolbox, tool: ToolRun): Promise<RunResult> {
  return runSandboxedOk(toolbox.jail, inToolbox(toolbox, tool));
}

/** Runs one of the toolbox's programs; a non-zero exit is a result. */
export function tryTool(toolbox: Toolbox, tool: ToolRun): Promise<RunResult> {
  return runSandboxed(toolbox.jail, inToolbox(toolbox, tool));
}

/** Runs one of the toolbox's programs with its stdout as a stream. */
export function streamTool(toolbox: Toolbox, tool: ToolRun): ReturnType<typeof streamSandboxed> {
  return streamSandboxed(toolbox.jail, inToolbox(toolbox, tool));
}
