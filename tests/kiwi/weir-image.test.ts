import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kiwiImage } from '../../src/kiwi/kiwi-image.ts';
import { printImage } from '../../src/kiwi/print.ts';
import { commandWords } from '../../src/kiwi/words.ts';
import { loadProject } from '../../src/project/load.ts';
import { example, writeDescription } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'weir-kiwi-'));
afterAll(() => rm(folder, { recursive: true }));

let path: string;
beforeAll(async () => {
  path = await writeDescription(join(folder, 'whole'));
});

const made = (profile: string, config?: string) => kiwiImage({ path, profile }, 'x86_64', config);

describe('a description as an image of Weir', () => {
  test('a container', () => {
    const { definition, differences } = made('cell');
    expect(definition).toMatchObject({
      kind: 'container',
      formats: ['oci'],
      // KIWI installs the package manager, too.
      packages: expect.arrayContaining(['filesystem', 'dnf5', 'bash', 'less']),
      container: {
        entrypoint: ['/usr/bin/env'],
        cmd: ['/bin/bash', '-c', 'echo  hello'],
        env: { LANG: 'C.UTF-8' },
        labels: { 'org.example.kind': 'cell' },
        user: 'nobody',
        workdir: '/srv',
        names: ['example/cell:1.0', 'example/cell:latest', 'other/cell:1.0'],
      },
      setup: {
        locale: 'en_US.UTF-8',
        keymap: 'us',
        timezone: 'Europe/Berlin',
        excludeDocs: true,
        languages: ['en_US'],
        users: [
          { name: 'worker', id: 1400, passwordHash: '$6$salt$hash', groups: ['work:1500', 'root'] },
          { name: 'guest', groups: [] },
        ],
        scripts: [{ path: '/image/config.sh' }, { path: '/image/images.sh' }],
        temporary: ['/.kconfig', '/.profile', '/image'],
      },
    });
    expect(definition.setup?.users[1]).toEqual({ name: 'guest', groups: [] });
    expect(definition.setup?.files.map(({ to }) => to)).toEqual([
      ...['/.profile', '/.kconfig', '/image/config.xml', '/image/config.sh', '/image/images.sh'],
      ...['/usr/bin/greet', '/srv/plain.txt'],
    ]);
    expect(differences).toEqual([
      "packages come from the project's repositories, not from those of the description",
      "the project's release counts, not release-version 4.0",
      'the maintainer is not recorded',
    ]);
  });

  test('WSL', () => {
    const { definition, differences } = made('desk');
    expect(definition).toMatchObject({ kind: 'wsl', weakDependencies: true, excludePackages: ['nano'], wsl: {} });
    expect(differences).toContain('the file has the name of the image, not by bundle_format Example-%A');
    expect(differences).toContain('weak dependencies of bootstrap packages are installed too');
  });

  test('a disk', () => {
    const { definition, differences } = made('disk');
    expect(definition).toMatchObject({
      kind: 'disk',
      formats: ['vhdx'],
      disk: {
        size: 3 * 2 ** 30,
        espSize: 160 * 2 ** 20,
        rootLabel: 'example',
        bootTimeout: 1,
        espMount: '/boot/efi',
      },
      kernel: { commandLine: ['console=ttyS0', 'rd.shell=0'] },
    });
    expect(definition.setup?.scripts.at(-1)).toEqual({ path: '/etc/fstab.script', optional: true, remove: true });
    expect(differences.join('\n')).toMatch(/systemd-boot and a unified kernel image in place of GRUB/);
    expect(differences.join('\n')).toMatch(/it boots by BIOS, too/);
  });
});

describe('a disk', () => {
  const disk = (edit: (text: string) => string) => async (): Promise<ReturnType<typeof kiwiImage>> => {
    const before = example['parts/disk.xml']!;
    const after = edit(before);
    expect(after).not.toBe(before);
    const dir = mkdtempSync(join(folder, 'disk-'));
    const file = await writeDescription(dir, { ...example, 'parts/disk.xml': after });
    return kiwiImage({ path: file, profile: 'disk' }, 'x86_64');
  };

  test('with a boot loader of its own', async () => {
    const { definition, differences } = await disk((text) =>
      text
        .replace('name="grub2" bls="true" console="serial" timeout="1"', 'name="custom"')
        .replace('kernelcmdline="console=ttyS0 rd.shell=0"', '')
        .replace('"dracut"', '"none"'),
    )();
    expect(definition).toMatchObject({ disk: { ownBootLoader: true, espMount: '/boot/efi' } });
    expect(differences.join('\n')).not.toMatch(/GRUB|initrd|BIOS/);
  });

  test('that boots by BIOS mounts no ESP', async () => {
    const { definition, differences } = await disk((text) => text.replace('"uefi"', '"bios"'))();
    expect(definition).toMatchObject({ disk: { rootLabel: 'example' } });
    expect(definition.kind === 'disk' && definition.disk.espMount).toBeUndefined();
    expect(differences.join('\n')).toMatch(/boots by Weir's GRUB/);
  });

  test('boots by UEFI on aarch64 without a word', async () => {
    const text = example['parts/disk.xml']!.replaceAll('"x86_64"', '"aarch64"').replace('firmware="uefi"', '');
    const file = await writeDescription(mkdtempSync(join(folder, 'arm-')), { ...example, 'parts/disk.xml': text });
    expect(kiwiImage({ path: file, profile: 'disk' }, 'aarch64').definition).toMatchObject({
      disk: { espMount: '/boot/efi' },
    });
  });

  test('with a tiny ESP gets a larger one, and this is said', async () => {
    const { definition, differences } = await disk((text) => text.replace('"160"', '"32"'))();
    expect(definition).toMatchObject({ disk: { espSize: 128 * 2 ** 20 } });
    expect(differences.join('\n')).toMatch(/has 128 MiB, not 32/);
  });

  test.each([
    ['format="vhdx"', 'format="vhd-fixed" formatoptions="force_size"', 'vhd'],
    ['format="vhdx"', 'format="qcow2"', 'qcow2'],
    ['format="vhdx"', '', 'raw'],
  ])('%s → %s', async (from, to, format) => {
    expect((await disk((text) => text.replace(from, to))()).definition.formats).toEqual([format]);
  });

  test.each([
    [
      'format="vhdx"',
      'format="vhdx" formatoptions="subformat=fixed"',
      /formatoptions="subformat=fixed" is not supported/,
    ],
    ['name="grub2"', 'name="custom"', /the boot loader of the image has its own command line/],
    [
      'kernelcmdline="console=ttyS0 rd.shell=0">\n      <bootloader name="grub2"',
      '>\n      <bootloader name="custom"',
      /has its own timeout/,
    ],
    ['initrd_system="dracut"', 'initrd_system="none"', /without an initrd needs <bootloader name="custom"\/>/],
    ['rd.shell=0"', 'root=/dev/sda1"', /root=\/dev\/sda1: the image sets root= itself/],
  ])('%s → %s is an error', async (from, to, says) => {
    await expect(disk((text) => text.replace(from, to))()).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringMatching(says),
        where: expect.objectContaining({ line: expect.any(Number) }),
      }),
    );
  });
});

describe('kiwi-config-override', () => {
  const config = async (text: string): Promise<string> => {
    const file = join(folder, 'kiwi.yml');
    await writeFile(file, text);
    return file;
  };

  test('its size limit counts; sections about tools are named', async () => {
    const file = await config('build_constraints:\n  - max_size: 700m\nruntime_checks:\n  - disable: [a]\n');
    const { definition, differences } = made('cell', file);
    expect(definition.maxSize).toBe(700 * 2 ** 20);
    expect(differences.join('\n')).toMatch(/about KIWI's tools: runtime_checks/);
  });

  test.each([
    ['bundles:\n  - compress: true\n', /Weir does not know the section bundles/, 1, 1],
    ['xz: []\nbuild_constraints:\n  - max_size: much\n', /max_size must be a number/, 3, 15],
    ['build_constraints:\n  - max_size: 0\n', /max_size must be a number of bytes from 1/, 2, 15],
    ['build_constraints:\n  - max_size: 1\n    min_size: 1\n', /only knows max_size/, 3, 5],
    ['build_constraints:\n  - max_size: 1\n  - max_size: 2\n', /max_size is said twice/, 3, 5],
    ['build_constraints:\n  - {}\n', /only knows max_size/, 2, 5],
    ['build_constraints:\n  - min_size: 1\n', /only knows max_size/, 2, 5],
    ['a: [\n', /invalid YAML/, 2, 1],
    ['text\n', /must be a table of sections/, 1, 1],
  ])('%j', async (text, says, line, column) => {
    const file = await config(text);
    expect(() => made('cell', file)).toThrow(
      expect.objectContaining({
        code: 'invalid-kiwi-config',
        message: expect.stringMatching(says),
        where: { file, line, column },
      }),
    );
  });
});

describe('printed as TOML', () => {
  test.each(['cell', 'desk', 'disk', 'loader', 'bare'])('%s loads as the same definition', async (profile) => {
    const whole = made(profile);
    const dir = dirname(path);
    await writeFile(join(dir, 'weir.toml'), printImage('my.image', whole, dir, ['A comment']));
    const project = await loadProject(dir);
    expect(project.images.get('my.image')?.definition).toEqual(whole.definition);
  });
});

describe('a container', () => {
  const edited = async (from: string, to: string) => {
    const before = example['example.kiwi']!;
    const after = before.replace(from, () => to);
    expect(after).not.toBe(before);
    const file = await writeDescription(mkdtempSync(join(folder, 'edit-')), { ...example, 'example.kiwi': after });
    return { file, read: (profile: string) => kiwiImage({ path: file, profile }, 'x86_64') };
  };

  test('with a port in a name is an error', async () => {
    const { read } = await edited('other/cell"', 'localhost:5000/cell"');
    expect(() => read('cell')).toThrow(
      expect.objectContaining({ message: '"localhost:5000/cell:1.0" is not a name that Weir can give' }),
    );
  });

  test('weak dependencies that only bootstrap packages ask for are installed for all, and this is said', async () => {
    const { read } = await edited('type="bootstrap" ', 'type="bootstrap" patternType="plusRecommended" ');
    const { definition, differences } = read('cell');
    expect(definition.weakDependencies).toBe(true);
    expect(differences).toContain('weak dependencies of all packages are installed, not only of bootstrap packages');
    expect(read('desk').differences.filter((each) => each.startsWith('weak'))).toEqual([]);
  });

  test.each([
    ['desk', 'bundle_format="Example-%A"', 'bundle_format="a&#10;packages = []&#13;"'],
    ['cell', 'permissions="0750"', 'permissions="0000"'],
    ['cell', 'target="/srv/plain.txt"', 'target="/srv//./plain/"'],
  ])('%s with %s → %s still loads as it is printed', async (profile, from, to) => {
    const { file, read } = await edited(from, to);
    const [whole, dir] = [read(profile), dirname(file)];
    await writeFile(join(dir, 'weir.toml'), printImage('my.image', whole, dir, ['A\ncomment']));
    const project = await loadProject(dir);
    expect(project.images.get('my.image')?.definition).toEqual(whole.definition);
  });
});

test('words of a command are those of a shell', () => {
  expect(commandWords(`a "b c" d'e f'g "h\\"i\\j" \\ k '' l`)).toEqual([
    ...['a', 'b c', 'de fg', 'h"i\\j', ' k', '', 'l'],
  ]);
  expect(commandWords('')).toEqual([]);
});
