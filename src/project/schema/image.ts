import { z } from 'zod';
import { absolutePath, setupSchema } from './image-setup.ts';
import { capabilitiesSchema, gitSourceSchema, imageTestReferencesSchema, pytestSchema } from './test.ts';
import { channelSchema, filledTexts, flag, sizeSchema, text, texts, textTable } from './words.ts';

const kiwiSchema = z
  .strictObject({
    type: z.literal('kiwi'),
    path: z.string().min(1, 'must not be empty').describe('The KIWI description, relative to this file'),
    profile: text('Profile of the description, or several with commas; by default those that it imports'),
  })
  .describe('An image that KIWI describes');

export const hostnameSchema = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/, 'a host name consists of letters, digits, "-" and "."');

// What every image of Weir's own has; `format` differs by kind.
const weirFields = {
  type: z.literal('weir'),
  extends: text(
    'Another image of the same kind to start from: lists of packages and services and the command line are appended to its own, tables merge, other values and lists replace its own, an empty one removes its own, and an entry point removes its cmd',
  ),
  packages: z
    .array(z.string().min(1, 'must not be empty'))
    .optional()
    .describe('Packages to install, by name; what they require comes with them'),
  'exclude-packages': filledTexts(
    'Packages that must not be installed, not even as a weak dependency; also removed from the list of the image it extends',
  ),
  'weak-dependencies': flag('Whether to install packages that others only recommend; by default not'),
  setup: setupSchema.optional(),
  hostname: hostnameSchema.optional().describe('Content of /etc/hostname; without it the image has none'),
  selinux: z.enum(['enforcing', 'permissive', 'disabled']).optional().describe('SELinux mode; by default "enforcing"'),
  'max-size': sizeSchema
    .optional()
    .describe('Size limit for all files, such as "25MiB"; a larger image is an error that lists what is large in it'),
  'enabled-services': filledTexts("systemd units to enable beyond the packages' presets"),
  'disabled-services': filledTexts("systemd units to disable against the packages' presets"),
};

const { selinux: _mode, 'enabled-services': _enabled, 'disabled-services': _disabled, ...containerFields } = weirFields;

/** A repository and a tag. */
export const containerName = /^[a-z0-9]+([._/-]+[a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

// A container uses the host's policy, and starts one program instead of units.
const containerSchema = z
  .strictObject({
    ...containerFields,
    kind: z.literal('container'),
    format: z
      .array(z.enum(['oci']))
      .optional()
      .describe('Formats to write; by default ["oci"]'),
    container: z
      .strictObject({
        entrypoint: texts('Program and arguments that always run'),
        cmd: texts('Arguments, or program and arguments, that a user can replace'),
        env: z
          .record(
            z.string().regex(/^[^=\0]+$/, 'the name of a variable is not empty and has no "="'),
            z.string().regex(/^[^\0]*$/, 'contains a NUL'),
          )
          .optional()
          .describe('Environment variables'),
        labels: textTable('Labels'),
        user: text('User, or user:group, that the program runs as'),
        workdir: z
          .string()
          .regex(/^($|\/)/, 'must be an absolute path')
          .optional()
          .describe('Folder that the program starts in'),
        names: z
          .array(z.string().regex(containerName, 'a name is a repository and a tag, such as "base/core:4.0"'))
          .optional()
          .describe('Names with tags; the first one is its name in the OCI layout, by default that of the image'),
      })
      .optional()
      .describe('How a container of it starts'),
  })
  .describe('A container image');

export const kernelArgumentSchema = z
  .string()
  .regex(/^[^\p{Cc}]+$/u, 'a kernel argument is one line, and not empty')
  // The last one would win.
  .regex(/^(?!(.*\s)?root=)/, 'root= is set by the image itself, to its root partition');

const diskSchema = z
  .strictObject({
    ...weirFields,
    kind: z.literal('disk'),
    format: z
      .array(z.enum(['raw', 'qcow2', 'vhd', 'vhdx']))
      .optional()
      .describe('Formats to write, all from the same disk; by default ["raw"]'),
    for: z
      .array(z.enum(['azure-gen1', 'azure-gen2', 'kubernetes']))
      .optional()
      .describe('Platforms to run on besides any hypervisor; "weir image lint" checks their rules'),
    disk: z
      .strictObject({
        size: sizeSchema.optional().describe('Minimum size of the disk, such as "2GiB"; it grows with its content'),
        'esp-size': sizeSchema.optional().describe('Size of the EFI system partition; by default "200MiB"'),
        'root-fs': z.enum(['ext4']).optional().describe('File system of the root; by default "ext4"'),
        'root-label': z
          .string()
          .regex(/^[A-Za-z0-9_.-]{1,16}$/, 'a label consists of 1 to 16 letters, digits and . _ -')
          .optional()
          .describe('Label of the root file system; by default "root"'),
        'boot-timeout': z
          .int()
          .min(0)
          .max(3600)
          .optional()
          .describe('Seconds that the boot menu is shown; by default 0'),
        'boot-loader': z
          .enum(['weir', 'image'])
          .optional()
          .describe('"image": the EFI system partition gets what the image has in esp-mount; by default "weir"'),
        'esp-mount': absolutePath
          .optional()
          .describe('Folder that the EFI system partition is mounted at; by default it is not mounted'),
      })
      .optional()
      .describe('The disk and its partitions'),
    kernel: z
      .strictObject({
        'command-line': z
          .array(kernelArgumentSchema)
          .optional()
          .describe('Arguments for the kernel, one each, such as "console=ttyS0"'),
      })
      .optional()
      .describe('The kernel'),
  })
  .describe('A bootable disk');

const { selinux: _labels, hostname: _name, ...wslFields } = weirFields;

// No labels: WSL's kernel has no SELinux. No host name: Windows sets its own.
const wslSchema = z
  .strictObject({
    ...wslFields,
    kind: z.literal('wsl'),
    format: z
      .array(z.enum(['wsl']))
      .optional()
      .describe('Formats to write; by default ["wsl"]'),
    wsl: z
      .strictObject({
        url: z
          .string()
          .regex(/^($|(https?|file):\/\/.*\/$)/, 'must be an http, https or file URL with a trailing slash')
          .optional()
          .describe(
            'Folder that the .wsl is published in, with a trailing slash, for its entry in a manifest; by default the entry has the file name alone',
          ),
      })
      .optional()
      .describe('How it is published for Windows'),
  })
  .describe('A distribution for the Windows Subsystem for Linux');

const definitionSchema = z
  .discriminatedUnion('type', [kiwiSchema, z.discriminatedUnion('kind', [containerSchema, diskSchema, wslSchema])])
  .describe('How the image is made');

export const imageSchema = z
  .strictObject({
    description: text('What the image is for'),
    definition: definitionSchema.optional(),
    architectures: z
      .array(z.enum(['x86_64', 'aarch64']))
      .optional()
      .describe('Architectures that it is built for; empty: all'),
    capabilities: capabilitiesSchema.optional(),
    tests: z
      .strictObject({
        'test-suites': z
          .array(z.strictObject({ name: z.string().describe('Name under [test-suites]') }))
          .optional()
          .describe('The test suites that it must pass'),
        tests: imageTestReferencesSchema,
      })
      .optional()
      .describe('How the image is tested'),
    properties: textTable('Further facts about the image, such as openssl-fips-provider = "upstream"'),
    publish: z
      .strictObject({ channels: z.array(channelSchema.min(1)).optional().describe('Channels that it is published to') })
      .optional()
      .describe('Where the image is published'),
  })
  .describe('An image');

export const testSuiteSchema = z
  .strictObject({
    description: text('What it tests'),
    type: z.enum(['pytest', 'lisa']).describe('Test framework'),
    pytest: pytestSchema.optional(),
    lisa: z
      .strictObject({
        framework: gitSourceSchema.describe('Where the framework comes from'),
        'test-cases': z.array(z.string()).min(1, 'at least one test case is needed').describe('Names of test cases'),
        'pip-pre-install': texts('Packages to install before the framework'),
        'pip-extras': texts("The framework's extras"),
        'extra-args': texts('Further arguments'),
      })
      .optional()
      .describe('Settings for LISA'),
  })
  .describe('A test suite for images');

export const toolsSchema = z
  .strictObject({
    imageCustomizer: z
      .strictObject({ containerTag: text('Container with Image Customizer') })
      .optional()
      .describe('Image Customizer'),
  })
  .describe("azldev's tools; Weir reads the table and does not use it");

export type RawImage = z.output<typeof imageSchema>;
export type RawDefinition = z.output<typeof definitionSchema>;
export type RawWeirDefinition = Extract<RawDefinition, { type: 'weir' }>;
export type RawTestSuite = z.output<typeof testSuiteSchema>;
export type RawTools = z.output<typeof toolsSchema>;
