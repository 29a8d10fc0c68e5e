import { sha256 } from '../base/digest.ts';
import { byKey } from '../base/order.ts';
import { isoTime } from '../base/time.ts';
import { nevra, nvra } from '../repo/metadata.ts';
import type { AppliedOverlay, ComponentOrigin, ContainedPackage, ImageContents, SourceFile } from './contents.ts';
import {
  debianSourceUrl,
  evr,
  oneLine,
  packageUrl,
  type SourcePackage,
  sourcePackage,
  sourcePackageUrl,
  specOriginWords,
  vendorOf,
  webUrl,
} from './identity.ts';
import { licenseOf } from './license.ts';
import { overlayCves } from './overlay-cves.ts';

/** The part of an SPDX 2.3 JSON document (ISO/IEC 5962 with the additions of 2.3) that Weir writes. */
export interface SpdxDocument {
  readonly spdxVersion: 'SPDX-2.3';
  readonly dataLicense: 'CC0-1.0';
  readonly SPDXID: 'SPDXRef-DOCUMENT';
  readonly name: string;
  readonly documentNamespace: string;
  readonly creationInfo: { readonly created: string; readonly creators: readonly string[] };
  readonly packages: readonly SpdxPackage[];
  readonly hasExtractedLicensingInfos?: readonly SpdxExtractedLicense[];
  readonly relationships: readonly SpdxRelationship[];
}

export interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo?: string;
  readonly packageFileName?: string;
  readonly primaryPackagePurpose?: 'CONTAINER' | 'FILE' | 'OPERATING_SYSTEM' | 'SOURCE' | 'ARCHIVE';
  readonly supplier: string;
  readonly originator?: string;
  readonly downloadLocation: string;
  readonly homepage?: string;
  /** Always false: the package's own header lists its files. */
  readonly filesAnalyzed: false;
  readonly checksums?: readonly SpdxChecksum[];
  readonly licenseConcluded: string;
  readonly licenseDeclared: string;
  readonly copyrightText: string;
  readonly summary?: string;
  readonly description?: string;
  readonly sourceInfo?: string;
  readonly builtDate?: string;
  readonly validUntilDate?: string;
  readonly externalRefs?: readonly SpdxExternalReference[];
  readonly annotations?: readonly SpdxAnnotation[];
}

export interface SpdxChecksum {
  readonly algorithm: 'MD5' | 'SHA256' | 'SHA512';
  readonly checksumValue: string;
}

export interface SpdxExternalReference {
  readonly referenceCategory: 'PACKAGE-MANAGER' | 'SECURITY';
  readonly referenceType: 'purl' | 'cpe22Type' | 'cpe23Type';
  readonly referenceLocator: string;
}

export interface SpdxAnnotation {
  readonly annotationDate: string;
  readonly annotationType: 'OTHER';
  readonly annotator: string;
  readonly comment: string;
}

export interface SpdxExtractedLicense {
  readonly licenseId: string;
  readonly name: string;
  readonly extractedText: string;
}

export interface SpdxRelationship {
  readonly spdxElementId: string;
  readonly relationshipType: 'BUILD_DEPENDENCY_OF' | 'CONTAINS' | 'DESCRIBES' | 'GENERATED_FROM' | 'PATCH_APPLIED';
  readonly relatedSpdxElement: string;
}

export const unsaid = 'NOASSERTION';
export const undeclared = {
  downloadLocation: unsaid,
  filesAnalyzed: false,
  licenseConcluded: unsaid,
  licenseDeclared: unsaid,
  copyrightText: unsaid,
} as const;

/** What every document says of itself. */
type DraftContents = Pick<ImageContents, 'name' | 'version' | 'distribution' | 'clock' | 'toolVersion'>;

/** A document under construction; elements shared by several packages are added once. */
export class Draft {
  readonly contents: DraftContents;
  readonly supplier: string;
  readonly #packages = new Map<string, SpdxPackage>();
  readonly #licenses = new Map<string, string>();
  readonly #relationships = new Map<string, SpdxRelationship>();

  constructor(contents: DraftContents) {
    this.contents = contents;
    this.supplier = `Organization: ${vendorOf(contents.distribution)}`;
  }

  /** @returns the element's identifier */
  add(element: SpdxPackage): string {
    this.#packages.set(element.SPDXID, element);
    return element.SPDXID;
  }

  relate(from: string, type: SpdxRelationship['relationshipType'], to: string): void {
    const relationship = { spdxElementId: from, relationshipType: type, relatedSpdxElement: to };
    this.#relationships.set(`${from} ${type} ${to}`, relationship);
  }

  /** The expression for a header's licence; records its references. */
  license(text: string): string {
    const license = licenseOf(text);
    for (const [id, words] of license?.references ?? []) this.#licenses.set(id, words);
    return license?.expression ?? unsaid;
  }

  note(comment: string): SpdxAnnotation {
    return {
      annotationDate: isoTime(this.contents.clock),
      annotationType: 'OTHER',
      annotator: `Tool: weir-${this.contents.toolVersion}`,
      comment,
    };
  }

  document(): SpdxDocument {
    const { name, version, clock, toolVersion } = this.contents;
    const licenses = [...this.#licenses].sort(byKey);
    const body = {
      creationInfo: { created: isoTime(clock), creators: [`Tool: weir-${toolVersion}`, this.supplier] },
      packages: [...this.#packages.values()],
      ...(licenses.length === 0 ? {} : { hasExtractedLicensingInfos: licenses.map(extractedLicense) }),
      relationships: [...this.#relationships.values()],
    };
    const title = `${name}-${version}`;
    return {
      spdxVersion: 'SPDX-2.3',
      dataLicense: 'CC0-1.0',
      SPDXID: 'SPDXRef-DOCUMENT',
      name: title,
      // The form that the specification proposes if nothing is published at the address. The digest makes it unique.
      documentNamespace: `https://spdx.org/spdxdocs/${encodeURIComponent(title)}-${sha256(JSON.stringify(body))}`,
      ...body,
    };
  }
}

export function binaryPackage(draft: Draft, item: ContainedPackage): SpdxPackage {
  const { header, origin } = item;
  const homepage = webUrl(header.url);
  const originator = `Organization: ${oneLine(header.vendor)}`;
  return {
    SPDXID: `SPDXRef-Package-${idPart(nevra(header))}`,
    name: header.name,
    versionInfo: evr(header),
    packageFileName: `${nvra(header)}.rpm`,
    supplier: draft.supplier,
    ...(oneLine(header.vendor) === '' || originator === draft.supplier ? {} : { originator }),
    ...undeclared,
    licenseDeclared: draft.license(header.license),
    ...(homepage === undefined ? {} : { homepage }),
    checksums: [{ algorithm: 'SHA256', checksumValue: item.signedDigest ?? item.digest }],
    ...(header.summary === '' ? {} : { summary: header.summary }),
    ...(header.description === '' ? {} : { description: header.description }),
    ...(origin.kind === 'seed' ? { sourceInfo: seedInfo(origin.debian) } : {}),
    builtDate: isoTime(header.buildTime),
    externalRefs: [purl(packageUrl(draft.contents.distribution, header))],
    annotations: fileNotes(item).map((text) => draft.note(text)),
  };
}

/** What an RPM file's checksum does not say. */
export function fileNotes(item: Pick<ContainedPackage, 'header' | 'digest' | 'size' | 'signedDigest'>): string[] {
  return [
    ...(item.signedDigest === undefined ? [] : [`SHA-256 before signing: ${item.digest}`]),
    `SHA-256 of the header: ${item.header.headerDigest}`,
    `bytes before signing: ${item.size}`,
  ];
}

function seedInfo(debian: { readonly source: string; readonly version: string } | undefined): string {
  if (debian === undefined) return 'made by Weir itself; not built from a source package';
  return `made from binary packages of Debian's source package ${debian.source} ${debian.version}; not built from a source RPM`;
}

/** Adds the element that a package was made from, with its contents. */
export function sourceOf(draft: Draft, item: ContainedPackage): string | undefined {
  const { header, origin } = item;
  if (origin.kind === 'component') return componentSource(draft, sourcePackage(header), origin);
  if (origin.kind === 'repository') {
    const { repository } = origin;
    return sourcePackageElement(draft, sourcePackage(header), `taken as it is from repository ${repository}`);
  }
  if (origin.debian === undefined) return undefined;
  const { source, version } = origin.debian;
  return draft.add({
    SPDXID: `SPDXRef-DebianSource-${idPart(`${source}-${version}`)}`,
    name: source,
    versionInfo: version,
    primaryPackagePurpose: 'SOURCE',
    supplier: 'Organization: Debian',
    ...undeclared,
    externalRefs: [purl(debianSourceUrl(source, version))],
  });
}

/**
 * Adds a component's source package with its files. @param notes further annotations
 * @returns its identifier
 */
export function componentSource(
  draft: Draft,
  source: SourcePackage,
  origin: ComponentOrigin,
  notes: readonly string[] = [],
): string {
  const annotations = [...origin.overlays.map(overlayNote), ...notes].map((text) => draft.note(text));
  const id = sourcePackageElement(draft, source, sourceInfo(origin), {
    ...(origin.srpm === undefined
      ? {}
      : { checksums: [{ algorithm: 'SHA256', checksumValue: origin.srpm.digest } as const] }),
    ...(annotations.length === 0 ? {} : { annotations }),
  });
  for (const file of origin.files) {
    const part = draft.add(sourceFile(draft, file));
    draft.relate(id, 'CONTAINS', part);
    if (file.kind === 'patch') draft.relate(part, 'PATCH_APPLIED', id);
  }
  return id;
}

function sourcePackageElement(
  draft: Draft,
  source: SourcePackage,
  sourceInfo: string,
  { checksums, annotations }: Partial<Pick<SpdxPackage, 'checksums' | 'annotations'>> = {},
): string {
  return draft.add({
    SPDXID: `SPDXRef-SourcePackage-${idPart(`${source.name}-${source.version}`)}`,
    name: source.name,
    versionInfo: source.version,
    packageFileName: source.fileName,
    primaryPackagePurpose: 'SOURCE',
    supplier: draft.supplier,
    ...undeclared,
    ...(checksums === undefined ? {} : { checksums }),
    sourceInfo,
    externalRefs: [purl(sourcePackageUrl(draft.contents.distribution, source))],
    ...(annotations === undefined ? {} : { annotations }),
  });
}

// A package, because an SPDX file would need a SHA-1.
function sourceFile(draft: Draft, { name, sha256: digest, kind, url, listed, overlays = [] }: SourceFile): SpdxPackage {
  const notes = overlays.map((number) => draft.note(`added or changed by overlay ${number}`));
  return {
    SPDXID: `SPDXRef-Source-${idPart(name)}-${digest.slice(0, 16)}`,
    name,
    packageFileName: name,
    primaryPackagePurpose: kind === 'tarball' ? 'ARCHIVE' : 'FILE',
    supplier: unsaid,
    ...undeclared,
    ...(url === undefined ? {} : { downloadLocation: url }),
    checksums: [
      { algorithm: 'SHA256', checksumValue: digest },
      ...(listed === undefined || listed.algorithm === 'sha256'
        ? []
        : [{ algorithm: listed.algorithm === 'md5' ? 'MD5' : 'SHA512', checksumValue: listed.hash } as const]),
    ],
    ...(notes.length === 0 ? {} : { annotations: notes }),
  };
}

function overlayNote(overlay: AppliedOverlay, index: number): string {
  const { type, description, category, upstreamStatus, bugs = [], commits = [], files = [] } = overlay;
  const why = [
    category,
    upstreamStatus === undefined ? undefined : `upstream: ${upstreamStatus}`,
    ...overlayCves(overlay),
  ];
  const words = why.filter((word) => word !== undefined).join(', ');
  const links = [...bugs, ...commits].map((url) => ` <${url}>`).join('');
  const changed = files.length === 0 ? '' : ` [${files.join(', ')}]`;
  return `overlay ${index + 1}, ${type}${words === '' ? '' : ` (${words})`}: ${description}${links}${changed}`;
}

export function purl(locator: string): SpdxExternalReference {
  return { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: locator };
}

function extractedLicense([licenseId, words]: readonly [string, string]): SpdxExtractedLicense {
  const extractedText = `The package's header says only "${words}". The text is in the package, below /usr/share/licenses.`;
  return { licenseId, name: words, extractedText };
}

function sourceInfo({ name, upstream }: ComponentOrigin): string {
  return `component ${name}${upstream === undefined ? '' : `; spec from ${specOriginWords(upstream)}`}`;
}

/** Reduces text to the characters allowed in an identifier (letters, digits, `.` and `-`); a digest keeps results distinct. */
export function idPart(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9.-]+/g, '-');
  return plain === name ? plain : `${plain}-${sha256(name).slice(0, 8)}`;
}
