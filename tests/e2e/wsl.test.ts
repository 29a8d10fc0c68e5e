import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileDigest } from '../../src/base/digest.ts';
import { run } from '../../src/base/process.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { type Container, startContainer } from './container.ts';
import { type SystemContainer, startSystem } from './system-container.ts';
import { expectError, imageRecord, newFolder, shared, tools, weir } from './weir.ts';

const folder = join(shared.out, 'images', 'wsl');
const file = join(folder, 'wsl.wsl');
const firstRun = '/usr/libexec/wsl/first-run';

let toolbox: Toolbox;
beforeAll(async () => {
  toolbox = await tools();
});

test('passes every rule for WSL', async () => {
  const result = await weir(['-C', shared.project, 'image', 'lint', 'wsl', '--out', shared.out, '--json']);
  const { ok, reports } = JSON.parse(result.stdout);
  expect(
    reports.flatMap(({ verdicts }: { verdicts: { findings: unknown[] }[] }) =>
      verdicts.flatMap((each) => each.findings),
    ),
  ).toEqual([]);
  expect({ ok, code: result.code }).toEqual({ ok: true, code: 0 });
  expect(reports).toMatchObject([{ format: 'wsl', target: 'wsl' }]);
  expect(reports[0].verdicts.length).toBeGreaterThan(18);
});

test('the manifest contains the digest of the file', async () => {
  const { ModernDistributions: all } = JSON.parse(await readFile(join(folder, 'wsl.manifest.json'), 'utf8'));
  const Amd64Url = { Url: 'wsl.wsl', Sha256: await fileDigest(file) };
  const entry = { Name: 'WeirLinux-4.0', FriendlyName: 'Weir Linux 4.0', Default: true, Amd64Url };
  expect(all).toEqual({ WeirLinux: [entry] });
  const record = await imageRecord('wsl');
  expect(record.files.map(({ path, sha256 }) => [path, sha256])).toContainEqual(['wsl.wsl', Amd64Url.Sha256]);
  expect(record.details).toEqual({ defaultName: 'WeirLinux-4.0' });
});

test('tar reads it: root at its top, numeric owners, no devices', async () => {
  const head = Buffer.alloc(10);
  const handle = await open(file);
  await handle.read(head, 0, 10, 0);
  await handle.close();
  // No name and no time in it; the last byte is the system, Unix.
  expect(head.toString('hex')).toBe('1f8b0800000000000003');
  const { stdout } = await runTool(toolbox, {
    argv: ['tar', '-tvzf', file, '--numeric-owner'],
    binds: [{ from: file }],
  });
  const members = new Map(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [, mode, owner, path] = /^(\S+) (\d+\/\d+) +\d+ \S+ \S+ (.*)$/.exec(line)!;
        return [path!, `${mode} ${owner}`] as const;
      }),
  );
  const paths = [...members.keys()].map((path) => path.replace(/ (->|link to) .*/, ''));
  expect(paths.filter((path) => path.startsWith('/') || path.split('/').includes('..'))).toEqual([]);
  expect([...members.values()].filter((mode) => !/^[-dlh]/.test(mode))).toEqual([]);
  for (const path of ['./', 'etc/', 'usr/', 'etc/wsl.conf', 'bin -> usr/bin', 'sbin -> usr/sbin']) {
    expect([...members.keys()]).toContain(path);
  }
  expect(members.get('etc/shadow')).toBe('-rw------- 0/0');
  expect(members.get('usr/bin/sudo')).toBe('-rwsr-xr-x 0/0');
  expect(members.get(firstRun.slice(1))).toBe('-rwxr-xr-x 0/0');
  expect(members.has('etc/resolv.conf')).toBe(false);
});

test('is neither a disk nor a container', async () => {
  const command = (...args: string[]) => weir(['-C', shared.project, ...args, '--out', shared.out]);
  expectError(await command('boot', 'wsl'), { exit: 2, says: /wsl is of kind wsl and has no disk/ });
  const push = await command('image', 'push', 'wsl', 'localhost:1/wsl');
  expectError(push, { exit: 2, says: /wsl is a WSL image: only container images can be pushed/ });
});

describe('the first start in a sandbox', () => {
  let container: Container;
  let root: string;
  beforeAll(async () => {
    root = await newFolder('wsl-root');
    await runTool(toolbox, {
      argv: ['tar', '-xzf', file, '-C', root, '--no-same-owner'],
      binds: [{ from: file }, { from: root, writable: true }],
    });
    container = await startContainer(toolbox, root);
  });
  const shell = (script: string) => container.run(['/bin/bash', '-c', script]);

  test.each([
    ['', /no terminal to ask for a name/],
    ['Ana\\nsecret\\n', /made of small letters/],
    ['1ana\\nsecret\\n', /made of small letters/],
    ['a b\\nsecret\\n', /made of small letters/],
    [`${'a'.repeat(33)}\\nsecret\\n`, /32 characters at most/],
    ['root\\nsecret\\n', /There is an account root already/],
    ['wheel\\nsecret\\n', /There is a group wheel already/],
    ['ana\\n', /no terminal to ask for a password/],
  ])('input %j creates no account', async (input, says) => {
    const { code, stderr } = await shell(`printf '${input}' | ${firstRun}`);
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/No account was made/);
    expect(code).toBe(1);
    expect((await shell('getent passwd 1000')).code).toBe(2);
  });

  test('with an existing account there is no prompt', async () => {
    const other = await startContainer(toolbox, root);
    const made = `echo 'bea:x:1000:1000::/home/bea:/bin/bash' >>/etc/passwd && ${firstRun} </dev/null`;
    const { code, stderr } = await other.run(['/bin/bash', '-c', made]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'The account bea is there already.\n' });
  });

  test('the package database is intact, and sudo’s configuration is valid', async () => {
    // Owners are the unpacker's.
    const verify = await shell('rpm -Va --nouser --nogroup --nocaps --nomode');
    expect(verify.stdout).toBe('');
    const { stdout } = await shell("rpm -q --qf '%{NAME}\\n' weir-wsl; grep -rh '^%wheel' /etc/sudoers.d");
    expect(stdout).toBe('weir-wsl\n%wheel ALL=(ALL:ALL) ALL\n');
  });
});

describe('runs with its own systemd, as root on this host', () => {
  let system: SystemContainer | undefined;
  let refused: string | undefined;
  let root: string;
  beforeAll(async () => {
    root = join(await newFolder('wsl-system'), 'root');
    await mkdir(root);
    if (process.getuid?.() === 0) {
      const unpack = ['tar', '-xpzf', file, '-C', root, '--numeric-owner', '--xattrs', '--xattrs-include=*'];
      expect((await run(unpack)).stderr).toBe('');
    }
    const started = await startSystem(root);
    if ('refused' in started) refused = started.refused;
    else system = started;
  });
  afterAll(async () => {
    await system?.stop();
    await removeTree(root);
  });
  /** A test that counts as skipped, with the reason, where this host does not let the root be started. */
  const inSystem = (name: string, body: (system: SystemContainer) => Promise<void>) =>
    test(name, async (context) => {
      if (system === undefined) context.skip(`not run: ${refused}`);
      else await body(system);
    });

  inSystem('systemd is PID 1, knows WSL, and nothing failed', async ({ run: inside }) => {
    const state = await inside('systemctl is-system-running --wait; systemctl --failed --plain --no-legend --no-pager');
    expect(state.stdout).toBe('running\n');
    const { stdout } = await inside('cat /proc/1/comm; systemd-detect-virt; cat /etc/machine-id');
    expect(stdout).toMatch(/^systemd\nwsl\n[0-9a-f]{32}\n$/);
    // What Windows does is not done here, and nobody is asked for a login.
    const units = await inside(
      "systemctl list-units --all --plain --no-legend 'systemd-networkd*' 'systemd-resolved*' '*getty@*'",
    );
    expect(units.stdout).toBe('');
    expect((await inside('test -e /etc/resolv.conf')).code).toBe(1);
  });

  inSystem('an interrupt at either question leaves no account', async ({ run: inside, dialogue }) => {
    const atName = await dialogue(firstRun, [[/Name: /, '\x03']]);
    expect(atName.code, atName.stdout).toBe(130);
    const atPassword = await dialogue(firstRun, [
      [/Name: /, 'ana\n'],
      [/Password, for sudo: /, '\x03'],
    ]);
    expect(atPassword.code, atPassword.stdout).toBe(130);
    expect(atPassword.stdout).toMatch(/No account was made/);
    const left = await inside(
      'getent passwd 1000; grep ^ana: /etc/passwd /etc/group /etc/shadow /etc/subuid; ls -A /home',
    );
    expect(left.stdout).toBe('');
  });

  inSystem('the first start asks until a name will do, and makes the account', async ({ run: inside, dialogue }) => {
    const { code, stdout } = await dialogue(firstRun, [
      [/Name: /, 'Ana\n'],
      [/small letters[\s\S]*Name: /, 'root\n'],
      [/account root already[\s\S]*Name: /, 'ana\n'],
      [/Password, for sudo: /, '\n'],
      [/Once more: /, '\n'],
      [/needed[\s\S]*Password, for sudo: /, 'a-Weir:of 2026\n'],
      [/Once more: /, 'a-Weir:of 2027\n'],
      [/not the same[\s\S]*Password, for sudo: /, 'a-Weir:of 2026\n'],
      [/Once more: /, 'a-Weir:of 2026\n'],
    ]);
    expect(code, stdout).toBe(0);
    expect(stdout).not.toMatch(/a-Weir/);
    const account = await inside('getent passwd 1000; id -nG ana; stat -c "%U %G %a" /home/ana; ls -A /home/ana');
    expect(account.stdout.split('\n').slice(0, 3)).toEqual([
      'ana:x:1000:1000::/home/ana:/bin/bash',
      'ana wheel',
      'ana ana 700',
    ]);
    expect(account.stdout).toContain('.bashrc');
    expect((await inside(`${firstRun} </dev/null`)).stderr).toBe('The account ana is there already.\n');
  });

  inSystem(
    'the account logs in as WSL does it, and may use sudo with its password',
    async ({ run: inside, dialogue }) => {
      const { stdout } = await dialogue('login -f ana', [
        [/\$ /, 'echo "$USER $HOME $SHELL" session=$(systemctl --user is-system-running --wait)\n'],
        [/ana \/home\/ana \/bin\/bash session=running/, 'sudo id -u\n'],
        [/password for ana: /, 'a-Weir:of 2026\n'],
        [/\n0\r?\n[\s\S]*\$ /, 'sudo -n true && echo remembered; exit\n'],
        [/\nremembered/, ''],
      ]);
      expect(stdout).toMatch(/session=running[\s\S]*\n0\r?\n[\s\S]*\nremembered/);
      const rights = await inside('sudo -l -U ana; visudo -c');
      expect(rights.stdout).toMatch(/\(ALL : ALL\) ALL/);
      expect(rights.stdout).toMatch(/sudoers: parsed OK/);
      expect(rights.code).toBe(0);
    },
  );
});
