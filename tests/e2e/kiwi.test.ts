import { copyFile, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { writeDescription } from '../kiwi/fixture.ts';
import { readConfig, readIndex, unpackContainer } from './container.ts';
import {
  type BuildResult,
  cloneCache,
  expectError,
  forget,
  imageRecord,
  newFolder,
  projectWith,
  tools,
  weir,
  weirOk,
} from './weir.ts';

const images = ['cell', 'bare', 'desk', 'disk', 'loader', 'disc'];
const definitions = images
  .map((name) => `[images.${name}]\ndefinition = { type = "kiwi", path = "kiwi/example.kiwi", profile = "${name}" }\n`)
  .join('');
const built = images.filter((name) => name !== 'disc').flatMap((name) => ['--image', name]);

let toolbox: Toolbox;
let project: string;
let out: string;
let result: BuildResult;
beforeAll(async () => {
  toolbox = await tools();
  project = await projectWith({ 'distro/images/kiwi.toml': () => definitions });
  await writeDescription(join(project, 'images/kiwi'));
  out = join(await newFolder('kiwi'), 'out');
  result = await weirOk(['-C', project, 'build', ...built, '--out', out]);
});

const names = async (image: string): Promise<string[]> =>
  (await imageRecord(image, out)).packages.map(({ name }) => name);

describe('a container', () => {
  let root: string;
  const text = (path: string): Promise<string> => readFile(join(root, path), 'utf8');
  beforeAll(async () => {
    root = await unpackContainer(toolbox, join(out, 'images/cell/oci'));
  });

  test('starts as its containerconfig says, under its name', async () => {
    const { config } = await readConfig(join(out, 'images/cell/oci'));
    expect(config).toMatchObject({
      Entrypoint: ['/usr/bin/env'],
      Cmd: ['/bin/bash', '-c', 'echo  hello'],
      User: 'nobody',
      WorkingDir: '/srv',
      Labels: { 'org.example.kind': 'cell' },
    });
    const { manifests } = await readIndex(join(out, 'images/cell/oci'));
    expect(manifests).toMatchObject([{ annotations: { 'org.opencontainers.image.ref.name': 'example/cell:1.0' } }]);
    expect((await imageRecord('cell', out)).details.names).toEqual([
      ...['example/cell:1.0', 'example/cell:latest', 'other/cell:1.0'],
    ]);
  });

  test('has the packages of its profiles with the package manager', async () => {
    expect(await names('cell')).toEqual(expect.arrayContaining(['bash', 'dnf5', 'less', 'rpm', 'weir-release']));
    expect(await names('cell')).not.toContain('kernel');
  });

  test('both scripts ran in it, with the variables and files of KIWI', async () => {
    expect(await text('srv/kiwi')).toBe('example\n1.2.3\noci\nen_US\nEurope/Berlin\n');
    expect(await text('srv/helped')).toBe('helped cell,Common\n');
    expect(await text('srv/bash.version')).toMatch(/^bash-\d/);
    expect(await text('srv/images')).toBe('images\n');
    expect((await imageRecord('cell', out)).log).toEqual(
      expect.arrayContaining(['script: /image/config.sh', 'script: /image/images.sh']),
    );
  });

  test('nothing is left of the scripts, of /tmp and of what they removed', async () => {
    for (const path of ['image', '.profile', '.kconfig', 'tmp/lost', 'srv/plain.txt']) {
      await expect(stat(join(root, path)), path).rejects.toThrow(/ENOENT/);
    }
  });

  test('has the folders of its profiles, its files, settings and accounts', async () => {
    expect(await text('etc/example.conf')).toBe('cell\n');
    expect(await text('usr/share/example/of-root')).toBe('root\n');
    expect(await text('usr/share/example/of-common')).toBe('common\n');
    expect((await stat(join(root, 'usr/bin/greet'))).mode & 0o777).toBe(0o750);
    expect(await text('etc/locale.conf')).toBe('LANG=en_US.UTF-8\n');
    expect(await text('etc/vconsole.conf')).toBe('KEYMAP=us\n');
    expect(await text('etc/passwd')).toMatch(/^worker:x:1400:1500:A worker:\/srv\/worker:\/bin\/sh$/m);
    expect(await text('etc/passwd')).toMatch(/^guest:x:1000:1000::\/home\/guest:\/bin\/bash$/m);
    expect(await text('etc/group')).toMatch(/^work:x:1500:$/m);
  });

  test('documentation is left out, licences are not', async () => {
    await expect(stat(join(root, 'usr/share/doc/less/README'))).rejects.toThrow(/ENOENT/);
    expect(await readdir(join(root, 'usr/share/licenses'))).toContain('bash');
  });
});

test('scripts may remove packages and the package manager: evidence has what is left', async () => {
  const root = await unpackContainer(toolbox, join(out, 'images/bare/oci'));
  expect(await readFile(join(root, 'srv/bare'), 'utf8')).toBe('without rpm\n');
  await expect(stat(join(root, 'usr/bin/grep'))).rejects.toThrow(/ENOENT/);
  await expect(stat(join(root, 'usr/lib/sysimage/rpm/rpmdb.sqlite'))).rejects.toThrow(/ENOENT/);
  const left = await names('bare');
  expect(left).toContain('coreutils');
  expect(left).not.toContain('grep');
  expect(left).not.toContain('sed');
  const { packages } = await imageRecord('bare', out);
  const list = await readFile(join(root, 'var/lib/rpmmanifest/container-manifest-1'), 'utf8');
  const all = packages.map(({ name, version, release, arch }) => `${name}-${version}-${release}.${arch}`);
  expect(list.trim().split('\n').sort()).toEqual(all.sort());
  const rows = (await readFile(join(root, 'var/lib/rpmmanifest/container-manifest-2'), 'utf8')).trimEnd().split('\n');
  for (const row of rows) {
    expect(row).toMatch(
      /^[^\t]+\t[^\t]+-[^\t]+\t\d+\t\d+\t[^\t]+\t(\(none\)|\d+)\t\d+\t[^\t]+\t\d+\t[^\t]+\.src\.rpm$/,
    );
  }
  expect(rows.map((row) => row.split('\t')[0]!).sort()).toEqual([...left].sort());
  const sbom = JSON.parse(await readFile(join(out, 'images/bare/sbom.spdx.json'), 'utf8'));
  const listed = sbom.packages.map(({ name }: { name: string }) => name);
  expect(listed).toContain('coreutils');
  expect(listed).not.toContain('grep');
});

test('WSL has weak dependencies and its scripts, and no package that is ignored', async () => {
  const { details, files } = await imageRecord('desk', out);
  expect(details).toEqual({ defaultName: 'WeirLinux-4.0' });
  expect(files.map(({ path }) => path)).toContain('desk.wsl');
  const file = join(out, 'images/desk/desk.wsl');
  const { stdout } = await runTool(toolbox, { argv: ['tar', '-xzOf', file, 'srv/kiwi'], binds: [{ from: file }] });
  expect(stdout).toContain('\nwsl\n');
  expect(await names('desk')).not.toContain('nano');
});

describe('a disk', () => {
  let folder: string;
  let raw: string;
  const tool = async (...argv: string[]): Promise<string> =>
    (await runTool(toolbox, { argv, binds: [{ from: folder, writable: true }] })).stdout;
  beforeAll(async () => {
    folder = join(await newFolder('kiwi-disk'), 'disk');
    await mkdir(folder);
    const file = join(folder, 'disk.vhdx');
    await copyFile(join(out, 'images/disk/disk.vhdx'), file);
    raw = join(folder, 'disk.raw');
    await tool('qemu-img', 'check', '-f', 'vhdx', file);
    await tool('qemu-img', 'convert', '-f', 'vhdx', '-O', 'raw', file, raw);
  });

  test('has the size and the partitions of the description', async () => {
    expect((await stat(raw)).size).toBe(3 * 2 ** 30);
    const { partitiontable: table } = JSON.parse(await tool('sfdisk', '--json', raw));
    expect(table.label).toBe('gpt');
    const sizes = table.partitions.map((each: { name: string; size: number }) => [each.name, each.size / 2048]);
    expect(sizes).toEqual([
      ['bios', 1],
      ['esp', 160],
      ['root', 3 * 1024 - 1 - 160 - 2],
    ]);
  });

  test('mounts its ESP as fstab.script says, and the script is gone', async () => {
    const root = `${raw}?offset=${(1 + 1 + 160) * 2 ** 20}`;
    const fstab = await tool('debugfs', '-R', 'cat /etc/fstab', root);
    expect(fstab).toMatch(/^LABEL=example \/ ext4 /m);
    const [, volume] = /^UUID=([0-9A-F]{4}-[0-9A-F]{4}) \/boot\/efi vfat defaults,umask=0077 0 0$/m.exec(fstab) ?? [];
    const esp = `${raw}@@${2 * 2 ** 20}`;
    expect(await tool('mdir', '-i', esp, '::/')).toContain(`Volume Serial Number is ${volume}`);
    expect(await tool('mtype', '-i', esp, '::/loader/loader.conf')).toMatch(/^timeout 1$/m);
    const { stdout } = await runTool(toolbox, {
      argv: ['debugfs', '-R', 'ls -p /etc', root],
      binds: [{ from: folder }],
    });
    expect(stdout).toContain('/fstab/');
    expect(stdout).not.toContain('/fstab.script/');
    expect(await tool('debugfs', '-R', 'stat /boot/efi', root)).toContain('Type: directory');
    expect(await tool('debugfs', '-R', 'cat /srv/images', root)).toBe('images\n');
  });

  test('its command line is that of the description', async () => {
    expect((await imageRecord('disk', out)).details.commandLine).toMatch(/ console=ttyS0 rd\.shell=0$/);
  });

  test('passes the rules for disks', async () => {
    const lint = await weir(['-C', project, 'image', 'lint', 'disk', '--out', out, '--json']);
    expect(lint.code, lint.stdout).toBe(0);
  });
});

test('a disk with a boot loader of its own has it on its ESP', async () => {
  const raw = join(out, 'images/loader/loader.raw');
  expect((await stat(raw)).size).toBe(900 * 2 ** 20);
  const tool = async (...argv: string[]): Promise<string> =>
    (await runTool(toolbox, { argv, binds: [{ from: raw }] })).stdout;
  const { partitiontable: table } = JSON.parse(await tool('sfdisk', '--json', raw));
  expect(table.partitions.map((each: { name: string; size: number }) => [each.name, each.size / 2048])).toEqual([
    ['esp', 64],
    ['root', 900 - 64 - 2],
  ]);
  const esp = `${raw}@@${2 ** 20}`;
  expect(await tool('mtype', '-i', esp, '::/EFI/BOOT/BOOTX64.EFI')).toBe('a loader\n');
  expect(await tool('mtype', '-i', esp, '::/loader/loader.conf')).toBe('timeout 7\n');
  const root = `${raw}?offset=${65 * 2 ** 20}`;
  expect(await tool('debugfs', '-R', 'ls -p /boot/efi', root)).not.toContain('EFI');
  expect(await tool('debugfs', '-R', 'cat /etc/fstab', root)).toMatch(/ \/boot\/efi vfat defaults 0 0$/m);
});

test('the differences from KIWI are said, and the same inputs give the same bytes', async () => {
  const home = await cloneCache();
  const count = await forget(home, ({ kind }) => kind === 'tree-scripts');
  expect(count).toBeGreaterThanOrEqual(4);
  const again = join(await newFolder('kiwi-again'), 'out');
  const run = await weir(['-C', project, 'build', ...built, '--out', again, '--json'], {
    env: { XDG_CACHE_HOME: home },
  });
  expect(run.code, run.stderr).toBe(0);
  expect(run.stderr).toMatch(/systemd-boot and a unified kernel image in place of GRUB/);
  const digests = ({ images: all }: BuildResult) =>
    all.map(({ name, files }) => [name, files.filter(({ path }) => path !== 'provenance.dsse.json')]);
  expect(digests(JSON.parse(run.stdout))).toEqual(digests(result));
});

test('an ISO is refused with a clear word', async () => {
  const run = await weir(['-C', project, 'build', '--image', 'disc', '--out', out]);
  expectError(run, {
    exit: 2,
    says: /example\.kiwi:\d+:11: Weir does not build images of type "iso" yet/,
    hint: /leave this image to kiwi/,
  });
});

test('a script that fails stops the image, with its last words', async () => {
  const failing = await projectWith({ 'distro/images/kiwi.toml': () => definitions });
  const dir = join(failing, 'images/kiwi');
  await writeDescription(dir);
  await writeDescription(dir, { 'config.sh': 'echo "no such luck" >&2\nexit 3\n' });
  const run = await weir([
    '-C',
    failing,
    'build',
    '--image',
    'cell',
    '--out',
    join(await newFolder('kiwi-bad'), 'out'),
  ]);
  expectError(run, {
    exit: 1,
    says: /the script \/image\/config\.sh failed: exit code 3/,
    details: /no such luck/,
  });
});
