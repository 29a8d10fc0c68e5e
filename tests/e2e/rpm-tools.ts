import { chmod, lstat, mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRpm, verifyPayload } from '../../src/rpm/read.ts';
import type { RpmSpec } from '../../src/rpm/types.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { zstdOf } from '../../src/toolbox/zstd.ts';
import { writeRpm } from '../rpm/write-rpm.ts';

const large = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, index) => index % 251));

const spec: RpmSpec = {
  name: 'accepted',
  epoch: 1,
  version: '1.0~rc1',
  release: '2',
  arch: 'x86_64',
  summary: 'What the real tools must accept',
  description: 'Two\nlines, ünicode.',
  license: 'MIT',
  buildTime: 1_762_128_000,
  provides: [{ name: 'virtual(x)', flags: '=', evr: '2' }],
  requires: [
    { name: 'bash', flags: '>=', evr: '4' },
    { name: 'coreutils', flags: '', uses: ['post'] },
    { name: '(foo if bar)', flags: '' },
  ],
  scriptlets: [
    { kind: 'post', interpreter: ['/bin/sh'], script: 'echo post' },
    { kind: 'posttrans', interpreter: ['<lua>'], script: 'print("hi")' },
  ],
  fileTriggers: [
    {
      scope: 'trans',
      when: 'in',
      prefixes: ['/usr/lib64'],
      interpreter: ['/bin/sh'],
      script: 'ldconfig',
      priority: 2_000_001,
    },
  ],
  changelog: [{ time: 1_762_171_200, author: 'A <a@example.org> - 1.0-2', text: '- Change' }],
  files: [
    { path: '/usr/bin/one', kind: 'file', mode: 0o755, content: Buffer.from('#!/bin/sh\n') },
    { path: '/usr/bin/two', kind: 'file', mode: 0o755, hardlink: '/usr/bin/one' },
    { path: '/usr/bin/link', kind: 'symlink', mode: 0o777, target: 'one' },
    { path: '/usr/bin/set', kind: 'file', mode: 0o4755, capabilities: 'cap_net_raw=ep', content: Buffer.from('set') },
    { path: '/etc/accepted', kind: 'directory', mode: 0o750 },
    { path: '/etc/accepted/c', kind: 'file', mode: 0o640, flags: { config: 'noreplace' }, content: Buffer.alloc(0) },
    {
      path: '/usr/share/large',
      kind: 'file',
      mode: 0o644,
      mtime: 1_700_000_000,
      content: () => Readable.from([large]),
    },
    { path: '/usr/share/ünicode', kind: 'file', mode: 0o600, flags: { doc: true }, content: Buffer.from('doc') },
    { path: '/var/log/accepted', kind: 'file', mode: 0o644, flags: { ghost: true } },
  ],
};

/** Shows packages that `writeRpm` made to rpm, rpmsign, rpmkeys and createrepo_c. */
export function rpmAcceptance(toolboxOf: () => Promise<Toolbox>): void {
  describe('the real tools', () => {
    let folder: string;
    let rpm: string;
    let toolbox: Toolbox;
    const tool = async (...argv: string[]): Promise<string> => {
      const binds = [{ from: folder, writable: true }];
      return (await runTool(toolbox, { argv, binds, env: { HOME: folder, GNUPGHOME: join(folder, 'gnupg') } })).stdout;
    };
    beforeAll(async () => {
      toolbox = await toolboxOf();
      folder = await mkdtemp(join(tmpdir(), 'weir-rpm-'));
      rpm = join(folder, 'repo', 'accepted.rpm');
      await writeRpm(rpm, spec, join(folder, 'payload'), zstdOf(toolbox));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    test('rpm verifies every digest', async () => {
      const said = await tool('rpmkeys', '-Kv', '--nosignature', rpm);
      const lines = ['Header SHA3-256', 'Header SHA256', 'Payload SHA3-256', 'Payload SHA512', 'Payload SHA256'];
      expect(said.trim().split('\n').slice(1)).toEqual(lines.map((what) => `    ${what} digest: OK`));
    });

    test('rpm reads the written package', async () => {
      const format =
        '%{nevra} %{rpmformat} %{longsize} [%{filenames}:%{filemodes:octal}:%{filecaps} ][%{requirenevrs}, ]';
      expect(await tool('rpm', '-qp', '--nosignature', '--qf', format, rpm)).toBe(
        'accepted-1:1.0~rc1-2.x86_64 6 3000019 /etc/accepted:40750: /etc/accepted/c:100640: /usr/bin/link:120777: ' +
          '/usr/bin/one:100755: /usr/bin/set:104755:cap_net_raw=ep /usr/bin/two:100755: /usr/share/large:100644: ' +
          '/usr/share/ünicode:100600: /var/log/accepted:100644: (foo if bar), /bin/sh, /bin/sh, bash >= 4, ' +
          'config(accepted) = 1:1.0~rc1-2, coreutils, rpmlib(BuiltinLuaScripts) <= 4.2.2-1, ' +
          'rpmlib(FileCaps) <= 4.6.1-1, rpmlib(LargeFiles) <= 4.12.0-1, rpmlib(PayloadIsZstd) <= 5.4.18-1, ' +
          'rpmlib(RichDependencies) <= 4.12.0-1, rpmlib(TildeInVersions) <= 4.10.0-1, ',
      );
      const scripts = await tool('rpm', '-qp', '--nosignature', '--scripts', '--filetriggers', rpm);
      for (const part of ['postinstall scriptlet (using /bin/sh):\necho post', 'posttrans scriptlet (using <lua>):']) {
        expect(scripts).toContain(part);
      }
      expect(scripts).toContain('transfiletriggerin scriptlet (using /bin/sh) -- /usr/lib64\nldconfig');
    });

    test('rpm installs exactly these files and verifies them', async () => {
      const root = join(folder, 'root');
      await mkdir(root);
      const at = ['--root', root, '--dbpath', '/var/lib/rpm'];
      await tool('rpm', '-i', ...at, '--nodeps', '--noscripts', '--notriggers', '--nosignature', rpm);
      expect(await tool('rpm', ...at, '-V', '--nodeps', 'accepted')).toBe('');
      expect((await readFile(join(root, 'usr/share/large'))).equals(large)).toBe(true);
      expect(await readlink(join(root, 'usr/bin/link'))).toBe('one');
      const [one, two] = await Promise.all([lstat(join(root, 'usr/bin/one')), lstat(join(root, 'usr/bin/two'))]);
      expect([two.ino, two.nlink]).toEqual([one.ino, 2]);
      expect((await lstat(join(root, 'usr/share/large'))).mtimeMs).toBe(1_700_000_000_000);
    });

    test('createrepo_c lists it with the same paths and checksums', async () => {
      await tool('createrepo_c', '--general-compress-type', 'gz', join(folder, 'repo'));
      const primary = await tool('sh', '-c', `zcat ${join(folder, 'repo/repodata')}/*primary.xml.gz`);
      const pkg = await readRpm(rpm);
      expect(primary).toContain(`<rpm:header-range start="${pkg.headerOffset}" end="${pkg.payloadOffset}"/>`);
      expect(primary).toContain('<version epoch="1" ver="1.0~rc1" rel="2"/>');
      expect(primary).toContain('<rpm:entry name="coreutils" pre="1"/>');
    });

    test('rpmsign signs it in place and rpmkeys verifies the signature', async () => {
      const before = await readRpm(rpm);
      expect(before.signed).toBe(false);
      await mkdir(join(folder, 'gnupg'));
      await chmod(join(folder, 'gnupg'), 0o700);
      const key = [
        '--batch',
        '--passphrase',
        '',
        '--quick-generate-key',
        'test@example.org',
        'ed25519',
        'sign',
        'never',
      ];
      await tool('gpg', ...key);
      await writeFile(join(folder, 'key.asc'), await tool('gpg', '--armor', '--export', 'test@example.org'));
      const by = ['--define', '__gpg /usr/bin/gpg', '--define', '_openpgp_sign_id test@example.org'];
      await tool('rpmsign', ...by, '--addsign', rpm);
      const after = await readRpm(rpm);
      expect(after).toEqual({ ...before, signed: true });
      await verifyPayload(rpm);
      const keys = ['rpmkeys', '--dbpath', join(folder, 'keys')];
      await tool(...keys, '--import', join(folder, 'key.asc'));
      expect(await tool(...keys, '-K', rpm)).toBe(`${rpm}: digests signatures OK\n`);
    });
  });
}
