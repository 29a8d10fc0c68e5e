import { type Digest, sha256 } from '../base/digest.ts';

/** A glob, and the files that it matched, in the order of `expandGlob`. */
export interface GlobInput {
  readonly pattern: string;
  readonly dir: string;
  readonly found: readonly string[];
}

/**
 * All that a load looked at on the disk, and what was there. A result that is kept for later holds only while each of these
 * gives the same answer; see `loadCached`.
 */
export interface DiskInputs {
  /** Absolute path → digest of the bytes; `absent` where no such file was there; `unsteady` where it changed meanwhile. */
  readonly files: Map<string, Digest | 'absent' | 'unsteady'>;
  /** By all that is in them: a glob that matched other files the second time is there twice, and the two never hold together. */
  readonly globs: Map<string, GlobInput>;
}

export function noInputs(): DiskInputs {
  return { files: new Map(), globs: new Map() };
}

/** Notes a file that was read. @param bytes undefined where there is no file of that name */
export function noteFile(inputs: DiskInputs | undefined, path: string, bytes: Uint8Array | undefined): void {
  if (inputs === undefined) return;
  const state = bytes === undefined ? 'absent' : sha256(bytes);
  const before = inputs.files.get(path);
  inputs.files.set(path, before === undefined || before === state ? state : 'unsteady');
}

/** Notes what a glob matched. @returns `found` */
export function noteGlob<T extends readonly string[]>(
  inputs: DiskInputs | undefined,
  pattern: string,
  dir: string,
  found: T,
): T {
  inputs?.globs.set([dir, pattern, ...found].join('\0'), { pattern, dir, found });
  return found;
}
