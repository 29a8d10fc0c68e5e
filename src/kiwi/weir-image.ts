import type { ContainerSettings, ImageSetup, SetupFile, SetupScript, WeirImage } from '../project/model/image.ts';
import { containerName } from '../project/schema/image.ts';
import { fault } from './check.ts';
import { kconfigText, kiwiEnvironment, profileText } from './environment.ts';
import { attribute, type KiwiUser, type ResolvedKiwi } from './resolve.ts';
import type { KiwiRuntimeConfig } from './runtime-config.ts';
import { commandWords } from './words.ts';
import type { XmlElement } from './xml.ts';

/** A description as a Weir image definition. */
export interface KiwiAsWeir {
  readonly definition: WeirImage;
  /** Where the image differs from KIWI's, one sentence each. */
  readonly differences: readonly string[];
}

/** Sizes of the EFI system partition in bytes: KIWI's may be too small for kernel and initrd, which are there in Weir's images. */
const espSizes = { byDefault: 200 << 20, atLeast: 128 << 20 } as const;
/** Like `[disk] size`, if the description has none. */
const defaultSize = 2 * 2 ** 30;

/** What KIWI adds to the packages of a description, by package manager. */
const managers: Readonly<Record<string, string>> = { dnf5: 'dnf5' };

/**
 * The Weir definition that honours a description, as far as Weir can.
 * @throws WeirError `invalid-kiwi` (exit 2) for requests that Weir cannot honour
 */
export function weirImage(kiwi: ResolvedKiwi, config: KiwiRuntimeConfig): KiwiAsWeir {
  const differences: string[] = [];
  const { type, preferences, repositories } = kiwi;
  if (repositories > 0) {
    differences.push("packages come from the project's repositories, not from those of the description");
  }
  if (preferences['rpm-check-signatures']?.value === 'false') {
    differences.push("the repositories' signatures are checked, as the project says");
  }
  if (preferences['release-version'] !== undefined) {
    differences.push(`the project's release counts, not release-version ${preferences['release-version'].value}`);
  }
  const kind = attribute(type, 'image')!;
  const manager = managers[preferences.packagemanager?.value ?? ''];
  const packages = [...new Set([...kiwi.bootstrap, ...(manager === undefined ? [] : [manager]), ...kiwi.packages])];
  if (packages.length === 0) throw fault(type.place, 'the description has no packages for this image');
  const isWeak = kiwi.weak || kiwi.weakBootstrap;
  if (isWeak && !kiwi.weakBootstrap && kiwi.bootstrap.length > 0) {
    differences.push('weak dependencies of bootstrap packages are installed too');
  }
  if (isWeak && !kiwi.weak)
    differences.push('weak dependencies of all packages are installed, not only of bootstrap packages');
  if (config.without.length > 0) {
    differences.push(`these sections of kiwi-config-override are about KIWI's tools: ${config.without.join(', ')}`);
  }
  const setup = setupOf(kiwi);
  const common = {
    type: 'weir' as const,
    packages,
    excludePackages: kiwi.ignored,
    ...(isWeak ? { weakDependencies: true } : {}),
    ...(setup === undefined ? {} : { setup }),
    ...(config.maxSize === undefined ? {} : { maxSize: config.maxSize }),
    enabledServices: [],
    disabledServices: [],
  };
  if (config.maxSize !== undefined) differences.push('max_size limits the size of all files, not of the result');
  switch (kind) {
    case 'wsl': {
      const format = attribute(type, 'bundle_format');
      if (format !== undefined) differences.push(`the file has the name of the image, not by bundle_format ${format}`);
      return {
        definition: { ...common, kind: 'wsl', formats: ['wsl'], selinux: 'disabled', wsl: {} },
        differences,
      };
    }
    case 'oci':
    case 'docker': {
      if (kind === 'docker') differences.push('the result is an OCI layout, not a Docker archive');
      const container = containerOf(type, differences);
      return {
        definition: { ...common, kind: 'container', formats: ['oci'], selinux: 'disabled', container },
        differences,
      };
    }
    default:
      return { definition: { ...common, ...diskOf(kiwi, differences) }, differences };
  }
}

const formats = { raw: 'raw', qcow2: 'qcow2', 'vhd-fixed': 'vhd', vhdx: 'vhdx' } as const;

function diskOf(
  { type, arch }: ResolvedKiwi,
  differences: string[],
): Pick<Extract<WeirImage, { kind: 'disk' }>, 'kind' | 'formats' | 'selinux' | 'platforms' | 'disk' | 'kernel'> {
  const format = (attribute(type, 'format') ?? 'raw') as keyof typeof formats;
  const options = type.attributes.get('formatoptions');
  if (options !== undefined && !(format === 'vhd-fixed' && options.value === 'force_size')) {
    throw fault(options.place, `formatoptions="${options.value}" is not supported for ${format}`);
  }
  const firmware = type.attributes.get('firmware');
  const isBios = (firmware?.value ?? (arch === 'x86_64' ? 'bios' : 'efi')) === 'bios';
  if (isBios && arch !== 'x86_64') throw fault((firmware ?? type).place, `there is no BIOS on ${arch}`);
  const loader = type.children.find((each) => each.name === 'bootloader');
  const isOwn = loader !== undefined && attribute(loader, 'name') === 'custom';
  const initrd = type.attributes.get('initrd_system');
  if (isOwn && isBios) throw fault(loader.place, 'a boot loader of the image itself needs firmware="uefi"');
  if (!isOwn && initrd?.value === 'none') {
    throw fault(initrd.place, 'an image without an initrd needs <bootloader name="custom"/>');
  }
  if (isOwn) {
    const cmdline = type.attributes.get('kernelcmdline');
    if (cmdline !== undefined) {
      throw fault(
        cmdline.place,
        'the boot loader of the image has its own command line',
        'put it into the unified kernel image',
      );
    }
    const wait = loader.attributes.get('timeout');
    if (wait !== undefined) throw fault(wait.place, 'the boot loader of the image has its own timeout');
  } else {
    const loaders = isBios
      ? "it boots by Weir's GRUB, from kernel and initrd on an EFI system partition of a GPT disk"
      : 'it boots by systemd-boot and a unified kernel image in place of GRUB and its entries';
    differences.push(`${loaders}; its kernel is the one of the build also after updates`);
    differences.push("the initrd is Weir's: dracut's modules are not in it, and its rd. arguments do nothing");
    if (!isBios && arch === 'x86_64') differences.push('it boots by BIOS, too');
  }
  const timeout = loader === undefined ? undefined : attribute(loader, 'timeout');
  const asked = attribute(type, 'efipartsize');
  const esp = asked === undefined ? espSizes.byDefault : Number(asked) * 2 ** 20;
  const atLeast = isOwn ? 0 : espSizes.atLeast;
  if (esp < atLeast) {
    differences.push(`the EFI system partition has 128 MiB, not ${asked}: kernel and initrd are on it`);
  }
  const size = type.children.find((each) => each.name === 'size');
  const unit = size !== undefined && attribute(size, 'unit') === 'G' ? 2 ** 30 : 2 ** 20;
  const words = (attribute(type, 'kernelcmdline') ?? '').split(/\s+/).filter((word) => word !== '');
  const root = words.find((word) => word.startsWith('root='));
  if (root !== undefined) {
    throw fault(type.attributes.get('kernelcmdline')!.place, `${root}: the image sets root= itself`);
  }
  return {
    kind: 'disk',
    formats: [formats[format]],
    selinux: 'enforcing',
    platforms: [],
    disk: {
      size: size === undefined ? defaultSize : Number(size.text) * unit,
      espSize: Math.max(esp, atLeast),
      rootFs: 'ext4',
      rootLabel: attribute(type, 'rootfs_label') ?? 'ROOT',
      ...(timeout === undefined ? {} : { bootTimeout: Number(timeout) }),
      ...(isBios ? {} : { espMount: '/boot/efi' }),
      ...(isOwn ? { ownBootLoader: true } : {}),
    },
    kernel: { commandLine: words },
  };
}

function containerOf(type: XmlElement, differences: string[]): ContainerSettings {
  const config = type.children.find((each) => each.name === 'containerconfig');
  if (config === undefined)
    throw fault(type.place, `<type image="${attribute(type, 'image')}"> has no <containerconfig>`);
  const get = (name: string): string | undefined => attribute(config, name);
  const inner = (name: string): readonly XmlElement[] =>
    config.children.filter((each) => each.name === name).flatMap(({ children }) => children);
  const pairs = (elements: readonly XmlElement[]): Record<string, string> =>
    Object.fromEntries(elements.map((each) => [attribute(each, 'name')!, attribute(each, 'value')!]));
  if (get('maintainer') !== undefined) differences.push('the maintainer is not recorded');
  const [name, tag] = [get('name')!, get('tag') ?? 'latest'];
  const more = (get('additionalnames') ?? '').split(',').map((each) => each.trim());
  const names = more.filter((each) => each !== '').map((each) => nameOf(each, name, tag));
  const wrong = names.find((each) => !containerName.test(each));
  if (wrong !== undefined) {
    const { place } = config.attributes.get('additionalnames')!;
    throw fault(
      place,
      `"${wrong}" is not a name that Weir can give`,
      'a name is a repository and a tag, without a port',
    );
  }
  const [user, workdir] = [get('user'), get('workingdir')];
  return {
    entrypoint: commandOf(config, 'entrypoint', (each) => [each]),
    cmd: commandOf(config, 'subcommand', commandWords),
    env: pairs(inner('environment')),
    labels: pairs(inner('labels')),
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { workdir }),
    names: [...new Set([`${name}:${tag}`, ...names])],
  };
}

/** An additional name: `:TAG`, `NAME` or `NAME:TAG`; a colon before a slash is that of a port. */
function nameOf(text: string, name: string, tag: string): string {
  const colon = text.lastIndexOf(':');
  if (colon < text.lastIndexOf('/') || colon < 0) return `${text}:${tag}`;
  return `${text.slice(0, colon) || name}:${text.slice(colon + 1)}`;
}

/** @param words what a text of the command becomes: KIWI joins those of a subcommand, and buildah splits them like a shell */
function commandOf(config: XmlElement, name: string, words: (text: string) => readonly string[]): string[] {
  const command = config.children.find((each) => each.name === name);
  if (command === undefined) return [];
  const execute = attribute(command, 'execute');
  const isClear = attribute(command, 'clear') !== undefined;
  if ((execute === undefined) !== isClear) throw fault(command.place, `<${name}> needs either execute or clear`);
  const args = command.children.map((each) => attribute(each, 'name')!);
  if (isClear && args.length > 0) throw fault(command.children[0]!.place, `<${name} clear="true"> has no arguments`);
  return execute === undefined ? [] : [execute, ...args].flatMap(words);
}

/** What is there for scripts alone. */
const temporary = ['/.kconfig', '/.profile', '/image'];

function setupOf(kiwi: ResolvedKiwi): ImageSetup | undefined {
  const { preferences, scripts } = kiwi;
  const isDisk = attribute(kiwi.type, 'image') === 'oem';
  const environment = kiwiEnvironment(kiwi);
  const locale = preferences.locale?.value.split(',')[0];
  const isFiltered = preferences['rpm-locale-filtering']?.value === 'true';
  const own: SetupScript[] = scripts.map(({ name }) => ({ path: `/image/${name}`, optional: false, remove: false }));
  const scriptFiles: SetupFile[] = [
    { content: profileText(environment), to: '/.profile' },
    { content: kconfigText, to: '/.kconfig' },
    { content: kiwi.xml, to: '/image/config.xml' },
    ...scripts.map(({ name, from }) => ({ from, to: `/image/${name}` })),
  ];
  const settings = {
    ...(locale === undefined ? {} : { locale: locale === 'POSIX' ? locale : `${locale}.UTF-8` }),
    ...(preferences.keytable === undefined ? {} : { keymap: preferences.keytable.value }),
    ...(preferences.timezone === undefined ? {} : { timezone: preferences.timezone.value }),
    ...(isFiltered ? { languages: (preferences.locale?.value ?? 'C').split(',') } : {}),
  };
  const setup: ImageSetup = {
    ...settings,
    excludeDocs: preferences['rpm-excludedocs']?.value === 'true',
    overlays: kiwi.overlays.map((from) => ({ from })),
    files: [
      ...(scripts.length > 0 ? scriptFiles : []),
      ...kiwi.files.map(({ from, target, mode }) => ({
        from,
        to: target,
        ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
      })),
    ],
    users: kiwi.users.map(userOf),
    scripts: [...own, ...(isDisk ? [{ path: '/etc/fstab.script', optional: true, remove: true }] : [])],
    environment: own.length > 0 || isDisk ? environment : {},
    temporary,
  };
  const isEmpty =
    Object.keys(settings).length === 0 &&
    !setup.excludeDocs &&
    own.length === 0 &&
    !isDisk &&
    [setup.overlays, setup.files, setup.users].every((list) => list.length === 0);
  return isEmpty ? undefined : setup;
}

function userOf({ name, password = '', isPlain, home, shell, groups, id, realName, place }: KiwiUser) {
  if (isPlain && password !== '') {
    throw fault(
      place,
      `the password of ${name} is not encrypted`,
      'use pwdformat="encrypted" and the output of: openssl passwd -6',
    );
  }
  return {
    name,
    groups,
    ...(id === undefined ? {} : { id }),
    ...(password === '' ? {} : { passwordHash: password }),
    ...(realName === undefined || realName === '' ? {} : { fullName: realName }),
    ...(home === undefined ? {} : { home }),
    ...(shell === undefined ? {} : { shell }),
  };
}
