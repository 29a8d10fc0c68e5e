import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileDigest, valueDigest } from '../base/digest.ts';
import { type Place, systemCode, WeirError } from '../base/errors.ts';
import { exists, readIfExists, writeAtomic } from '../base/files.ts';
import { behindLinks } from '../base/links.ts';
import { cachePath } from '../base/paths.ts';
import { sealed, unsealed } from '../engine/seal.ts';
import { blobFile, hasBlob, takeOut } from '../engine/store.ts';
import type { ResolvedComponent, SourceFile, SourceOrigin } from '../project/model/component.ts';
import type { Distro } from '../project/model/distro.ts';
import { type DownloadContext, fetchUnhashed, fetchVerified, knownBlob, takeIn, wrongHash } from './download.ts';
import { notThere, pointerAt } from './lfs.ts';
import type { LookasideFile, SourceHashType } from './listing.ts';

/** A request to a local lookaside. */
export interface LookasideRequest extends LookasideFile {
  /** The component's name upstream. */
  readonly package: string;
}

/** An archive that a script of the project makes. */
export interface ScriptRequest {
  readonly component: string;
  /** The archive's name; its extension selects the compression. */
  readonly filename: string;
  /** The script, on disk. */
  readonly script: string;
  /** Packages that the script needs in addition to the packages of every buildroot. */
  readonly packages: readonly string[];
  /** Input's name in the script's folder → path on disk. */
  readonly inputs: ReadonlyMap<string, string>;
  /** The archive's entry in the configuration. */
  readonly expected?: LookasideFile;
}

export interface SourceFileContext extends DownloadContext {
  /** Returns the path of a file for `seed:` lookasides, or if a distro has no lookaside; the hash is checked here. */
  readonly lookaside?: (request: LookasideRequest) => Promise<string | undefined>;
  /** Further lookasides, as templates with `$pkg`, `$filename`, `$hashtype` and `$hash`, tried after the distro's own. */
  readonly mirrors?: readonly string[];
  /** Runs the script of a custom source file; returns the path of the archive. */
  readonly runScript?: (request: ScriptRequest) => Promise<string>;
  /** Accepts a source file without a hash, and reports its hash: for completing a configuration. */
  readonly allowNoHashes?: boolean;
}

/** A file of a component in addition to those of dist-git. */
export interface WantedFile {
  readonly filename: string;
  /** Undefined only if the hash is not known yet, with `allowNoHashes`. */
  readonly file: LookasideFile | undefined;
  /** The component's own entry; undefined for upstream's files. */
  readonly source: SourceFile | undefined;
}

/**
 * Upstream's list merged with the component's own source files: a replacement takes the place of upstream's file, new files go to the
 * end. For an archive that overlays change, upstream's entry stays, because upstream's archive must be fetched.
 * @throws WeirError (exit 2) `source-twice`, `no-such-source`, `no-hash`
 */
export function wantedFiles(
  component: ResolvedComponent,
  listed: readonly LookasideFile[],
  allowNoHashes: boolean,
): WantedFile[] {
  const wanted = new Map<string, WantedFile>(
    listed.map((file) => [file.filename, { filename: file.filename, file, source: undefined }]),
  );
  for (const source of component.sourceFiles) {
    const { filename } = source;
    const where = placeOf(component);
    if (wanted.has(filename) && !source.replaceUpstream) {
      throw new WeirError('source-twice', `upstream already has the source ${filename}`, {
        where,
        hint: 'set replace-upstream = true and replace-reason, or remove the source file',
        exit: 2,
      });
    }
    if (!wanted.has(filename) && source.replaceUpstream) {
      const names = listed.map((file) => file.filename);
      throw new WeirError('no-such-source', `upstream has no source ${filename} to replace`, {
        where,
        details: names.length === 0 ? [] : [`upstream has ${names.join(', ')}`],
        hint: 'remove replace-upstream, or correct the name',
        exit: 2,
      });
    }
    if (!hasHash(source) && !allowNoHashes) throw noHash(component, filename);
    if (source.origin.type === 'overlay') continue;
    const file = hasHash(source) ? { filename, hashType: source.hashType, hash: source.hash.toLowerCase() } : undefined;
    wanted.set(filename, { filename, file, source });
  }
  return [...wanted.values()];
}

function hasHash(source: SourceFile): source is SourceFile & { hash: string; hashType: SourceHashType } {
  return source.hash !== undefined && source.hashType !== undefined;
}

function placeOf(component: ResolvedComponent): Place {
  return { file: component.origin.file, line: component.origin.line, component: component.name };
}

function noHash(component: ResolvedComponent, filename: string): WeirError {
  return new WeirError('no-hash', `the source ${filename} has no hash`, {
    where: placeOf(component),
    details: ['without a hash the file cannot be verified'],
    hint: `weir component prepare ${component.name} -o DIR --allow-no-hashes shows its current one`,
    exit: 2,
  });
}

/** Where a component's files are requested. */
export interface LookasideContext {
  /** The component's name upstream, as used by lookasides. */
  readonly package: string;
  /** Upstream's distro; for a local component the project's own. */
  readonly distro: Distro | undefined;
}

/**
 * Copies one file into the component's folder, checked: from the cache, the lookaside, its mirrors, or its origin.
 * @returns the file's description with its hash
 * @throws WeirError as `fetchVerified`; `lfs-pointer` for a Git LFS pointer instead of the file, whatever its hash
 */
export async function takeFile(
  wanted: WantedFile,
  lookaside: LookasideContext,
  context: SourceFileContext,
  into: string,
): Promise<LookasideFile> {
  const taken = await takeAny(wanted, lookaside, context, into);
  const pointer = await pointerAt(join(into, wanted.filename));
  if (pointer === undefined) return taken;
  throw notThere(wanted.filename, pointer, ['the lookaside or origin returned the pointer']);
}

async function takeAny(
  wanted: WantedFile,
  lookaside: LookasideContext,
  context: SourceFileContext,
  into: string,
): Promise<LookasideFile> {
  const { file, source, filename } = wanted;
  const target = join(into, filename);
  const { distro } = lookaside;
  const origins =
    source?.origin.type === 'download' && distro?.disableOrigins !== true ? [asUrl(source.origin.uri)] : [];
  if (file === undefined) {
    const found = await fetchUnhashed(filename, source?.hashType ?? 'SHA512', origins, context);
    await takeOut(context.store, (await knownBlob(found, context))!, target);
    return found;
  }
  const known = await knownBlob(file, context);
  if (known !== undefined) {
    await takeOut(context.store, known, target);
    return file;
  }
  // A local component may have its archives beside the spec.
  if ((await exists(target)) && (await fileDigest(target, file.hashType.toLowerCase())) === file.hash) {
    await takeIn(file, target, target, context);
    return file;
  }
  const template = distro?.lookasideBaseUri;
  const bySeed = template === undefined || template.startsWith('seed:');
  if (bySeed && context.lookaside !== undefined && source === undefined) {
    const path = await context.lookaside({ ...file, package: lookaside.package });
    if (path !== undefined) {
      await takeOut(context.store, await takeIn(file, path, path, context), target);
      return file;
    }
  }
  const templates = [...(bySeed ? [] : [template]), ...(context.mirrors ?? [])];
  const places = [...templates.map((one) => lookasideUrl(one, file, lookaside.package)), ...origins];
  if (places.length === 0 && (await exists(target))) await takeIn(file, target, target, context);
  await takeOut(context.store, await fetchVerified(file, places, context), target);
  return file;
}

function asUrl(uri: string): string {
  return uri.startsWith('/') ? new URL(`file://${encodeURI(uri)}`).href : uri;
}

/** The URL of a file in a lookaside; every part is escaped as part of a path. */
export function lookasideUrl(template: string, file: LookasideFile, packageName: string): string {
  const values: Readonly<Record<string, string>> = {
    pkg: packageName,
    filename: file.filename,
    hashtype: file.hashType.toLowerCase(),
    hash: file.hash,
  };
  return asUrl(template).replace(/\$(pkg|filename|hashtype|hash)/g, (_whole, name: string) =>
    encodeURIComponent(values[name]!),
  );
}

type Custom = Extract<SourceOrigin, { readonly type: 'custom' }>;

/**
 * Lets a script of the project create one file of the component's folder. It is not run again while script, packages and
 * inputs are unchanged and the earlier output still matches the configuration.
 * @param root the project's folder; links to the script must not leave it
 * @returns the file's description with its hash
 * @throws WeirError `no-script`, `no-input`, `no-buildroot` (exit 2), `wrong-hash`, and the errors of the script's run
 */
export async function makeFile(
  component: ResolvedComponent,
  wanted: WantedFile,
  origin: Custom,
  context: SourceFileContext,
  { into, root }: { readonly into: string; readonly root: string },
): Promise<LookasideFile> {
  const { filename, source } = wanted;
  const hashType = source?.hashType ?? 'SHA512';
  const script = await findScript(component, origin, root);
  const inputs = new Map<string, string>();
  for (const name of origin.inputs) {
    const path = join(into, name);
    if (!(await isFile(path))) {
      throw new WeirError('no-input', `${name}, an input of ${filename}, is not among the sources`, {
        where: placeOf(component),
        hint: "an input is one of upstream's files, or a source file that comes before this one",
        exit: 2,
      });
    }
    inputs.set(name, path);
  }
  const digests: Record<string, string> = {};
  for (const [name, path] of inputs) digests[name] = await fileDigest(path);
  const key = valueDigest({
    filename,
    script: await fileDigest(script),
    packages: origin.packages,
    inputs: digests,
  });
  const target = join(into, filename);
  const record = cachePath(context.cache, 'custom', key.slice(0, 2), key);
  const subject = `custom ${key}`;
  const before = unsealed(context.store.seal, subject, (await readIfExists(record)) ?? '')?.trim() ?? '';
  if (wanted.file !== undefined && /^[0-9a-f]{64}$/.test(before) && (await hasBlob(context.store, before))) {
    const hash = await fileDigest(await blobFile(context.store, before), hashType.toLowerCase());
    if (hash === wanted.file.hash) {
      await takeOut(context.store, before, target);
      return wanted.file;
    }
  }
  if (context.runScript === undefined) {
    throw new WeirError('no-buildroot', `${filename} is made by a script, and there is no buildroot to run it in`, {
      where: placeOf(component),
      hint: 'the project needs a [release] table and package repositories',
      exit: 2,
    });
  }
  const { packages } = origin;
  const made = await context.runScript({
    ...{ component: component.name, filename, script, packages, inputs },
    ...(wanted.file === undefined ? {} : { expected: wanted.file }),
  });
  const got = await fileDigest(made, hashType.toLowerCase());
  if (wanted.file !== undefined && got !== wanted.file.hash) {
    throw wrongHash(
      wanted.file,
      got,
      `the script ${script}`,
      [],
      'the script, its inputs or its packages have changed since the hash was set: if that is intended, set the new hash',
    );
  }
  const file: LookasideFile = { filename, hashType, hash: got };
  const blob = await takeIn(file, made, script, context);
  await writeAtomic(record, sealed(context.store.seal, subject, `${blob}\n`));
  await takeOut(context.store, blob, target);
  return file;
}

/** A script is beside the spec of a local component, else beside the configuration file. */
async function findScript(component: ResolvedComponent, origin: Custom, root: string): Promise<string> {
  const folders = [dirname(component.origin.file)];
  if (component.spec?.type === 'local') folders.unshift(dirname(component.spec.path));
  for (const folder of folders) {
    const path = join(folder, origin.script);
    if (!(await exists(path)) || !(await isFile(await behindLinks(path, root)))) continue;
    const pointer = await pointerAt(path);
    if (pointer !== undefined) throw notThere(origin.script, pointer, []);
    return path;
  }
  throw new WeirError('no-script', `the script ${origin.script} does not exist`, {
    where: placeOf(component),
    details: [...new Set(folders)].map((folder) => `looked in ${folder}`),
    exit: 2,
  });
}

/** Whether a path is a regular file. A link could lead anywhere, so it does not count. */
async function isFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}
