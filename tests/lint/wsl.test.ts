import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { iniSettings } from '../../src/image/ini.ts';
import { wslRules } from '../../src/lint/lint.ts';
import { isArchive, withArchive } from '../../src/lint/open-archive.ts';
import { passes, type Verdict } from '../../src/lint/rule.ts';
import { distributionConf, elf, lintWsl, type WslParts } from './good-wsl.ts';
import { type Content, symlink } from './tar.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-lint-wsl-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const lint = (change: (parts: WslParts) => void): Promise<Verdict[]> => lintWsl(folder, change);

const notHolding = (verdicts: readonly Verdict[]): string[] =>
  verdicts.filter(({ status }) => status !== 'holds').map(({ rule }) => rule);
const messages = (verdicts: readonly Verdict[]): string =>
  verdicts.flatMap(({ findings }) => findings.map(({ where, message }) => `${where}: ${message}`)).join('\n');

const file =
  (path: string, content: Content = 'x') =>
  (parts: WslParts) => {
    parts.files[path] = content;
  };
const remove = (path: string) => (parts: WslParts) => {
  expect(parts.files[path]).toBeDefined();
  delete parts.files[path];
};
const edit = (path: string, from: string | RegExp, to: string) => (parts: WslParts) => {
  const before = parts.files[path] as string;
  parts.files[path] = before.replace(from, to);
  expect(parts.files[path]).not.toBe(before);
};
const conf = '/etc/wsl-distribution.conf';

test('every rule holds for a valid image', async () => {
  const verdicts = await lint(() => {});
  expect(messages(verdicts)).toBe('');
  expect(passes(verdicts)).toBe(true);
});

const damages: readonly { rule: string; how: string; change: (parts: WslParts) => void; says: RegExp }[] = [
  {
    rule: 'wsl-archive',
    how: 'plain',
    change: (parts) => {
      parts.pack = (archive) => archive;
    },
    says: /not compressed/,
  },
  {
    rule: 'wsl-distribution-conf',
    how: 'mode',
    change: file(conf, { content: distributionConf, mode: 0o600 }),
    says: /mode is 0600, not 0644/,
  },
  {
    rule: 'wsl-distribution-conf',
    how: 'owner',
    change: file(conf, { content: distributionConf, uid: 5 }),
    says: /belongs to 5/,
  },
  {
    rule: 'wsl-distribution-conf',
    how: 'another key',
    change: edit(conf, '[shortcut]', '[shortcut]\ncolour = red'),
    says: /unknown key shortcut.colour/,
  },
  {
    rule: 'wsl-distribution-conf',
    how: 'another uid',
    change: edit(conf, '1000', '0'),
    says: /defaultUid is 0, not 1000/,
  },
  {
    rule: 'wsl-distribution-conf',
    how: 'no name',
    change: edit(conf, /defaultName.*\n/, ''),
    says: /defaultName is missing/,
  },
  {
    rule: 'wsl-distribution-conf',
    how: 'a name with a space',
    change: edit(conf, 'WeirLinux', 'Weir Linux'),
    says: /defaultName Weir Linux has characters other than letters/,
  },
  {
    rule: 'wsl-distribution-conf',
    how: 'the group of somebody',
    change: file(conf, { content: distributionConf, mode: 0o644, gid: 100 }),
    says: /belongs to group 100, not to root/,
  },
  { rule: 'wsl-first-run', how: 'not there', change: remove('/usr/libexec/wsl/first-run.sh'), says: /no such file/ },
  { rule: 'wsl-first-run', how: 'not executable', change: file('/usr/libexec/wsl/first-run.sh'), says: /mode is 0644/ },
  { rule: 'wsl-first-run', how: 'not named', change: edit(conf, /command.*\n/, ''), says: /oobe.command is missing/ },
  {
    rule: 'wsl-first-run',
    how: 'elsewhere',
    change: (parts) => {
      edit(conf, '/usr/libexec/wsl/first-run.sh', '/opt/run.sh')(parts);
      file('/opt/run.sh', { mode: 0o755 })(parts);
    },
    says: /it is not in \/usr\/lib\/wsl/,
  },
  {
    rule: 'wsl-appearance',
    how: 'a large icon',
    change: file('/usr/share/wsl/weir.ico', Buffer.alloc((1 << 20) + 1)),
    says: /1048577 bytes/,
  },
  { rule: 'wsl-appearance', how: 'no icon', change: edit(conf, /icon.*\n/, ''), says: /shortcut.icon is missing/ },
  {
    rule: 'wsl-appearance',
    how: 'no ICO',
    change: file('/usr/share/wsl/weir.ico', 'PNG!'),
    says: /not an icon \(ICO\)/,
  },
  { rule: 'wsl-appearance', how: 'no JSON', change: file('/usr/lib/wsl/terminal.json', '{,}'), says: /invalid JSON/ },
  { rule: 'wsl-appearance', how: 'no profile', change: remove('/usr/lib/wsl/terminal.json'), says: /no such file/ },
  { rule: 'wsl-systemd', how: 'off', change: edit('/etc/wsl.conf', 'true', 'false'), says: /systemd is not true/ },
  {
    rule: 'wsl-systemd',
    how: 'another setting',
    change: edit('/etc/wsl.conf', '[boot]', '[user]\ndefault=root\n[boot]'),
    says: /user.default is set/,
  },
  { rule: 'wsl-systemd', how: 'no file', change: remove('/etc/wsl.conf'), says: /no such file/ },
  {
    rule: 'wsl-accounts',
    how: "shadow's mode",
    change: file('/etc/shadow', 'root:*:1::::::\n'),
    says: /mode is 0644, not 0640 or 0600 or 0000/,
  },
  {
    rule: 'wsl-accounts',
    how: 'root',
    change: edit('/etc/passwd', 'root:x:0', 'toor:x:0'),
    says: /uid of root is not 0/,
  },
  {
    rule: 'wsl-accounts',
    how: 'two of one number',
    change: edit('/etc/passwd', '65534', '0'),
    says: /nobody and root both have uid 0/,
  },
  {
    rule: 'wsl-programs',
    how: 'a script',
    change: file('/usr/bin/bash', { content: '#!/bin/true', mode: 0o755 }),
    says: /not a 64-bit program/,
  },
  {
    rule: 'wsl-programs',
    how: 'another machine',
    change: file('/usr/lib/systemd/systemd', elf(183)),
    says: /for x86_64 and aarch64/,
  },
  {
    rule: 'wsl-programs',
    how: 'no init',
    change: remove('/usr/lib/systemd/systemd'),
    says: /\/sbin\/init: no such file/,
  },
  {
    rule: 'wsl-units',
    how: 'not masked',
    change: remove('/etc/systemd/system/systemd-resolved.service'),
    says: /systemd-resolved.service is not masked/,
  },
  { rule: 'wsl-units', how: 'more', change: file('/usr/lib/systemd/system/tmp.mount'), says: /tmp.mount/ },
  { rule: 'wsl-no-kernel', how: 'a kernel', change: file('/usr/lib/modules/7.2/vmlinuz'), says: /part of a kernel/ },
  { rule: 'wsl-no-kernel', how: 'an initramfs', change: file('/boot/initramfs-7.2.img'), says: /part of a kernel/ },
  {
    rule: 'wsl-no-resolv-conf',
    how: 'a link',
    change: file('/etc/resolv.conf', symlink('/run/x')),
    says: /resolv.conf: it exists/,
  },
  { rule: 'os-release', how: 'gone', change: remove('/usr/lib/os-release'), says: /no such file/ },
  {
    rule: 'rpm-database',
    how: 'empty',
    change: (parts) => {
      parts.packages = [];
    },
    says: /no packages/,
  },
  {
    rule: 'no-selinux-labels',
    how: 'a label',
    change: file('/etc/a', { xattr: 'security.selinux' }),
    says: /\/etc\/a: 1 files/,
  },
  { rule: 'no-ssh-host-keys', how: 'a key', change: file('/etc/ssh/ssh_host_rsa_key'), says: /host key/ },
  { rule: 'no-authorized-keys', how: 'a key', change: file('/root/.ssh/authorized_keys'), says: /allows logins/ },
  {
    rule: 'no-passwords',
    how: 'a hash',
    change: file('/etc/shadow', { content: 'root:$y$a$b:1::::::\n', mode: 0o600 }),
    says: /password hash/,
  },
  {
    rule: 'machine-id',
    how: 'made',
    change: file('/etc/machine-id', '0123456789abcdef0123456789abcdef\n'),
    says: /already/,
  },
  { rule: 'no-shared-secrets', how: 'seed', change: file('/var/lib/systemd/random-seed'), says: /own/ },
  { rule: 'no-logs', how: 'a log', change: file('/var/log/dnf5.log'), says: /log is left/ },
  { rule: 'no-package-caches', how: 'a package', change: file('/var/cache/dnf/a.rpm'), says: /1 files/ },
  { rule: 'no-leftovers', how: 'temporary', change: file('/tmp/x'), says: /temporary/ },
];

describe('each fault is reported by its rule and no other', () => {
  test.each(damages)('$rule: $how', async ({ rule, change, says }) => {
    const verdicts = await lint(change);
    expect(messages(verdicts)).toMatch(says);
    expect(notHolding(verdicts)).toEqual([rule]);
    expect(passes(verdicts)).toBe(false);
  });
  test('every rule has such a fault', () => {
    const ids = wslRules.filter(({ appliesTo }) => appliesTo.wsl !== undefined).map(({ id }) => id);
    expect(new Set(damages.map(({ rule }) => rule))).toEqual(new Set(ids));
  });
});

const broken: readonly [string, WslParts['pack'], RegExp][] = [
  ['cut off', (archive) => gzipSync(archive).subarray(0, 300), /cannot be decompressed/],
  ['no tar', () => gzipSync(Buffer.alloc(2000, 'x')), /invalid tar archive/],
  ['with xz', () => Buffer.from('fd377a585a00aaaa', 'hex'), /compressed with xz/],
  ['in a folder', (archive) => gzipSync(archive), /no \/etc at its top/],
];

test.each(broken)('an archive that is %s breaks its rule, and no other rule passes on it', async (how, pack, says) => {
  const verdicts = await lint((parts) => {
    parts.pack = pack;
    if (how !== 'in a folder') return;
    parts.files = Object.fromEntries(Object.entries(parts.files).map(([path, content]) => [`/root${path}`, content]));
  });
  expect(messages(verdicts)).toMatch(says);
  expect(verdicts[0]).toMatchObject({ rule: 'wsl-archive', status: 'broken' });
  expect(verdicts.find(({ rule }) => rule === 'wsl-programs')?.status).not.toBe('holds');
  expect(passes(verdicts)).toBe(false);
});

test('distinguishes archives from disks', () => {
  const head = (text: string, at = 0) =>
    Buffer.concat([Buffer.alloc(at), Buffer.from(text, 'latin1'), Buffer.alloc(512)]);
  expect(isArchive('a.wsl', head(''))).toBe(true);
  expect(isArchive('a', head('\x1f\x8b\x08'))).toBe(true);
  expect(isArchive('a.tar', head('ustar', 257))).toBe(true);
  expect(isArchive('a.raw', head('boot'))).toBe(false);
  expect(isArchive('a.qcow2', head('QFI\xfb'))).toBe(false);
});

test('an INI file with any spaces and case', () => {
  const settings = iniSettings('# c\n[OOBE]\n defaultUid=1000\nCommand = /a b = c\n\n[x]\nempty=\n');
  expect([...settings]).toEqual([
    ['oobe.defaultuid', '1000'],
    ['oobe.command', '/a b = c'],
    ['x.empty', ''],
  ]);
});

test('a compressed file that is not an archive is rejected, except a .wsl file', async () => {
  const data = gzipSync(Buffer.from('{"path":"/"}\n'.repeat(100)));
  const scratch = await mkdtemp(join(folder, 'no-archive-'));
  const opened = async (name: string) => {
    const path = join(scratch, name);
    await writeFile(path, data);
    return withArchive(path, data.subarray(0, 512), scratch, async ({ problem }) => problem);
  };
  await expect(opened('tree.jsonl.gz')).rejects.toMatchObject({ code: 'unknown-format', exit: 2 });
  await expect(opened('broken.wsl')).resolves.toMatch(/./);
});
