import { posix } from 'node:path';
import { z } from 'zod';
import { hostnameSchema, kernelArgumentSchema } from '../../project/schema/image.ts';
import { accountName, passwdPath } from '../../project/schema/image-setup.ts';
import type { Unsupported } from '../../yaml/schema.ts';

/** Permission bits as text, as in chmod(1). */
const modeSchema = z
  .union([z.string(), z.number().int()])
  .transform(String)
  .pipe(z.string().regex(/^[0-7]{3,4}$/, 'permissions are three or four octal digits, such as "644"'))
  .transform((text) => Number.parseInt(text, 8));

const wordSchema = z.string().regex(/^[^\s\p{Cc}]+$/u, 'must be one word');
const pathSchema = z
  .string()
  .regex(/^\/[^\p{Cc}]*$/u, 'must be an absolute path')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ".."')
  .refine((path) => /[^/.]/.test(path), 'must name something below "/"')
  .transform((path) => posix.normalize(path).replace(/\/$/, ''));
const accountPathSchema = pathSchema.pipe(passwdPath);
const idSchema = z.number().int().min(0).max(60_000);
const lineSchema = z.string().regex(/^[^\p{Cc}]+$/u, 'must be one line');
const listsSchema = z.array(z.string().min(1)).optional();
const wordsSchema = z.array(wordSchema).optional();

const passwordSchema = z.strictObject({
  type: z.enum(['locked', 'plain-text', 'hashed', 'plain-text-file', 'hashed-file']),
  value: z.string().optional(),
});

const userSchema = z.strictObject({
  name: accountName,
  uid: idSchema.optional(),
  password: passwordSchema.optional(),
  passwordExpiresDays: z.number().int().min(-1).max(99_999).optional(),
  sshPublicKeyPaths: listsSchema,
  sshPublicKeys: z.array(lineSchema).optional(),
  primaryGroup: accountName.optional(),
  secondaryGroups: z.array(accountName).optional(),
  startupCommand: accountPathSchema.optional(),
  homeDirectory: accountPathSchema.optional(),
});

const packagesSchema = z.strictObject({
  updateExistingPackages: z.boolean().optional(),
  installLists: listsSchema,
  install: wordsSchema,
  removeLists: listsSchema,
  remove: wordsSchema,
  updateLists: listsSchema,
  update: wordsSchema,
});

const osSchema = z.strictObject({
  hostname: hostnameSchema.optional(),
  packages: packagesSchema.optional(),
  additionalFiles: z
    .array(
      z.strictObject({
        source: z.string().min(1).optional(),
        content: z.string().optional(),
        destination: pathSchema,
        permissions: modeSchema.optional(),
      }),
    )
    .optional(),
  additionalDirs: z
    .array(
      z.strictObject({
        source: z.string().min(1),
        destination: pathSchema,
        newDirPermissions: modeSchema.optional(),
        mergedDirPermissions: modeSchema.optional(),
        childFilePermissions: modeSchema.optional(),
      }),
    )
    .optional(),
  groups: z.array(z.strictObject({ name: accountName, gid: idSchema.optional() })).optional(),
  users: z.array(userSchema).optional(),
  services: z.strictObject({ enable: wordsSchema, disable: wordsSchema }).optional(),
  kernelCommandLine: z.strictObject({ extraCommandLine: z.array(kernelArgumentSchema).optional() }).optional(),
  selinux: z.strictObject({ mode: z.enum(['disabled', 'permissive', 'enforcing', 'force-enforcing']) }).optional(),
});

/** The keys of Image Customizer's configuration that Weir does. */
export const customSchema = z.strictObject({
  input: z.strictObject({ image: z.strictObject({ path: z.string().min(1) }) }).optional(),
  os: osSchema.optional(),
  output: z
    .strictObject({
      image: z.strictObject({ path: z.string().min(1).optional(), format: z.string().optional() }),
    })
    .optional(),
  previewFeatures: z.array(z.string()).optional(),
});

const inDefinition = "write it into the image's definition in the project, and build that";
/** Those that Weir does not do, with what to do instead. */
export const unsupported: Unsupported = {
  storage: `${inDefinition}: size, esp-size and root-label of its [disk] table`,
  scripts: 'put the script into a package, and its result into additionalFiles',
  iso: 'Weir makes no ISO images',
  pxe: 'Weir makes no PXE images',
  bootloader: 'images of Weir boot by a unified kernel image; kernelCommandLine adds words to its command line',
  resetBootLoaderType:
    'images of Weir boot by a unified kernel image; kernelCommandLine adds words to its command line',
  uki: 'every disk of Weir has a unified kernel image',
  modules: 'add a file below /etc/modules-load.d or /etc/modprobe.d to additionalFiles',
  overlays: 'add the mount units to additionalFiles, and enable them in services',
  kdumpBootFiles: inDefinition,
  imageHistory: "the image's provenance says what it was made from",
  snapshotTime: 'all packages come from the snapshot of the release',
  artifacts: 'take the files from the image with weir image inject-files in mind: they are on its EFI system partition',
  selinuxPolicyPath: 'put the policy into a package',
  baseConfigs: 'write all into one file',
  cosi: 'Weir makes no COSI images',
};

/** A list of packages in a file of its own. */
export const packageListSchema = z.strictObject({ packages: z.array(wordSchema) });

export type CustomConfig = z.output<typeof customSchema>;
export type CustomOs = z.output<typeof osSchema>;
export type CustomUser = z.output<typeof userSchema>;
