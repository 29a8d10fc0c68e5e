import { type Digest, sha256 } from '../base/digest.ts';

/** A glob with the files that it matched, in the order of `expandGlob`. */
export interface GlobInput {
  readonly pattern: string;
  readonly dir: string;
  readonly found: readonly string[];
}

/**
 * Everything on disk that a load depends on, with its state. A cached result is valid only while each of these
 * has the same state; see `loadCached`.
 */
export interface DiskInputs {
  /** Absolute path → digest of the bytes; `absent` if there was no such file; `unsteady` if it changed during the load. */
  readonly files: Map<string, Digest | 'absent' | 'unsteady'>;
  /** Keyed by all fields: a glob that matched other files the second time has two entries, which never hold together. */
  readonly globs: Map<string, GlobInput>;
}

export function noInputs(): DiskInputs {
  return { files: new Map(), globs: new Map() };
}

/** Records a file that was read. @param bytes undefined if there is no file of that name */
export function noteFile(inputs: DiskInputs | undefined, path: string, bytes: Uint8Array | undefined): void {
  if (inputs === undefined) return;
  const state = bytes === undefined ? 'absent' : sha256(bytes);
  const before = inputs.files.get(path);
  inputs.files.set(path, before === undefined || before === state ? state : 'unsteady');
}

/** Records what a glob matched. @returns `found` */
export function noteGlob<T extends readonly string[]>(
  inputs: DiskInputs | undefined,
  pattern: string,
  dir: string,
  found: T,
): T {
  inputs?.globs.set([dir, pattern, ...found].join('\0'), { pattern, dir, found });
  return found;
}
