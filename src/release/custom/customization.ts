import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import type { Place } from '../../base/errors.ts';
import { hostnameSchema, kernelArgumentSchema } from '../../project/schema/image.ts';
import { problem, readYaml, type Unsupported, type YamlFile, type YamlPath } from './yaml.ts';

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
  .refine((path) => /[^/.]/.test(path), 'must name something below "/"');
// Fields of sysusers.d(5) and of passwd(5) end at these, and "%" begins a specifier.
const accountPathSchema = pathSchema.refine(
  (path) => !/[\s%:"'\\]/.test(path),
  'must not contain blanks, %, :, quotes or backslashes',
);
const nameSchema = z
  .string()
  .regex(
    /^[a-z_][a-z0-9_-]{0,30}$/,
    'an account name consists of small letters, digits, "_" and "-", and begins with a letter',
  );
const idSchema = z.number().int().min(0).max(60_000);
const lineSchema = z.string().regex(/^[^\p{Cc}]+$/u, 'must be one line');
const listsSchema = z.array(z.string().min(1)).optional();
const wordsSchema = z.array(wordSchema).optional();

const passwordSchema = z.strictObject({
  type: z.enum(['locked', 'plain-text', 'hashed', 'plain-text-file', 'hashed-file']),
  value: z.string().optional(),
});

const userSchema = z.strictObject({
  name: nameSchema,
  uid: idSchema.optional(),
  password: passwordSchema.optional(),
  passwordExpiresDays: z.number().int().min(-1).max(99_999).optional(),
  sshPublicKeyPaths: listsSchema,
  sshPublicKeys: z.array(lineSchema).optional(),
  primaryGroup: nameSchema.optional(),
  secondaryGroups: z.array(nameSchema).optional(),
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
  groups: z.array(z.strictObject({ name: nameSchema, gid: idSchema.optional() })).optional(),
  users: z.array(userSchema).optional(),
  services: z.strictObject({ enable: wordsSchema, disable: wordsSchema }).optional(),
  kernelCommandLine: z.strictObject({ extraCommandLine: z.array(kernelArgumentSchema).optional() }).optional(),
  selinux: z.strictObject({ mode: z.enum(['disabled', 'permissive', 'enforcing', 'force-enforcing']) }).optional(),
});

const schema = z.strictObject({
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
const unsupported: Unsupported = {
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

export type CustomUser = z.output<typeof userSchema>;
export type CustomFile = NonNullable<z.output<typeof osSchema>['additionalFiles']>[number];
export type CustomDir = NonNullable<z.output<typeof osSchema>['additionalDirs']>[number];

/** What a configuration asks for. File names are absolute, packages of lists are among the others. */
export interface Customization {
  readonly file: string;
  readonly placeOf: (path: YamlPath) => Place;
  readonly hostname: string | undefined;
  readonly install: readonly string[];
  readonly remove: readonly string[];
  /** Where each of them is listed. */
  readonly removedAt: ReadonlyMap<string, Place>;
  readonly update: readonly string[];
  readonly files: readonly CustomFile[];
  readonly dirs: readonly CustomDir[];
  readonly groups: readonly { readonly name: string; readonly gid?: number | undefined }[];
  readonly users: readonly CustomUser[];
  readonly enable: readonly string[];
  readonly disable: readonly string[];
  readonly commandLine: readonly string[];
  readonly selinux: 'disabled' | 'permissive' | 'enforcing' | undefined;
  readonly input: string | undefined;
  readonly output: { readonly path?: string | undefined; readonly format?: string | undefined };
}

/**
 * Reads a configuration of Azure Linux's Image Customizer, as far as Weir does what it says: packages, files, users, services,
 * kernel command line, host name, SELinux mode.
 * @throws WeirError `bad-image-config` (exit 2) with the line, also for what Weir does not do; `not-readable`
 */
export async function readCustomization(path: string): Promise<Customization> {
  const yaml = await readYaml(path, schema, unsupported);
  const { os = {}, input, output } = yaml.data;
  const { packages = {} } = os;
  const from = (name: string): string => resolve(dirname(path), name);
  const read = async (lists: readonly string[] = []) =>
    (await Promise.all(lists.map((name) => readYaml(from(name), listSchema)))).flatMap(({ data, placeOf }) =>
      data.packages.map((name, index) => [name, placeOf(['packages', index])] as const),
    );
  const listed = async (lists?: readonly string[]): Promise<string[]> => (await read(lists)).map(([name]) => name);
  checkValues(yaml);
  const removed = [
    ...(await read(packages.removeLists)),
    ...(packages.remove ?? []).map((name, index) => [name, yaml.placeOf(['os', 'packages', 'remove', index])] as const),
  ];
  return {
    file: path,
    placeOf: yaml.placeOf,
    hostname: os.hostname,
    install: [...(await listed(packages.installLists)), ...(packages.install ?? [])],
    remove: removed.map(([name]) => name),
    removedAt: new Map(removed),
    update: [...(await listed(packages.updateLists)), ...(packages.update ?? [])],
    files: (os.additionalFiles ?? []).map(({ source, ...rest }) =>
      source === undefined ? rest : { ...rest, source: from(source) },
    ),
    dirs: (os.additionalDirs ?? []).map((dir) => ({ ...dir, source: from(dir.source) })),
    groups: os.groups ?? [],
    users: (os.users ?? []).map((user) => ({
      ...user,
      sshPublicKeyPaths: (user.sshPublicKeyPaths ?? []).map(from),
      ...(user.password?.type.endsWith('-file') === true
        ? { password: { ...user.password, value: from(user.password.value!) } }
        : {}),
    })),
    enable: (os.services?.enable ?? []).map(unitName),
    disable: (os.services?.disable ?? []).map(unitName),
    commandLine: os.kernelCommandLine?.extraCommandLine ?? [],
    selinux: os.selinux?.mode === 'force-enforcing' ? 'enforcing' : os.selinux?.mode,
    input: input === undefined ? undefined : from(input.image.path),
    output: { ...output?.image, ...(output?.image.path === undefined ? {} : { path: from(output.image.path) }) },
  };
}

const listSchema = z.strictObject({ packages: z.array(wordSchema) });

/** systemctl takes a service without its ending. */
function unitName(name: string): string {
  return /\.(service|socket|target|timer|mount|path|slice)$/.test(name) ? name : `${name}.service`;
}

function checkValues({ data, placeOf }: YamlFile<z.output<typeof schema>>): void {
  for (const [index, { source, content }] of (data.os?.additionalFiles ?? []).entries()) {
    if ((source === undefined) !== (content === undefined)) continue;
    throw problem(placeOf(['os', 'additionalFiles', index]), 'a file needs either "source" or "content"');
  }
  if ((data.previewFeatures ?? []).length > 0) {
    const hint = 'remove the line: what Weir does of the configuration needs no preview';
    throw problem(placeOf(['previewFeatures', 0]), 'Weir has no preview features', hint);
  }
  if (data.os?.packages?.updateExistingPackages === true) {
    const hint = 'remove the line: every package comes from the newest snapshot of the release';
    const place = placeOf(['os', 'packages', 'updateExistingPackages']);
    throw problem(place, 'Weir does not update an image: it builds the new one', hint);
  }
  const enabled = new Set((data.os?.services?.enable ?? []).map(unitName));
  for (const [index, name] of (data.os?.services?.disable ?? []).entries()) {
    if (!enabled.has(unitName(name))) continue;
    throw problem(placeOf(['os', 'services', 'disable', index]), `${name} is to be both enabled and disabled`);
  }
  const names = new Set<string>();
  for (const [index, user] of (data.os?.users ?? []).entries()) {
    const { name, password } = user;
    const path = ['os', 'users', index];
    if (names.has(name)) throw problem(placeOf([...path, 'name']), `user ${name} is listed twice`);
    names.add(name);
    if (name === 'root') checkRoot(user, (key) => placeOf([...path, key]));
    if (password === undefined || password.type === 'locked' || (password.value ?? '') !== '') continue;
    throw problem(placeOf([...path, 'password']), `a password of type ${password.type} needs a "value"`);
  }
  const uids = (data.os?.users ?? []).map(({ name, uid }) => (name === 'root' ? undefined : uid));
  checkNumbers(uids, (index) => placeOf(['os', 'users', index, 'uid']));
  const gids = (data.os?.groups ?? []).map(({ name, gid }) => (name === 'root' ? undefined : gid));
  checkNumbers(gids, (index) => placeOf(['os', 'groups', index, 'gid']));
}

/** What root has is not changed, so what a configuration says about it must be what root has. */
function checkRoot(user: CustomUser, placeOf: (key: keyof CustomUser) => Place): void {
  const own = { uid: 0, primaryGroup: 'root', homeDirectory: '/root', startupCommand: undefined };
  for (const key of ['uid', 'primaryGroup', 'homeDirectory', 'startupCommand'] as const) {
    if (user[key] === undefined || user[key] === own[key]) continue;
    throw problem(placeOf(key), `"${key}" of root cannot be changed`, 'remove the key, or add another user');
  }
}

/** 0 is root's, and no number is given twice. */
function checkNumbers(numbers: readonly (number | undefined)[], placeOf: (index: number) => Place): void {
  const seen = new Set([0]);
  for (const [index, number] of numbers.entries()) {
    if (number === undefined) continue;
    if (seen.has(number)) {
      throw problem(placeOf(index), `${number} is ${number === 0 ? "root's" : 'given twice'}`, 'give another number');
    }
    seen.add(number);
  }
}
