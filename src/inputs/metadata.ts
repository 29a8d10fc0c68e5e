import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Digest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { noSpace } from '../base/files.ts';
import { refuseOffline } from '../base/network.ts';
import type { Engine } from '../engine/action.ts';
import type { Bind } from '../engine/jail.ts';
import { withScratch } from '../engine/scratch.ts';
import { putFile, readBlobText } from '../engine/store.ts';
import { fetchUnhashed } from '../sources/download.ts';
import { type Toolbox, tryTool } from '../toolbox/tool.ts';
import { verifyDetached } from '../trust/gpg.ts';
import type { InputRepository } from './input-repository.ts';
import type { KeyText } from './keys.ts';
import { badMetadata, isKept, largestRepomd, type MetadataFile, readRepomd } from './repomd.ts';

/** A repository's metadata, in the store. */
export interface Metadata {
  /** SHA-256 of `repomd.xml`. */
  readonly repomd: Digest;
  readonly revision: string;
  /** The kept files, without `repomd.xml`. */
  readonly files: readonly MetadataFile[];
  /** Whether `repomd.xml` was signed by a key of the repository. */
  readonly signed: boolean;
  /** Base URLs that packages can be downloaded from, best first. */
  readonly mirrors: readonly string[];
}

/** The context for fetching metadata. */
export interface FetchContext {
  readonly engine: Engine;
  readonly toolbox: Toolbox;
  readonly cache: string;
}

/** librepo's options: timeout of a stalled connection in seconds, and attempts per file. */
const patience = ['timeout=30', 'minrate=1000', 'retries=4'];

/**
 * Downloads a repository's metadata with librepo, through the toolbox's dnf5: it tries the mirrors in turn, and checks
 * `repomd.xml` against the metalink and every file against `repomd.xml`.
 * @param keys if there are any and the repository offers a signature of `repomd.xml`, the signature is verified
 * @throws WeirError `offline`, `no-metadata` with every address that was tried, `bad-signature`, `bad-metadata`
 */
export async function fetchMetadata(
  context: FetchContext,
  repository: InputRepository,
  keys: readonly KeyText[],
): Promise<Metadata> {
  const { engine, toolbox } = context;
  const { address } = repository;
  // A folder of this machine needs no network.
  const isLocal = address.kind === 'baseurl' && address.urls.every((url) => url.startsWith('file://'));
  if (!isLocal) refuseOffline(`the metadata of repository ${repository.id} is not in the cache`);
  return withScratch(engine.scratch, async (work) => {
    const dir = await makecache(toolbox, repository, work);
    const taken = await takeMetadata(engine, repository, dir);
    const signed = await isSigned(context, repository, keys, { ...taken, path: join(dir, repomdPath) });
    if (repository.requiresSignedMetadata === true && !signed) {
      throw new WeirError('bad-signature', `repository ${repository.id}: repomd.xml is not signed`, {
        details: taken.mirrors.slice(0, 3).map((mirror) => `${mirror}/${repomdPath}.asc`),
        hint: 'its configuration sets repo_gpgcheck=1: the repository must offer a signature, and "gpgkey" its key',
      });
    }
    return { ...taken, signed };
  });
}

const repomdPath = 'repodata/repomd.xml';

/**
 * Whether the repository offers a valid signature of its `repomd.xml`. Most, Fedora's too, offer none: the metalink and the
 * packages' own signatures protect them.
 */
async function isSigned(
  { engine, toolbox, cache }: FetchContext,
  { id }: InputRepository,
  keys: readonly KeyText[],
  { mirrors, path }: { readonly mirrors: readonly string[]; readonly path: string },
): Promise<boolean> {
  if (keys.length === 0) return false;
  const urls = mirrors.slice(0, 3).map((mirror) => `${mirror}/${repomdPath}.asc`);
  const context = { store: engine.store, cache, attempts: 1 };
  const file = await fetchUnhashed('repomd.xml.asc', 'SHA256', urls, context).catch((error: unknown) => {
    if (error instanceof WeirError && (error.code === 'not-found' || error.code === 'download-failed'))
      return undefined;
    throw error;
  });
  if (file === undefined) return false;
  const signature = await readBlobText(engine.store, file.hash);
  for (const { text } of keys) if (await verifyDetached(toolbox, engine.scratch, text, path, signature)) return true;
  throw new WeirError(
    'bad-signature',
    `repository ${id}: repomd.xml.asc is not a valid signature by any key of the repository`,
    {
      details: urls,
      hint: 'either the mirror\'s files were tampered with, or "gpg-key" names the wrong key: find out which before changing the configuration',
    },
  );
}

/** Runs `dnf5 makecache`. @returns the folder with what it downloaded @throws WeirError `no-metadata` */
async function makecache(toolbox: Toolbox, repository: InputRepository, work: string): Promise<string> {
  const { id, address } = repository;
  const cache = join(work, 'cache');
  await mkdir(cache, { recursive: true });
  await mkdir(join(work, 'repos'));
  const binds: Bind[] = [
    { from: cache, to: '/tmp/cache', writable: true },
    { from: work, to: '/tmp/work' },
  ];
  /** A local folder gets a plain path: dnf splits addresses at blanks and commas. */
  const seen = (url: string): string => {
    if (!url.startsWith('file://')) return url;
    const to = `/tmp/local/${binds.length}`;
    binds.push({ from: fileURLToPath(url), to });
    return `file://${to}`;
  };
  const lines = [`[${id}]`, `name=${id}`, 'gpgcheck=0', 'repo_gpgcheck=0', ...patience];
  if (address.kind === 'baseurl') lines.push(`baseurl=${address.urls.map(seen).join(' ')}`);
  else lines.push(`${address.kind}=${seen(address.url)}`);
  await writeFile(join(work, 'repos/input.repo'), `${lines.join('\n')}\n`);
  const result = await tryTool(toolbox, {
    argv: [
      'dnf5',
      '--assumeyes',
      '--installroot=/tmp/root',
      '--setopt=reposdir=/tmp/work/repos',
      '--setopt=cachedir=/tmp/cache',
      '--setopt=plugins=0',
      // zchunk saves downloads on machines that have the last version; here it would be one more format to read.
      '--setopt=zchunk=0',
      '--setopt=skip_if_unavailable=0',
      '--setopt=optional_metadata_types=comps,filelists',
      'makecache',
    ],
    env: { COLUMNS: '4000', ...proxies() },
    binds,
    network: true,
  });
  const folder = (await readdir(cache)).find((name) => name.startsWith(`${id}-`));
  if (result.code === 0 && folder !== undefined) return join(cache, folder);
  const output = `${result.stderr}\n${result.stdout}`;
  // "Write error" and "Failed writing" are librepo's and curl's words for it.
  if (/No space left on device|Disk quota exceeded|Failed writing|Write error/i.test(output)) throw noSpace(cache);
  throw noMetadata(repository, output);
}

/** The proxy variables of the environment: librepo honours them. */
function proxies(): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy', 'no_proxy'];
  return Object.fromEntries(
    [...names, ...names.map((name) => name.toUpperCase())].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Takes the downloaded files into the store. */
async function takeMetadata(
  engine: Engine,
  repository: InputRepository,
  dir: string,
): Promise<Omit<Metadata, 'signed'>> {
  const { id, address } = repository;
  const path = join(dir, repomdPath);
  if ((await stat(path)).size > largestRepomd) throw badMetadata(id, 'repomd.xml is too large');
  const { revision, files } = readRepomd(await readFile(path, 'utf8'), id);
  const kept: MetadataFile[] = [];
  for (const file of files) {
    if (!isKept(file.type)) continue;
    const found = await stat(join(dir, file.path)).catch(() => undefined);
    // librepo downloads only one form of each kind of metadata, such as `group_gz` instead of `group`.
    if (found === undefined) continue;
    const { digest, size } = await putFile(engine.store, join(dir, file.path));
    if (digest !== file.sha256) throw badMetadata(id, `${file.path} does not have the checksum that repomd.xml lists`);
    kept.push({ ...file, size });
  }
  if (!kept.some(({ type }) => type === 'primary')) throw badMetadata(id, 'dnf5 did not download the package list');
  const { digest: repomd } = await putFile(engine.store, path);
  const mirrors = address.kind === 'baseurl' ? [...address.urls] : await mirrorsOf(dir, address.kind);
  return { repomd, revision, files: kept, mirrors };
}

/** Base URLs in the mirror list or metalink that librepo kept beside the metadata. */
async function mirrorsOf(dir: string, kind: 'metalink' | 'mirrorlist'): Promise<string[]> {
  const text = await readFile(join(dir, kind === 'metalink' ? 'metalink.xml' : 'mirrorlist'), 'utf8');
  return kind === 'metalink' ? metalinkMirrors(text) : mirrorlistMirrors(text);
}

/**
 * The mirrors of a repository at this moment, best first.
 * @throws WeirError the errors of `fetchUnhashed`
 */
export async function currentMirrors(
  engine: Engine,
  { address, id }: InputRepository,
  cache: string,
): Promise<readonly string[]> {
  if (address.kind === 'baseurl') return address.urls;
  const context = { store: engine.store, cache };
  const { hash } = await fetchUnhashed(`${address.kind} of ${id}`, 'SHA256', [address.url], context);
  const text = await readBlobText(engine.store, hash);
  return address.kind === 'metalink' ? metalinkMirrors(text) : mirrorlistMirrors(text);
}

/**
 * Base URLs of a metalink file for `repomd.xml`, by preference. Format: Metalink 3.0 (http://www.metalinker.org/), as
 * MirrorManager writes it.
 */
export function metalinkMirrors(text: string): string[] {
  const urls = [...text.matchAll(/<url\b([^>]*)>\s*(https?:\/\/[^\s<]+?)\/repodata\/repomd\.xml\s*<\/url>/g)];
  return urls
    .map(([, attributes, url]) => ({
      url: url!.replaceAll('&amp;', '&'),
      preference: Number(/preference="(\d{1,3})"/.exec(attributes!)?.[1] ?? 0),
    }))
    .sort((a, b) => b.preference - a.preference)
    .map(({ url }) => url);
}

/** Base URLs of a mirror list: one in each line. */
export function mirrorlistMirrors(text: string): string[] {
  return text
    .split(/\s+/)
    .filter((line) => /^https?:\/\//.test(line))
    .map((url) => url.replace(/\/+$/, ''));
}

/** The lines of dnf's output that list what was tried. */
function triedLines(output: string): string[] {
  const told = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(Updating and loading|Repositories loaded|\S+ +[\d?]+% \|)/.test(line))
    .map((line) => line.replace(/^>>> /, ''));
  return [...new Set(told)].slice(0, 30);
}

function noMetadata({ id, address }: InputRepository, output: string): WeirError {
  const tried = address.kind === 'baseurl' ? address.urls : [address.url];
  return new WeirError('no-metadata', `cannot download the metadata of repository ${id}`, {
    details: [...tried.map((url) => `from ${url}`), ...triedLines(output)],
    hint: 'check the address and the network',
  });
}
