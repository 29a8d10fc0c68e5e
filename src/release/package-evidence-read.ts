import { join } from 'node:path';
import { z } from 'zod';
import type { AppliedOverlay, SpecOrigin } from '../audit/contents.ts';
import type { BuildSettings } from '../audit/package-build.ts';
import { subjectNames } from '../audit/package-provenance.ts';
import { WeirError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';
import type { Fault } from '../repo/fault.ts';
import { parseNevra } from '../repo/metadata.ts';
import { openPublished } from '../trust/dsse.ts';
import { evidencePaths } from './evidence-paths.ts';
import { type ReleaseRecord, shaped } from './record-schema.ts';

type Component = ReleaseRecord['components'][number];

/** Overlay of a build, as its provenance lists it. */
export interface ListedOverlay extends AppliedOverlay {
  /** Its position among the component's, from 1. */
  readonly number: number;
  readonly cves?: readonly string[];
}

/** A source file of a build, as its provenance lists it. */
export interface ListedSource {
  readonly name: string;
  readonly role: 'spec' | 'source' | 'patch';
  readonly digest: Readonly<Record<string, string>>;
  /** Its address upstream, if known. */
  readonly uri?: string;
  /** Positions of the overlays that added or changed it. */
  readonly overlays?: readonly number[];
}

const stringMap = z.record(z.string(), z.string());

// Only the fields that are read here; others read the rest.
const statementSchema = z.object({
  subject: z.array(
    z.object({
      name: z.string(),
      digest: z.object({ sha256: z.string() }),
      annotations: z.object({ nevra: z.string(), headerSha256: z.string(), signed: z.boolean() }),
    }),
  ),
  predicate: z.object({
    buildDefinition: z.object({
      externalParameters: z.object({
        component: z.string(),
        specFrom: z
          .union([
            z.object({ uri: z.string(), commit: z.string() }),
            z.object({ distro: z.string(), name: z.string() }),
            z.object({ path: z.string() }),
          ])
          .optional(),
        overlays: z.array(z.object({ number: z.number(), type: z.string(), description: z.string() })),
        options: z.record(z.string(), z.unknown()),
      }),
      resolvedDependencies: z.array(
        z.object({
          name: z.string(),
          uri: z.string().optional(),
          digest: stringMap,
          annotations: z.object({ role: z.string(), overlays: z.array(z.number()).optional() }),
        }),
      ),
    }),
    runDetails: z.object({ builder: z.object({ id: z.string(), version: stringMap }) }),
  }),
});

type Statement = z.infer<typeof statementSchema>;

/** What the provenance of a build says. */
export interface BuildEvidence {
  readonly component: string;
  /** Undefined if the origin means nothing on other machines. */
  readonly specFrom?: SpecOrigin;
  readonly overlays: readonly ListedOverlay[];
  readonly options: BuildSettings;
  readonly sources: readonly ListedSource[];
  readonly buildroot: readonly { readonly name: string; readonly sha256: string }[];
  /** SHA-256 over the packages of the tools. */
  readonly toolbox: string;
  readonly builder: { readonly id: string; readonly version: Readonly<Record<string, string>> };
  /** By NEVRA: SHA-256 of a package's header. */
  readonly headers: ReadonlyMap<string, string>;
}

/** The signed statement about a component's packages. @throws WeirError `no-evidence`, `bad-evidence` */
export async function componentStatement(
  snapshot: string,
  release: Pick<ReleaseRecord, 'extras' | 'imageKey' | 'channels'>,
  component: Component,
): Promise<BuildEvidence> {
  const { provenance: path } = evidencePaths(component.srpm.file);
  const text = await readEvidence(snapshot, release, path);
  const payload = openPublished(release.imageKey.publicKey, text);
  if (payload === undefined) throw badEvidence(join(snapshot, path), 'not signed by the image key of the release');
  const statement = shaped(statementSchema, Buffer.from(payload).toString());
  if (statement === undefined) throw badEvidence(join(snapshot, path), 'not a statement about packages');
  const problem = subjectProblem(statement, release, component);
  if (problem !== undefined) throw badEvidence(join(snapshot, path), problem);
  return described(statement);
}

/** A file of evidence as published. @throws WeirError `no-evidence`, `bad-evidence` */
export async function readEvidence(
  snapshot: string,
  { extras = [] }: Pick<ReleaseRecord, 'extras'>,
  path: string,
): Promise<string> {
  const file = join(snapshot, path);
  if (!extras.some((each) => each.path === path)) {
    throw new WeirError('no-evidence', 'the release was built without evidence of its packages', {
      where: { file },
      hint: 'it was built by an older Weir: run weir build',
    });
  }
  const text = await readIfExists(file).catch((cause: unknown) => {
    throw badEvidence(file, 'cannot read it', cause);
  });
  if (text === undefined) throw badEvidence(file, 'it is missing');
  return text;
}

export function badEvidence(file: string, what: string, cause?: unknown): WeirError {
  return new WeirError('bad-evidence', `invalid evidence: ${what}`, {
    where: { file },
    hint: 'weir release verify lists everything that changed since the build',
    cause,
  });
}

/** Why a statement is not about the packages that the release has of a component; undefined if it is. */
function subjectProblem(
  { subject }: Statement,
  { channels }: Pick<ReleaseRecord, 'channels'>,
  { name }: Component,
): string | undefined {
  const digests = new Map(subject.map((each) => [each.name, each.digest.sha256]));
  for (const pkg of channels.flatMap(({ packages }) => packages)) {
    if (pkg.origin !== name) continue;
    const { signed, unsigned } = subjectNames(parseNevra(pkg.nevra)!);
    if (digests.get(signed) !== pkg.sha256 || digests.get(unsigned) !== pkg.unsigned)
      return `its subjects do not match ${pkg.nevra}`;
  }
  return undefined;
}

function described({ subject, predicate }: Statement): BuildEvidence {
  const { externalParameters, resolvedDependencies } = predicate.buildDefinition;
  const { component, specFrom, overlays, options } = externalParameters;
  const of = (...roles: string[]) => resolvedDependencies.filter(({ annotations }) => roles.includes(annotations.role));
  return {
    component,
    ...(specFrom === undefined ? {} : { specFrom }),
    overlays: overlays as readonly ListedOverlay[],
    options: options as BuildSettings,
    sources: of('spec', 'source', 'patch').map(({ name, uri, digest, annotations }) => ({
      name,
      role: annotations.role as ListedSource['role'],
      digest,
      ...(uri === undefined ? {} : { uri }),
      ...(annotations.overlays === undefined ? {} : { overlays: annotations.overlays }),
    })),
    buildroot: of('buildroot').map(({ name, digest }) => ({ name, sha256: digest.sha256 ?? '' })),
    toolbox: of('toolbox')[0]?.digest.sha256 ?? '',
    builder: predicate.runDetails.builder,
    headers: new Map(subject.map(({ annotations }) => [annotations.nevra, annotations.headerSha256])),
  };
}

/**
 * Checks that each component of a release has evidence, and that its statement is about the component's packages. A release of an
 * older Weir has none. @returns faults with paths within the snapshot
 */
export async function evidenceFaults(snapshot: string, release: ReleaseRecord): Promise<Fault[]> {
  const listed = new Set(release.extras?.map(({ path }) => path));
  if (listed.size === 0) return [];
  const faults: Fault[] = [];
  for (const component of release.components) {
    const paths = evidencePaths(component.srpm.file);
    const missing = Object.values(paths).filter((path) => !listed.has(path));
    for (const path of missing)
      faults.push({ path, fault: 'missing', message: `the release lists no evidence for ${component.name}` });
    if (missing.length > 0) continue;
    try {
      await componentStatement(snapshot, release, component);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      faults.push({ path: paths.provenance, fault: 'wrong', message: error.message });
    }
  }
  return faults;
}
