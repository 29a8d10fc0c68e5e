import type { ImageContents } from './contents.ts';
import { sortedPackages, vendorOf, webUrl } from './identity.ts';
import {
  binaryPackage,
  Draft,
  idPart,
  type SpdxDocument,
  type SpdxPackage,
  sourceOf,
  undeclared,
  unsaid,
} from './spdx-draft.ts';

/**
 * The SBOM of an image as SPDX 2.3. The document describes the image, which contains the operating system, which contains
 * every binary package. Each package is generated from its source package (for the seed, a Debian source package), and a
 * source package contains its tarballs and patches. Equal contents give equal documents in any package order.
 * @throws WeirError `duplicate-package`
 */
export function spdxDocument(contents: ImageContents): SpdxDocument {
  const draft = new Draft(contents);
  const image = draft.add(imagePackage(contents));
  const system = draft.add(operatingSystem(contents));
  draft.relate('SPDXRef-DOCUMENT', 'DESCRIBES', image);
  draft.relate(image, 'CONTAINS', system);
  for (const item of sortedPackages(contents)) {
    const id = draft.add(binaryPackage(draft, item));
    draft.relate(system, 'CONTAINS', id);
    const source = sourceOf(draft, item);
    if (source !== undefined) draft.relate(id, 'GENERATED_FROM', source);
  }
  return draft.document();
}

function imagePackage({ name, version, kind }: ImageContents): SpdxPackage {
  return {
    SPDXID: `SPDXRef-Image-${idPart(name)}`,
    name,
    versionInfo: version,
    primaryPackagePurpose: kind === 'container' ? 'CONTAINER' : 'FILE',
    supplier: unsaid,
    ...undeclared,
  };
}

// Trivy recognises the operating system by the prefix of its identifier, with name and version as in os-release. The purpose
// has an underscore as in the JSON schema, not a hyphen as in the specification's text.
function operatingSystem({ distribution }: ImageContents): SpdxPackage {
  const { id, name, version, cpe, supportEnd } = distribution;
  const homepage = webUrl(distribution.url);
  return {
    SPDXID: `SPDXRef-OperatingSystem-${idPart(id)}`,
    name: id,
    versionInfo: version,
    primaryPackagePurpose: 'OPERATING_SYSTEM',
    supplier: `Organization: ${vendorOf(distribution)}`,
    ...undeclared,
    ...(homepage === undefined ? {} : { homepage }),
    summary: `${name} ${version}`,
    ...(supportEnd === undefined ? {} : { validUntilDate: `${supportEnd}T23:59:59Z` }),
    externalRefs: [
      {
        referenceCategory: 'SECURITY',
        referenceType: cpe.startsWith('cpe:2.3:') ? 'cpe23Type' : 'cpe22Type',
        referenceLocator: cpe,
      },
    ],
  };
}
