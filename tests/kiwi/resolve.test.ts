import { mkdtempSync } from 'node:fs';
import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { readDescription } from '../../src/kiwi/description.ts';
import { kiwiEnvironment, profileText } from '../../src/kiwi/environment.ts';
import { type ResolvedKiwi, resolveKiwi } from '../../src/kiwi/resolve.ts';
import { example, writeDescription } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'weir-kiwi-'));
afterAll(() => rm(folder, { recursive: true }));

let file: string;
let bare: string;
let arm: string;
const always = { 'example.kiwi': example['example.kiwi']!.replace('<preferences profiles="cell">', '<preferences>') };
beforeAll(async () => {
  bare = await writeDescription(join(folder, 'bare'), { ...example, ...always });
  const profiles = example['parts/profiles.xml']!.replace('name="cell"', 'name="cell" arch="aarch64, s390x"');
  arm = await writeDescription(join(folder, 'arm'), { ...example, ...always, 'parts/profiles.xml': profiles });
  file = await writeDescription(join(folder, 'whole'));
});

const resolve = (profile?: string, arch = 'x86_64', path = file): ResolvedKiwi =>
  resolveKiwi(readDescription(path), { arch, ...(profile === undefined ? {} : { profile }) });

describe('profiles', () => {
  test('without one, those that are imported, like in KIWI without what they require', () => {
    expect(resolve(undefined, 'x86_64', bare).profiles).toEqual(['cell']);
  });

  test('one for another architecture is not imported, and an error if it is asked for', () => {
    expect(resolve(undefined, 'x86_64', arm).profiles).toEqual([]);
    expect(resolve(undefined, 'aarch64', arm).profiles).toEqual(['cell']);
    expect(() => resolve('cell', 'x86_64', arm)).toThrow(
      expect.objectContaining({ code: 'no-profile', message: 'profile cell is not for x86_64' }),
    );
  });

  test('the chosen one first, then what it requires', () => {
    expect(resolve('cell').profiles).toEqual(['cell', 'Common']);
    expect(resolve('disk').profiles).toEqual(['disk', 'Boot', 'Common']);
    expect(resolve('cell,desk').profiles).toEqual(['cell', 'Common', 'desk']);
  });

  test('an unknown one is an error', () => {
    expect(() => resolve('dsk')).toThrow(expect.objectContaining({ code: 'no-profile', hint: 'did you mean desk?' }));
  });
});

describe('a description', () => {
  test('for a container', () => {
    const { preferences, bootstrap, packages, ignored, weak, files, overlays, scripts, users, repositories } =
      resolve('cell');
    expect(Object.fromEntries(Object.entries(preferences).map(([key, { value }]) => [key, value]))).toEqual({
      packagemanager: 'dnf5',
      locale: 'en_US',
      keytable: 'us',
      timezone: 'Europe/Berlin',
      version: '1.2.3',
      'release-version': '4.0',
      'rpm-check-signatures': 'true',
      'rpm-excludedocs': 'true',
      'rpm-locale-filtering': 'true',
    });
    expect(bootstrap).toEqual(['filesystem', 'setup', 'coreutils']);
    expect(packages).toEqual(['bash', 'weir-release', 'tzdata', 'grep', 'sed', 'rpm', 'less']);
    expect({ ignored, weak, repositories, scripts: scripts.map(({ name }) => name) }).toEqual({
      ignored: [],
      weak: false,
      repositories: 1,
      scripts: ['config.sh', 'images.sh'],
    });
    expect(files.map(({ from, target, mode }) => [relative(join(folder, 'whole'), from), target, mode])).toEqual([
      ['files/greet.sh', '/usr/bin/greet', '0750'],
      ['files/plain.txt', '/srv/plain.txt', undefined],
    ]);
    expect(overlays.map((path) => relative(join(folder, 'whole'), path))).toEqual(['root', 'cell', 'Common']);
    expect(users.map(({ place: _place, ...user }) => user)).toEqual([
      {
        ...{ name: 'worker', password: '$6$salt$hash', isPlain: false, home: '/srv/worker', shell: '/bin/sh' },
        ...{ groups: ['work:1500', 'root'], id: 1400, realName: 'A worker' },
      },
      { name: 'guest', password: '', isPlain: false, groups: [] },
    ]);
  });

  test('for WSL: weak dependencies, an ignored package, each package once', () => {
    const { packages, weak, ignored } = resolve('desk');
    expect({ packages, weak, ignored }).toEqual({
      packages: ['bash', 'weir-release', 'tzdata', 'grep', 'sed', 'rpm', 'weir-wsl'],
      weak: true,
      ignored: ['nano'],
    });
  });

  test('for a disk: blocks of included files, packages of its type', () => {
    const { packages, files } = resolve('disk');
    expect(packages).toContain('kernel');
    expect(packages).toContain('selinux-policy-targeted');
    expect(files.map(({ target }) => target)).toContain('/etc/fstab.script');
  });

  test('blocks for another architecture are left out', () => {
    expect(resolve('cell', 'aarch64').users).toEqual([]);
    expect(() => resolve('disk', 'aarch64')).toThrow(/no <type> for disk, Boot, Common on aarch64/);
  });

  test('the variables of its scripts', () => {
    const environment = kiwiEnvironment(resolve('cell'));
    expect(environment).toMatchObject({
      kiwi_boot_timeout: '',
      kiwi_cmdline: '',
      kiwi_delete: '',
      kiwi_displayname: 'Example',
      kiwi_iname: 'example',
      kiwi_iversion: '1.2.3',
      kiwi_keytable: 'us',
      kiwi_language: 'en_US',
      kiwi_profiles: 'cell,Common',
      kiwi_timezone: 'Europe/Berlin',
      kiwi_type: 'oci',
    });
    expect(kiwiEnvironment(resolve('disk'))).toMatchObject({
      kiwi_cmdline: 'console=ttyS0 rd.shell=0',
      kiwi_boot_timeout: '1',
      kiwi_bootloader: 'grub2',
      kiwi_bootloader_console: 'serial:serial',
      kiwi_oemresizeonce: '',
      kiwi_firmware: 'uefi',
    });
    expect(environment).not.toHaveProperty('kiwi_oemresizeonce');
    expect(Object.keys(environment)).toEqual(Object.keys(environment).toSorted());
    expect(profileText({ a: "it's" })).toBe("a='it'\\''s'\n");
  });

  test('scripts find all files in one', () => {
    expect(resolve().xml).toContain('<profile name="Boot" description="What boots" import="false">');
    expect(resolve().xml).not.toContain('<include');
  });
});

test('a type that Weir does not build is an error of its own', () => {
  expect(() => resolve('disc')).toThrow(
    expect.objectContaining({ code: 'kiwi-type', message: 'Weir does not build images of type "iso" yet' }),
  );
});

/** Resolves the example with one part of one file replaced. @returns the error as `file:line:column: message` */
async function errorOf(path: string, from: string, to: string, profile: string): Promise<string> {
  const dir = mkdtempSync(join(folder, 'case-'));
  const before = example[path] ?? '';
  const after = from === '' ? to : before.replace(from, () => to);
  expect(after, `${path} has ${from}`).not.toBe(before);
  const kiwi = await writeDescription(dir, { ...example, [path]: after });
  try {
    resolve(profile, 'x86_64', kiwi);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    expect(error.exit).toBe(2);
    const { file: at = '', line, column } = error.where ?? {};
    return `${[relative(dir, at), line, column].filter((each) => each !== undefined).join(':')}: ${error.message}`;
  }
  throw new Error('no error');
}

describe('what Weir does not know is an error with its place', () => {
  const main = 'example.kiwi';
  const disk = 'parts/disk.xml';
  const cases: readonly (readonly [string, string, string, RegExp, string?])[] = [
    [main, '<image schemaversion', '<imag schemaversion', /^example\.kiwi:\d+:\d+: .*close tag/],
    [
      main,
      '<description type',
      '<drivers/><description type',
      /^example\.kiwi:4:3: Weir does not know <drivers> in <image>$/,
    ],
    [main, 'schemaversion="8.3"', 'schemaversion="6.1"', /^example\.kiwi:3:8: schemaversion="6\.1" is not supported$/],
    [
      main,
      '<locale>en_US</locale>',
      '<locale>en_US</locale><bootsplash-theme>x</bootsplash-theme>',
      /:14:27: Weir does not know <bootsplash-theme> in <preferences>$/,
    ],
    [
      main,
      '<packagemanager>dnf5',
      '<packagemanager>zypper',
      /:13:5: <packagemanager>zypper<\/packagemanager> is not supported: only "dnf5" is$/,
    ],
    [
      main,
      'type="bootstrap" profiles',
      'type="bootstrap" resolve="no" profiles',
      /Weir does not know the attribute resolve of <packages>$/,
    ],
    [main, '<package name="less"/>', '<archive name="a.tar"/>', /Weir does not know <archive> in <packages>$/],
    [main, '<package name="less"/>', '<package nam="less"/>', /Weir does not know the attribute nam of <package>$/],
    [main, '<package name="less"/>', 'less', /<packages> has text: "less"$/],
    [main, '<package name="less"/>', '<package/>', /<package> has no attribute name$/],
    [main, 'type="oci" profiles', 'type="delete" profiles', /type="delete" of <packages> is not supported/],
    [
      main,
      'priority="1" profiles',
      'priority="1" imageinclude="true" profiles',
      /imageinclude="true" of <repository> is not supported/,
    ],
    [main, 'user="nobody"', 'user="nobody" expose="80"', /the attribute expose of <containerconfig>$/],
    [main, 'profiles="cell" arch', 'profiles="cel" arch', /:69:10: there is no profile "cel"$/],
    [main, 'this://./parts/profiles.xml', 'this://./parts/none.xml', /^example\.kiwi:10:12: no such file/],
    [main, 'this://./parts/profiles.xml', 'https://example.org/a.xml', /is not supported$/],
    [main, 'this://./parts/profiles.xml', 'this://./../a.xml', /is outside of the description's folder$/],
    [
      'parts/nested.xml',
      '<packages',
      '<include from="this://./parts/profiles.xml"/><packages',
      /^parts\/nested\.xml:1:17: files include each other in a cycle: example\.kiwi → parts\/profiles\.xml → parts\/nested\.xml → parts\/profiles\.xml$/,
    ],
    ['parts/profiles.xml', 'name="Boot"', 'name="cell"', /^parts\/profiles\.xml:5:14: profile cell is defined twice$/],
    [
      'parts/profiles.xml',
      'requires profile="Common"/></profile>\n    <profile name="disk"',
      'requires profile="Comon"/></profile>\n    <profile name="disk"',
      /^parts\/profiles\.xml:6:\d+: the description has no profile Comon$/,
      'desk',
    ],
    [main, 'name="files/greet.sh"', 'name="files/none.sh"', /:53:11: the description has no file files\/none\.sh$/],
    [main, 'name="files/greet.sh"', 'name="../greet.sh"', /must be a path in the folder of the description$/],
    [
      main,
      '<preferences profiles="desk">',
      '<preferences profiles="desk"><version>2</version>',
      /:37:32: <version> is "2" here and "1\.2\.3" at .*example\.kiwi:17, and both apply$/,
      'desk',
    ],
    [
      main,
      '<packages type="image" profiles="Common">',
      '<packages type="image" profiles="Common" patternType="onlyRequired">',
      /patternType="plusRecommended" here and "onlyRequired" at .* both apply$/,
      'desk',
    ],
    [
      disk,
      'filesystem="ext4"',
      'filesystem="btrfs"',
      /^parts\/disk\.xml:7:9: filesystem="btrfs" of <type> is not supported: only "ext4" is$/,
      'disk',
    ],
    [disk, 'bootpartition="false"', 'bootpartition="true"', /bootpartition="true" of <type> is not supported/, 'disk'],
    [
      disk,
      '<bootloader name="grub2"',
      '<bootloader name="grub2" grub_template="x"',
      /the attribute grub_template of <bootloader>$/,
      'disk',
    ],
    [disk, '<oemconfig>', '<systemdisk name="a"/><oemconfig>', /Weir does not know <systemdisk> in <type>$/, 'disk'],
    [disk, '>3</size>', '>three</size>', /<size>three<\/size> must be a number from 1$/, 'disk'],
    ...(['../secret', '..', 'root', 'a,b'] as const).map(
      (name) =>
        [
          'parts/profiles.xml',
          'name="disc"',
          `name="${name}"`,
          /^parts\/profiles\.xml:\d+:14: name=".*" of <profile> must be the name of a folder/,
        ] as const,
    ),
    ...(['/a/', '/a//b', '/a/./b', '/a:b', 'a'] as const).map(
      (home) => [main, 'home="/srv/worker"', `home="${home}"`, /home=".*" of <user> must be an absolute path/] as const,
    ),
    ...(['realname="A worker"', 'password="$6$salt$hash"', 'home="/srv/worker"', 'shell="/bin/sh"'] as const).map(
      (said) =>
        [main, said, `${said.slice(0, -1)}&#10;evil"`, /of <user> must be (one line|an absolute path)/] as const,
    ),
    [main, 'displayname="Example"', 'displayname="a&#13;b"', /:3:\d+: displayname=".*" of <image> must be one line$/s],
    [
      main,
      '<ignore name="nano"/>',
      '<ignore name="nano"/><ignore name="grep"/>',
      /:65:34: package grep is both listed and ignored$/,
      'desk',
    ],
    [disk, 'timeout="1"', 'timeout="3601"', /timeout="3601" of <bootloader> must be a number up to 3600$/, 'disk'],
    [disk, 'efipartsize="160"', 'efipartsize="0"', /efipartsize="0" of <type> must be a number from 1$/, 'disk'],
    [
      disk,
      '<bootloader name',
      '<bootloader name="custom"/><bootloader name',
      /^parts\/disk\.xml:\d+:34: <type> has more than one <bootloader>$/,
      'disk',
    ],
    [main, '<entrypoint', '<subcommand clear="true"/><entrypoint', /<containerconfig> has more than one <subcommand>$/],
    [main, '<version>', '<version>1</version><version>', /<preferences> has more than one <version>$/],
    ['disk.sh', '', '#!/bin/sh\n', /^disk\.sh: Weir does not know what disk\.sh is for$/],
  ];
  test.each(cases.map(([path, from, to, says, profile = 'cell']) => ({ path, from, to, says, profile })))(
    '$path: $from → $to',
    async ({ path, from, to, says, profile }) => {
      expect(await errorOf(path, from, to, profile)).toMatch(says);
    },
  );

  test('but not in blocks of other profiles', async () => {
    const dir = mkdtempSync(join(folder, 'case-'));
    const other = example[disk]!.replace('filesystem="ext4"', 'filesystem="zfs"');
    const kiwi = await writeDescription(dir, { ...example, [disk]: other });
    expect(resolve('cell', 'x86_64', kiwi).name).toBe('example');
  });
});

describe('links in the folder of a description', () => {
  const linked = async (path: string, target: string, text: string = example['example.kiwi']!): Promise<string> => {
    const dir = mkdtempSync(join(folder, 'link-'));
    const kiwi = await writeDescription(dir, { ...example, 'example.kiwi': text });
    await rm(join(dir, path), { recursive: true, force: true });
    await symlink(target, join(dir, path));
    return kiwi;
  };
  const names = (kiwi: string) => {
    const { overlays, scripts } = resolve('cell', 'x86_64', kiwi);
    const inner = (path: string): string => relative(join(kiwi, '..'), path);
    return { overlays: overlays.map(inner), scripts: scripts.map(({ from }) => inner(from)) };
  };

  test('are followed for scripts and overlay folders', async () => {
    const kiwi = await linked('config.sh', 'scripts/ours.sh');
    const dir = join(kiwi, '..');
    await mkdir(join(dir, 'scripts'));
    await rename(join(dir, 'images.sh'), join(dir, 'scripts/ours.sh'));
    await rename(join(dir, 'root'), join(dir, 'scripts/root'));
    await symlink('scripts/root', join(dir, 'root'));
    expect(names(kiwi)).toEqual({ overlays: ['scripts/root', 'cell', 'Common'], scripts: ['scripts/ours.sh'] });
  });

  test.each(['config.sh', 'root', 'Common'])('%s as a link out of it or to nothing is an error', async (name) => {
    const out = await linked(name, '/etc');
    expect(() => names(out)).toThrow(expect.objectContaining({ message: expect.stringMatching(/is outside of/) }));
    const nothing = await linked(name, 'none');
    expect(() => names(nothing)).toThrow(expect.objectContaining({ message: `${name} is a link that leads nowhere` }));
  });

  test('a folder in place of a script is an error', async () => {
    const kiwi = await linked('config.sh', 'files');
    expect(() => names(kiwi)).toThrow(expect.objectContaining({ message: 'config.sh is not a file' }));
  });

  test.each([
    ['name="files/plain.txt"', 'name="host/passwd"'],
    ['from="this://./parts/profiles.xml"', 'from="this://./host/passwd"'],
  ])('%s → %s: a linked folder does not lead out', async (from, to) => {
    const kiwi = await linked('host', '/etc', example['example.kiwi']!.replace(from, to));
    expect(() => names(kiwi)).toThrow(
      expect.objectContaining({
        message: "host/passwd is outside of the description's folder: a link leads there",
        where: expect.objectContaining({ line: expect.any(Number) }),
      }),
    );
  });
});

test.each([
  ['/opt/', '/opt/plain.txt'],
  ['/', '/plain.txt'],
  ['/a//b/./c', '/a/b/c'],
])('a file with target %s is copied to %s, as KIWI does', async (said, target) => {
  const text = example['example.kiwi']!.replace('target="/srv/plain.txt"', `target="${said}"`);
  const kiwi = await writeDescription(mkdtempSync(join(folder, 'target-')), { ...example, 'example.kiwi': text });
  expect(resolve('cell', 'x86_64', kiwi).files.map((file) => file.target)).toContain(target);
});

test('a user in two blocks has the groups of both, the first one as the primary', async () => {
  const more = '<users><user name="worker" groups="wheel,root"/></users>\n</image>\n';
  const text = example['example.kiwi']!.replace('</image>\n', more);
  const kiwi = await writeDescription(mkdtempSync(join(folder, 'user-')), { ...example, 'example.kiwi': text });
  const groups = resolve('cell', 'x86_64', kiwi).users.filter(({ name }) => name === 'worker');
  expect(groups.map((each) => each.groups)).toEqual([
    ['work:1500', 'root', 'wheel'],
    ['work:1500', 'root', 'wheel'],
  ]);
});
