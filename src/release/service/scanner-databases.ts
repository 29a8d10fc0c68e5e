import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeGrypeDatabase } from '../../advisory/export/grype-db.ts';
import { scannerAdvisories } from '../../advisory/export/scanner-advisories.ts';
import type { ScannedDistribution, ScannerAdvisory } from '../../advisory/export/scanner-advisory.ts';
import { trivyDatabase, trivyFamily } from '../../advisory/export/trivy-db.ts';
import { loadAdvisories } from '../../advisory/load.ts';
import { statementsOf } from '../../advisory/statements.ts';
import { WeirError } from '../../base/errors.ts';
import { diskError, temporaryName, writeAtomic } from '../../base/files.ts';
import { refuseReadOnly } from '../../base/read-only.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { builtRelease, readImage } from '../published.ts';
import { releasedSnapshot } from './released.ts';

export interface ScannerDatabases {
  readonly snapshot: string;
  readonly advisories: number;
  readonly grype?: { readonly file: string };
  readonly trivy?: {
    readonly dir: string;
    /** The value for `trivy --distro`. */
    readonly distro: string;
    /** Vulnerabilities of packages that Trivy reports in more versions than are affected. */
    readonly wider: readonly { readonly id: string; readonly package: string }[];
  };
}

/**
 * Writes the last release's statements about vulnerabilities as databases for scanners.
 * @param built seconds since 1970: the creation time that the databases record
 * @throws WeirError `not-built`, `bad-record`, `missing-key` (no `[lifecycle]`), those of `loadAdvisories` and `statementsOf`
 */
export async function writeScannerDatabases(
  workspace: ProjectWorkspace,
  to: { readonly grypeDb?: string; readonly trivyDb?: string },
  built: number,
): Promise<ScannerDatabases> {
  const { project } = workspace;
  const release = await builtRelease(workspace);
  const distribution = distributionOf(workspace);
  const records = await loadAdvisories(project.advisories.path);
  const advisories = scannerAdvisories(statementsOf(records, releasedSnapshot(release, workspace)));
  const { grypeDb, trivyDb } = to;
  return {
    snapshot: release.snapshot,
    advisories: advisories.length,
    ...(grypeDb === undefined
      ? {}
      : {
          grype: await writeGrype(grypeDb, advisories, {
            distribution,
            like: await likeOf(
              workspace,
              release.images.map(({ name }) => name),
            ),
            built,
          }),
        }),
    ...(trivyDb === undefined ? {} : { trivy: await writeTrivy(trivyDb, advisories, distribution, built) }),
  };
}

function distributionOf({ project }: ProjectWorkspace): ScannedDistribution & { readonly url?: string } {
  const { lifecycle, advisories } = project;
  if (lifecycle === undefined) {
    throw new WeirError(
      'missing-key',
      'the project does not name its distribution, by which scanners choose advisories',
      {
        hint: 'add a [lifecycle] table with id, name and version, as os-release has them',
        exit: 2,
      },
    );
  }
  const { id, name, version, supportEnd } = lifecycle;
  return {
    id,
    name,
    version,
    ...(supportEnd === undefined ? {} : { supportEnd }),
    ...(advisories.url === undefined ? {} : { url: advisories.url }),
  };
}

/** ID_LIKE of the release's images. */
async function likeOf(workspace: ProjectWorkspace, images: readonly string[]): Promise<readonly string[]> {
  const records = await Promise.all(images.map((name) => readImage(workspace, name)));
  const words = records.flatMap((record) => record?.osRelease.ID_LIKE?.split(/\s+/) ?? []);
  return [...new Set(words)].filter((word) => word !== '').sort();
}

async function writeGrype(
  file: string,
  advisories: readonly ScannerAdvisory[],
  options: Parameters<typeof writeGrypeDatabase>[2],
): Promise<{ readonly file: string }> {
  refuseReadOnly(file);
  const temporary = temporaryName(file);
  try {
    await mkdir(dirname(file), { recursive: true });
    writeGrypeDatabase(temporary, advisories, options);
    await rename(temporary, file);
  } catch (error) {
    throw diskError(error, file);
  } finally {
    await rm(temporary, { force: true });
  }
  return { file };
}

async function writeTrivy(
  dir: string,
  advisories: readonly ScannerAdvisory[],
  distribution: Parameters<typeof trivyDatabase>[1],
  built: number,
): Promise<ScannerDatabases['trivy'] & object> {
  const { database, metadata, wider } = trivyDatabase(advisories, distribution, built);
  await writeAtomic(join(dir, 'db/trivy.db'), database);
  await writeAtomic(join(dir, 'db/metadata.json'), metadata);
  return { dir, distro: `${trivyFamily}/${distribution.version}`, wider };
}
