import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WeirError } from '../../../src/base/errors.ts';
import type { Image } from '../../../src/project/model/image.ts';
import { type Customization, readCustomization } from '../../../src/release/custom/customization.ts';
import { checkRemoved, derivedImage } from '../../../src/release/custom/customize.ts';
import { readInjections } from '../../../src/release/custom/inject-config.ts';
import { formatToWrite } from '../../../src/release/custom/raw-copy.ts';
import { failure } from '../../base/failure.ts';
import { load } from '../../project/fixture.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-custom-'));
});

afterEach(() => rm(dir, { recursive: true }));

async function file(text: string, name = 'c.yaml'): Promise<string> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, name), text);
  return join(dir, name);
}

const read = async (text: string): Promise<Customization> => readCustomization(await file(text));

describe("a configuration of Image Customizer's", () => {
  it('is read with packages of lists, paths from its folder, and octal permissions', async () => {
    await file('packages: [vim, less]\n', 'more.yaml');
    await file('$6$hash\n', 'hash');
    await file('ssh-ed25519 B\n', 'key.pub');
    const custom = await read(`os:
  hostname: web
  packages:
    installLists: [more.yaml]
    install: [nginx]
    remove: [nano]
  additionalFiles:
  - { source: a/motd, destination: /etc/motd, permissions: "600" }
  - { content: "", destination: /etc/empty, permissions: 0644 }
  additionalDirs:
  - { source: d, destination: /opt/./d/, mergedDirPermissions: "711" }
  groups: [{ name: ops, gid: 1500 }]
  users:
  - name: alice
    password: { type: hashed-file, value: hash }
    sshPublicKeys: [ssh-ed25519 A]
    sshPublicKeyPaths: [key.pub]
    primaryGroup: ops
    secondaryGroups: [wheel]
    homeDirectory: /srv//alice/
    startupCommand: /bin/sh
  services: { enable: [nginx], disable: [sshd.socket] }
  kernelCommandLine: { extraCommandLine: [quiet] }
  selinux: { mode: force-enforcing }
`);
    expect(custom).toMatchObject({
      hostname: 'web',
      install: ['vim', 'less', 'nginx'],
      remove: ['nano'],
      setup: {
        overlays: [{ from: join(dir, 'd'), to: '/opt/d', knownFolderMode: 0o711, place: { line: 11 } }],
        files: [
          { from: join(dir, 'a/motd'), to: '/etc/motd', mode: 0o600, place: { line: 8 } },
          { content: '', to: '/etc/empty', mode: 0o644, place: { line: 9 } },
        ],
        groups: [{ name: 'ops', id: 1500, place: { line: 12 } }],
        users: [
          {
            ...{ name: 'alice', passwordHash: '$6$hash', sshKeys: ['ssh-ed25519 A', 'ssh-ed25519 B'] },
            ...{ groups: ['ops'], memberOf: ['wheel'], home: '/srv/alice', shell: '/bin/sh', place: { line: 14 } },
          },
        ],
      },
      enable: ['nginx.service'],
      disable: ['sshd.socket'],
      commandLine: ['quiet'],
      selinux: 'enforcing',
    });
  });

  it('may be empty, or JSON', async () => {
    expect(await read('')).toMatchObject({ install: [], setup: { users: [] }, hostname: undefined });
    expect(await read('{"os": {"packages": {"install": ["a"]}}}')).toMatchObject({ install: ['a'] });
  });

  it.each([
    [
      'an unknown key',
      'os:\n  packages:\n    instal: [a]\n',
      3,
      5,
      'unknown key "os.packages.instal"',
      'did you mean install?',
    ],
    ['what Weir does not do', 'os: {}\nstorage:\n  disks: []\n', 2, 1, '"storage"', '[disk]'],
    ['scripts', 'scripts:\n  postCustomization: []\n', 1, 1, '"scripts"', 'package'],
    ['a wrong type', 'os:\n  packages:\n    install: a\n', 3, 14, 'os.packages.install', undefined],
    ['a wrong value in a list', 'os:\n  users:\n  - name: Bad Name\n', 3, 11, 'os.users[0].name', undefined],
    [
      'a path that leads out',
      'os:\n  additionalFiles:\n  - { content: a, destination: /../x }\n',
      3,
      32,
      '..',
      undefined,
    ],
    [
      'the root as a file',
      'os:\n  additionalFiles:\n  - { content: a, destination: / }\n',
      3,
      32,
      'below "/"',
      undefined,
    ],
    ['the root as a folder', 'os:\n  additionalDirs:\n  - { source: a, destination: // }\n', 3, 31, 'below', undefined],
    [
      'a file without content',
      'os:\n  additionalFiles:\n  - destination: /x\n',
      3,
      5,
      'either "source" or "content"',
      undefined,
    ],
    ['an account twice', 'os:\n  users:\n  - name: a\n  - name: a\n', 4, 11, 'twice', undefined],
    [
      'a password without value',
      'os:\n  users:\n  - name: a\n    password: { type: hashed }\n',
      4,
      15,
      '"value"',
      undefined,
    ],
    [
      'a root of its own',
      'os:\n  kernelCommandLine:\n    extraCommandLine: [root=/dev/sda]\n',
      3,
      24,
      'root=',
      undefined,
    ],
    ['a preview feature', 'os: {}\npreviewFeatures: [uki]\n', 2, 19, 'no preview features', 'remove'],
    [
      'an update of all packages',
      'os:\n  packages:\n    updateExistingPackages: true\n',
      ...([3, 29, 'does not update', 'newest snapshot'] as const),
    ],
    [
      'a unit that is enabled and disabled',
      'os:\n  services:\n    enable: [a]\n    disable: [b, a.service]\n',
      ...([4, 18, 'both enabled and disabled', undefined] as const),
    ],
    ['no YAML', 'os: [\n', 2, 1, 'invalid YAML', undefined],
    ['a key twice', 'os: {}\nos: {}\n', 2, 1, 'invalid YAML', undefined],
  ])('with %s is refused at its line', async (_what, text, line, column, said, hint) => {
    const error = await failure(read(text));
    expect(error).toMatchObject({
      code: 'bad-image-config',
      exit: 2,
      where: { file: join(dir, 'c.yaml'), line, column },
    });
    expect(error.message).toContain(said);
    if (hint !== undefined) expect(error.hint).toContain(hint);
  });

  it.each([
    ['a shell for root', 'os:\n  users:\n  - { name: root, startupCommand: /bin/sh }\n', 3, 'startupCommand'],
    ['a number for root', 'os:\n  users:\n  - { name: root, uid: 5 }\n', 3, '"uid" of root'],
    ['a group for root', 'os:\n  users:\n  - { name: root, primaryGroup: a }\n', 3, 'primaryGroup'],
    ['a home for root', 'os:\n  users:\n  - { name: root, homeDirectory: /home/root }\n', 3, 'homeDirectory'],
    [
      'a number twice',
      'os:\n  users:\n  - { name: a, uid: 1000 }\n  - { name: b, uid: 1000 }\n',
      4,
      '1000 is given twice',
    ],
    ['a second root', 'os:\n  users:\n  - { name: a, uid: 0 }\n', 3, '0 is root'],
    ['a home with a colon', 'os:\n  users:\n  - { name: a, homeDirectory: "/home/a:b" }\n', 3, 'colon'],
    ['a shell that leads out', 'os:\n  users:\n  - { name: a, startupCommand: /../sh }\n', 3, '..'],
    ['a name that is too long', `os:\n  users:\n  - { name: ${'a'.repeat(32)} }\n`, 3, 'at most 31'],
    ['a group number twice', 'os:\n  groups:\n  - { name: a, gid: 5 }\n  - { name: b, gid: 5 }\n', 4, 'twice'],
  ])('with %s among its accounts is refused at its line', async (_what, text, line, said) => {
    const error = await failure(read(text));
    expect(error).toMatchObject({ code: 'bad-image-config', exit: 2, where: { line } });
    expect(error.message).toContain(said);
  });

  it('may say of root what root has', async () => {
    const text = 'os:\n  users:\n  - { name: root, uid: 0, primaryGroup: root, homeDirectory: /root }\n';
    expect(await read(text)).toMatchObject({ setup: { users: [{ name: 'root' }] } });
  });

  it('is refused with all its faults at once', async () => {
    const error = await failure(read('os:\n  hostname: "a b"\n  iso: 1\npxe: 1\n'));
    expect([error, ...error.others].map((each: WeirError) => each.where?.line)).toEqual([2, 3, 4]);
  });
});

const definitions = `
[images.vm.definition]
type = "weir"
kind = "disk"
packages = ["kernel", "nano", "sshd"]
enabled-services = ["sshd.service", "a.service"]
disabled-services = ["b.service"]
kernel = { command-line = ["console=ttyS0"] }
[images.own.definition]
type = "weir"
kind = "disk"
packages = ["shim"]
disk = { boot-loader = "image", esp-mount = "/boot/efi" }
[images.box.definition]
type = "weir"
kind = "container"
packages = ["bash"]
`;

describe('a derived image', () => {
  const image = async (name: string): Promise<Image> => (await load(definitions)).images.get(name)!;
  const derive = async (name: string, text: string, path = '/o/web.qcow2', format?: string) =>
    derivedImage(await image(name), await read(text), { path, format });

  it('has the packages, services and words of both', async () => {
    const text = `
os:
  hostname: web
  packages: { install: [nginx, kernel], remove: [nano] }
  services: { enable: [b], disable: [sshd] }
  kernelCommandLine: { extraCommandLine: [quiet] }
`;
    expect(await derive('vm', text)).toMatchObject({
      file: 'web.qcow2',
      image: {
        name: 'web',
        definition: {
          hostname: 'web',
          packages: ['kernel', 'sshd', 'nginx'],
          excludePackages: ['nano'],
          enabledServices: ['a.service', 'b.service'],
          disabledServices: ['sshd.service'],
          kernel: { commandLine: ['console=ttyS0', 'quiet'] },
          formats: ['qcow2'],
        },
      },
    });
  });

  it('is a folder where the path has no ending, and takes the format that is named', async () => {
    expect(await derive('box', '', '/o/My Tools')).toMatchObject({ file: undefined, image: { name: 'my-tools' } });
    expect(await derive('vm', '', '/o/a.qcow2', 'vhd-fixed')).toMatchObject({ file: 'a.vhd' });
    await expect(derive('box', '', '/o/a.vhd')).rejects.toMatchObject({ code: 'bad-option', exit: 2 });
    await expect(derive('vm', '', '/o/a', 'cosi')).rejects.toMatchObject({ hint: expect.stringContaining('qcow2') });
  });

  it('that is a container is no file', async () => {
    await expect(derive('box', '', '/o/tools.wsl', 'oci')).rejects.toMatchObject({ code: 'bad-option', exit: 2 });
  });

  it('has the line of a format that it cannot have', async () => {
    const where = { file: 'c.yaml', line: 3, column: 5 };
    const output = { path: '/o/a', format: 'cosi', places: { format: where } };
    const custom = await read('');
    const vm = await image('vm');
    expect(() => derivedImage(vm, custom, output)).toThrow(expect.objectContaining({ where }));
  });

  it('loses only packages that the image has', async () => {
    await file('packages: [nano]\n', 'less.yaml');
    const custom = await read('os:\n  packages:\n    removeLists: [less.yaml]\n    remove: [vim]\n');
    checkRemoved(custom, 'vm', [{ name: 'nano' }, { name: 'vim' }]);
    const lacks = (...names: string[]) => {
      const packages = names.map((name) => ({ name }));
      return failure(Promise.resolve().then(() => checkRemoved(custom, 'vm', packages)));
    };
    expect(await lacks('nano', 'vi')).toMatchObject({
      ...{ code: 'bad-image-config', exit: 2, message: 'image vm has no package vim' },
      ...{ where: { file: join(dir, 'c.yaml'), line: 4 }, hint: 'did you mean vi?' },
    });
    expect(await lacks('vim')).toMatchObject({ where: { file: join(dir, 'less.yaml'), line: 1 } });
  });

  it.each(['/o/a.iso', '/o/a.cosi', '/o/a.vhdx.gz'])('is not written as %s', async (path) => {
    await expect(derive('vm', '', path)).rejects.toMatchObject({
      ...{ code: 'bad-option', exit: 2, message: expect.stringContaining(path) },
      hint: expect.stringContaining('.vhdx'),
    });
  });

  it.each([
    ['services', 'os:\n  services: { enable: [a] }\n'],
    ['kernelCommandLine', 'os:\n  kernelCommandLine: { extraCommandLine: [a] }\n'],
    ['selinux', 'os:\n  selinux: { mode: disabled }\n'],
  ])('that is a container has no %s', async (key, text) => {
    const error = await failure(derive('box', text, '/o/x'));
    expect(error).toMatchObject({ code: 'bad-image-config', where: { line: 2 } });
    expect(error.message).toContain(`"os.${key}"`);
  });
});

describe('an image with a boot loader of its own', () => {
  it.each([
    ['kernelCommandLine', 'os:\n  kernelCommandLine: { extraCommandLine: [a] }\n'],
    ['selinux', 'os:\n  selinux: { mode: permissive }\n'],
  ])('takes no %s', async (key, text) => {
    const { images } = await load(definitions);
    const custom = await read(text);
    const work = async () => derivedImage(images.get('own')!, custom, { path: '/o/x.raw', format: undefined });
    expect(await failure(work())).toMatchObject({
      ...{ code: 'bad-image-config', where: { line: 2 }, message: expect.stringContaining(`"os.${key}"`) },
    });
  });
});

describe('a configuration for injecting files', () => {
  it('names partitions by part-uuid unless it says otherwise', async () => {
    const path = await file(`
injectFiles:
- { partition: { id: A-B }, source: ./x.efi, destination: /EFI/x.efi, type: shim }
- { partition: { idType: part-label, id: root }, source: /y, destination: /y }
`);
    expect(await readInjections(path)).toMatchObject([
      { idType: 'part-uuid', id: 'A-B', source: join(dir, 'x.efi'), destination: '/EFI/x.efi', place: { line: 3 } },
      { idType: 'part-label', id: 'root', source: '/y', destination: '/y', place: { line: 4 } },
    ]);
  });

  it.each([
    ['no file', 'injectFiles: []\n', 1],
    ['a relative destination', 'injectFiles:\n- { partition: { id: a }, source: x, destination: x }\n', 2],
    ['a destination with a quote', `injectFiles:\n- { partition: { id: a }, source: x, destination: '/a"b' }\n`, 2],
    ['another kind of id', 'injectFiles:\n- { partition: { idType: name, id: a }, source: x, destination: /x }\n', 2],
    [
      'a preview feature of another command',
      'previewFeatures: [uki]\ninjectFiles:\n- { partition: { id: a }, source: x, destination: /x }\n',
      1,
    ],
    ['an unknown key', 'injectFiles:\n- { partition: { id: a }, source: x, destination: /x, mode: 1 }\n', 2],
  ])('with %s is refused at its line', async (_what, text, line) => {
    expect(await failure(file(text).then(readInjections))).toMatchObject({ code: 'bad-image-config', where: { line } });
  });

  it('is written in the format of the name, of the option, or of the disk', () => {
    expect(formatToWrite('/o/a.vhd', undefined, 'raw')).toBe('vhd');
    expect(formatToWrite('/o/a.img', undefined, 'qcow2')).toBe('qcow2');
    expect(formatToWrite('/o/a.raw', 'qcow2', 'vhd')).toBe('qcow2');
    expect(formatToWrite('/o/a.vhdx', undefined, 'raw')).toBe('vhdx');
    expect(() => formatToWrite('/o/a', 'vmdk', 'raw')).toThrow('vmdk');
  });
});
