import { stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BuildrootPackage, BuildSettings, BuiltPackage, PackageBuild } from '../audit/package-build.ts';
import { valueDigest } from '../base/digest.ts';
import { mapLimit } from '../base/files.ts';
import { byName } from '../base/order.ts';
import type { Built } from '../build/rpmbuild.ts';
import type { BuiltComponents } from '../component/build.ts';
import type { ReadyComponent } from '../component/ready.ts';
import { type ActionResult, perform, recall, recordBlobs } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { type Blob, blobFile, readBlob } from '../engine/store.ts';
import { blobExtra, type ExtraFile } from '../repo/extras.ts';
import { packagePath, type RepoPackage } from '../repo/metadata.ts';
import { readRpm } from '../rpm/read.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { envelopeText, signEnvelope, statementType } from '../trust/dsse.ts';
import type { ImageKey } from '../trust/image-key.ts';
import type { Inputs } from '../workspace/inputs.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { evidencePaths } from './evidence-paths.ts';
import { componentOrigin, distributionOf, toolVersion } from './package-origin.ts';

/** What the evidence of all builds is made from. */
export interface EvidenceContext {
  readonly workspace: Workspace;
  readonly toolbox: Toolbox;
  readonly inputs: Inputs;
  readonly built: BuiltComponents;
  /** Signs the provenance. */
  readonly imageKey: ImageKey;
}

/**
 * The evidence of every component's packages, as files for the snapshot. It depends only on what was built and published, and is
 * cached: without changes, nothing is read but one result.
 * @param published all packages as published
 */
export async function packageEvidence(
  context: EvidenceContext,
  published: readonly RepoPackage[],
): Promise<ExtraFile[]> {
  const { engine } = context.workspace;
  const signed = new Map(published.flatMap(({ unsigned, rpm }) => (unsigned === undefined ? [] : [[unsigned, rpm]])));
  const common = await commonInputs(context);
  const wanted = context.built.components.map((built) => wantedEvidence(context, built, signed, common));
  const all = {
    code: codeDigest(import.meta.url),
    kind: 'package-evidence-all',
    inputs: { builds: wanted.map(({ digest }) => digest) },
  };
  const known = await recall(engine, all);
  if (known !== undefined) return wanted.flatMap((each) => filesOf(context, each, known.files));
  const results = await mapLimit(wanted, 2, (each) => makeEvidence(context, each));
  const files: Record<string, Blob> = {};
  for (const [index, { files: own }] of results.entries()) {
    for (const name of ['provenance', 'spdx'] as const) files[`${wanted[index]!.name}.${name}`] = own[name]!;
  }
  await recordBlobs(engine, all, files);
  return wanted.flatMap((each) => filesOf(context, each, files));
}

/** One build whose evidence is wanted. */
interface WantedEvidence {
  /** The source package's name without `.src.rpm`. */
  readonly name: string;
  readonly built: Built;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly digest: string;
  readonly build: Omit<PackageBuild, 'source' | 'packages' | 'buildroot'>;
  readonly signed: ReadonlyMap<string, string>;
}

type Common = Pick<PackageBuild, 'version' | 'arch' | 'distribution' | 'clock' | 'toolVersion' | 'toolbox'>;

async function commonInputs({ workspace, toolbox }: EvidenceContext): Promise<Common> {
  const { release, arch, clock } = workspace;
  return {
    version: release.version,
    arch,
    distribution: distributionOf(workspace),
    clock,
    toolVersion: await toolVersion(),
    toolbox: toolbox.digest,
  };
}

function wantedEvidence(
  { workspace, inputs: { settings }, built: { ready, facts } }: EvidenceContext,
  built: Built,
  signed: ReadonlyMap<string, string>,
  common: Common,
): WantedEvidence {
  const { component, source, packages, buildroot } = built;
  const own = ready.get(component)!;
  const origin = componentOrigin(own, source, workspace.project.root, facts.get(component));
  const build = { ...common, origin, options: settingsOf(own, settings) };
  const inputs = {
    build,
    packages: [source, ...packages].map(({ rpm }) => [rpm, signed.get(rpm)]),
    buildroot: buildroot.digest,
    // The digest covers the packages' content, not which input they were taken from.
    from: valueDigest(buildroot.packages.map(({ origin: each }) => each)),
  };
  const name = basename(packagePath(source), '.src.rpm');
  return { name, built, inputs, digest: valueDigest(inputs), build, signed };
}

function settingsOf(
  { component: { build } }: ReadyComponent,
  { macros, environment, noCheck }: Inputs['settings'],
): BuildSettings {
  const { check } = build;
  const skipped = check.skip ? (check.skipReason ?? 'no reason given') : noCheck ? 'no build runs tests' : undefined;
  const all = {
    ...{ with: build.with, without: build.without, defines: build.defines, undefines: build.undefines },
    ...{ macros, environment },
  };
  const said = Object.entries(all).filter(([, value]) => Object.keys(value).length > 0);
  return { ...Object.fromEntries(said), ...(skipped === undefined ? {} : { checkSkipped: skipped }) };
}

function makeEvidence(context: EvidenceContext, wanted: WantedEvidence): Promise<ActionResult> {
  return perform(context.workspace.engine, {
    code: codeDigest(import.meta.url),
    kind: 'package-evidence',
    inputs: wanted.inputs,
    run: async (work) => {
      const build = await packageBuild(context, wanted);
      // Their libraries are not loaded if nothing has to be made.
      const [{ packageProvenance }, { packageSpdx }] = await Promise.all([
        import('../audit/package-provenance.ts'),
        import('../audit/package-spdx.ts'),
      ]);
      const files = { provenance: join(work, 'provenance'), spdx: join(work, 'spdx') };
      await writeFile(files.provenance, JSON.stringify(packageProvenance(build)));
      await writeFile(files.spdx, `${JSON.stringify(packageSpdx(build), null, 1)}\n`);
      return { files };
    },
  });
}

async function packageBuild(
  { workspace: { engine }, inputs }: EvidenceContext,
  { built, build, signed }: WantedEvidence,
): Promise<PackageBuild> {
  const describe = async ({ rpm }: RepoPackage): Promise<BuiltPackage> => {
    const file = await blobFile(engine.store, rpm);
    const signedDigest = signed.get(rpm);
    const { size } = await stat(file);
    return { header: await headerOf(file), digest: rpm, size, ...(signedDigest === undefined ? {} : { signedDigest }) };
  };
  const repositories = new Set(inputs.seed === undefined ? inputs.sources.map(({ id }) => id) : []);
  const from = ({ origin }: RepoPackage): string =>
    repositories.has(origin) ? `repository ${origin}` : origin === 'seed' ? origin : `component ${origin}`;
  const buildroot = built.buildroot.packages.map(({ name, epoch, version, release, arch, rpm, sourceRpm, origin }) => {
    return { name, epoch, version, release, arch, rpm, sourceRpm, from: from({ origin } as RepoPackage) };
  });
  return {
    ...build,
    source: await describe(built.source),
    packages: (await mapLimit(built.packages, 4, describe)).sort((a, b) => byName(a.header, b.header)),
    buildroot: (buildroot satisfies BuildrootPackage[]).sort(byName),
  };
}

async function headerOf(file: string): Promise<BuiltPackage['header']> {
  const header = await readRpm(file);
  return header.isSource ? { ...header, arch: 'src' } : header;
}

function filesOf(
  { workspace: { engine }, imageKey }: EvidenceContext,
  { name }: WantedEvidence,
  files: Readonly<Record<string, Blob>>,
): ExtraFile[] {
  const [statement, spdx] = [files[`${name}.provenance`]!.digest, files[`${name}.spdx`]!.digest];
  const paths = evidencePaths(name);
  const sign = async (path: string): Promise<void> => {
    const payload = await readBlob(engine.store, statement);
    await writeFile(path, envelopeText(signEnvelope(imageKey, statementType, payload)));
  };
  return [
    { path: paths.provenance, sha256: statement, signed: true, write: sign },
    blobExtra(engine.store, paths.spdx, spdx),
  ];
}
