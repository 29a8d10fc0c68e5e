import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, statfs, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { exists, mapLimit, writeAtomic } from '../base/files.ts';
import { refuseOffline } from '../base/network.ts';
import { byName } from '../base/order.ts';
import { lastLines, type RunResult, run } from '../base/process.ts';
import type { Engine } from '../engine/action.ts';
import { withScratch } from '../engine/scratch.ts';
import { blobFileNow, blobSize, dropBlob, putFile } from '../engine/store.ts';
import { isPlain } from './plain-paths.ts';

/** The Debian archive that packages come from. */
export interface AptOptions {
  /** Codename that binary packages come from. */
  readonly suite: string;
  /** Codename that source packages come from. */
  readonly sourceSuite: string;
  /** Mirror URI; defaults to the one that the host's apt is configured with. */
  readonly mirror?: string;
  /** Accept a Release file past its Valid-Until; its signature is still verified. */
  readonly allowExpired: boolean;
  /** Debian architecture name. */
  readonly arch: string;
  /** Downloads the lists of packages' files instead of the lists of packages. */
  readonly contents?: boolean;
}

/** The host's apt-get with its own state, cache and configuration. */
export interface Apt {
  readonly dir: string;
  readonly config: string;
  readonly options: AptOptions;
}

/** Debian's name of an RPM architecture. */
export function debianArch(arch: 'x86_64' | 'aarch64'): 'amd64' | 'arm64' {
  return arch === 'x86_64' ? 'amd64' : 'arm64';
}

/** A locked Debian package (a `.deb`, or a file of a source package); the path is relative to the mirror. */
export interface DebPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** In bytes. */
  readonly size: number;
  readonly sha256: Digest;
  readonly path: string;
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * A path to the same folder that apt accepts: apt builds URIs and path lists from it, and its configuration cannot escape a
 * quote. If the path is not plain, this is a link in a temporary folder that is removed when the process exits.
 */
async function plainPath(dir: string): Promise<string> {
  if (isPlain(dir)) return dir;
  // TMPDIR is the user's choice and may not be a plain path either.
  const place = [tmpdir(), '/tmp'].find(isPlain) ?? '/tmp';
  const folder = await mkdtemp(join(place, 'weir-apt-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await symlink(resolve(dir), join(folder, 'apt'));
  return join(folder, 'apt');
}

/** apt's settings for Contents files alone, as apt-file(1) has them. */
const contentsTargets = [
  'Acquire::IndexTargets::deb::Packages::DefaultEnabled "false";',
  'Acquire::IndexTargets::deb::Contents-deb {',
  '  MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)";',
  '  ShortDescription "Contents-$(ARCHITECTURE)";',
  '  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents";',
  '  Identifier "Contents-deb";',
  '  KeepCompressed "true";',
  '  PDiffs "false";',
  '};',
];

/** Sets up a private apt under `dir`, without downloading anything. @throws WeirError `no-apt`, `no-mirror`, `no-keyring` */
export async function openApt(dir: string, options: AptOptions): Promise<Apt> {
  if (!(await exists(keyring))) {
    throw new WeirError('no-keyring', 'missing keyring of the Debian archive', {
      where: { file: keyring },
      hint: 'run apt-get install debian-archive-keyring, or set [toolbox] root to a folder with the tools',
    });
  }
  const mirror = options.mirror ?? (process.env.WEIR_MIRROR || (await hostMirror()));
  for (const folder of [
    'etc/apt.conf.d',
    'etc/preferences.d',
    'state/lists/partial',
    'cache/archives/partial',
    'log',
  ]) {
    await mkdir(join(dir, folder), { recursive: true });
  }
  await writeAtomic(join(dir, 'state/status'), '');
  const signed = `[signed-by=${keyring}]`;
  await writeAtomic(
    join(dir, 'etc/sources.list'),
    options.contents === true
      ? `deb ${signed} ${mirror} ${options.suite} main\n`
      : `deb ${signed} ${mirror} ${options.suite} main\ndeb-src ${signed} ${mirror} ${options.sourceSuite} main\n`,
  );
  const seen = await plainPath(dir);
  const settings = [
    `Dir "${seen}";`,
    `Dir::Etc "${seen}/etc";`,
    'Dir::Etc::sourceparts "-";',
    `Dir::State "${seen}/state";`,
    `Dir::State::status "${seen}/state/status";`,
    `Dir::Cache "${seen}/cache";`,
    `Dir::Log "${seen}/log";`,
    `APT::Architecture "${options.arch}";`,
    `APT::Architectures { "${options.arch}"; };`,
    'APT::Sandbox::User "";',
    'APT::Install-Recommends "false";',
    'Acquire::Languages "none";',
    'Acquire::ForceHash "SHA256";',
    'Acquire::Retries "3";',
    'Acquire::http::Pipeline-Depth "10";',
    'Debug::NoLocking "true";',
    ...(options.allowExpired ? ['Acquire::Check-Valid-Until "false";'] : []),
    ...(options.contents === true ? contentsTargets : []),
    ...(await hostProxies()),
  ];
  const config = join(dir, 'apt.conf');
  await writeAtomic(config, `${settings.join('\n')}\n`);
  return { dir, config, options };
}

/** Downloads the package lists. @throws WeirError `lists-expired`, `no-network`, `bad-signature` */
export async function updateApt(apt: Apt): Promise<void> {
  refuseOffline('the package lists must be downloaded');
  await needSpace(apt.dir, listsSpace);
  const result = await aptRun(apt, ['apt-get', 'update', '-q', '--error-on=any']);
  if (result.code === 0) {
    await writeAtomic(join(apt.dir, 'updated'), '');
    return;
  }
  throw aptError(result, 'cannot download the package lists', apt.dir);
}

/** Bytes for the lists of a suite and its sources, compressed and uncompressed, with a margin. */
const listsSpace = 256 << 20;

/** Checks the space before apt does: on a full disk its downloads wait forever. @throws WeirError `no-space` */
async function needSpace(dir: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  if (bavail * bsize >= bytes) return;
  const mebibytes = (size: number): string => `${Math.floor(size / (1 << 20))} MiB`;
  throw noSpace(`no space left on the device: ${mebibytes(bavail * bsize)} free, ${mebibytes(bytes)} needed`, dir);
}

function noSpace(message: string, place: string, details: readonly string[] = []): WeirError {
  return new WeirError('no-space', message, {
    where: { file: place },
    details,
    hint: 'free some space, or set XDG_CACHE_HOME to a folder on a larger file system; the next run resumes from finished work',
  });
}

/** Whether the lists were downloaded within the last `seconds`. */
export async function listsFresh(apt: Apt, seconds: number): Promise<boolean> {
  const info = await stat(join(apt.dir, 'updated')).catch(() => undefined);
  if (info === undefined || Date.now() - info.mtimeMs > seconds * 1000) return false;
  // The stamp alone proves nothing: the lists may have been deleted.
  return (await readdir(join(apt.dir, 'state/lists'))).some((name) => name.includes(`_${apt.options.suite}_`));
}

/** The dependency closure of `names` as apt resolves it, without Recommends, on an empty system, sorted by name. */
export async function resolveDebs(apt: Apt, names: readonly string[]): Promise<DebPackage[]> {
  const result = await aptRun(apt, [
    'apt-get',
    'install',
    '-y',
    '-qq',
    '--no-install-recommends',
    '--print-uris',
    ...names,
  ]);
  if (result.code !== 0) throw aptError(result, 'cannot resolve the packages', apt.dir);
  const packages: DebPackage[] = [];
  for (const line of result.stdout.split('\n')) {
    const match = /^'([^']+)' (\S+) (\d+) SHA256:([0-9a-f]{64})$/.exec(line.trim());
    if (match === null) continue;
    const [, uri = '', file = '', size = '0', sha256 = ''] = match;
    const [name = '', version = '', arch = ''] = file.replace(/\.deb$/, '').split('_');
    const path = uri.slice(uri.indexOf('/pool/') + 1);
    packages.push({ name, version: decodeURIComponent(version), arch, size: Number(size), sha256, path });
  }
  if (packages.length === 0) {
    throw new WeirError('apt-failed', 'apt resolved no packages', {
      details: lastLines(result.stdout + result.stderr, 5),
    });
  }
  return packages.sort(byName);
}

/**
 * Downloads every package that is not in the store yet.
 * @param onProgress called with the bytes received so far
 * @throws WeirError `gone` if the mirror has other versions by now, `no-network`, `tampered`
 */
export async function downloadDebs(
  engine: Engine,
  apt: Apt,
  packages: readonly DebPackage[],
  onProgress: (count: number) => void = () => {},
): Promise<void> {
  const missing = await missingDebs(engine, packages);
  if (missing.length === 0) return;
  refuseOffline(`${missing.length} of ${packages.length} packages are not in the cache`);
  // apt uses one connection per host, so several run in parallel. Large packages are assigned first, lest one batch ends long
  // after the others.
  const lanes = 4;
  const batches: DebPackage[][] = Array.from({ length: lanes }, () => []);
  for (const [index, deb] of [...missing].sort((a, b) => b.size - a.size).entries()) batches[index % lanes]!.push(deb);
  // Each batch is on disk twice while it is copied into the store.
  await needSpace(
    engine.scratch,
    missing.reduce((sum, deb) => sum + deb.size, 64 << 20),
  );
  let arrived = packages.length - missing.length;
  await withScratch(engine.scratch, async (work) => {
    await mapLimit(
      batches.filter((batch) => batch.length > 0),
      lanes,
      async (batch) => {
        const dir = join(work, batch[0]!.sha256);
        await mkdir(dir);
        for (let at = 0; at < batch.length; at += 25) {
          const slice = batch.slice(at, at + 25);
          const specs = slice.map(
            (deb) => `${deb.name}:${deb.arch === 'all' ? apt.options.arch : deb.arch}=${deb.version}`,
          );
          const result = await aptRun(apt, ['apt-get', 'download', '-qq', ...specs], dir);
          if (result.code !== 0) {
            throw aptError(result, `${missing.length} of ${packages.length} packages could not be downloaded`, dir);
          }
          for (const deb of slice) {
            await takeIn(engine, dir, deb);
            onProgress(++arrived);
          }
        }
      },
    );
  });
}

/** Packages that are missing from the store, or have the wrong size there. */
export async function missingDebs(engine: Engine, packages: readonly DebPackage[]): Promise<DebPackage[]> {
  const missing: DebPackage[] = [];
  for (const deb of packages) if ((await blobSize(engine.store, deb.sha256)) !== deb.size) missing.push(deb);
  return missing;
}

/** The path of a downloaded package, verified. @throws WeirError `bad-blob`, `missing-blob` */
export function debPath(engine: Engine, deb: Pick<DebPackage, 'sha256'>): string {
  return blobFileNow(engine.store, deb.sha256);
}

async function takeIn(engine: Engine, dir: string, deb: DebPackage): Promise<void> {
  const file = join(dir, `${deb.name}_${deb.version.replaceAll(':', '%3a')}_${deb.arch}.deb`);
  const blob = await putFile(engine.store, file);
  await rm(file);
  if (blob.digest === deb.sha256) return;
  dropBlob(engine.store, blob.digest);
  throw new WeirError(
    'tampered',
    `the downloaded package does not match the lock: expected SHA-256 ${deb.sha256}, got ${blob.digest}`,
    {
      where: { package: `${deb.name} ${deb.version}` },
      hint: 'the mirror or a proxy changed the file; it was discarded',
    },
  );
}

export interface SourceFile {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly sha256: Digest;
}

/** Downloads one file of a Debian source package into `dir`; apt verifies it against the signed lists. */
export async function downloadSource(apt: Apt, source: string, dir: string): Promise<void> {
  refuseOffline(`the source package ${source} is not in the cache`);
  const result = await aptRun(
    apt,
    ['apt-get', 'source', '--download-only', '--tar-only', '-qq', '--only-source', source],
    dir,
  );
  if (result.code !== 0) throw aptError(result, `cannot download the source package ${source}`, dir);
}

/** Runs a command of apt with the private configuration. @throws WeirError `no-apt` */
export function aptRun(apt: Apt, argv: readonly string[], cwd?: string): Promise<RunResult> {
  const env = {
    ...proxyVariables(),
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    APT_CONFIG: apt.config,
    HOME: apt.dir,
  };
  return run(argv, { env, ...(cwd === undefined ? {} : { cwd }) }).catch((error: unknown) => {
    if (error instanceof WeirError && error.code === 'no-program') {
      throw new WeirError('no-apt', 'apt-get not found; it downloads the toolbox and the seed', {
        hint: 'install apt, or set [toolbox] root in weir.toml to a folder with the tools',
        cause: error,
      });
    }
    throw error;
  });
}

/** The user's proxy variables, which apt reads from its environment. */
function proxyVariables(): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && /^(https?|ftp|all|no)_proxy$/i.test(name)) variables[name] = value;
  }
  return variables;
}

/** Maps apt's output to the matching error. */
function aptError(result: RunResult, what: string, place: string): WeirError {
  const said = `${result.stderr}\n${result.stdout}`;
  const details = lastLines(said, 200)
    .filter((line) => /^(E|W|Err):?/.test(line))
    .slice(-6);
  // First, because a full disk truncates files and apt then also reports wrong checksums.
  if (/No space left on device|not have enough free space|Disk quota exceeded/i.test(said)) {
    return noSpace(`${what}: no space left on the device`, place, details);
  }
  if (/Valid-Until|is expired|not valid anymore/.test(said)) {
    return new WeirError('lists-expired', `${what}: the mirror's Release file is past its Valid-Until`, {
      details,
      hint: 'the mirror is out of date; to accept that, set allow-expired = true in [toolbox] and [seed]',
    });
  }
  if (/NO_PUBKEY|BADSIG|not signed|invalid signature/.test(said)) {
    return new WeirError('bad-signature', `${what}: invalid signature of the mirror`, { details });
  }
  if (/Hash Sum mismatch|unexpected size/.test(said)) {
    return new WeirError('tampered', `${what}: a file does not match the signed lists`, {
      details,
      hint: 'the mirror or a proxy changed the file; it was discarded',
    });
  }
  if (/Version '.*' for '.*' was not found|Unable to locate package|Can't find a source|404 +Not Found/.test(said)) {
    return new WeirError('gone', what, { details });
  }
  if (
    /Could not resolve|Could not connect|Connection (failed|refused|timed out|reset|closed)|Undetermined Error|Error reading from server|Cannot initiate|Network is unreachable|Temporary failure/.test(
      said,
    )
  ) {
    return new WeirError('no-network', `${what}: cannot reach the mirror`, {
      details,
      hint: "check the network and the mirror in the host's apt sources or WEIR_MIRROR; cached packages need no network",
    });
  }
  return new WeirError('apt-failed', what, {
    details: details.length > 0 ? details : lastLines(said, 8),
    hint: 'this is the output of apt-get; the next run resumes from what was downloaded',
  });
}

async function hostMirror(): Promise<string> {
  const result = await run([
    'apt-get',
    'indextargets',
    '--format',
    '$(REPO_URI) $(RELEASE) $(COMPONENT)',
    'Created-By: Packages',
  ]).catch(() => undefined);
  for (const line of result?.stdout.split('\n') ?? []) {
    const [uri = '', release = '', component = ''] = line.split(' ');
    if (component === 'main' && /^https?:/.test(uri) && !/security|updates|backports/.test(`${uri} ${release}`)) {
      return uri.replace(/\/$/, '');
    }
  }
  throw new WeirError('no-mirror', 'no Debian mirror is configured', {
    hint: 'set WEIR_MIRROR, or mirror = "…" in [toolbox]',
    exit: 2,
  });
}

/** The proxies from the host's apt configuration, which the private configuration would otherwise lack. */
async function hostProxies(): Promise<string[]> {
  const result = await run(['apt-config', 'dump', 'Acquire']).catch(() => undefined);
  return (result?.stdout ?? '')
    .split('\n')
    .filter((line) => /^Acquire::https?::(Proxy|CaInfo)\S* "[^"]+";$/.test(line.trim()));
}
