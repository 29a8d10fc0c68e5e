import { join } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { fileDigest } from '../base/digest.ts';
import { didYouMean, WeirError } from '../base/errors.ts';
import { nevra, packagePath, parseNevra } from '../repo/metadata.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { evidencePaths } from './evidence-paths.ts';
import { type BuildEvidence, badEvidence, componentStatement, readEvidence } from './package-evidence-read.ts';
import { builtRelease, channelFolder, snapshotPath } from './published.ts';
import type { ReleaseRecord } from './record-schema.ts';
import { keyFaults } from './verify-keys.ts';

type Recorded = ReleaseRecord['channels'][number]['packages'][number];

/** A package of a release, and what is known of how it was made. */
export interface PackageEvidence {
  readonly nevra: string;
  readonly channel: string;
  /** SHA-256 of the file as published, and before signing. */
  readonly sha256: Digest;
  readonly unsigned?: Digest;
  /** SHA-256 of its header, which signing does not change; only for a package that Weir built. */
  readonly header?: Digest;
  /** Whether the published file is the one that the release names. */
  readonly file: 'as recorded' | 'changed' | 'missing';
  readonly origin: EvidenceOrigin;
}

export type EvidenceOrigin =
  /** Built from a component's spec. Paths are absolute. */
  | {
      readonly kind: 'built';
      readonly source: { readonly file: string; readonly sha256: Digest };
      readonly build: Omit<BuildEvidence, 'headers'>;
      readonly signature: { readonly valid: true; readonly keyId: string; readonly development: boolean };
      readonly files: { readonly provenance: string; readonly spdx: string };
    }
  /** Made from Debian's binary packages; without `debian`, by the seed itself. Weir did not build it. */
  | { readonly kind: 'seed'; readonly debian?: string }
  /** Taken as it is from a repository; the digest covers the repository's metadata and keys. */
  | { readonly kind: 'repository'; readonly repository: string; readonly digest?: Digest };

/**
 * What is known of a package of the last release: for a package that Weir built, what its signed provenance says, after checks of
 * all signatures that it depends on.
 * @param text a NEVRA, or a name
 * @throws WeirError `not-built`, `unknown-package`, `several-packages` (exit 2), `no-evidence`, `bad-evidence`
 */
export async function findEvidence(workspace: ProjectWorkspace, text: string): Promise<PackageEvidence> {
  const { release, channel, pkg } = await findPackage(workspace, text);
  const [fault] = await keyFaults(workspace, release);
  if (fault !== undefined) throw badEvidence(join(workspace.out, fault.path), fault.message);
  const component = release.components.find(({ name }) => name === pkg.origin);
  const path = join(channelFolder(workspace, release, channel), packagePath(parseNevra(pkg.nevra)!));
  const digest = await fileDigest(path).catch(() => undefined);
  const known = {
    nevra: pkg.nevra,
    channel,
    sha256: pkg.sha256,
    ...(pkg.unsigned === undefined ? {} : { unsigned: pkg.unsigned }),
    file: digest === undefined ? 'missing' : digest === pkg.sha256 ? 'as recorded' : 'changed',
  } as const;
  if (component === undefined) return { ...known, origin: foreignOrigin(release, pkg) };
  const snapshot = join(workspace.out, snapshotPath(release));
  const { headers, ...build } = await componentStatement(snapshot, release, component);
  const header = headers.get(pkg.nevra);
  const { provenance, spdx } = evidencePaths(component.srpm.file);
  const { id: keyId, development } = release.imageKey;
  return {
    ...known,
    ...(header === undefined ? {} : { header }),
    origin: {
      kind: 'built',
      source: component.srpm,
      build,
      signature: { valid: true, keyId, development },
      files: { provenance: join(snapshot, provenance), spdx: join(snapshot, spdx) },
    },
  };
}

/**
 * A document about a package of the last release, as published. @param format `provenance` is the signed envelope
 * @throws WeirError as `findEvidence`
 */
export async function evidenceDocument(
  workspace: ProjectWorkspace,
  text: string,
  format: 'provenance' | 'spdx',
): Promise<string> {
  const { release, pkg } = await findPackage(workspace, text);
  const component = release.components.find(({ name }) => name === pkg.origin);
  if (component === undefined) {
    throw new WeirError('no-evidence', `Weir did not build ${pkg.nevra}: ${originWords(foreignOrigin(release, pkg))}`, {
      hint: 'without --format, the command shows where it is from',
    });
  }
  // Checks signatures; the document may be damaged nevertheless.
  await findEvidence(workspace, text);
  const path = evidencePaths(component.srpm.file)[format];
  const snapshot = join(workspace.out, snapshotPath(release));
  const found = await readEvidence(snapshot, release, path);
  const recorded = release.extras?.find((each) => each.path === path);
  if (recorded?.signed !== true && (await fileDigest(join(snapshot, path))) !== recorded?.sha256)
    throw badEvidence(join(snapshot, path), 'its content differs from what was published');
  return found;
}

/** A sentence about a package that Weir did not build. */
export function originWords(origin: Exclude<EvidenceOrigin, { readonly kind: 'built' }>): string {
  if (origin.kind === 'repository') return `it was taken as it is from the repository ${origin.repository}`;
  if (origin.debian === undefined) return 'the seed made it, not from a source package';
  return `the seed made it from binary packages of Debian's source package ${origin.debian}`;
}

function foreignOrigin({ inputs }: ReleaseRecord, pkg: Recorded): Exclude<EvidenceOrigin, { readonly kind: 'built' }> {
  const repository = inputs.repositories?.find(({ id }) => id === pkg.origin);
  if (repository !== undefined) return { kind: 'repository', repository: repository.id, digest: repository.digest };
  return { kind: 'seed', ...(pkg.debian === undefined ? {} : { debian: pkg.debian }) };
}

async function findPackage(
  workspace: Pick<ProjectWorkspace, 'out'>,
  text: string,
): Promise<{ readonly release: ReleaseRecord; readonly channel: string; readonly pkg: Recorded }> {
  const release = await builtRelease(workspace);
  const all = release.channels.flatMap(({ name: channel, packages }) => packages.map((pkg) => ({ channel, pkg })));
  return { release, ...onlyMatch(all, text) };
}

/** The package that a text means: a NEVRA, with or without an epoch of 0 and `.rpm`, or a name; binary packages are preferred for a name. */
export function onlyMatch<T extends { readonly pkg: { readonly nevra: string } }>(all: readonly T[], text: string): T {
  const asked = parseNevra(text.replace(/\.rpm$/, ''));
  const wanted = asked === undefined ? undefined : nevra(asked);
  const exact = all.filter(({ pkg }) => pkg.nevra === wanted);
  const named = all.filter(({ pkg }) => parseNevra(pkg.nevra)!.name === text);
  const binary = named.filter(({ pkg }) => !pkg.nevra.endsWith('.src'));
  const found = exact.length > 0 ? exact : binary.length > 0 ? binary : named;
  const [first] = found;
  if (first === undefined) {
    const names = all.flatMap(({ pkg }) => [parseNevra(pkg.nevra)!.name, pkg.nevra]);
    throw new WeirError('unknown-package', `the release has no package ${text}`, {
      hint: didYouMean(text, new Set(names)) ?? 'run: weir package list',
      exit: 2,
    });
  }
  if (found.length > 1) {
    throw new WeirError('several-packages', `${text} matches ${found.length} packages of the release`, {
      details: found.map(({ pkg }) => pkg.nevra),
      hint: 'give the NEVRA of one of them',
      exit: 2,
    });
  }
  return first;
}
