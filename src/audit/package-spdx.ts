import { nevra } from '../repo/metadata.ts';
import { evr, packageUrl, sourcePackage } from './identity.ts';
import type { BuildrootPackage, PackageBuild } from './package-build.ts';
import {
  binaryPackage,
  componentSource,
  Draft,
  fileNotes,
  idPart,
  purl,
  type SpdxDocument,
  type SpdxPackage,
  undeclared,
  unsaid,
} from './spdx-draft.ts';

/**
 * The packages of one build as SPDX 2.3. The document describes the source package and the binary packages, which are generated
 * from it. The source package contains the spec, tarballs and patches, which are applied to it; the packages of the buildroot are
 * its build dependencies. Equal builds give equal documents.
 */
export function packageSpdx(build: PackageBuild): SpdxDocument {
  const { source, origin, distribution, clock, toolVersion } = build;
  const { header } = source;
  const draft = new Draft({ name: header.name, version: evr(header), distribution, clock, toolVersion });
  const published = { ...origin, srpm: { digest: source.signedDigest ?? source.digest } };
  const id = componentSource(draft, sourcePackage({ ...header, sourceRpm: '' }), published, [
    ...fileNotes(source),
    ...(Object.keys(build.options).length === 0 ? [] : [`build options: ${JSON.stringify(build.options)}`]),
    `SHA-256 over the packages of the toolbox: ${build.toolbox}`,
  ]);
  draft.relate('SPDXRef-DOCUMENT', 'DESCRIBES', id);
  for (const pkg of build.packages) {
    const binary = draft.add(binaryPackage(draft, { ...pkg, origin }));
    draft.relate('SPDXRef-DOCUMENT', 'DESCRIBES', binary);
    draft.relate(binary, 'GENERATED_FROM', id);
  }
  for (const pkg of build.buildroot) draft.relate(draft.add(buildDependency(build, pkg)), 'BUILD_DEPENDENCY_OF', id);
  return draft.document();
}

function buildDependency({ distribution }: PackageBuild, pkg: BuildrootPackage): SpdxPackage {
  const own = !pkg.from.startsWith('repository ');
  return {
    SPDXID: `SPDXRef-Buildroot-${idPart(nevra(pkg))}`,
    name: pkg.name,
    versionInfo: evr(pkg),
    supplier: unsaid,
    ...undeclared,
    checksums: [{ algorithm: 'SHA256', checksumValue: pkg.rpm }],
    sourceInfo: `from ${pkg.from}`,
    ...(own ? { externalRefs: [purl(packageUrl(distribution, pkg))] } : {}),
  };
}
