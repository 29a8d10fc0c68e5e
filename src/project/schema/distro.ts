import { z } from 'zod';
import { componentSchema, distroReferenceSchema } from './component.ts';
import { filledTexts, flag, line, repositoryNameSchema, repositoryUri, text } from './words.ts';

export const projectSchema = z
  .strictObject({
    description: text('What the project is'),
    'log-dir': text('Folder for logs'),
    'work-dir': text('Folder for intermediate files'),
    'output-dir': text('Folder for what is built'),
    'rendered-specs-dir': text('Folder for rendered specs'),
    'lock-dir': text('Folder for lock files'),
    'default-distro': distroReferenceSchema
      .optional()
      .describe('The distro that this project makes; its version gives components their first defaults'),
    'default-author-email': text('Author of generated changelog entries'),
  })
  .describe('The project as a whole');

const inputSchema = z.strictObject({
  repo: text('Name under [resources.rpm-repos]'),
  set: text('Name under [resources.rpm-repo-sets]'),
});

const versionSchema = z
  .strictObject({
    description: text('What the version is'),
    'release-ver': text("Value of dnf's $releasever"),
    'dist-git-branch': text('Branch in dist-git'),
    'default-component-config': componentSchema.optional().describe('What every component inherits first'),
    'kiwi-config-override': text('Configuration file for kiwi, which replaces whole sections of its own'),
    'mock-config': text('mock configuration file'),
    'mock-config-x86_64': text('mock configuration file on x86_64'),
    'mock-config-aarch64': text('mock configuration file on aarch64'),
    inputs: z
      .strictObject({
        'rpm-build': z.array(inputSchema).optional().describe('Repositories for building packages'),
        'image-build': z.array(inputSchema).optional().describe('Repositories for building images'),
      })
      .optional()
      .describe('Repositories to build from'),
  })
  .describe('A version of a distro');

export const distroSchema = z
  .strictObject({
    description: text('What the distro is'),
    'default-version': text('The version that a reference without one means'),
    'dist-git-base-uri': text('URI or path of a dist-git repository, with $pkg'),
    'lookaside-base-uri': text('URI of a source file, with $pkg, $filename, $hashtype and $hash'),
    repos: z
      .array(z.strictObject({ 'base-uri': z.string().describe('Base URI') }))
      .optional()
      .describe('Package repositories'),
    'disable-origins': flag('Take source files from the lookaside cache only'),
    versions: z.record(z.string(), versionSchema).optional().describe('The versions of the distro'),
  })
  .describe('A distro: the one that the project makes, or one that it derives from');

const gpgKey = z
  .string()
  .regex(
    /^$|^(https?:\/\/[^\s/?#]\S*|file:\/\/\/\S*|(?![A-Za-z][A-Za-z0-9+.-]*:)\S+)$/,
    'must be a path, or an http, https or file:/// URL, without spaces',
  )
  .optional()
  .describe('URI of the key, or its path relative to this file');
const disableGpgCheck = flag('Accept unsigned packages');
const arches = filledTexts('Architectures that it has; empty: all');

const rpmRepoSchema = z
  .strictObject({
    description: line('What the repository is'),
    type: z.enum(['', 'rpm-md']).optional().describe('Kind of repository; "rpm-md" is the only one'),
    'base-uri': repositoryUri.optional().describe('Base URI; this or metalink'),
    metalink: repositoryUri.optional().describe('Metalink; this or base-uri'),
    'disable-gpg-check': disableGpgCheck,
    'gpg-key': gpgKey,
    arches,
  })
  .describe('A package repository');

const templateSchema = z
  .strictObject({
    description: line('What the layout is'),
    subrepos: z
      .array(
        z.strictObject({
          name: repositoryNameSchema.describe("Name; the repository's name is the set's prefix and this"),
          subpath: z
            .string()
            .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\s?#\p{Cc}]+$/u, 'must be a relative path without "..", "?" and "#"')
            .describe("Path below the set's base URI, with $basearch"),
          kind: z.enum(['', 'binary', 'debug', 'source']).optional().describe('What it holds; by default "binary"'),
        }),
      )
      .min(1, 'a template needs at least one subrepo')
      .describe('The repositories of the layout'),
  })
  .describe('A layout of repositories');

const setSchema = z
  .strictObject({
    description: line('What the set is'),
    template: z.string().describe('Name under [resources.rpm-repo-set-templates]'),
    'base-uri': repositoryUri.min(1, 'must not be empty').describe('Root URI of the layout'),
    'name-prefix': text("Prefix of the repositories' names"),
    'gpg-key': gpgKey,
    'disable-gpg-check': disableGpgCheck,
    arches,
    subrepos: filledTexts('Names of the subrepos to take; empty: all'),
  })
  .describe('A set of repositories made from a template');

export const resourcesSchema = z
  .strictObject({
    'rpm-repos': z.record(repositoryNameSchema, rpmRepoSchema).optional().describe('Package repositories by name'),
    'rpm-repo-set-templates': z.record(repositoryNameSchema, templateSchema).optional().describe('Layouts by name'),
    'rpm-repo-sets': z.record(repositoryNameSchema, setSchema).optional().describe('Sets of repositories by name'),
  })
  .describe('Repositories to build from');

export type RawProject = z.output<typeof projectSchema>;
export type RawDistro = z.output<typeof distroSchema>;
export type RawDistroVersion = z.output<typeof versionSchema>;
export type RawResources = z.output<typeof resourcesSchema>;
