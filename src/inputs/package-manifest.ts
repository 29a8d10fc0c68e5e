import { stringify } from 'yaml';
import { z } from 'zod';
import type { Digest } from '../base/digest.ts';
import { compareText } from '../base/order.ts';
import { parseYaml } from '../yaml/document.ts';
import { checkedYaml } from '../yaml/schema.ts';
import type { RepositoryAddress } from './input-repository.ts';

// dnf5's package manifest, the lock file of `dnf5 manifest`. Format: libpkgmanifest's schema, version 0.2.2
// (https://github.com/rpm-software-management/libpkgmanifest).

const schemaVersion = '0.2.2';

/** A package that a manifest lists. */
export interface ManifestPackage {
  readonly name: string;
  /** `[epoch:]version-release` */
  readonly evr: string;
  /** The package's own architecture, which may be `noarch`. */
  readonly arch: string;
  /** Id of its repository. */
  readonly repository: string;
  readonly checksum: { readonly type: string; readonly value: string };
  /** Bytes. */
  readonly size: number;
}

/** A repository that a manifest lists. */
export interface ManifestRepository {
  readonly id: string;
  readonly address: RepositoryAddress;
}

export interface WrittenPackage extends Omit<ManifestPackage, 'checksum'> {
  readonly sha256: Digest;
  /** URL relative to the repository. */
  readonly location: string;
  /** `name-[epoch:]version-release.src`, if known. */
  readonly source?: string;
}

/** Writes a manifest. @param arch the base architecture that `noarch` packages are for */
export function printPackageManifest(
  arch: string,
  repositories: readonly ManifestRepository[],
  packages: readonly WrittenPackage[],
): string {
  const byArch = new Map<string, unknown[]>();
  const key = ({ arch: own, name, evr }: WrittenPackage): string => `${own} ${name} ${evr}`;
  for (const pkg of [...packages].sort((a, b) => compareText(key(a), key(b)))) {
    const { name, repository, location, sha256, size, evr, source } = pkg;
    const entry = {
      ...{ name, repo_id: repository, location, checksum: `sha256:${sha256}`, size, evr },
      ...(source === undefined ? {} : { srpm: source }),
      ...(pkg.arch === 'noarch' ? { parent_archs: [arch] } : {}),
    };
    byArch.set(pkg.arch, [...(byArch.get(pkg.arch) ?? []), entry]);
  }
  const data = {
    repositories: repositories.map(({ id, address }) => ({
      id,
      // The schema has one base URL.
      ...(address.kind === 'baseurl' ? { baseurl: address.urls[0] } : { [address.kind]: address.url }),
    })),
    packages: Object.fromEntries(byArch),
  };
  return stringify({ document: 'rpm-package-manifest', version: schemaVersion, data }, { lineWidth: 0 });
}

const listed = z.looseObject({
  name: z.string().min(1),
  repo_id: z.string().min(1),
  checksum: z.string().regex(/^[a-z0-9]+:[0-9a-f]+$/i, 'not ALGORITHM:DIGEST'),
  size: z.int().positive(),
  evr: z.string().regex(/^(\d+:)?[^\s:-]+-[^\s:-]+$/, 'not [EPOCH:]VERSION-RELEASE'),
});

const manifest = z.looseObject({
  document: z.literal('rpm-package-manifest'),
  version: z.coerce.string().regex(/^0(\.\d+){0,2}$/, 'an unknown version of the format'),
  data: z.looseObject({
    repositories: z.array(z.looseObject({ id: z.string().min(1) })),
    packages: z.record(z.string().regex(/^[a-z0-9_]+$/), z.array(listed)),
  }),
});

const errors = { code: 'bad-manifest', hint: 'it must be a package manifest as dnf5 manifest writes it' };
const limits = { mostAliases: 0, mostBytes: 64 << 20 };

/**
 * Reads the packages of a manifest.
 * @param file its name, for errors
 * @throws WeirError `bad-manifest` (exit 2) with the place
 */
export function parsePackageManifest(text: string, file: string): ManifestPackage[] {
  const { data } = checkedYaml(parseYaml(text, file, errors, limits), manifest);
  return Object.entries(data.packages).flatMap(([arch, packages]) =>
    packages.map(({ name, evr, repo_id: repository, checksum, size }): ManifestPackage => {
      const [type, value] = checksum.toLowerCase().split(':') as [string, string];
      return { name, evr: evr.replace(/^0:/, ''), arch, repository, checksum: { type, value }, size };
    }),
  );
}
