import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, fileDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { diskError } from '../base/files.ts';
import { readBlobText, type Store } from '../engine/store.ts';
import { treeTar } from '../tree/tar.ts';
import type { Tree } from '../tree/tree.ts';
import type { Gzip } from './gzip.ts';
import { iniSettings } from './ini.ts';

// Formats: Microsoft's "Build a custom Linux distribution for WSL" (learn.microsoft.com), and the manifest that
// `wsl --install` reads.

export interface WslOptions {
  /** Base name of the files: `<name>.wsl`, `<name>.manifest.json`. */
  readonly name: string;
  readonly arch: 'x86_64' | 'aarch64';
  /** Display name in lists of distributions, such as `Weir Linux 4.0`. */
  readonly friendlyName: string;
  /** URL of the folder where the file is published, with a trailing slash. */
  readonly url?: string;
  /** The image's clock, seconds since 1970. */
  readonly epoch: number;
  /** Compresses the tar. */
  readonly gzip: Gzip;
}

export interface WslImage {
  /** Default name of the distribution in `wsl --install`. */
  readonly defaultName: string;
  readonly file: string;
  /** SHA-256 of the file. */
  readonly digest: Digest;
}

/** The image's configuration for its setup at the first start. */
export const distributionConf = '/etc/wsl-distribution.conf';

/**
 * Writes `<name>.wsl`, a gzipped tar with the root at its top, and `<name>.manifest.json` with its entry for a manifest of
 * distributions.
 * @throws WeirError `not-for-wsl`, and the errors of `treeTar`
 */
export async function makeWsl(store: Store, tree: Tree, dir: string, options: WslOptions): Promise<WslImage> {
  const defaultName = await defaultNameOf(store, tree);
  const file = `${options.name}.wsl`;
  try {
    const tar = treeTar(store, tree, { epoch: options.epoch, xattrs: { capabilities: true } });
    await options.gzip(tar, join(dir, file));
    const digest = await fileDigest(join(dir, file));
    const manifest = wslManifest(defaultName, { ...options, file, digest });
    await writeFile(join(dir, `${options.name}.manifest.json`), `${JSON.stringify(manifest, null, 2)}\n`);
    return { defaultName, file, digest };
  } catch (error) {
    throw diskError(error, dir);
  }
}

/**
 * A manifest with one distribution. WSL groups the versions of a distribution under a common name, the prefix of the versions' names;
 * one of the versions is the default.
 */
export function wslManifest(
  name: string,
  image: Pick<WslOptions, 'arch' | 'friendlyName' | 'url'> & Pick<WslImage, 'file' | 'digest'>,
): Record<string, unknown> {
  const architecture = image.arch === 'x86_64' ? 'Amd64Url' : 'Arm64Url';
  const entry = {
    Name: name,
    FriendlyName: image.friendlyName,
    Default: true,
    [architecture]: { Url: `${image.url ?? ''}${image.file}`, Sha256: image.digest },
  };
  return { ModernDistributions: { [name.replace(/-[\d.]+$/, '')]: [entry] } };
}

async function defaultNameOf(store: Store, tree: Tree): Promise<string> {
  const entry = tree.entries.find(({ path }) => path === distributionConf);
  const text = entry?.kind === 'file' ? await readBlobText(store, entry.digest) : '';
  const name = iniSettings(text).get('oobe.defaultname') ?? '';
  if (name !== '') return name;
  throw new WeirError(
    'not-for-wsl',
    `${distributionConf} ${entry === undefined ? 'is missing' : 'has no defaultName'}`,
    {
      hint: 'add a package with that file, such as weir-wsl: WSL reads the name of the distribution from it',
    },
  );
}
