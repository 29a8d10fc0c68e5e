// Git LFS: the pointers in git in place of large files, and their content on this machine.

import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileDigest } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { run } from '../base/process.ts';
import { gitEnvironment } from './git-run.ts';

/** A Git LFS pointer: the text in git in place of a file (docs/spec.md of git-lfs/git-lfs). */
export interface LfsPointer {
  /** SHA-256 of the content; undefined if the pointer uses a hash that Weir does not know. */
  readonly oid?: string;
  /** Bytes. */
  readonly size?: number;
}

/** A repository on this machine, by its `.git` or by a folder of its working tree. */
export type LfsHome = { readonly gitDir: string } | { readonly folder: string };

/** Limit of a pointer's length, in bytes. */
export const pointerLimit = 1024;

const version = Buffer.from('version https://');
const firstLine = /^version https:\/\/(?:git-lfs|hawser)\.github\.com\/spec\/v1\r?\n/;

/** The pointer in a file's bytes, or undefined if the bytes are not a pointer. */
export function lfsPointer(bytes: Uint8Array): LfsPointer | undefined {
  if (bytes.length >= pointerLimit || !version.equals(bytes.subarray(0, version.length))) return undefined;
  const text = Buffer.from(bytes).toString('latin1');
  if (!firstLine.test(text)) return undefined;
  const oid = /^oid sha256:([0-9a-f]{64})\r?$/m.exec(text)?.[1];
  const size = /^size (\d{1,15})\r?$/m.exec(text)?.[1];
  return { ...(oid === undefined ? {} : { oid }), ...(size === undefined ? {} : { size: Number(size) }) };
}

/**
 * The content of a pointer, from the LFS store of a repository on this machine, checked against oid and size.
 * @param name of the file, for messages
 * @returns the path in the store
 * @throws WeirError `lfs-pointer` if the content is missing or does not match
 */
export async function lfsContent(pointer: LfsPointer, name: string, repository: LfsHome | undefined): Promise<string> {
  const { oid, size } = pointer;
  const store = repository === undefined ? undefined : await lfsStore(repository);
  if (oid === undefined || size === undefined || store === undefined) throw notThere(name, pointer, []);
  const path = join(store, oid.slice(0, 2), oid.slice(2, 4), oid);
  const found = await sizeOf(path);
  if (found === undefined) throw notThere(name, pointer, [`looked for ${path}`]);
  if (found !== size) throw notThere(name, pointer, [`${path} has ${found} bytes`]);
  const digest = await fileDigest(path);
  if (digest !== oid) throw notThere(name, pointer, [`${path} has the SHA-256 ${digest}`]);
  return path;
}

/** The error for a pointer whose content is not available. */
export function notThere(name: string, { oid, size }: LfsPointer, details: readonly string[]): WeirError {
  const wanted = oid === undefined ? [] : [`SHA-256 ${oid}, ${size ?? '?'} bytes`];
  return new WeirError('lfs-pointer', `${name} is a Git LFS pointer: its content is not in the repository`, {
    details: [...wanted, ...details],
    hint: 'if the repository is on this machine, run git lfs fetch in it; else add the file to source-files, with its hash and origin',
  });
}

/** Where a repository stores its LFS content; undefined for a folder outside a repository. */
async function lfsStore(repository: LfsHome): Promise<string | undefined> {
  const git = async (...args: string[]): Promise<string | undefined> => {
    const argv = 'gitDir' in repository ? ['git', '--git-dir', repository.gitDir] : ['git', '-C', repository.folder];
    const { code, stdout } = await run([...argv, ...args], { env: gitEnvironment() });
    return code === 0 ? stdout.trim() : undefined;
  };
  const common = await git('rev-parse', '--git-common-dir');
  if (common === undefined) return undefined;
  const dir = 'gitDir' in repository ? resolve(common) : resolve(repository.folder, common);
  const storage = (await git('config', '--get', 'lfs.storage')) ?? 'lfs';
  return join(resolve(dir, storage), 'objects');
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** The pointer in a file on disk; undefined if the file is not a pointer. */
export async function pointerAt(path: string): Promise<LfsPointer | undefined> {
  const size = await sizeOf(path);
  return size === undefined || size >= pointerLimit ? undefined : lfsPointer(await readFile(path));
}
