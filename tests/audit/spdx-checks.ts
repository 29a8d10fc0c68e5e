import { z } from 'zod';
import type { SpdxDocument } from '../../src/audit/spdx-draft.ts';

// Requirements of SPDX 2.3 for the fields that Weir writes, from the specification (clauses 6, 7, 10, 11, 12 and
// annex D). The official JSON Schema is in no npm package and is less strict.

const line = z.string().regex(/^[^\r\n]+$/);
const id = z.string().regex(/^SPDXRef-[A-Za-z0-9.-]+$/);
const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const agent = z.union([z.literal('NOASSERTION'), line.regex(/^(?:Organization|Person): \S/)]);
const operand = /^(?:LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9.-]+\+?(?: WITH [A-Za-z0-9.-]+)?)$/;

const expression = z.string().refine((text) => {
  let depth = 0;
  for (const character of text) {
    depth += character === '(' ? 1 : character === ')' ? -1 : 0;
    if (depth < 0) return false;
  }
  return depth === 0 && text.split(/ AND | OR /).every((part) => operand.test(part.replaceAll(/^\(+|\)+$/g, '')));
});

const packageSchema = z.strictObject({
  SPDXID: id,
  name: z.string().min(1),
  versionInfo: line.optional(),
  packageFileName: z.string().min(1).optional(),
  primaryPackagePurpose: z.enum(['CONTAINER', 'FILE', 'OPERATING_SYSTEM', 'SOURCE', 'ARCHIVE']).optional(),
  supplier: agent,
  originator: agent.optional(),
  downloadLocation: z.union([z.literal('NOASSERTION'), z.url()]),
  homepage: z.url().optional(),
  filesAnalyzed: z.literal(false),
  checksums: z
    .array(
      z.union([
        z.strictObject({ algorithm: z.literal('MD5'), checksumValue: z.string().regex(/^[0-9a-f]{32}$/) }),
        z.strictObject({ algorithm: z.literal('SHA256'), checksumValue: z.string().regex(/^[0-9a-f]{64}$/) }),
        z.strictObject({ algorithm: z.literal('SHA512'), checksumValue: z.string().regex(/^[0-9a-f]{128}$/) }),
      ]),
    )
    .min(1)
    .optional(),
  licenseConcluded: z.literal('NOASSERTION'),
  licenseDeclared: expression,
  copyrightText: z.literal('NOASSERTION'),
  summary: z.string().optional(),
  description: z.string().optional(),
  sourceInfo: z.string().optional(),
  builtDate: time.optional(),
  validUntilDate: time.optional(),
  externalRefs: z
    .array(
      z.union([
        z.strictObject({
          referenceCategory: z.literal('PACKAGE-MANAGER'),
          referenceType: z.literal('purl'),
          referenceLocator: z.string().regex(/^pkg:(?:rpm|deb)\/[^/\s]+\/[^/\s]+@[^\s?]+(?:\?\S+)?$/),
        }),
        z.strictObject({
          referenceCategory: z.literal('SECURITY'),
          referenceType: z.literal('cpe22Type'),
          referenceLocator: z.string().regex(/^cpe:\/[aho]?(?::[\w.~%-]*){0,6}$/i),
        }),
        z.strictObject({
          referenceCategory: z.literal('SECURITY'),
          referenceType: z.literal('cpe23Type'),
          referenceLocator: z.string().regex(/^cpe:2\.3:[aho*-](?::[^:\s]+){10}$/),
        }),
      ]),
    )
    .optional(),
  annotations: z
    .array(
      z.strictObject({
        annotationDate: time,
        annotationType: z.literal('OTHER'),
        annotator: line.regex(/^Tool: \S/),
        comment: z.string().min(1),
      }),
    )
    .optional(),
});

const documentSchema = z.strictObject({
  spdxVersion: z.literal('SPDX-2.3'),
  dataLicense: z.literal('CC0-1.0'),
  SPDXID: z.literal('SPDXRef-DOCUMENT'),
  name: line,
  documentNamespace: z.url().regex(/^[^#]+$/),
  creationInfo: z.strictObject({
    created: time,
    creators: z.array(line.regex(/^(?:Tool|Organization|Person): \S/)).min(1),
  }),
  packages: z.array(packageSchema),
  hasExtractedLicensingInfos: z
    .array(
      z.strictObject({
        licenseId: z.string().regex(/^LicenseRef-[A-Za-z0-9.-]+$/),
        name: z.string().min(1),
        extractedText: z.string().min(1),
      }),
    )
    .optional(),
  relationships: z.array(
    z.strictObject({
      spdxElementId: id,
      relationshipType: z.enum(['BUILD_DEPENDENCY_OF', 'DESCRIBES', 'CONTAINS', 'GENERATED_FROM', 'PATCH_APPLIED']),
      relatedSpdxElement: id,
    }),
  ),
});

/** @returns all errors of the document */
export function spdxProblems(document: SpdxDocument): string[] {
  const read = documentSchema.safeParse(document);
  if (!read.success) return read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  const problems: string[] = [];
  const ids = document.packages.map((element) => element.SPDXID);
  const known = new Set(['SPDXRef-DOCUMENT', ...ids]);
  if (known.size !== ids.length + 1) problems.push('an SPDXID is there twice');

  const reached = new Set(['SPDXRef-DOCUMENT']);
  let before = 0;
  while (reached.size > before) {
    before = reached.size;
    for (const { spdxElementId, relationshipType, relatedSpdxElement } of document.relationships) {
      if (!known.has(spdxElementId)) problems.push(`${spdxElementId} is related but not there`);
      if (!known.has(relatedSpdxElement)) problems.push(`${relatedSpdxElement} is related to but not there`);
      if (reached.has(spdxElementId)) reached.add(relatedSpdxElement);
      // The one relationship that is named from the other side.
      if (relationshipType === 'BUILD_DEPENDENCY_OF' && reached.has(relatedSpdxElement)) reached.add(spdxElementId);
    }
    if (problems.length > 0) return problems;
  }
  for (const element of known) if (!reached.has(element)) problems.push(`nothing leads to ${element}`);

  const licenses = new Set(document.hasExtractedLicensingInfos?.map((info) => info.licenseId));
  const used = new Set(
    document.packages.flatMap((element) => element.licenseDeclared.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? []),
  );
  for (const license of used) if (!licenses.has(license)) problems.push(`${license} is not explained`);
  for (const license of licenses) if (!used.has(license)) problems.push(`${license} is not used`);
  return problems;
}
