import { z } from 'zod';
import { dateSchema, nameSchema } from '../project/schema/words.ts';
import { parseNevra } from '../repo/metadata.ts';
import { isEvr } from '../rpm/version.ts';
import { cveId } from '../upstream/cve.ts';

/** The severities of an RPM repository's updateinfo, lower-case, the worst first. */
export const severities = ['critical', 'important', 'moderate', 'low', 'none'] as const;

/** The justifications of VEX for "not affected" (OpenVEX 0.2; CSAF 2.0 calls them flags). */
export const justifications = [
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
] as const;

/** IDs of vulnerabilities: a CVE ID, or the ID of another database for a vulnerability without one. */
export const vulnerabilityId = new RegExp(`^(${cveId.source}|(?!CVE-)[A-Z][A-Za-z0-9]*(-[A-Za-z0-9]+)+)$`);

/** A CVSS vector, version 3 or 4. */
export const cvssVector = /^CVSS:(3\.[01]|4\.0)(\/[A-Za-z]+:[A-Za-z]+)+$/;

const line = (description: string) =>
  z
    .string()
    .regex(/^[^\p{Cc}\u2028\u2029]*\S[^\p{Cc}\u2028\u2029]*$/u, 'must be one line of text')
    .describe(description);

const prose = (description: string) => z.string().regex(/\S/, 'must not be empty').describe(description);

const instant = (description: string) =>
  z
    .string()
    .regex(
      /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$/,
      'a moment is written "YYYY-MM-DDThh:mm:ssZ"',
    )
    .refine(
      (text) => dateSchema.safeParse(text.slice(0, 10)).success && !Number.isNaN(Date.parse(text)),
      'there is no such moment',
    )
    .describe(description);

const evr = (description: string) =>
  z.string().refine(isEvr, 'a version is written "[epoch:]version[-release]"').describe(description);

const component = nameSchema.describe('A component, or the source package if no component builds it');
const image = nameSchema.describe('An image of the project');
const digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'a digest is "sha256:" and 64 hex digits')
  .describe('Digest of the image: of its manifest, or of its first file');
const snapshot = line('Name of the published snapshot');
const nevra = z
  .string()
  .refine((text) => parseNevra(text) !== undefined, 'a package is written "name-[epoch:]version-release.arch"');

/** The fields of all events. */
const common = {
  at: instant('When it happened'),
  by: line('Author of the event: "Name <address>", or a tool'),
  note: prose('Reason, in a few words').exactOptional(),
};

const eventSchemas = [
  z
    .strictObject({
      type: z.literal('detected'),
      ...common,
      component,
      feed: line('The feed that reported it: a URL or the name of a file').exactOptional(),
      why: line('Why it matched').exactOptional(),
      version: evr('Our version when it was detected').exactOptional(),
      below: line('The first fixed version, as the feed writes it').exactOptional(),
    })
    .describe('A feed names one of our components'),
  z
    .strictObject({ type: z.literal('triaged'), ...common, component: component.exactOptional() })
    .describe('Somebody has looked at it'),
  z
    .strictObject({
      type: z.literal('affected'),
      ...common,
      component,
      first: evr('First affected version; without it, all before the fix').exactOptional(),
      last: evr('Last affected version; without it, all before the fix').exactOptional(),
      action: prose('What users should do until there is a fix').exactOptional(),
    })
    .describe('The component has the vulnerability'),
  z
    .strictObject({ type: z.literal('not-affected'), ...common, component, justification: z.enum(justifications) })
    .describe('The component does not have it, for one of the five reasons of VEX'),
  z
    .strictObject({
      type: z.literal('fix-pending'),
      ...common,
      component,
      overlay: line('File of the overlay').exactOptional(),
    })
    .describe('The fix is in the project, but not yet published'),
  z
    .strictObject({
      type: z.literal('fixed'),
      ...common,
      component,
      in: z
        .array(nevra)
        .min(1, 'must name the packages')
        .describe('The packages of the build that has the fix; source package included'),
    })
    .describe('Packages with the fix are built'),
  z
    .strictObject({
      type: z.literal('exception'),
      ...common,
      component,
      owner: line('Who is responsible for it'),
      reason: prose('Why it is not fixed'),
      expires: dateSchema.describe('Last day of the exception, "YYYY-MM-DD"'),
    })
    .describe('The component stays affected until a day, for a reason'),
  z
    .strictObject({
      type: z.literal('disputed'),
      ...common,
      component: component.exactOptional(),
      reason: prose('Why'),
    })
    .describe('Whether it is a vulnerability is disputed'),
  z
    .strictObject({ type: z.literal('published'), ...common, component, snapshot })
    .describe('The repository with the fix and its advisory is live'),
  z
    .strictObject({ type: z.literal('image'), ...common, image, digest, snapshot })
    .describe('An image with the fix is made'),
  z
    .strictObject({
      type: z.literal('verified'),
      ...common,
      image,
      digest,
      scanner: line('Name and version of the scanner'),
    })
    .describe('A scanner does not find it in the image any more'),
] as const;

/** The types of events, in the order in which they mostly happen. */
export const eventTypes = eventSchemas.map(({ shape }) => shape.type.value);

export const eventSchema = z.discriminatedUnion('type', eventSchemas);

/** One vulnerability: a file `advisories/<ID>.toml`. */
export const advisorySchema = z
  .strictObject({
    $schema: z.string().exactOptional().describe('URI of the JSON Schema, for editors'),
    id: z
      .string()
      .regex(vulnerabilityId, 'an ID is like "CVE-2026-1234"')
      .describe('The CVE, which is also the name of the file'),
    title: line('One line: what it is, in which software'),
    severity: z.enum(severities).describe('As for updateinfo of RPM repositories'),
    cvss: z
      .string()
      .regex(cvssVector, 'a CVSS vector is like "CVSS:3.1/AV:N/AC:L/…"')
      .exactOptional()
      .describe('CVSS vector, version 3 or 4'),
    published: instant('When it became public'),
    description: prose('What it is, in a few sentences').exactOptional(),
    aliases: z
      .array(z.string().regex(vulnerabilityId, 'an ID is like "GHSA-…"'))
      .exactOptional()
      .describe('Its IDs in other databases'),
    references: z
      .array(z.string().regex(/^https?:\/\/[^\s/]\S*$/, 'must be an http or https URL'))
      .exactOptional()
      .describe('Web pages about it'),
    cwe: z
      .array(z.string().regex(/^CWE-[0-9]+$/, 'a weakness is like "CWE-787"'))
      .exactOptional()
      .describe('Kinds of weakness'),
    events: z.array(eventSchema).exactOptional().describe('The history, in order of time; append-only'),
  })
  .describe('A vulnerability and its history');

/** The JSON Schema of an advisory record, draft-07. */
export function advisoryJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(advisorySchema, { io: 'input', target: 'draft-7' }), title: 'Weir advisory record' };
}
