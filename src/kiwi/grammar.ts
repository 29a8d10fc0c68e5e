import { setupRules } from '../project/schema/image-setup.ts';
import type { ElementRule, ValueRule } from './check.ts';

// What Weir reads of KIWI's descriptions (schema version 8.3): every element, attribute and value that is not here is an error.

export const anyText: ValueRule = { pattern: /^[^\0]*$/, rule: 'a text' };
const filled: ValueRule = { pattern: /\S/, rule: 'not empty' };
const flag: ValueRule = ['true', 'false'];
const off: ValueRule = ['false'];
const number: ValueRule = { pattern: /^\d{1,9}$/, rule: 'a number' };
const positive: ValueRule = { pattern: /^[1-9]\d{0,8}$/, rule: 'a number from 1' };
/** As in `boot-timeout`. */
const seconds: ValueRule = { pattern: /^(\d{1,3}|[12]\d{3}|3[0-5]\d{2}|3600)$/, rule: 'a number up to 3600' };
export const oneLine: ValueRule = { pattern: /^[^\p{Cc}]*$/u, rule: 'one line' };
const architectures: ValueRule = {
  pattern: /^[a-z0-9_]+(\s*,\s*[a-z0-9_]+)*$/,
  rule: 'names of architectures with commas',
};
const names: ValueRule = { pattern: /^\s*[^\s,]+(\s*,\s*[^\s,]+)*\s*$/, rule: 'names with commas' };
const word: ValueRule = { pattern: /^\S+$/, rule: 'one word' };
/** A folder of this name is laid over the root, as `root` is for all profiles. */
const profileName: ValueRule = {
  pattern: /^(?!(\.{1,2}|root)$)[^\s,/\p{Cc}]+$/u,
  rule: 'the name of a folder, without "/" and ",", and not "root"',
};
const passwdPath: ValueRule = {
  pattern: setupRules.passwdPath,
  rule: 'an absolute path without ".", "..", "//", a slash at its end and a colon',
};
const passwdField: ValueRule = { pattern: setupRules.passwdField, rule: 'one line without colon' };
/** KIWI reads `.` and `//` as nothing. */
const target: ValueRule = { pattern: /^\/(?!.*(^|\/)\.\.(\/|$))[^\p{Cc}]*$/u, rule: 'an absolute path without ".."' };

const many = true;
const text: ElementRule = { text: anyText };

/** `<description>`. It is for people. */
export const descriptionRule: ElementRule = {
  attributes: { type: ['system', 'boot'] },
  children: { author: { ...text, many }, contact: { ...text, many }, specification: text, license: { ...text, many } },
};

export const profilesRule: ElementRule = {
  children: {
    profile: {
      many,
      attributes: { name: profileName, description: anyText, import: flag, arch: architectures },
      required: ['name', 'description'],
      children: { requires: { many, attributes: { profile: word }, required: ['profile'] } },
    },
  },
};

/** `<repository>`: only for builds with KIWI, so most of its attributes do not matter. */
export const repositoryRule: ElementRule = {
  attributes: {
    ...{ type: ['rpm-md', 'rpm-dir'], alias: anyText, priority: number, profiles: names, arch: architectures },
    ...{ imageinclude: off, imageonly: off, repository_gpgcheck: flag, package_gpgcheck: flag },
    ...{ sourcetype: anyText, use_for_bootstrap: flag, username: anyText, password: anyText, components: anyText },
  },
  children: {
    source: {
      attributes: { path: filled },
      required: ['path'],
      children: { signing: { many, attributes: { key: anyText } } },
    },
  },
};

/** Attributes that select a block. */
const selecting = { profiles: names, arch: architectures } as const;

export const usersRule: ElementRule = {
  attributes: selecting,
  children: {
    user: {
      many,
      attributes: {
        name: { pattern: setupRules.account, rule: 'the name of an account' },
        password: passwdField,
        pwdformat: ['plain', 'encrypted'],
        home: passwdPath,
        shell: passwdPath,
        groups: {
          pattern: /^[a-z_][a-z0-9_-]*(:\d{1,9})?(,[a-z_][a-z0-9_-]*(:\d{1,9})?)*$/,
          rule: 'names of groups with commas',
        },
        id: number,
        realname: passwdField,
      },
      required: ['name'],
    },
  },
};

export const packageTypes = ['bootstrap', 'image', 'oem', 'oci', 'docker', 'wsl', 'iso'] as const;

const packageName: ValueRule = { pattern: /^[^\s,@-][^\s,]*$/, rule: 'the name of a package' };

export const packagesRule: ElementRule = {
  attributes: { ...selecting, type: packageTypes, patternType: ['onlyRequired', 'plusRecommended'] },
  required: ['type'],
  children: {
    package: { many, attributes: { name: packageName, arch: architectures }, required: ['name'] },
    ignore: { many, attributes: { name: packageName, arch: architectures }, required: ['name'] },
    file: {
      many,
      attributes: {
        name: { pattern: /^(?!\/)(?!(.*\/)?\.\.(\/|$))\S[^\0]*$/, rule: 'a path in the folder of the description' },
        target,
        permissions: { pattern: /^0?[0-7]{3,4}$/, rule: 'an octal mode' },
        owner: { pattern: /^root:root$/, rule: 'root:root' },
        arch: architectures,
      },
      required: ['name', 'target'],
    },
  },
};

/** Types of images that KIWI makes. */
const imageTypes: ValueRule = {
  pattern: /^(appx|wsl|btrfs|clicfs|cpio|docker|enclave|erofs|ext[234]|iso|kis|oci|oem|pxe|squashfs|tbz|xfs)$/,
  rule: 'a type of image',
};

/** A type that is not the one to build: only its kind is read. */
export const anyTypeRule: ElementRule = { attributes: { image: imageTypes, primary: flag }, required: ['image'] };

const oemRule: ElementRule = {
  attributes: {
    ...{ image: ['oem'], primary: flag, bundle_format: anyText },
    ...{ format: ['raw', 'qcow2', 'vhd-fixed', 'vhdx'], formatoptions: anyText },
    ...{ filesystem: ['ext4'], fscreateoptions: ['-m 1'], initrd_system: ['dracut', 'none'] },
    ...{ firmware: ['bios', 'efi', 'uefi'], eficsm: flag, efipartsize: positive, efiparttable: ['gpt'] },
    ...{ bootpartition: off, overlayroot: off, installiso: off },
    ...{ devicepersistency: ['by-uuid', 'by-label', 'by-partuuid'] },
    rootfs_label: { pattern: /^[A-Za-z0-9_.-]{1,16}$/, rule: '1 to 16 letters, digits and . _ -' },
    kernelcmdline: oneLine,
  },
  required: ['image', 'filesystem'],
  children: {
    bootloader: {
      attributes: {
        ...{ name: ['grub2', 'systemd_boot', 'custom'], bls: flag, timeout: seconds },
        console: {
          pattern: /^(none|console|gfxterm|serial)( (none|console|gfxterm|serial))?$/,
          rule: 'a console of GRUB',
        },
      },
      required: ['name'],
    },
    size: { attributes: { unit: ['M', 'G'], additive: off }, text: positive },
    oemconfig: { children: { 'oem-resize': { text: flag } } },
  },
};

const commandRule: ElementRule = {
  attributes: { execute: filled, clear: ['true'] },
  children: { argument: { many, attributes: { name: anyText }, required: ['name'] } },
};

const containerRule: ElementRule = {
  attributes: {
    name: { pattern: /^[a-z0-9]+([._/-]+[a-z0-9]+)*$/, rule: 'the name of a repository' },
    tag: { pattern: /^[\w][\w.-]{0,127}$/, rule: 'a tag' },
    additionalnames: { pattern: /^\s*[\w./:-]+(\s*,\s*[\w./:-]+)*\s*$/, rule: 'names and tags with commas' },
    maintainer: anyText,
    user: word,
    workingdir: { pattern: /^\/[^\0]*$/, rule: 'an absolute path' },
  },
  required: ['name'],
  children: {
    entrypoint: commandRule,
    subcommand: commandRule,
    environment: {
      children: {
        env: {
          many,
          attributes: { name: { pattern: /^[^=\0]+$/, rule: 'the name of a variable' }, value: anyText },
          required: ['name', 'value'],
        },
      },
    },
    labels: {
      children: { label: { many, attributes: { name: filled, value: anyText }, required: ['name', 'value'] } },
    },
  },
};

const ociRule: ElementRule = {
  attributes: { image: ['oci', 'docker'], primary: flag, bundle_format: anyText },
  required: ['image'],
  children: { containerconfig: containerRule },
};

/** The types of images that Weir makes. */
export const typeRules: Readonly<Record<string, ElementRule>> = {
  oem: oemRule,
  oci: ociRule,
  docker: ociRule,
  wsl: { attributes: { image: ['wsl'], primary: flag, bundle_format: anyText }, required: ['image'] },
};

export const preferencesRule: ElementRule = {
  attributes: selecting,
  children: {
    version: { text: { pattern: /^[\w.+~-]+$/, rule: 'a version' } },
    packagemanager: { text: ['dnf5'] },
    locale: {
      text: {
        pattern: /^(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(,([a-z]{2,3}(_[A-Z]{2})?))*$/,
        rule: 'names of locales such as en_US',
      },
    },
    keytable: { text: { pattern: /^[\w.-]+$/, rule: 'the name of a keyboard map' } },
    timezone: { text: { pattern: /^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/, rule: 'a time zone' } },
    'release-version': { text: word },
    'rpm-check-signatures': { text: flag },
    'rpm-excludedocs': { text: flag },
    'rpm-locale-filtering': { text: flag },
  },
};
