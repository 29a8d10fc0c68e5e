import { chmodSync, copyFileSync, readFileSync, realpathSync, symlinkSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, launcher, weir } from './weir.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
  version: string;
};

describe('the launcher', () => {
  it('starts through a symlink from a folder with a space in its name', () => {
    const dir = folder({});
    const link = join(dir, 'a link');
    symlinkSync(launcher, link);
    expect(weir(['--version'], { program: link, cwd: dir })).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('the packages that the launcher installs', () => {
  const list = 'node_modules/.package-lock.json';
  const [old, recent, later] = [new Date('2026-01-01'), new Date('2026-01-02'), new Date('2026-01-03')];

  /** An installation of Weir with an npm that records its arguments. @returns those */
  function started(files: Readonly<Record<string, string>>, lockTime: Date): string {
    const home = folder({
      'package-lock.json': '{}',
      'src/cli/main.ts': '',
      'bin/npm': '#!/bin/sh\necho "npm $*" >&2\nmkdir -p node_modules\n',
      ...files,
    });
    copyFileSync(launcher, join(home, 'weir'));
    chmodSync(join(home, 'bin/npm'), 0o755);
    for (const name of Object.keys(files)) utimesSync(join(home, name), recent, recent);
    utimesSync(join(home, 'package-lock.json'), lockTime, lockTime);
    const env = { PATH: `${join(home, 'bin')}:${dirname(process.execPath)}:${process.env.PATH}` };
    const { code, stderr } = weir([], { program: join(home, 'weir'), env });
    expect(code, stderr).toBe(0);
    return /^npm ci (.*?) ?--no-audit/m.exec(stderr)?.[1] ?? 'nothing';
  }

  it.each([
    ['none are there', {}, old, '--omit=dev'],
    ['it has installed them before', { 'node_modules/.weir-installed': '' }, old, 'nothing'],
    ['npm has, by hand', { [list]: '{ "dev": true }' }, old, 'nothing'],
    [
      'they are older than the lock file',
      { 'node_modules/.weir-installed': '', [list]: '{}' },
      new Date(),
      '--omit=dev',
    ],
    ['they are older, and those for tests are among them', { [list]: '{ "dev": true }' }, later, ''],
  ])('where %s', (_, files, lockTime, asked) => {
    expect(started(files, lockTime)).toBe(asked);
  });
});

describe('help', () => {
  it.each([
    ['weir', ['--help']],
    ['build', ['build', '--help']],
    ['boot', ['help', 'boot']],
    ['component', ['component', '--help']],
    ['component-render', ['help', 'component', 'render']],
    ['component-update', ['help', 'component', 'update']],
    ['component-prepare', ['help', 'component', 'prepare']],
    ['overlay', ['overlay', '--help']],
    ['package', ['package', '--help']],
    ['repo', ['repo', '--help']],
    ['image', ['help', 'image']],
    ['config', ['config', '--help']],
    ['schema', ['schema', '--help']],
    ['toolbox-run', ['toolbox', 'run', '--help']],
    ['clean', ['clean', '-h']],
    ['completion', ['completion', '--help']],
    ['component', ['component', 'help']],
  ])('of %s lists everything, with examples', async (name, argv) => {
    const { code, stdout, stderr } = weir(argv);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Examples:');
    await expect(stdout).toMatchFileSnapshot(join('golden', `help-${name}.txt`));
  });
});

describe('usage errors', () => {
  it.each([
    [['bild'], "unknown command 'bild'", 'build'],
    [['component', 'lst'], "unknown command 'lst'", 'list'],
    [['component', 'list', '--jsn'], "unknown option '--jsn'", '--json'],
    [['boot', 'vm-base', '--chek'], "unknown option '--chek'", '--check'],
    [['boot', 'vm-base', '--run', 'x.sh'], '--run requires --check', undefined],
    [['boot', 'vm-base', '--check', '--run', 'no-such.sh'], 'no-such.sh: no such file', undefined],
    [['boot', 'vm-base', '--check', '--run', '/tmp'], '/tmp: this is a folder', undefined],
    [['build', '--out', '/proc/version'], '/proc/version: this is not a folder', undefined],
    [['boot', 'vm-base', '--install', 'git'], '--install requires --check', undefined],
    [['boot', 'vm-base', '--memory', '1e9'], '--memory requires a whole number above 0, not 1e9', undefined],
    [['boot', 'vm-base', '--memory', '1000000000'], '--memory allows at most', undefined],
    [['boot', 'vm-base', '--memory', '255'], '--memory requires at least 256, not 255', undefined],
    [['boot', 'vm-base', '--append', 'debug\nquiet'], '--append must be one line', undefined],
    [['boot', 'vm-base', '--check', '--install', ''], '--install requires the name of a package', undefined],
    [['boot', 'vm-base', '--check', '--run', ''], '--run requires a file', undefined],
    [['boot', 'vm-base', '--ssh-key', ''], '--ssh-key requires a file', undefined],
    [['boot', 'vm-base', '--cloud-init', ''], '--cloud-init requires a folder', undefined],
    [['boot', 'vm-base', '--disk', ''], '--disk requires a file', undefined],
    [['boot', 'vm-base', '--disk-size', '65TiB'], '--disk-size 65TiB is too large; the limit is 64TiB', undefined],
    [['boot', 'vm-base', '--cpus', '1000'], '--cpus allows at most 255', undefined],
    [['boot', 'vm-base', '--check', '--ssh-key', 'id.pub'], '--ssh-key and --check exclude each other', undefined],
    [['boot', 'vm-base', '--check', '--no-autologin'], '--no-autologin and --check exclude each other', undefined],
    [
      ['boot', 'vm-base', '--disk-bus', 'pvscsi'],
      '--disk-bus pvscsi requires --firmware bios: this UEFI has no driver for it',
      undefined,
    ],
    [['boot', 'vm-base', '--firmware', 'bios', '--append', 'debug'], '--append requires --firmware uefi', undefined],
    [['boot', 'vm-base', '--disk', '/tmp'], '/tmp: this is a folder', undefined],
    [['boot', 'vm-base', '--disk', 'no-such.img'], 'no-such.img: no such file', undefined],
    [['build', '--out', ''], '--out requires a folder', undefined],
    [['release', 'show', '--out', ''], '--out requires a folder', undefined],
    [['component', 'show'], "missing required argument 'name'", undefined],
    [['component', 'list', 'more'], 'no component more', undefined],
    [['component', 'show', 'chorny'], 'no component chorny', 'chrony'],
    [['overlay', 'list', 'les'], 'no component les', 'less'],
    [['image', 'show', 'vm-bse'], 'no image vm-bse', 'vm-base'],
    [['toolbox', 'run', '--set', 'cor', '--', 'true'], 'unknown toolbox set cor', 'core'],
    [['--color', 'pink', 'config', 'show'], "argument 'pink' is invalid", undefined],
  ])('%j is exit code 2 and one error', (argv, message, near) => {
    const { code, stdout, stderr } = weir(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.match(/^error: /gm)).toHaveLength(1);
    expect(stderr).toContain(message);
    if (near !== undefined) expect(stderr).toMatch(new RegExp(`did you mean ${near}\\?`, 'i'));
  });

  describe('the file of boot --ssh-key', () => {
    const key = (type: string, name = type, length = name.length): string => {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(length);
      return `${type} ${Buffer.concat([head, Buffer.from(name), Buffer.alloc(36, 7)]).toString('base64')}`;
    };
    const started = (text: string) => {
      const dir = folder({ 'id.pub': text });
      return weir(['boot', 'no-such-image', '--ssh-key', join(dir, 'id.pub')]);
    };

    it.each([
      ['with a comment', `${key('ssh-ed25519')} me@host\n`],
      ['of two lines', `# mine\n${key('ssh-rsa')}\r\n\n${key('sk-ssh-ed25519@openssh.com')}`],
    ])('%s is accepted', (_, text) => {
      expect(started(text).stderr).toContain('no image no-such-image');
    });

    it.each([
      ['no key', 'ssh-ed25519 nonsense\n'],
      ['half of a key', `${key('ssh-ed25519').slice(0, -3)}\n`],
      ['a key of another type', `${key('ssh-ed25519', 'ssh-rsa')}\n`],
      ['a key of another length', `${key('ssh-ed25519', 'ssh-ed25519', 12)}\n`],
      ['a key and something else', `${key('ssh-ed25519')}\nssh-rsa me\n`],
      ['nothing', ''],
    ])('%s is rejected', (_, text) => {
      const { code, stderr } = started(text);
      expect(code).toBe(2);
      expect(stderr).toContain('id.pub: not an SSH public key');
    });
  });

  it('--out is relative to the working folder and becomes absolute: tools run in other folders', () => {
    const dir = folder({});
    const { code, stderr } = weir(['release', 'show', '--out', 'none'], { cwd: dir });
    expect(code).toBe(1);
    expect(stderr).toContain(`${join(realpathSync(dir), 'none', 'release.json')}: no release was built yet`);
  });

  it.each([[['bild', '--json']], [['build', '--nope', '--json']], [['--json', 'component', 'show', 'chorny']]])(
    '%j with --json is JSON on standard output',
    (argv) => {
      const { code, stdout } = weir(argv);
      const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint?: string } };
      expect(code).toBe(2);
      expect(error.code).toMatch(/^unknown-(command|option|component)$/);
      expect(error.message).not.toMatch(/^error/);
    },
  );

  it('shows the help if the command is missing', () => {
    const { code, stdout, stderr } = weir(['component']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: weir component');
  });
});
