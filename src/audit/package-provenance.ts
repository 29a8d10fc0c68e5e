import type { Digest } from '../base/digest.ts';
import { nevra, nvra } from '../repo/metadata.ts';
import type { AppliedOverlay, SourceFile } from './contents.ts';
import { packageUrl } from './identity.ts';
import { overlayCves } from './overlay-cves.ts';
import type { BuildrootPackage, BuiltPackage, PackageBuild } from './package-build.ts';
import { builderId, provenanceType, statementSchemaType } from './provenance.ts';

/** An entry of in-toto's ResourceDescriptor 1, as far as Weir writes it. */
interface Resource {
  readonly name: string;
  readonly uri?: string;
  readonly digest: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, unknown>>;
}

/**
 * The provenance of the packages of one build: an in-toto statement 1 with SLSA provenance 1. Subjects are all packages of the
 * build, each as published and as built before signing. It names no machine and has no time, so equal builds give equal text.
 */
export function packageProvenance(build: PackageBuild): object {
  const { origin, source, packages } = build;
  return {
    _type: statementSchemaType,
    subject: [source, ...packages].flatMap(subjects),
    predicateType: provenanceType,
    predicate: {
      buildDefinition: {
        buildType: 'https://weir.invalid/provenance/package/1',
        externalParameters: {
          component: origin.name,
          version: build.version,
          arch: build.arch,
          ...(origin.upstream === undefined ? {} : { specFrom: origin.upstream }),
          overlays: origin.overlays.map(overlayParameter),
          options: build.options,
        },
        internalParameters: { sourceDateEpoch: build.clock },
        resolvedDependencies: [
          ...upstreamCommit(build),
          ...origin.files.map(sourceResource),
          ...build.buildroot.map((pkg) => buildrootResource(build, pkg)),
          { name: 'toolbox', digest: { sha256: build.toolbox }, annotations: { role: 'toolbox' } },
        ],
      },
      runDetails: { builder: { id: builderId, version: { weir: build.toolVersion } } },
    },
  };
}

/** The names of a package's subjects: its file as published, and as built. */
export function subjectNames(pkg: Pick<PackageBuild['source']['header'], 'name' | 'version' | 'release' | 'arch'>): {
  readonly signed: string;
  readonly unsigned: string;
} {
  return { signed: `${nvra(pkg)}.rpm`, unsigned: `before-signing/${nvra(pkg)}.rpm` };
}

// Signing adds to a file's signature header; the main header and its digest stay as they are.
function subjects({ header, digest, signedDigest }: BuiltPackage): object[] {
  const names = subjectNames(header);
  const subject = (name: string, sha256: Digest, signed: boolean): object => ({
    name,
    digest: { sha256 },
    annotations: { nevra: nevra(header), headerSha256: header.headerDigest, signed },
  });
  return [
    ...(signedDigest === undefined ? [] : [subject(names.signed, signedDigest, true)]),
    subject(names.unsigned, digest, false),
  ];
}

function overlayParameter(overlay: AppliedOverlay, index: number): object {
  const cves = overlayCves(overlay);
  return { number: index + 1, ...overlay, ...(cves.length === 0 ? {} : { cves }) };
}

function upstreamCommit({ origin }: PackageBuild): Resource[] {
  const { upstream } = origin;
  if (upstream === undefined || !('commit' in upstream)) return [];
  const { uri, commit } = upstream;
  return [
    { name: 'dist-git', uri: `git+${uri}@${commit}`, digest: { gitCommit: commit }, annotations: { role: 'dist-git' } },
  ];
}

const roles = { spec: 'spec', tarball: 'source', patch: 'patch', other: 'source' } as const;

function sourceResource({ name, sha256, kind, url, listed, overlays }: SourceFile): Resource {
  return {
    name,
    ...(url === undefined ? {} : { uri: url }),
    digest: { sha256, ...(listed === undefined ? {} : { [listed.algorithm]: listed.hash }) },
    annotations: { role: roles[kind], ...(overlays === undefined ? {} : { overlays }) },
  };
}

function buildrootResource({ distribution }: PackageBuild, pkg: BuildrootPackage): Resource {
  const own = !pkg.from.startsWith('repository ');
  return {
    name: nevra(pkg),
    // A package of another distribution has an address that only that distribution knows.
    ...(own ? { uri: packageUrl(distribution, pkg) } : {}),
    digest: { sha256: pkg.rpm },
    annotations: { role: 'buildroot', from: pkg.from },
  };
}
