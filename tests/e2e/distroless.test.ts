import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunResult } from '../../src/base/process.ts';
import { runSandboxed } from '../../src/engine/sandbox.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { layoutOf, readConfig, unpackContainer } from './container.ts';
import { imageRecord, tools } from './weir.ts';

let toolbox: Toolbox;
beforeAll(async () => {
  toolbox = await tools();
});

/** Runs a program of an image's root, by its path: there is no shell that could look for it. */
function runIn(root: string, argv: readonly string[]): Promise<RunResult> {
  return runSandboxed(toolbox.jail, { code: 'tool', root, argv });
}

describe.each([
  { name: 'distroless-minimal', megabytes: 3 },
  { name: 'distroless-base', megabytes: 25 },
  { name: 'distroless-debug', megabytes: 30, shell: '/usr/bin/busybox' },
  { name: 'python', megabytes: 80 },
  { name: 'nodejs', megabytes: 180 },
  { name: 'perl', megabytes: 100 },
])('$name', ({ name, megabytes, shell }) => {
  let root: string;
  let files: string[];
  beforeAll(async () => {
    root = await unpackContainer(toolbox, layoutOf(name));
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    // Links too: a shell can be one.
    files = entries
      .filter((each) => !each.isDirectory())
      .map((each) => relative(root, join(each.parentPath, each.name)));
  });

  test('has no shell and no package manager, and keeps its size limit', async () => {
    const programs = files.filter((path) => /^usr\/s?bin\//.test(path)).map((path) => `/${path}`);
    const forbidden = /\/(?:ba|da|z|k|c|tc)?sh$|\/(?:busybox|rpm|rpm2.*|dnf.*|microdnf|yum|apt.*|dpkg.*)$/;
    expect(programs.filter((path) => forbidden.test(path))).toEqual(shell === undefined ? [] : [shell]);
    expect((await imageRecord(name)).installedSize).toBeLessThan(megabytes * 2 ** 20);
  });

  test('has certificates, time zones, accounts, temporary folders and os-release', async () => {
    const text = (path: string): Promise<string> => readFile(join(root, path), 'utf8');
    expect(await text('etc/pki/tls/certs/ca-bundle.crt')).toMatch(/-----BEGIN CERTIFICATE-----/);
    expect(files).toContain('usr/share/zoneinfo/Europe/Paris');
    const accounts = (await text('etc/passwd')).trim().split('\n');
    const named = Object.fromEntries(accounts.map((line) => [line.split(':')[0]!, line.split(':')]));
    expect(Object.keys(named).sort()).toEqual(['nobody', 'nonroot', 'root']);
    expect([named.root![2], named.nobody![2], named.nonroot![2]]).toEqual(['0', '65534', '65532']);
    for (const [, , , , , , login] of Object.values(named)) expect(login).toMatch(/nologin$/);
    expect(await text('usr/lib/os-release')).toContain(`IMAGE_ID="${name}"`);
    expect((await readConfig(layoutOf(name))).config.User).toBe('65532');
  });

  test('scanners find every package in the database, and only there, with licences', async () => {
    const { packages } = await imageRecord(name);
    const named = packages.map((pkg) => pkg.name).sort();
    const query = ['rpm', '--root', root, '--dbpath', '/usr/lib/sysimage/rpm', '-qa', '--qf', '%{NAME}\\n'];
    const { stdout } = await runTool(toolbox, { argv: query, binds: [{ from: root, writable: true }] });
    expect(stdout.trim().split('\n').sort()).toEqual(named);

    await expect(stat(join(root, 'var/lib/rpmmanifest'))).rejects.toThrow(/ENOENT/);

    const licensed = new Set(files.flatMap((path) => /^usr\/share\/licenses\/([^/]+)\//.exec(path)?.[1] ?? []));
    // Packages that are split from one source share a licence file; packages without any files of their own have none.
    for (const of of ['tzdata', 'ca-certificates']) expect([...licensed]).toContain(of);
  });
});

describe('a language runs', () => {
  test.each([
    [
      'python',
      ['/usr/bin/python3', '-c', 'import ssl, sqlite3, json; print(json.dumps(ssl.OPENSSL_VERSION_INFO[0]))'],
      '3\n',
    ],
    [
      'python',
      ['/usr/bin/python3', '-c', 'import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 99)'],
      'True\n',
    ],
    [
      'nodejs',
      ['/usr/bin/node', '-p', 'require("node:crypto").createHash("sha256").update("a").digest("hex").slice(0, 8)'],
      'ca978112\n',
    ],
    ['perl', ['/usr/bin/perl', '-MDigest::SHA=sha256_hex', '-e', 'print substr(sha256_hex("a"), 0, 8)'], 'ca978112'],
    ['distroless-debug', ['/usr/bin/busybox', 'sh', '-c', 'echo "$((6 * 7))"'], '42\n'],
  ])('%s', async (name, argv, says) => {
    const said = await runIn(await unpackContainer(toolbox, layoutOf(name)), argv);
    expect(said.stderr).toBe('');
    expect([said.code, said.stdout]).toEqual([0, says]);
  });

  test('the entry point runs the interpreter', async () => {
    for (const [name, program] of [
      ['python', '/usr/bin/python3'],
      ['nodejs', '/usr/bin/node'],
      ['perl', '/usr/bin/perl'],
    ] as const) {
      expect((await readConfig(layoutOf(name))).config.Entrypoint, name).toEqual([program]);
    }
  });
});
