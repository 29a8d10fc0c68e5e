// The parts that the inputs of a component consist of.

import { type Digest, sha256 } from '../base/digest.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';
import type { FileDigests } from './file-digests.ts';

/** One input of a component, with a name for people. */
export interface InputPart {
  /** `upstream commit`, `overlay 3 (spec-add-tag)`, `define NAME`, `spec file NAME` …; unique in a component. */
  readonly name: string;
  readonly digest: Digest;
  /** Its value in one short line; if the digest covers more than that, with the digest's first digits. */
  readonly value?: string;
  /** file:line relative to the project, for overlays; not part of the digest. See `placed` for other parts. */
  readonly where?: string;
}

export interface ComponentInputs {
  readonly component: string;
  /** Digest of all parts; independent of the project's path and of the order of unordered parts. */
  readonly digest: Digest;
  /** Sorted by name, overlays by their number. */
  readonly parts: readonly InputPart[];
}

/** The content of a lock file or a pin. */
export interface LockedInputs {
  readonly upstreamCommit?: string;
  /** Incremented by hand to rebuild a component. */
  readonly manualBump?: number;
}

/** Shared by the inputs of several components; files that they share are read once. */
export interface InputContext {
  readonly project: Project;
  /** The locks, which take precedence over the configuration. */
  readonly locks?: ReadonlyMap<string, LockedInputs>;
  readonly files: FileDigests;
}

/** Parts while they are collected; digests that need a file are added later. */
export class Parts {
  readonly component: ResolvedComponent;
  readonly context: InputContext;
  readonly #parts: (InputPart | Promise<readonly InputPart[]>)[] = [];

  constructor(component: ResolvedComponent, context: InputContext) {
    this.component = component;
    this.context = context;
  }

  /** Adds a part that consists of its value. */
  say(name: string, value: string, where?: string): void {
    this.#parts.push({ name, digest: digestOfText(value), value, ...(where === undefined ? {} : { where }) });
  }

  add(...parts: readonly InputPart[]): void {
    this.#parts.push(...parts);
  }

  later(parts: Promise<readonly InputPart[]>): void {
    this.#parts.push(parts);
  }

  async all(): Promise<readonly InputPart[]> {
    return (await Promise.all(this.#parts)).flat();
  }
}

// Thousands of components have the same few values.
const knownTexts = new Map<string, Digest>();

export function digestOfText(text: string): Digest {
  if (text.length > 100) return sha256(text);
  let digest = knownTexts.get(text);
  if (digest === undefined) {
    digest = sha256(text);
    knownTexts.set(text, digest);
  }
  return digest;
}

export function short(digest: Digest): string {
  return digest.slice(0, 12);
}

export function overlayNumber(name: string): number | undefined {
  const number = /^overlay (\d+) \(/.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}
