import { type Digest, sha256 } from '../base/digest.ts';
import { isoTime } from '../base/time.ts';
import { seededUuid } from '../image/uuid.ts';
import type { AppliedOverlay, ContainedPackage, Distribution, ImageContents, SourceFile } from './contents.ts';
import {
  debianSourceUrl,
  evr,
  oneLine,
  packageUrl,
  sortedPackages,
  sourcePackage,
  sourcePackageUrl,
  specOriginWords,
  vendorOf,
  webUrl,
} from './identity.ts';
import { isListed, licenseOf } from './license.ts';
import { overlayCves } from './overlay-cves.ts';

// Plain objects: the models of the CycloneDX library (10.3) lack the pedigree, which holds the overlays.

/** The part of a CycloneDX 1.6 JSON document that Weir writes. */
export interface CyclonedxDocument {
  readonly $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json';
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly serialNumber: string;
  readonly version: 1;
  readonly metadata: {
    readonly timestamp: string;
    readonly lifecycles: readonly { readonly phase: 'build' }[];
    readonly tools: { readonly components: readonly CyclonedxComponent[] };
    readonly component: CyclonedxComponent;
    readonly supplier: CyclonedxOrganization;
  };
  readonly components: readonly CyclonedxComponent[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

export interface CyclonedxComponent {
  readonly type: 'application' | 'container' | 'file' | 'library' | 'operating-system';
  readonly 'bom-ref'?: string;
  readonly supplier?: CyclonedxOrganization;
  readonly publisher?: string;
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  readonly hashes?: readonly { readonly alg: 'SHA-256'; readonly content: Digest }[];
  readonly licenses?: readonly CyclonedxLicense[];
  readonly cpe?: string;
  readonly purl?: string;
  readonly pedigree?: CyclonedxPedigree;
  readonly externalReferences?: readonly { readonly type: 'website' | 'vcs' | 'distribution'; readonly url: string }[];
  readonly components?: readonly CyclonedxComponent[];
  readonly properties?: readonly CyclonedxProperty[];
}

export interface CyclonedxOrganization {
  readonly name: string;
  readonly url?: readonly string[];
}

export interface CyclonedxProperty {
  readonly name: string;
  readonly value: string;
}

export type CyclonedxLicense =
  | { readonly license: { readonly id: string; readonly acknowledgement: 'declared' } }
  | { readonly license: { readonly name: string; readonly acknowledgement: 'declared' } }
  | { readonly expression: string; readonly acknowledgement: 'declared' };

export interface CyclonedxPedigree {
  readonly ancestors?: readonly CyclonedxComponent[];
  readonly patches?: readonly CyclonedxPatch[];
  readonly notes?: string;
}

export interface CyclonedxPatch {
  readonly type: 'unofficial' | 'backport';
  /** `url` is the file's name in the source package. */
  readonly diff?: { readonly url: string };
  readonly resolves?: readonly CyclonedxIssue[];
}

export interface CyclonedxIssue {
  readonly type: 'defect' | 'enhancement' | 'security';
  /** The CVE that the overlay names, if any. */
  readonly id?: string;
  readonly name: string;
  readonly description: string;
  readonly references?: readonly string[];
}

/**
 * The SBOM of an image as CycloneDX 1.6. The operating system and every binary package are components; each package's source is
 * its ancestor, and overlays are its patches. Sources are not components, so that scanners do not take them for installed.
 * Equal contents give equal documents in any package order.
 * @throws WeirError `duplicate-package`
 */
export function cyclonedxDocument(contents: ImageContents): CyclonedxDocument {
  const { name, version, kind, distribution, clock, toolVersion } = contents;
  const image: CyclonedxComponent = {
    type: kind === 'container' ? 'container' : 'file',
    'bom-ref': `image:${name}@${version}`,
    name,
    version,
  };
  const system = operatingSystem(distribution);
  const packages = sortedPackages(contents).map((item) => binaryPackage(distribution, item));
  const body = {
    version: 1,
    metadata: {
      timestamp: isoTime(clock),
      lifecycles: [{ phase: 'build' }],
      tools: { components: [{ type: 'application', name: 'weir', version: toolVersion }] },
      component: image,
      supplier: organization(distribution),
    },
    components: [system, ...packages],
    // Dependencies between packages are not listed. For CycloneDX, a component missing here has unknown dependencies.
    dependencies: [
      { ref: reference(image), dependsOn: [reference(system)] },
      { ref: reference(system), dependsOn: packages.map(reference) },
    ],
  } as const;
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${seededUuid(sha256(JSON.stringify(body)), 'cyclonedx')}`,
    ...body,
  };
}

function reference(component: CyclonedxComponent): string {
  return component['bom-ref']!;
}

function organization(distribution: Distribution): CyclonedxOrganization {
  const url = webUrl(distribution.url);
  return { name: vendorOf(distribution), ...(url === undefined ? {} : { url: [url] }) };
}

// Name and version are os-release's ID and VERSION_ID, by which scanners choose their data.
function operatingSystem(distribution: Distribution): CyclonedxComponent {
  const { id, name, version, cpe, supportEnd } = distribution;
  return {
    type: 'operating-system',
    'bom-ref': `os:${id}@${version}`,
    supplier: organization(distribution),
    name: id,
    version,
    description: `${name} ${version}`,
    cpe,
    ...(supportEnd === undefined ? {} : { properties: [{ name: 'weir:support-end', value: supportEnd }] }),
  };
}

function binaryPackage(distribution: Distribution, item: ContainedPackage): CyclonedxComponent {
  const { header } = item;
  const purl = packageUrl(distribution, header);
  const publisher = oneLine(header.vendor);
  const website = webUrl(header.url);
  const vcs = webUrl(header.vcs);
  const links = [
    ...(website === undefined ? [] : [{ type: 'website', url: website } as const]),
    ...(vcs === undefined ? [] : [{ type: 'vcs', url: vcs } as const]),
  ];
  const pedigree = pedigreeOf(distribution, item);
  return {
    type: 'library',
    'bom-ref': purl,
    supplier: organization(distribution),
    ...(publisher === '' ? {} : { publisher }),
    name: header.name,
    version: evr(header),
    ...(header.summary === '' ? {} : { description: header.summary }),
    hashes: [{ alg: 'SHA-256', content: item.signedDigest ?? item.digest }],
    ...licenses(header.license),
    purl,
    ...(pedigree === undefined ? {} : { pedigree }),
    ...(links.length === 0 ? {} : { externalReferences: links }),
    properties: [
      ...(item.signedDigest === undefined ? [] : [{ name: 'weir:rpm:sha256-before-signing', value: item.digest }]),
      { name: 'weir:rpm:header-sha256', value: header.headerDigest },
      { name: 'weir:rpm:size-before-signing', value: String(item.size) },
    ],
  };
}

function licenses(text: string): { readonly licenses?: readonly CyclonedxLicense[] } {
  const license = licenseOf(text);
  if (license === undefined) return {};
  const acknowledgement = 'declared';
  if (!license.parsed) return { licenses: [{ license: { name: oneLine(license.text), acknowledgement } }] };
  if (isListed(license.expression)) return { licenses: [{ license: { id: license.expression, acknowledgement } }] };
  return { licenses: [{ expression: license.expression, acknowledgement }] };
}

function pedigreeOf(distribution: Distribution, { header, origin }: ContainedPackage): CyclonedxPedigree | undefined {
  if (origin.kind === 'seed') {
    if (origin.debian === undefined) return undefined;
    const { source, version } = origin.debian;
    return {
      ancestors: [{ type: 'library', name: source, version, purl: debianSourceUrl(source, version) }],
      notes: 'made from binary packages of this Debian source package; not built from a source RPM',
    };
  }
  const source = sourcePackage(header);
  if (origin.kind === 'repository') {
    const { name, version } = source;
    return {
      ancestors: [{ type: 'library', name, version, purl: sourcePackageUrl(distribution, source) }],
      notes: `taken as it is from repository ${origin.repository}`,
    };
  }
  const ancestor: CyclonedxComponent = {
    type: 'library',
    name: source.name,
    version: source.version,
    ...(origin.srpm === undefined ? {} : { hashes: [{ alg: 'SHA-256', content: origin.srpm.digest }] }),
    purl: sourcePackageUrl(distribution, source),
    ...(origin.files.length === 0 ? {} : { components: origin.files.map(sourceFile) }),
  };
  const from = origin.upstream === undefined ? '' : `; spec from ${specOriginWords(origin.upstream)}`;
  const given = origin.files.filter(({ kind, overlays = [] }) => kind === 'patch' && overlays.length === 0);
  const patches = [...origin.overlays.map(patchOf), ...given.map(upstreamPatch)];
  return {
    ancestors: [ancestor],
    ...(patches.length === 0 ? {} : { patches }),
    notes: `built from component ${origin.name}${from}`,
  };
}

function sourceFile({ name, sha256: content, kind, url }: SourceFile): CyclonedxComponent {
  return {
    type: 'file',
    name,
    hashes: [{ alg: 'SHA-256', content }],
    ...(url === undefined ? {} : { externalReferences: [{ type: 'distribution', url }] }),
    properties: [{ name: 'weir:source:kind', value: kind }],
  };
}

/** A patch that upstream's source package has, for a reason that Weir does not know beyond the CVE numbers in its name. */
function upstreamPatch({ name }: SourceFile): CyclonedxPatch {
  const resolves = overlayCves({ description: name }).map((id) => ({
    type: 'security' as const,
    id,
    name: id,
    description: `named by ${name}`,
  }));
  return { type: 'unofficial', diff: diffOf(name), ...(resolves.length === 0 ? {} : { resolves }) };
}

/** One issue for each CVE number that the overlay names; without any, one for its reason. */
function patchOf(overlay: AppliedOverlay): CyclonedxPatch {
  const { type, description, category, upstreamStatus, bugs = [], commits = [], files = [] } = overlay;
  const references = [...bugs, ...commits].map(webUrl).filter((url) => url !== undefined);
  const why = [category, upstreamStatus === undefined ? undefined : `upstream: ${upstreamStatus}`];
  const words = why.filter((word) => word !== undefined).join(', ');
  const issue = {
    name: words === '' ? type : `${type} (${words})`,
    description,
    ...(references.length === 0 ? {} : { references }),
  };
  const cves = overlayCves(overlay);
  const patch = type === 'patch-add' ? files.find((name) => /\.(patch|diff)$/.test(name)) : undefined;
  return {
    type: category === 'upstream-backport' ? 'backport' : 'unofficial',
    ...(patch === undefined ? {} : { diff: diffOf(patch) }),
    resolves:
      cves.length > 0
        ? cves.map((id) => ({ type: 'security', id, ...issue }))
        : [{ type: bugs.length > 0 ? 'defect' : 'enhancement', ...issue }],
  };
}

function diffOf(name: string): { readonly url: string } {
  return { url: encodeURIComponent(name) };
}
