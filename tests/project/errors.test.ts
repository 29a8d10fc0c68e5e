import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatError } from '../../src/base/errors.ts';
import { distros, failure, load } from './fixture.ts';

interface Case {
  readonly name: string;
  readonly toml: string;
  readonly code: string;
  /** `line:column`, or the line alone. */
  readonly at: string;
  readonly says?: string | RegExp;
  readonly hint?: string | RegExp;
}

const overlay = (fields: string, description = 'description = "why"'): string =>
  `[[components.bash.overlays]]\n${description}\n${fields}\n`;

const cases: readonly Case[] = [
  // The text itself.
  { name: 'broken TOML', toml: 'a = 1\nb = = 2\n', code: 'toml-syntax', at: '2:5' },
  { name: 'a table twice', toml: '[project]\n[seed]\n[project]\n', code: 'toml-syntax', at: '3:2' },
  { name: 'a key twice', toml: '[seed]\nsuite = "a"\nsuite = "b"\n', code: 'toml-syntax', at: '3' },
  { name: 'an unfinished string', toml: '[seed]\nsuite = "a\n', code: 'toml-syntax', at: '2' },
  // Keys.
  { name: 'unknown table', toml: '\n[componets.bash]\n', code: 'unknown-key', at: '2:2', hint: /mean components\?/ },
  {
    name: 'unknown key',
    toml: '[components.bash]\nspek = 1\n',
    code: 'unknown-key',
    at: '2:1',
    says: 'unknown key "spek" in [components.bash]',
    hint: 'did you mean spec?',
  },
  {
    name: 'unknown key in an inline table',
    toml: '[components]\nbash = { build = { wiht = [] } }\n',
    code: 'unknown-key',
    at: '2:20',
    hint: /mean with\?/,
  },
  {
    name: 'unknown key in an array of tables',
    toml: `${overlay('type = "spec-add-tag"\ntag = "A"\nvalue = "b"')}${overlay('type = "patch-add"\nsorce = "a"')}`,
    code: 'unknown-key',
    at: '9:1',
    hint: /mean source\?/,
  },
  {
    name: 'a key nothing is like',
    toml: '[signing]\nzzzzzzzz = 1\n',
    code: 'unknown-key',
    at: '2',
    hint: 'known here: image-key, key',
  },
  { name: '__proto__', toml: '[components.__proto__]\n', code: 'unknown-key', at: '1:13' },
  {
    name: 'a missing key',
    toml: '[resources.rpm-repo-sets.a]\ntemplate = "x"\n',
    code: 'missing-key',
    at: '1:26',
    says: /base-uri/,
  },
  {
    name: 'text for an array',
    toml: 'includes = "a.toml"\n',
    code: 'wrong-type',
    at: '1:1',
    says: '"includes" must be an array, not text',
  },
  {
    name: 'number for text',
    toml: '[project]\ndescription = 3\n',
    code: 'wrong-type',
    at: '2:1',
    says: /text in quotes, not a number/,
  },
  { name: 'array for a table', toml: 'project = []\n', code: 'wrong-type', at: '1:1' },
  { name: 'a bare date', toml: '[release]\nsnapshot = 2026-01-02\n', code: 'wrong-type', at: '2:1', hint: /quotes/ },
  { name: 'a date for a table', toml: 'project = 2026-01-02\n', code: 'wrong-type', at: '1:1' },
  { name: 'number in an array', toml: '[components.a.build]\nwith = ["a", 2]\n', code: 'wrong-type', at: '2:14' },
  { name: 'a bad name', toml: '[components."../x"]\n', code: 'invalid-value', at: '1:13', says: /is not a valid name/ },
  {
    name: 'a wrong choice',
    toml: '[components.a.release]\ncalculation = "manul"\n',
    code: 'invalid-value',
    at: '2:1',
    says: /did you mean manual/,
  },
  // Components.
  {
    name: 'path without local',
    toml: '[components.a]\nspec = { path = "a.spec" }\n',
    code: 'invalid-spec-source',
    at: '2:10',
  },
  {
    name: 'local without path',
    toml: '[components.a]\nspec = { type = "local" }\n',
    code: 'invalid-spec-source',
    at: '2:10',
  },
  {
    name: 'upstream-name without upstream',
    toml: '[components.a.spec]\nupstream-name = "b"\n',
    code: 'invalid-spec-source',
    at: '2:1',
  },
  {
    name: 'commit without upstream',
    toml: '[components.a.spec]\nupstream-commit = "abcdef1"\n',
    code: 'invalid-spec-source',
    at: '2:1',
  },
  {
    name: 'commit too short',
    toml: '[components.a.spec]\ntype = "upstream"\nupstream-commit = "abc"\n',
    code: 'invalid-value',
    at: '3:1',
  },
  {
    name: 'snapshot on a component',
    toml: '[components.a.spec]\nupstream-distro = { name = "f", snapshot = "2026-01-02" }\n',
    code: 'snapshot-on-component',
    at: '2:33',
  },
  {
    name: 'an unknown distro',
    toml: '[components.a]\nspec = { type = "upstream", upstream-distro = { name = "x" } }\n',
    code: 'unknown-distro',
    at: '2:49',
  },
  { name: 'no distro', toml: '[components.a]\nspec = { type = "upstream" }\n', code: 'unknown-distro', at: '2' },
  {
    name: 'an unknown version',
    toml: `[components.a]\nspec = { type = "upstream", upstream-distro = { name = "fedora", version = "4" } }\n${distros}`,
    code: 'unknown-version',
    at: '2:66',
    hint: /mean 43\?/,
  },
  {
    name: 'unknown default distro',
    toml: '[project]\ndefault-distro = { name = "x" }\n',
    code: 'unknown-distro',
    at: '2:20',
  },
  {
    name: 'no default version',
    toml: '[project]\ndefault-distro = { name = "x" }\n[distros.x]\n',
    code: 'unknown-version',
    at: '2:20',
  },
  {
    name: 'a default version that is none',
    toml: '[project]\ndefault-distro = { name = "x" }\n[distros.x]\ndefault-version = "4"\n[distros.x.versions.43]\n',
    code: 'unknown-version',
    at: '4:1',
    hint: /mean 43\?/,
  },
  {
    name: 'a build conditional that is on and off',
    toml: '[components.a.build]\nwith = ["x", "y"]\nwithout = ["z", "y"]\n',
    code: 'conflicting-conditional',
    at: '3:17',
    says: /"y" is both enabled and disabled/,
    hint: /also in "with" \(weir\.toml:2\)/,
  },
  {
    name: 'a build conditional that a component has off and inherits on',
    toml: '[components.a.build]\nwithout = ["y"]\n[default-component-config.build]\nwith = ["y"]\n',
    code: 'conflicting-conditional',
    at: '2:12',
    hint: /also in "with" \(weir\.toml:4\)/,
  },
  {
    name: 'check skipped without reason',
    toml: '[components.a.build]\ncheck = { skip = true }\n',
    code: 'reason-missing',
    at: '2:11',
  },
  {
    name: 'failure expected without reason',
    toml: '[components.a.build.failure]\nexpected = true\n',
    code: 'reason-missing',
    at: '2:1',
  },
  {
    name: 'an unknown member',
    toml: '[components.bash]\n[component-groups.g]\ncomponents = ["bsh"]\n',
    code: 'unknown-component',
    at: '3:15',
    hint: /mean bash\?/,
  },
  // Overlays.
  {
    name: 'an overlay without description',
    toml: `[components.bash]\n${overlay('type = "spec-add-tag"\ntag = "A"\nvalue = "b"', '')}`,
    code: 'overlay-without-description',
    at: '2:19',
    says: /spec-add-tag overlay has no description/,
  },
  {
    name: 'a blank description',
    toml: overlay('type = "patch-add"\nsource = "a"', 'description = " "'),
    code: 'overlay-without-description',
    at: '1',
  },
  {
    name: 'an unknown type',
    toml: overlay('type = "spec-ad-tag"'),
    code: 'invalid-value',
    at: '3:1',
    says: /did you mean spec-add-tag/,
  },
  { name: 'no type', toml: overlay('tag = "x"'), code: 'missing-key', at: '1:19' },
  {
    name: 'a regex that is none',
    toml: overlay('type = "spec-search-replace"\nregex = "("'),
    code: 'overlay-regex',
    at: '4:1',
  },
  {
    name: 'a regex beyond RE2',
    toml: overlay('type = "spec-search-replace"\nregex = "(?=a)"'),
    code: 'overlay-regex',
    at: '4:1',
  },
  {
    name: 'a package without section',
    toml: overlay('type = "spec-append-lines"\nlines = ["a"]\npackage = "p"'),
    code: 'overlay-field',
    at: '5:1',
  },
  {
    name: 'file out of the sources',
    toml: overlay('type = "file-remove"\nfile = "../x"'),
    code: 'overlay-path',
    at: '4:1',
  },
  { name: 'an absolute file', toml: overlay('type = "file-remove"\nfile = "/x"'), code: 'overlay-path', at: '4:1' },
  {
    name: 'rename to a path',
    toml: overlay('type = "file-rename"\nfile = "x"\nreplacement = "a/b"'),
    code: 'overlay-path',
    at: '5:1',
  },
  {
    name: 'no archive',
    toml: overlay('type = "file-remove"\nfile = "x"\narchive = "x.zip"'),
    code: 'overlay-path',
    at: '5:1',
  },
  {
    name: 'an archive that is no source',
    toml: overlay('type = "file-remove"\nfile = "x"\narchive = "x.tar.gz"'),
    code: 'overlay-archive',
    at: '1:14',
  },
  {
    name: 'a backport without commits',
    toml: overlay(
      'type = "patch-add"\nsource = "a"\nmetadata = { category = "upstream-backport", upstream-status = "upstreamed" }',
    ),
    code: 'overlay-metadata',
    at: '5:1',
  },
  {
    name: 'a backport that is not upstream',
    toml: overlay(
      'type = "patch-add"\nsource = "a"\nmetadata = { category = "upstream-backport", upstream-status = "unknown", commits = [{ url = "https://example.org/1" }] }',
    ),
    code: 'overlay-metadata',
    at: '5:46',
  },
  {
    name: 'a link that is none',
    toml: overlay(
      'type = "patch-add"\nsource = "a"\nmetadata = { category = "azl-pruning", upstream-status = "unknown", bugs = [{ url = "1" }] }',
    ),
    code: 'invalid-value',
    at: '5:79',
  },
  {
    name: 'no such overlay file',
    toml: `${distros}[components.a]\noverlay-files = ["x.toml"]\n`,
    code: 'overlay-files-not-found',
    at: '14:18',
  },
  // Source files.
  { name: 'hash without type', toml: source('hash = "ab"'), code: 'source-file', at: '3:1' },
  { name: 'hash of wrong length', toml: source('hash = "ab"\nhash-type = "SHA256"'), code: 'source-file', at: '3:1' },
  { name: 'download without uri', toml: source('origin = { type = "download" }', ''), code: 'source-file', at: '3:1' },
  {
    name: 'uri without scheme',
    toml: source('origin = { type = "download", uri = "a/b" }', ''),
    code: 'source-file',
    at: '3:31',
  },
  { name: 'no origin', toml: source('', ''), code: 'missing-key', at: '1:16' },
  { name: 'custom without script', toml: source('origin = { type = "custom" }', ''), code: 'source-file', at: '3:1' },
  {
    name: 'script on a download',
    toml: source('origin = { type = "download", uri = "https://a/", script = "s" }', ''),
    code: 'source-file',
    at: '3:51',
  },
  {
    name: 'overlay without replace',
    toml: source('origin = { type = "overlay" }', ''),
    code: 'source-file',
    at: '3:12',
  },
  { name: 'replace without reason', toml: source('replace-upstream = true'), code: 'source-file', at: '3:1' },
  { name: 'reason without replace', toml: source('replace-reason = "x"'), code: 'source-file', at: '3:1' },
  { name: 'the same source twice', toml: source('') + source(''), code: 'source-file', at: '6:1' },
  { name: 'a source with a folder', toml: source('').replace('a.tar', 'x/a.tar'), code: 'invalid-value', at: '2:1' },
  // Resources and distros.
  {
    name: 'neither uri nor metalink',
    toml: '[resources.rpm-repos.r]\ndisable-gpg-check = true\n',
    code: 'invalid-repository',
    at: '1:22',
  },
  {
    name: 'both',
    toml: '[resources.rpm-repos.r]\nbase-uri = "https://a/"\nmetalink = "https://b/"\n',
    code: 'invalid-repository',
    at: '1:22',
  },
  {
    name: 'no key',
    toml: '[resources.rpm-repos.r]\nbase-uri = "https://a/"\n',
    code: 'invalid-repository',
    at: '1:22',
    hint: /disable-gpg-check/,
  },
  {
    name: 'unknown template',
    toml: '[resources.rpm-repo-sets.s]\ntemplate = "azl-standrd"\nbase-uri = "https://a/"\n',
    code: 'unknown-repository',
    at: '2:1',
    hint: /azl-standard/,
  },
  {
    name: 'unknown subrepo',
    toml: '[resources.rpm-repo-sets.s]\ntemplate = "azl-standard"\nbase-uri = "https://a/"\nsubrepos = ["bas"]\n',
    code: 'unknown-repository',
    at: '4:13',
    hint: /mean base\?/,
  },
  {
    name: 'an unknown input',
    toml: '[distros.a.versions.1.inputs]\nrpm-build = [{ repo = "r" }]\n',
    code: 'unknown-repository',
    at: '2:16',
  },
  {
    name: 'an input of two',
    toml: '[distros.a.versions.1.inputs]\nrpm-build = [{ repo = "r", set = "s" }]\n',
    code: 'invalid-value',
    at: '2:14',
  },
  // Packages and channels.
  {
    name: 'a package in two groups',
    toml: '[package-groups.a]\npackages = ["x"]\n[package-groups.b]\npackages = ["y", "x"]\n',
    code: 'duplicate-package',
    at: '4:18',
    says: /already in group a/,
  },
  {
    name: 'a package twice',
    toml: '[package-groups.a]\npackages = ["x", "x"]\n',
    code: 'duplicate-package',
    at: '2:18',
  },
  {
    name: 'a channel with a slash',
    toml: '[default-package-config.publish]\nrpm-channel = "a/b"\n',
    code: 'invalid-value',
    at: '2:1',
  },
  {
    name: 'a channel that the release lacks',
    toml: '[release]\nversion = "4.0"\nsnapshot = "2026-01-02"\nchannels = [{ name = "base" }]\n[components.a.publish]\nrpm-channel = "bse"\n',
    code: 'unknown-channel',
    at: '6:1',
    hint: /mean base\?/,
  },
  // Images.
  {
    name: 'a definition without type',
    toml: '[images.a]\ndefinition = { path = "x" }\n',
    code: 'missing-key',
    at: '2:1',
    says: /"kiwi", "weir"/,
  },
  { name: 'an unknown kind', toml: image('kind = "dsk"'), code: 'invalid-value', at: '4:1', says: /mean disk\?/ },
  {
    name: 'an image of nothing',
    toml: image('kind = "disk"').replace('["bash"]', '[]'),
    code: 'invalid-image',
    at: '3:1',
  },
  {
    name: 'an image that says no packages',
    toml: image('kind = "disk"').replace('packages = ["bash"]', ''),
    code: 'invalid-image',
    at: '1:11',
    says: /one package/,
  },
  ...(
    [
      ['selinux = "permissive"\n', '', '5:1', /selinux has no effect with boot-loader = "image"/],
      ['', 'disk.boot-timeout = 1\n', '7:6', /disk\.boot-timeout has no effect/],
      ['', 'kernel.command-line = ["quiet"]\n', '7:8', /kernel\.command-line has no effect/],
    ] as const
  ).map(([first, last, at, says]) => ({
    name: `a boot loader of its own with ${first || last}`,
    toml: image(`kind = "disk"\n${first}disk.boot-loader = "image"\ndisk.esp-mount = "/boot/efi"\n${last}`),
    code: 'invalid-image',
    at,
    says,
  })),
  {
    name: 'an image that enables and disables a service',
    toml: image('kind = "disk"\nenabled-services = ["a.service"]\ndisabled-services = ["b.service", "a.service"]'),
    code: 'invalid-image',
    at: '6:35',
    says: /a\.service is both enabled and disabled/,
  },
  {
    name: 'an image that extends a missing one',
    toml: `${image('kind = "disk"\nextends = "bas"')}[images.base.definition]\ntype = "weir"\nkind = "disk"\npackages = ["b"]\n`,
    code: 'invalid-image',
    at: '5:1',
    says: /unknown image "bas"/,
    hint: /mean base\?/,
  },
  {
    name: 'a disk that extends a container',
    toml: `${image('kind = "disk"\nextends = "base"')}[images.base.definition]\ntype = "weir"\nkind = "container"\npackages = ["b"]\n`,
    code: 'invalid-image',
    at: '5:1',
    says: /"base" is of kind container, this one of kind disk/,
  },
  {
    name: 'an image that extends one of KIWI',
    toml: `${image('kind = "disk"\nextends = "base"')}[images.base]\ndefinition = { type = "kiwi", path = "x" }\n`,
    code: 'invalid-image',
    at: '5:1',
    says: /no definition of type "weir"/,
  },
  {
    name: 'images that extend each other',
    toml: `${image('kind = "disk"\nextends = "b"')}[images.b.definition]\ntype = "weir"\nkind = "disk"\nextends = "a"\n`,
    code: 'invalid-image',
    at: '5:1',
    says: /b → a → b/,
  },
  {
    name: 'a container as VHD',
    toml: image('kind = "container"\nformat = ["vhd"]'),
    code: 'invalid-value',
    at: '5:11',
  },
  { name: 'WSL as VHD', toml: image('kind = "wsl"\nformat = ["vhd"]'), code: 'invalid-value', at: '5:11' },
  { name: 'WSL with a host name', toml: image('kind = "wsl"\nhostname = "a"'), code: 'unknown-key', at: '5:1' },
  {
    name: 'a container with SELinux',
    toml: image('kind = "container"\nselinux = "enforcing"'),
    code: 'unknown-key',
    at: '5:1',
  },
  {
    name: 'a container with services',
    toml: image('kind = "container"\nenabled-services = ["a.service"]'),
    code: 'unknown-key',
    at: '5:1',
  },
  {
    name: 'a command line with a root of its own',
    toml: image('kind = "disk"\nkernel.command-line = ["quiet", "ro root=/dev/sda1"]'),
    code: 'invalid-value',
    at: '5:33',
    says: /root= is set by the image/,
  },
  {
    name: 'a command line with a line break',
    toml: image('kind = "disk"\nkernel.command-line = ["init=/bin/sh\\n"]'),
    code: 'invalid-value',
    at: '5:24',
    says: /one line/,
  },
  {
    name: 'a variable with "=" in its name',
    toml: image('kind = "container"\ncontainer.env = { "A=B" = "c" }'),
    code: 'invalid-value',
    at: '5:19',
  },
  { name: 'WSL with SELinux', toml: image('kind = "wsl"\nselinux = "enforcing"'), code: 'unknown-key', at: '5:1' },
  {
    name: 'a folder for WSL without its slash',
    toml: image('kind = "wsl"\nwsl.url = "https://x.example/weir"'),
    code: 'invalid-value',
    at: '5:5',
    says: /trailing slash/,
  },
  {
    name: 'a password in the URL of the feeds',
    toml: '[advisories]\nurl = "https://user:secret@x.example/repo"\n',
    code: 'invalid-value',
    at: '2:1',
    says: /must not have a user or password/,
  },
  { name: 'a disk with an entrypoint', toml: image('kind = "disk"\ncontainer = {}'), code: 'unknown-key', at: '5:1' },
  {
    name: 'a size without unit',
    toml: image('kind = "disk"\ndisk = { size = "2" }'),
    code: 'invalid-value',
    at: '5:10',
    says: /KiB, MiB/,
  },
  {
    name: 'installed and excluded',
    toml: image('kind = "disk"\nexclude-packages = ["vim", "bash"]'),
    code: 'invalid-image',
    at: '5:28',
  },
  {
    name: 'an unknown suite',
    toml: '[images.a.tests]\ntest-suites = [{ name = "s" }]\n',
    code: 'unknown-test-suite',
    at: '2:18',
  },
  {
    name: 'pytest without its table',
    toml: '[test-suites.a]\ntype = "pytest"\n',
    code: 'invalid-test-suite',
    at: '1:14',
  },
  {
    name: 'pytest with lisa',
    toml: `[test-suites.a]\ntype = "pytest"\npytest = {}\nlisa = { framework = { git-url = "u", ref = "${'a'.repeat(40)}" }, test-cases = ["a"] }\n`,
    code: 'invalid-test-suite',
    at: '4:1',
  },
  // Weir's own tables.
  { name: 'release without snapshot', toml: '[release]\nversion = "4.0"\n', code: 'missing-key', at: '1:2' },
  { name: 'release without version', toml: '[release]\nsnapshot = "2026-01-02"\n', code: 'missing-key', at: '1:2' },
  {
    name: 'a day that is none',
    toml: '[release]\nversion = "1"\nsnapshot = "2026-02-30"\n',
    code: 'invalid-value',
    at: '3:1',
    says: /no such date-time/,
  },
  {
    name: 'a snapshot before FAT',
    toml: '[release]\nversion = "1"\nsnapshot = "1979-12-31"\n',
    code: 'invalid-value',
    at: '3:1',
  },
  {
    name: 'a time without offset',
    toml: '[release]\nversion = "1"\nsnapshot = "2026-02-03T10:00:00"\n',
    code: 'invalid-value',
    at: '3:1',
  },
  {
    name: 'a channel twice',
    toml: '[release]\nversion = "1"\nsnapshot = "2026-02-03"\nchannels = [{ name = "a" }, { name = "a" }]\n',
    code: 'duplicate-name',
    at: '4:31',
  },
  { name: 'an unknown architecture', toml: '[release]\narches = ["x86"]\n', code: 'invalid-value', at: '2:11' },
  {
    name: 'lifecycle without id',
    toml: '[lifecycle]\nname = "W"\nversion = "1"\n',
    code: 'missing-key',
    at: '1:2',
    says: /"id"/,
  },
  { name: 'a capital ID', toml: '[lifecycle]\nid = "Weir"\n', code: 'invalid-value', at: '2:1' },
  {
    name: 'support ends before it begins',
    toml: '[lifecycle]\nid = "w"\nname = "W"\nversion = "1"\nrelease-date = "2026-05-01"\nsupport-end = "2026-04-30"\n',
    code: 'invalid-value',
    at: '6:1',
  },
  {
    name: 'full support after the end of support',
    toml: lifecycle('support-end = "2026-05-01"\nfull-support-end = "2026-05-02"'),
    code: 'invalid-value',
    at: '6:1',
  },
  {
    name: 'full support ends before it begins',
    toml: lifecycle('release-date = "2026-05-01"\nfull-support-end = "2026-04-30"'),
    code: 'invalid-value',
    at: '6:1',
  },
  {
    name: 'an exception without a reason',
    toml: lifecycle('exceptions = [{ channel = "a", support-end = "2026-05-01" }]'),
    code: 'missing-key',
    at: '5:15',
    says: /reason/,
  },
  {
    name: 'an exception with an empty reason',
    toml: lifecycle('exceptions = [{ channel = "a", support-end = "2026-05-01", reason = " " }]'),
    code: 'invalid-value',
    at: '5:60',
  },
  {
    name: 'an exception for nothing',
    toml: lifecycle('exceptions = [{ support-end = "2026-05-01", reason = "r" }]'),
    code: 'invalid-value',
    at: '5:15',
  },
  {
    name: 'an exception for a channel and packages',
    toml: lifecycle('exceptions = [{ channel = "a", package = "b", support-end = "2026-05-01", reason = "r" }]'),
    code: 'invalid-value',
    at: '5:15',
  },
  {
    name: 'an exception for an unknown channel',
    toml: `${lifecycle('exceptions = [{ channel = "bas", support-end = "2026-05-01", reason = "r" }]')}[release]\nversion = "1"\nsnapshot = "2026-02-03"\nchannels = [{ name = "base" }]\n`,
    code: 'unknown-channel',
    at: '5:17',
    hint: /base/,
  },
  {
    name: 'an exception for a glob that is none',
    toml: lifecycle('exceptions = [{ package = "a[", support-end = "2026-05-01", reason = "r" }]'),
    code: 'invalid-glob',
    at: '5:17',
  },
  {
    name: 'an exception twice',
    toml: lifecycle(
      'exceptions = [{ package = "a", support-end = "2026-05-01", reason = "r" }, { package = "a", support-end = "2026-05-01", reason = "r" }]',
    ),
    code: 'duplicate-name',
    at: '5:78',
  },
  {
    name: 'an exception that ends before the release',
    toml: lifecycle(
      'release-date = "2026-05-01"\nexceptions = [{ package = "a", support-end = "2026-04-30", reason = "r" }]',
    ),
    code: 'invalid-value',
    at: '6:32',
  },
  { name: 'a key id', toml: '[signing]\nkey = "0xABCD"\n', code: 'invalid-value', at: '2:1', says: /40 or 64 hex/ },
  { name: 'no such mapping', toml: '[seed]\nmappings = ["*.x", "a.toml"]\n', code: 'mapping-not-found', at: '2:20' },
];

function source(fields: string, origin = 'origin = { type = "download", uri = "https://example.org/a" }'): string {
  return `[[components.a.source-files]]\nfilename = "a.tar"\n${fields}\n${origin}\n`;
}

function lifecycle(fields: string): string {
  return `[lifecycle]\nid = "w"\nname = "W"\nversion = "1"\n${fields}\n`;
}

function image(fields: string): string {
  return `[images.a.definition]\ntype = "weir"\npackages = ["bash"]\n${fields}\n`;
}

describe('errors have a place', () => {
  it.each(cases)('$name: $code at $at', async ({ toml, code, at, says, hint }) => {
    const error = await failure(toml);
    expect([error.code, error.exit]).toEqual([code, 2]);
    expect(basename(error.where?.file ?? '')).toBe('weir.toml');
    const place = `${error.where?.line}:${error.where?.column}`;
    expect(at.includes(':') ? place : `${error.where?.line}`).toBe(at);
    if (says !== undefined) expect(error.message).toMatch(says);
    if (hint !== undefined) expect(error.hint).toMatch(hint);
  });

  it('names the component and the overlay', async () => {
    const error = await failure(overlay('type = "spec-remove-section"'));
    expect(error.where).toMatchObject({ component: 'bash', overlay: '"why"', line: 1 });
    expect(formatError(error)).toMatch(/weir\.toml:1:19, component bash, overlay "why": .* needs "section"$/);
  });

  it('counts lines in files with CRLF', async () => {
    const error = await failure('[components.a]\r\nspek = 1\r\n');
    expect(error.where).toMatchObject({ line: 2, column: 1 });
  });
});

describe('every type of overlay', async () => {
  const { overlayFields } = await import('../../src/project/overlay.ts');
  const values: Readonly<Record<string, string>> = {
    tag: '"Tag"',
    value: '"value"',
    package: '"pkg"',
    section: '"%files"',
    lines: '["a"]',
    regex: '"a+"',
    replacement: '"b"',
    source: '"s.patch"',
    file: '"f.txt"',
    archive: '"a.tar.gz"',
  };
  const archive =
    '[[components.bash.source-files]]\nfilename = "a.tar.gz"\norigin = { type = "overlay" }\nreplace-upstream = true\nreplace-reason = "r"\n';
  const table = (type: string, fields: readonly string[]): string =>
    `${overlay([`type = "${type}"`, ...fields.map((field) => `${field} = ${values[field]}`)].join('\n'))}${fields.includes('archive') ? archive : ''}`;

  it.each(Object.entries(overlayFields))('%s', async (type, { needs, may }) => {
    const whole = await load(table(type, [...needs, ...may]));
    const [loaded] = whole.components.get('bash')?.overlays ?? [];
    expect(loaded).toMatchObject({ type, description: 'why', origin: { line: 1 } });
    expect(Object.keys(loaded ?? {}).sort()).toEqual(['type', 'description', 'origin', ...needs, ...may].sort());
    expect((await load(table(type, needs))).components.get('bash')?.overlays).toHaveLength(1);
    for (const field of needs) {
      const error = await failure(
        table(
          type,
          needs.filter((other) => other !== field),
        ),
      );
      expect([error.code, error.message]).toEqual(['overlay-field', `a ${type} overlay needs "${field}"`]);
    }
    for (const field of Object.keys(values)) {
      if ((needs as readonly string[]).includes(field) || (may as readonly string[]).includes(field)) continue;
      const error = await failure(table(type, [...needs, field]));
      expect([error.code, error.where?.line]).toEqual(['overlay-field', 4 + needs.length]);
    }
  });
});
