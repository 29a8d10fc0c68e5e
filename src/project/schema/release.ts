import { z } from 'zod';
import {
  channelSchema,
  dateSchema,
  filledTexts,
  flag,
  line,
  momentSchema,
  publicUri,
  sizeSchema,
  text,
} from './words.ts';

export const seedSchema = z
  .strictObject({
    suite: text('Debian suite that packages come from; by default "forky"'),
    'source-suite': text('Debian suite that source tarballs come from; by default "trixie"'),
    'allow-expired': flag('Accept a suite whose Release file is past its Valid-Until; its signature is still verified'),
    mappings: filledTexts('Globs of the files that map Debian packages to RPMs, relative to this file'),
    'dist-git': text('Folder with one folder per component: its spec and its sources file'),
  })
  .describe('The self-contained inputs: Debian packages as RPMs, for use without a mirror of the upstream distro');

export const toolboxSchema = z
  .strictObject({
    suite: text('Debian suite that the tools come from; by default "forky"'),
    mirror: z
      .string()
      .regex(/^(https?|file):\/\/\S+$/, 'must be an http, https or file URL')
      .optional()
      .describe('Mirror to use instead of the one that the host is configured with'),
    'allow-expired': flag('Accept a suite whose Release file is past its Valid-Until; its signature is still verified'),
    root: text('Folder with the same tools, used instead of fetching them, relative to this file'),
    limits: z
      .strictObject({
        processes: z.int().min(16).optional().describe('Limit of concurrent processes and threads; by default 16384'),
        memory: sizeSchema
          .optional()
          .describe('Limit of the memory of all its processes; by default 80 % of the machine'),
        disk: sizeSchema.optional().describe('Limit of what it writes to disk; by default "128GiB"'),
        seconds: z
          .int()
          .min(1)
          .max(2_000_000)
          .optional()
          .describe('Time limit; by default 43200, for a source script 3600'),
      })
      .optional()
      .describe('Limits of a build or a source script; one that exceeds them is killed'),
  })
  .describe("The field's tools that Weir runs");

export const signingSchema = z
  .strictObject({
    key: z
      .string()
      .regex(/^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/, 'a fingerprint is 40 or 64 hex digits without spaces')
      .optional()
      .describe('Fingerprint of the OpenPGP key that signs; without it a development key is made on first use'),
    'image-key': text(
      'Public half of the key that signs images and statements about them: a PEM file with an Ed25519 or ECDSA P-256 key, relative to this file; without it a development key is made on first use',
    ),
  })
  .describe('Who signs packages, repositories and images');

const supportException = z
  .strictObject({
    channel: channelSchema
      .min(1)
      .refine((name) => name !== 'none', 'what is in no channel has no support')
      .optional()
      .describe('The channel; either this or package'),
    package: z
      .string()
      .min(1, 'must not be empty')
      .optional()
      .describe('Glob of package names; stronger than an exception for their channel'),
    'support-end': dateSchema.describe('Last day of their support, "YYYY-MM-DD"'),
    reason: z.string().regex(/\S/, 'must not be empty').describe('Why, for users'),
  })
  .describe('A time of support that is not that of the release');

export const lifecycleSchema = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]*$/, 'an ID consists of lower-case letters, digits and . _ -')
      .optional()
      .describe('os-release\'s ID, such as "weirlinux"'),
    name: text('os-release\'s NAME, such as "Weir Linux"'),
    version: text('os-release\'s VERSION_ID, such as "4.0"'),
    'release-date': dateSchema.optional().describe('First day of general availability, "YYYY-MM-DD"'),
    'full-support-end': dateSchema
      .optional()
      .describe('Last day of full support, "YYYY-MM-DD"; from then to support-end, only vulnerabilities are fixed'),
    'support-end': dateSchema.optional().describe('Last day of support, "YYYY-MM-DD"'),
    lts: flag('Whether this is a release with long-term support'),
    exceptions: z
      .array(supportException)
      .optional()
      .describe('Channels and packages that are supported for a shorter or longer time than the release'),
  })
  .describe('The distribution as its users know it');

export const advisoriesSchema = z
  .strictObject({
    path: text('Folder of the records, relative to this file; by default "advisories" beside the root file'),
    url: publicUri.optional().describe('Where users get the published repository from, for links in the feeds'),
    publisher: z
      .strictObject({
        name: line('Who publishes the advisories; by default the name of the distribution'),
        namespace: publicUri.optional().describe('A URL of the publisher, which identifies it'),
        contact: line('How to reach the publisher, such as an e-mail address'),
      })
      .optional()
      .describe('Publisher of the feeds'),
  })
  .describe('Records of vulnerabilities, and the feeds made from them');

export const releaseSchema = z
  .strictObject({
    version: text('Version of the distribution, such as "4.0"'),
    snapshot: momentSchema
      .optional()
      .describe('The date of this release, "YYYY-MM-DD" or an RFC 3339 date-time; all of its timestamps are this one'),
    channels: z
      .array(
        z.strictObject({
          name: channelSchema.min(1).describe('Name, and folder in the published tree'),
          description: text('What is in it'),
        }),
      )
      .optional()
      .describe('The repositories of the release'),
    arches: z
      .array(z.enum(['x86_64', 'aarch64']))
      .optional()
      .describe('Architectures; by default ["x86_64"]'),
    'build-root': filledTexts('Packages that every buildroot has'),
  })
  .describe('One dated set of packages and images');

export type RawSeed = z.output<typeof seedSchema>;
export type RawToolbox = z.output<typeof toolboxSchema>;
export type RawSigning = z.output<typeof signingSchema>;
export type RawLifecycle = z.output<typeof lifecycleSchema>;
export type RawAdvisories = z.output<typeof advisoriesSchema>;
export type RawRelease = z.output<typeof releaseSchema>;
