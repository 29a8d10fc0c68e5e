import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatSourcesFile } from '../../src/sources/listing.ts';
import { type RepositoryFile, upstreamSpecText, writeRepository } from '../distgit.ts';
import type { Checkout } from './checkout.ts';
import type { Candidate } from './choose.ts';

/** The branch that the project takes components from. */
export const distGitBranch = 'f43';

/**
 * Makes the dist-git repository of a component from its rendered folder, unless it exists.
 * @returns false if the checkout's copy lacks a file
 */
export async function makeDistGit(checkout: Checkout, candidate: Candidate, folder: string): Promise<boolean> {
  const { name } = candidate;
  const repository = join(folder, name);
  if (existsSync(join(repository, 'HEAD'))) return true;
  const names = checkout.components.get(name)!.filter((each) => !each.endsWith('.azl.macros'));
  const files = await checkout.read(names.map((each) => ({ component: name, name: each })));
  if (files.includes(undefined)) return false;
  await rm(repository, { recursive: true, force: true });
  writeRepository(repository, distGitBranch, upstreamFilesOf(candidate, files as RepositoryFile[]));
  return true;
}

/**
 * A component's files as upstream has them, less its signatures: their files are empty, and the lines that verify with them are
 * removed.
 */
export function upstreamFilesOf(candidate: Candidate, files: readonly RepositoryFile[]): RepositoryFile[] {
  const { name, signatures } = candidate;
  const kept = files.map((file): RepositoryFile => {
    if (file.name === `${name}.spec`) {
      const text = upstreamSpecText(Buffer.from(file.bytes));
      return { ...file, bytes: signatures.length === 0 ? text : withoutVerification(text) };
    }
    if (file.name === 'sources') return { ...file, bytes: Buffer.from(formatSourcesFile(candidate.files)) };
    return file;
  });
  const empty = signatures.map((each): RepositoryFile => ({ name: each, bytes: Buffer.alloc(0), executable: false }));
  return [...kept, ...empty];
}

/** A spec without the commands that verify signatures, and without the requirements that only these have. */
export function withoutVerification(spec: Buffer): Buffer {
  const kept: string[] = [];
  let drops = false;
  // As latin1, which preserves every byte.
  for (const line of spec.toString('latin1').split('\n')) {
    drops ||= /^\s*(?:(?:xz|z|bz)cat\s[^|]*\|\s*)?(?:%gpgverify\b|%\{gpgverify\}|gpgv2?\s)/.test(line);
    drops ||= /^BuildRequires:\s*(?:gpgverify|\/usr\/bin\/gpgv2?)\s*$/.test(line);
    if (!drops) kept.push(line);
    drops &&= line.endsWith('\\');
  }
  return Buffer.from(kept.join('\n'), 'latin1');
}
