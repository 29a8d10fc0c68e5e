import { readFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import type { Architecture } from '../project/model/release.ts';
import type { Repository } from '../project/repositories.ts';
import type { PackageFilter } from '../repo/source.ts';
import type { Origin } from '../toml/place.ts';

/** URLs; variables are replaced. */
export type RepositoryAddress =
  | { readonly kind: 'baseurl'; readonly urls: readonly string[] }
  | { readonly kind: 'metalink' | 'mirrorlist'; readonly url: string };

/** An RPM repository to take packages from, with its addresses for one architecture. */
export interface InputRepository {
  /** The repository's id in dnf. */
  readonly id: string;
  readonly address: RepositoryAddress;
  /** URLs of the keys that may sign its packages. */
  readonly keys: readonly string[];
  /** False if the project accepts unsigned packages from it. */
  readonly checksSignatures: boolean;
  /** dnf's priority; a lower number wins. */
  readonly priority: number;
  readonly filter?: PackageFilter;
  /** Named on the command line: its current state is used, and `inputs.lock` does not name it. */
  readonly isFromCommandLine?: boolean;
  /** Whether `repomd.xml` must be signed. */
  readonly requiresSignedMetadata?: boolean;
}

/** Values of dnf's variables. */
export interface Variables {
  readonly releasever: string;
  readonly arch: Architecture;
  /** Values of further variables, by name. */
  readonly others?: Readonly<Record<string, string>>;
}

/** The priority of input repositories. The repository of built packages has 0, repositories from the command line have 1. */
export const inputPriority = 99;
/** The lowest priority number that a repository of the project can have. */
export const leastPriority = 2;
const commandLinePriority = 1;

/** The id of the repository with the project's own packages. */
export const builtId = 'built';

/** @throws WeirError `bad-repository` (exit 2) for an id that dnf or Weir reserves */
export function checkId(id: string, where?: Origin): void {
  if (id !== 'main' && id !== builtId) return;
  const use = id === builtId ? 'the repository of built packages' : "dnf's own options";
  throw new WeirError('bad-repository', `the repository id "${id}" is reserved for ${use}`, {
    ...(where === undefined ? {} : { where }),
    hint: 'give the repository another id',
    exit: 2,
  });
}

/**
 * Replaces dnf's variables in an address.
 * @throws WeirError `bad-repository` (exit 2) if the address uses an unknown variable
 */
export function withVariables(text: string, { releasever, arch, others }: Variables, where?: Origin): string {
  const known: Readonly<Record<string, string>> = {
    ...others,
    releasever,
    releasever_major: releasever.split('.')[0]!,
    releasever_minor: releasever.split('.')[1] ?? '',
    basearch: arch,
    arch,
  };
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    const value = known[braced ?? bare ?? ''];
    if (value !== undefined) return value;
    throw new WeirError('bad-repository', `unknown variable ${whole} in the repository address ${text}`, {
      hint: `known variables: ${Object.keys(known)
        .map((name) => `$${name}`)
        .join(', ')}`,
      ...(where === undefined ? {} : { where }),
      exit: 2,
    });
  });
}

/** The binary repositories of a project's inputs for one architecture. */
export function inputRepositories(repositories: readonly Repository[], variables: Variables): InputRepository[] {
  for (const { id } of repositories) checkId(id);
  return repositories
    .filter(({ kind, arches }) => kind === 'binary' && (arches.length === 0 || arches.includes(variables.arch)))
    .map(({ id, address, gpgKey }) => ({
      id,
      address:
        'metalink' in address
          ? { kind: 'metalink', url: withVariables(address.metalink, variables) }
          : { kind: 'baseurl', urls: [asUrl(withVariables(address.baseUri, variables))] },
      keys: gpgKey === undefined ? [] : [asUrl(withVariables(gpgKey, variables))],
      checksSignatures: gpgKey !== undefined,
      priority: inputPriority,
    }));
}

/**
 * Repositories of the command line: `[ID=]URL`, where `URL` is a base URL or a folder.
 * The signatures of their packages are not checked: the user who names a repository vouches for it.
 * @throws WeirError `bad-option` (exit 2) if one is empty or two have the same id; `bad-repository`
 */
export function commandLineRepositories(words: readonly string[], variables: Variables): InputRepository[] {
  const ids = new Set<string>();
  return words.map((word, index) => {
    const [, id = `repo-${index + 1}`, url] = /^(?:([A-Za-z0-9][A-Za-z0-9_.:-]*)=)?(.+)$/.exec(word) ?? [];
    if (url === undefined) {
      throw new WeirError('bad-option', '--repo requires a URL or a folder, but is empty', { exit: 2 });
    }
    if (ids.has(id)) throw new WeirError('bad-option', `--repo names two repositories "${id}"`, { exit: 2 });
    ids.add(id);
    checkId(id);
    return {
      id,
      address: { kind: 'baseurl', urls: [asUrl(withVariables(url, variables))] },
      keys: [],
      checksSignatures: false,
      // The user named this repository on purpose, so it takes precedence over the project's.
      priority: commandLinePriority,
      isFromCommandLine: true,
    };
  });
}

/** An address as a URL without a slash at its end; a path becomes a `file:` URL. */
export function asUrl(address: string): string {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : pathToFileURL(address).href;
  return url.replace(/\/+$/, '');
}

/** What identifies a repository in the lock file: its address. */
export function addressOf({ address }: Pick<InputRepository, 'address'>): string {
  return address.kind === 'baseurl' ? `baseurl ${address.urls.join(' ')}` : `${address.kind} ${address.url}`;
}

/** Local folders and files among the addresses: they must be visible to a sandboxed tool. */
export function localPaths({ address, keys }: InputRepository): string[] {
  const urls = [...(address.kind === 'baseurl' ? address.urls : [address.url]), ...keys];
  return urls.filter((url) => url.startsWith('file://')).map((url) => fileURLToPath(url));
}

/** Reads a key that is a local file. */
export async function readLocalKey(url: string): Promise<{ readonly text: string; readonly digest: string }> {
  try {
    const text = await readFile(fileURLToPath(url), 'utf8');
    return { text, digest: sha256(text) };
  } catch (cause) {
    throw new WeirError('no-key', `cannot read the repository key ${url}`, {
      hint: 'put the key there: the package distribution-gpg-keys has those of Fedora and others; or name another file or an https URL',
      cause,
      exit: 2,
    });
  }
}
