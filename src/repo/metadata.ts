import { chmod, mkdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { mapLimit, temporaryName } from '../base/files.ts';
import type { Engine } from '../engine/action.ts';
import { removeTree, withScratch } from '../engine/scratch.ts';
import { linkNow, restamp, takeOut } from '../engine/store.ts';
import { isPackageWord } from '../rpm/names.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';

/** A package in a repository: its file in the content store and its name there. */
export interface RepoPackage {
  readonly name: string;
  readonly epoch: number;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  /** SHA-256 of the RPM file. */
  readonly rpm: Digest;
  /** SHA-256 of the file before signing, if it was signed. */
  readonly unsigned?: Digest;
  /** File name of the source package it was built from. */
  readonly sourceRpm: string;
  /** Where the package comes from: `seed` or a component's name. */
  readonly origin: string;
}

/** `name-version-release.arch` without the epoch, as in file names. */
export function nvra(pkg: Pick<RepoPackage, 'name' | 'version' | 'release' | 'arch'>): string {
  return `${pkg.name}-${pkg.version}-${pkg.release}.${pkg.arch}`;
}

/** `name-epoch:version-release.arch`; an epoch of 0 is omitted. */
export function nevra(pkg: Pick<RepoPackage, 'name' | 'epoch' | 'version' | 'release' | 'arch'>): string {
  return `${pkg.name}-${pkg.epoch === 0 ? '' : `${pkg.epoch}:`}${pkg.version}-${pkg.release}.${pkg.arch}`;
}

/** Parses `nevra` output; undefined if the text is not a NEVRA. */
export function parseNevra(
  text: string,
): Pick<RepoPackage, 'name' | 'epoch' | 'version' | 'release' | 'arch'> | undefined {
  // No real name is longer, and matching longer text is slow.
  const match = text.length > 1024 ? null : /^(.+)-(?:(\d+):)?([^-:]+)-([^-]+)\.([^-.]+)$/.exec(text);
  if (match === null) return undefined;
  const [, name, epoch, version, release, arch] = match;
  return { name: name!, epoch: Number(epoch ?? 0), version: version!, release: release!, arch: arch! };
}

/** Name of the source package that a package was built from; its own name if unknown. */
export function sourceName(pkg: Pick<RepoPackage, 'name' | 'sourceRpm'>): string {
  return /^(.+)-[^-]+-[^-]+\.(?:no)?src\.rpm$/.exec(pkg.sourceRpm)?.[1] ?? pkg.name;
}

/**
 * Creates a repository in `dir`: packages under `Packages/<first letter>/`, metadata by createrepo_c in files with their digests
 * in the name. Equal packages and clock give equal bytes.
 * @param clock revision and timestamps, in seconds since 1970
 * @param how `links` into the store for a read-only folder of the cache; `copies` for published folders
 */
export async function writeRepository(
  engine: Engine,
  toolbox: Toolbox,
  dir: string,
  packages: readonly RepoPackage[],
  clock: number,
  how: 'copies' | 'links',
): Promise<void> {
  const letters = new Set(packages.map((pkg) => pkg.name[0]!.toLowerCase()));
  await mkdir(join(dir, 'Packages'), { recursive: true });
  for (const letter of letters) await mkdir(join(dir, 'Packages', letter), { recursive: true });
  await mapLimit(packages, 16, async (pkg) => {
    const path = join(dir, packagePath(pkg));
    if (how === 'links') linkNow(engine.store, pkg.rpm, path);
    else {
      await takeOut(engine.store, pkg.rpm, path);
      await chmod(path, 0o644);
    }
    // createrepo_c writes the file's mtime into primary.xml, and that depends on when the cache got the package.
    if ((await stat(path)).mtimeMs === clock * 1000) return;
    await utimes(path, clock, clock);
    if (how === 'links') restamp(engine.store, path, pkg.rpm);
  });
  // The packages are read-only for it, because they may be links into the store.
  const made = temporaryName(dir);
  await mkdir(made);
  try {
    await createrepo(toolbox, dir, made, clock);
    await rename(join(made, 'repodata'), join(dir, 'repodata'));
  } finally {
    await removeTree(made);
  }
}

async function createrepo(toolbox: Toolbox, dir: string, made: string, clock: number): Promise<void> {
  await runTool(toolbox, {
    argv: [
      'createrepo_c',
      '--quiet',
      '--no-database',
      '--revision',
      String(clock),
      '--set-timestamp-to-revision',
      '--general-compress-type',
      'zstd',
      '--workers',
      '2',
      '--unique-md-filenames',
      '--checksum',
      'sha256',
      '--outputdir',
      made,
      dir,
    ],
    env: { SOURCE_DATE_EPOCH: String(clock) },
    binds: [{ from: dir }, { from: made, writable: true }],
  });
}

/**
 * Adds updateinfo.xml to the metadata of a repository that createrepo_c wrote, before it is signed.
 * @param clock its timestamp: modifyrepo_c takes the time of the file, and has no option for another
 */
export async function addUpdateinfo(toolbox: Toolbox, dir: string, text: string, clock: number): Promise<void> {
  const repodata = join(dir, 'repodata');
  await withScratch(dir, async (work) => {
    await writeFile(join(work, 'updateinfo.xml'), text);
    await runTool(toolbox, {
      argv: [
        'modifyrepo_c',
        '--mdtype=updateinfo',
        '--compress-type=zstd',
        '--unique-md-filenames',
        '--checksum=sha256',
        join(work, 'updateinfo.xml'),
        repodata,
      ],
      env: { SOURCE_DATE_EPOCH: String(clock) },
      binds: [{ from: work }, { from: repodata, writable: true }],
    });
  });
  const repomd = join(repodata, 'repomd.xml');
  const record = /(<data type="updateinfo">.*?<timestamp>)\d+(<\/timestamp>)/s;
  await writeFile(repomd, (await readFile(repomd, 'utf8')).replace(record, `$1${clock}$2`));
}

/** Path of a package within its repository. @throws WeirError `bad-package-name` if it could lead out of it */
export function packagePath(pkg: Pick<RepoPackage, 'name' | 'version' | 'release' | 'arch'>): string {
  for (const word of [pkg.name, pkg.version, pkg.release, pkg.arch]) {
    if (isPackageWord(word)) continue;
    throw new WeirError(
      'bad-package-name',
      `${JSON.stringify(word.slice(0, 80))} is not allowed in the file name of a package`,
    );
  }
  return join('Packages', pkg.name[0]!.toLowerCase(), `${nvra(pkg)}.rpm`);
}
