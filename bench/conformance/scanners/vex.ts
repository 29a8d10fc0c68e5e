import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeGrypeDatabase } from '../../../src/advisory/export/grype-db.ts';
import { scannerAdvisories } from '../../../src/advisory/export/scanner-advisories.ts';
import { feedContext } from '../../../src/advisory/feeds/context.ts';
import { feedFiles } from '../../../src/advisory/feeds/write.ts';
import { parseAdvisory } from '../../../src/advisory/load.ts';
import { type Statement, statementsOf } from '../../../src/advisory/statements.ts';
import { recordText } from '../../../src/advisory/write.ts';
import { WeirError } from '../../../src/base/errors.ts';
import type { Case } from './cases.ts';
import type { ImagePackage } from './later-release.ts';

/** A database that takes everything for affected, and the VEX documents that say what is not. */
export interface VexInput {
  readonly database: string;
  readonly openvex: string;
  readonly csaf: readonly string[];
  /** The cases that the documents are about: those whose fixes the image has. */
  readonly cases: readonly Case[];
}

/** Writes them to a folder, for a snapshot that has the packages of the image. */
export async function writeVex(
  dir: string,
  cases: readonly Case[],
  packages: readonly ImagePackage[],
  distribution: { readonly id: string; readonly name: string; readonly version: string },
): Promise<VexInput> {
  const snapshot = {
    channels: [{ name: 'base', packages: packages.map((pkg) => ({ ...pkg, rpm: '0', origin: 'seed' })) }],
    components: new Set<string>(),
  };
  const told = cases.flatMap((one) => {
    const statements = statementsIn(one, snapshot);
    return statements === undefined ? [] : [{ one, statements }];
  });
  const statements = told.flatMap((each) => each.statements);
  const affected = scannerAdvisories(statements).map((advisory) => ({
    ...advisory,
    packages: advisory.packages.map(({ name, released }) => ({ name, released, status: 'affected' as const })),
  }));
  await mkdir(dir, { recursive: true });
  const database = join(dir, 'affected.db');
  const built = Math.floor(Date.now() / 1000);
  writeGrypeDatabase(database, affected, { distribution, like: ['fedora'], built });
  const context = feedContext(
    { lifecycle: distribution, advisories: { path: dir, publisher: {} } },
    distribution.version,
    built,
  );
  const { files } = feedFiles(context, statements, ['base'], '0');
  for (const [path, text] of files) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }
  const paths = [...files.keys()].map((path) => join(dir, path));
  return {
    database,
    openvex: paths.find((path) => path.endsWith('/openvex.json'))!,
    csaf: paths.filter((path) => /\/csaf\/[0-9]{4}\/[^/]+\.json$/.test(path)),
    cases: told.map(({ one }) => one),
  };
}

/** Undefined if the image does not have the fix: then no snapshot of its packages says so. */
function statementsIn(
  { id, kind, events }: Case,
  snapshot: Parameters<typeof statementsOf>[1],
): readonly Statement[] | undefined {
  const header = { id, title: kind, severity: 'important', published: '2026-11-01T00:00:00Z' } as const;
  try {
    return statementsOf([parseAdvisory(`/advisories/${id}.toml`, recordText(header, events))], snapshot);
  } catch (error) {
    if (error instanceof WeirError && (error.code === 'advisory-ahead' || error.code === 'advisory-without-package'))
      return undefined;
    throw error;
  }
}
