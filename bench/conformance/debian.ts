import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WeirError } from '../../src/base/errors.ts';
import { type Apt, debianArch, downloadSource, listsFresh, openApt, updateApt } from '../../src/toolbox/apt.ts';

/** The suites whose source packages are looked at, in this order. */
const suites = ['forky', 'sid', 'trixie'];

/** A file of upstream's in a Debian source package. */
export interface PoolFile {
  readonly suite: string;
  /** The source package and its version, as `apt-get source` takes them. */
  readonly source: string;
  readonly version: string;
  readonly file: string;
  /** In bytes. */
  readonly size: number;
}

/** Debian's source packages: a private apt for each suite, and their upstream tarballs by version and type. */
export interface Debian {
  readonly apts: ReadonlyMap<string, Apt>;
  /** Key: upstream version, a space, and the extension. */
  readonly files: ReadonlyMap<string, readonly PoolFile[]>;
}

/** Opens the source package lists of Debian's suites; they are downloaded if they are older than a day. */
export async function openDebian(dir: string): Promise<Debian> {
  const apts = new Map<string, Apt>();
  const files = new Map<string, PoolFile[]>();
  const arch = debianArch(process.arch === 'arm64' ? 'aarch64' : 'x86_64');
  for (const suite of suites) {
    const apt = await openApt(join(dir, suite), { suite, sourceSuite: suite, allowExpired: true, arch });
    if (!(await listsFresh(apt, 24 * 3600))) await updateApt(apt);
    apts.set(suite, apt);
    const lists = join(apt.dir, 'state/lists');
    for (const name of await readdir(lists)) {
      if (name.endsWith('_Sources')) await readSources(join(lists, name), suite, files);
    }
  }
  return { apts, files };
}

async function readSources(path: string, suite: string, files: Map<string, PoolFile[]>): Promise<void> {
  let source = '';
  let version = '';
  let inFiles = false;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.startsWith(' ')) {
      const [, size = '', file = ''] = inFiles ? line.trim().split(' ') : [];
      const [, upstream, extension] = /^[^_]+_([^_]+)\.orig\.(tar\.\w+)$/.exec(file) ?? [];
      if (upstream === undefined) continue;
      const key = `${upstream} ${extension}`;
      const known = files.get(key) ?? [];
      if (!known.some((one) => one.file === file)) known.push({ suite, source, version, file, size: Number(size) });
      files.set(key, known);
      continue;
    }
    const [tag = '', ...rest] = line.split(': ');
    inFiles = line === 'Checksums-Sha256:';
    if (tag === 'Package') source = rest.join(': ');
    if (tag === 'Version') version = rest.join(': ');
  }
}

/** What upstream names a source file: `name-version.extension`. */
const tarballName = /^(.+?)[-_]v?(\d[^-_]*?)\.(tar\.\w+|tgz|tbz2|txz|crate)$/;

/** Debian's name of an extension: a crate is a gzipped tar archive. */
const extensions: Readonly<Record<string, string>> = { tgz: 'tar.gz', crate: 'tar.gz', tbz2: 'tar.bz2', txz: 'tar.xz' };

/**
 * Files of Debian's source packages that may have a source file's bytes: same name, version and type. Whether they have, only
 * the hash tells.
 */
export function sameNamed(debian: Pick<Debian, 'files'>, component: string, filename: string): PoolFile[] {
  const [, base, version, extension] = tarballName.exec(filename) ?? [];
  if (base === undefined) return [];
  const plain = (name: string): string =>
    name
      .toLowerCase()
      .replaceAll(/[_.]/g, '-')
      .replace(/^(?:python3?|rust|golang|perl|lib|node|nodejs|php|ruby|rubygem)-/, '')
      .replace(/^lib(.+)-perl$/, '$1');
  const names = new Set([plain(base), plain(component)]);
  return (debian.files.get(`${version} ${extensions[extension!] ?? extension}`) ?? []).filter(({ source }) => {
    if (extension === 'crate' && !source.startsWith('rust-')) return false;
    const name = plain(source);
    // Several versions of a crate stand side by side under names with a version.
    return names.has(name) || (extension === 'crate' && names.has(name.replace(/-\d[\d.-]*$/, '')));
  });
}

/**
 * Downloads a file of a source package, which apt checks against the signed lists.
 * @param use gets the file's path, before it is removed
 * @returns undefined if the archive no longer has it
 */
export async function withPoolFile<T>(
  debian: Debian,
  pool: PoolFile,
  scratch: string,
  use: (path: string) => Promise<T>,
): Promise<T | undefined> {
  await mkdir(scratch, { recursive: true });
  const dir = await mkdtemp(join(scratch, 'pool-'));
  try {
    await downloadSource(debian.apts.get(pool.suite)!, `${pool.source}=${pool.version}`, dir);
    return await use(join(dir, pool.file));
  } catch (error) {
    if (error instanceof WeirError && error.code === 'gone') return undefined;
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
