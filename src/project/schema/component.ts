import { z } from 'zod';
import { overlayTypes } from '../model/overlay.ts';
import { componentTestsSchema } from './test.ts';
import {
  channel,
  channelSchema,
  commitRule,
  fileNameSchema,
  filledTexts,
  flag,
  momentSchema,
  nameSchema,
  text,
  texts,
  textTable,
  webUri,
} from './words.ts';

export const distroReferenceSchema = z
  .strictObject({
    name: text('Name of a distro under [distros]'),
    version: text("One of the distro's versions; by default its default-version"),
    snapshot: momentSchema.optional().describe("Take the upstream's state at this moment (RFC 3339)"),
  })
  .describe('A distro and one of its versions');

const specSchema = z
  .strictObject({
    type: z
      .enum(['', 'local', 'upstream'])
      .optional()
      .describe('"local": a spec of this project; "upstream": dist-git'),
    path: text('The spec file, relative to this file; only with type = "local"'),
    'upstream-distro': distroReferenceSchema.optional().describe('The distro that the spec comes from'),
    'upstream-name': text('The component\'s name in the upstream distro; only with type = "upstream"'),
    'upstream-commit': z
      .string()
      .regex(/^([0-9a-fA-F]{7,40}|[0-9a-fA-F]{64})?$/, commitRule)
      .optional()
      .describe('Pins the upstream spec to this commit, whatever the snapshot; only with type = "upstream"'),
  })
  .describe("Where the component's spec comes from");

const downstream = [
  'pruning',
  'compatibility',
  'temp-workaround',
  'branding-policy',
  'disable-flaky-tests',
  'disable-unsupported-tests',
  'security-compliance',
  'release-management',
  'platform-adaptation',
];

export const metadataSchema = z
  .strictObject({
    category: z
      .enum([
        'upstream-backport',
        ...['azl', 'weir'].flatMap((vendor) => downstream.map((kind) => `${vendor}-${kind}`)),
      ])
      .describe('What kind of deviation this is'),
    'upstream-status': z
      .enum(['upstreamed', 'upstreamable', 'needs-upstream-hook', 'inapplicable', 'unknown'])
      .describe('Status of the change at upstream'),
    commits: z
      .array(z.strictObject({ url: webUri }))
      .optional()
      .describe('The upstream commits it takes or refers to'),
    bugs: z
      .array(z.strictObject({ url: webUri }))
      .optional()
      .describe('Issue tracker entries'),
  })
  .describe('Why this differs from upstream, for the divergence ledger');

export const overlaySchema = z
  .strictObject({
    type: z.enum(overlayTypes).describe('What the overlay does'),
    description: text('Why it is needed; every overlay must have one'),
    file: text('Name or glob of files in the sources (not of the spec), or inside the archive'),
    archive: text('Source archive whose files are changed; with file-remove and file-search-replace'),
    section: text('Section of the spec, such as "%build"'),
    package: text('Sub-package that the section or tag belongs to; without it the main package'),
    tag: text('Name of a tag, such as "BuildRequires"'),
    value: text('Value of the tag'),
    regex: text('Regular expression (RE2)'),
    replacement: text('Literal replacement text, or the new base name for file-rename'),
    lines: texts('Lines of text'),
    source: text('File to add, relative to this file'),
    metadata: metadataSchema.optional(),
  })
  .describe('One change to the spec or to the sources');

/** A plain name, a vendor and product as in CPE, or a package URL without a version. */
const upstreamName =
  /^(?:[A-Za-z0-9][A-Za-z0-9._+-]*|cpe:[a-z0-9_.+~%-]+:[a-z0-9_.+~%-]+|pkg:(?!deb\/)[a-z][a-z0-9.+-]*\/[^\s@?#:]+)$/;

const checkSchema = z
  .strictObject({
    skip: flag('Do not run %check'),
    skip_reason: text('Why; this or skip-reason is required with skip = true'),
    'skip-reason': text('The name of skip_reason in the draft Distro TOML specification'),
  })
  .describe('The %check section');

const buildSchema = z
  .strictObject({
    with: filledTexts('Build conditionals to turn on'),
    without: filledTexts('Build conditionals to turn off'),
    defines: textTable('Macros to define, with their values'),
    undefines: filledTexts('Macros to undefine'),
    'emit-upstream-provenance': flag('Define macros with the version and release of the untouched upstream spec'),
    check: checkSchema.optional(),
    failure: z
      .strictObject({
        expected: flag('The build is known to fail'),
        'expected-reason': text('Why; required with expected = true'),
      })
      .optional()
      .describe('Known build failures'),
    hints: z
      .strictObject({ expensive: flag('The build takes long; start it early') })
      .optional()
      .describe('Hints for scheduling'),
  })
  .describe('How the component is built');

const originSchema = z
  .strictObject({
    type: z.enum(['download', 'custom', 'overlay']).describe('Where the file comes from'),
    uri: text('Where to download it from; with type = "download"'),
    script: text('Shell script beside the spec that creates it; with type = "custom"'),
    'mock-packages': filledTexts('Packages that the script needs; with type = "custom"'),
    inputs: z.array(fileNameSchema).optional().describe('Other source files that the script reads'),
  })
  .describe('Where a source file comes from');

export const sourceFileSchema = z
  .strictObject({
    filename: fileNameSchema,
    hash: text('Hex digest of the file'),
    'hash-type': z.enum(['', 'SHA256', 'SHA512']).optional().describe('Algorithm of the hash'),
    origin: originSchema,
    'replace-upstream': flag("Replaces the file of the same name in upstream's sources"),
    'replace-reason': text('Why; required with replace-upstream = true'),
  })
  .describe("A source file besides those of upstream's dist-git");

const packagePublishSchema = z
  .strictObject({
    'rpm-channel': channel('Channel of binary packages; "none" does not publish them'),
    'debuginfo-channel': channel('Channel of debuginfo and debugsource packages'),
    channel: channelSchema.optional().meta({ description: 'Old name of rpm-channel', deprecated: true }),
  })
  .describe('Where packages are published');

export const packageConfigSchema = z.strictObject({ publish: packagePublishSchema.optional() });

export const componentSchema = z
  .strictObject({
    spec: specSchema.optional(),
    release: z
      .strictObject({
        calculation: z
          .enum(['', 'auto', 'autorelease', 'static', 'manual'])
          .optional()
          .describe('How the Release tag is computed; "auto" detects it from the spec'),
      })
      .optional()
      .describe('The Release tag'),
    overlays: z.array(overlaySchema).optional().describe('Changes to the spec and the sources, in order'),
    'overlay-files': filledTexts(
      "Globs of overlay files, relative to this file; [] turns inherited ones off. In the project's default-component-config, a part {component} is the name of each component",
    ),
    build: buildSchema.optional(),
    render: z
      .strictObject({ 'skip-file-filter': flag('Keep every file of the sources, listed in the spec or not') })
      .optional()
      .describe('Rendering'),
    'source-files': z.array(sourceFileSchema).optional().describe('Source files to add or replace'),
    packages: z.record(nameSchema, packageConfigSchema).optional().describe('Settings per binary package'),
    publish: z
      .strictObject({
        'rpm-channel': channel('Channel of binary packages'),
        'srpm-channel': channel('Channel of the source package'),
        'debuginfo-channel': channel('Channel of debuginfo and debugsource packages'),
      })
      .optional()
      .describe("Where the component's packages are published"),
    tests: componentTestsSchema.optional(),
    'upstream-names': z
      .array(
        z
          .string()
          .regex(
            upstreamName,
            'a name is like "openssl", "cpe:gnu:bash", "pkg:generic/openssl" or "pkg:github/owner/name"; names of Debian packages do not fit',
          ),
      )
      .optional()
      .describe(
        'Names by which feeds of vulnerabilities call it, instead of those that Weir finds; [] matches nothing',
      ),
  })
  .describe('A component: a spec with its sources and overlays');

export const componentGroupSchema = z
  .strictObject({
    description: text('What the group is for'),
    metadata: metadataSchema.optional(),
    components: filledTexts('Names of its components'),
    specs: filledTexts('Globs of local specs; each is a component of the group, named as the file'),
    'excluded-paths': filledTexts('Globs of paths to exclude from specs'),
    'default-component-config': componentSchema.optional().describe('What every member inherits'),
  })
  .describe('A group of components');

export const packageGroupSchema = z
  .strictObject({
    description: text('What the group is for'),
    packages: filledTexts('Names of binary packages; a package may be in one group only'),
    'default-package-config': packageConfigSchema.optional().describe('What every member inherits'),
  })
  .describe('A group of binary packages');

export const overlayFileSchema = z
  .strictObject({
    metadata: metadataSchema,
    overlays: z.array(overlaySchema).min(1, 'an overlay file needs at least one overlay'),
  })
  .describe('An overlay file: one reason for all of its overlays');

/** An overlay file of the draft Distro TOML specification: each overlay has metadata of its own. */
export const overlayListSchema = overlayFileSchema.partial({ metadata: true });

export type RawDistroReference = z.output<typeof distroReferenceSchema>;
export type RawSpec = z.output<typeof specSchema>;
export type RawMetadata = z.output<typeof metadataSchema>;
export type RawOverlay = z.output<typeof overlaySchema>;
export type RawBuild = z.output<typeof buildSchema>;
export type RawSourceFile = z.output<typeof sourceFileSchema>;
export type RawPackageConfig = z.output<typeof packageConfigSchema>;
export type RawComponent = z.output<typeof componentSchema>;
export type RawComponentGroup = z.output<typeof componentGroupSchema>;
