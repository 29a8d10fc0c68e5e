import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../../src/base/process.ts';
import { serveFiles } from '../sources/server.ts';
import { folder, launcher, weir } from './weir.ts';

let root: string;
let project: string;
let head: string;

beforeEach(() => {
  root = folder({
    'git/a/a.spec': 'Name: a\nVersion: 1\nRelease: 1\n',
    'git/a/sources': `SHA512 (a.tgz) = ${'0'.repeat(128)}\n`,
  });
  project = folder({
    'weir.toml': `
[project]
description = "p"
default-distro = { name = "ours", version = "1" }
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }
[distros.up]
dist-git-base-uri = "${root}/git/$pkg"
lookaside-base-uri = "http://127.0.0.1:1/$filename"
[distros.up.versions.1]
[components.a]
[components.c]
spec = { type = "local", path = "c.spec" }
`,
    'c.spec': 'Name: c\n',
  });
  const git = (...args: string[]): string =>
    spawnSync('git', ['-C', join(root, 'git/a'), '-c', 'user.name=a', '-c', 'user.email=a@b.example', ...args], {
      encoding: 'utf8',
    }).stdout.trim();
  git('init', '-q');
  git('add', '-A');
  git('commit', '-q', '-m', 'x');
  head = git('rev-parse', 'HEAD');
});

describe('weir component update', () => {
  const update = (...args: string[]): ReturnType<typeof weir> => weir(['-C', project, 'component', 'update', ...args]);

  it('lists what it wrote, but no unchanged components', () => {
    const short = head.slice(0, 12);
    expect(update('-a')).toMatchObject({
      code: 0,
      stdout: `COMPONENT  STATE  COMMIT        BEFORE\na          new    ${short}\n`,
    });
    expect(update('-a')).toMatchObject({ code: 0, stdout: '' });
    expect(update('--bump', 'a', 'c').stdout.split('\n').slice(1)).toEqual([
      `a          bumped  ${short}  manual-bump 1`,
      'c          bumped  -             manual-bump 1',
      '',
    ]);
    expect(readdirSync(join(project, 'locks'))).toEqual(['a.lock', 'c.lock']);
  });

  it('--check exits 1 if something is stale', () => {
    const stale = update('-a', '--check');
    expect(stale.code).toBe(1);
    expect(stale.stderr).toContain('error: locks are stale\nhint: run the command without --check\n');
    expect(existsSync(join(project, 'locks'))).toBe(false);
    update('-a');
    expect(update('-a', '--check-only').code).toBe(0);
  });

  it('prints JSON', () => {
    const { code, stdout } = update('-a', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      kept: 'locks',
      folder: join(project, 'locks'),
      components: [
        { component: 'a', state: 'new', commit: head },
        { component: 'c', state: 'skipped', reason: "its spec is the project's own" },
      ],
      orphans: [],
      stale: true,
    });
    const failed = update('-p', '*', '--bump', '--json', '--upstream-commits-dir', 'pins');
    expect(failed.code).toBe(2);
  });

  it.each([
    [[], 'no component selected'],
    [['-a', '--bump', '--check'], 'exclude each other'],
    [['x'], 'no component x'],
    [['-p', 'x*'], 'no component matches x*'],
  ])('%j is a usage error', (args, message) => {
    const { code, stdout, stderr } = update(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });
});

it.each([
  ['diff', ['a']],
  ['render', ['a']],
  ['prepare', ['a', '--skip-sources', '-o']],
])('weir component %s ignores a stale lock with --skip-lock-validation', (verb, args) => {
  mkdirSync(join(project, 'locks'));
  writeFileSync(join(project, 'locks/a.lock'), `version = 1\nupstream-commit = '${head}'\n`);
  const file = join(project, 'weir.toml');
  const pinned = `[components.a]\nspec = { type = "upstream", upstream-commit = "${'f'.repeat(40)}" }`;
  writeFileSync(file, readFileSync(file, 'utf8').replace('[components.a]', pinned));
  const argv = ['-C', project, 'component', verb, ...args, ...(args.at(-1) === '-o' ? [join(folder({}), 'out')] : [])];
  const stale = weir(argv);
  expect(stale.code).toBe(verb === 'render' ? 1 : 2);
  expect(stale.stderr).toContain('component a: the lock of a names another commit than its upstream-commit\n');
  expect(stale.stderr).toContain('hint: run weir component update a\n');
  expect(weir([...argv, '--skip-lock-validation']).code).toBe(0);
});

describe('weir component prepare', () => {
  it('writes a folder and lists its files', () => {
    const out = join(folder({}), 'out');
    const { code, stdout } = weir(['-C', project, 'component', 'prepare', 'a', '-o', out, '--skip-sources']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${out}/a.spec\n${out}/sources\n` });
    expect(readFileSync(join(out, 'a.spec'), 'utf8')).toContain('Version: 1');
  });

  it('does not use the network with --offline', () => {
    const out = join(folder({}), 'out');
    const { code, stderr } = weir(['-C', project, '--offline', 'component', 'prepare', 'a', '-o', out]);
    expect(code).toBe(1);
    expect(stderr).toContain('error: component a: a.tgz is not in the cache, and this run is offline\n');
    expect(stderr).toContain('  not tried: http://127.0.0.1:1/a.tgz\n');
    expect(existsSync(out)).toBe(false);
  });

  it('uses the proxy for the lookaside, then for those of WEIR_LOOKASIDE', async () => {
    const { url, asked } = await serveFiles({ '/second/a.tgz': 'wrong' });
    const proxied: string[] = [];
    const proxy = createServer((request, response) => {
      const asked = new URL(request.url ?? '');
      proxied.push(asked.host);
      get(`${url}${asked.pathname}`, (answer) => {
        response.writeHead(answer.statusCode ?? 0);
        answer.pipe(response);
      });
    });
    await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
    onTestFinished(() => void proxy.close());
    const home = folder({});
    const file = join(project, 'weir.toml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('http://127.0.0.1:1/', 'http://lookaside.invalid/first/'));
    const result = await run([launcher, '-C', project, 'component', 'prepare', 'a', '-o', join(home, 'out')], {
      env: {
        PATH: process.env.PATH ?? '',
        HOME: home,
        http_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
        WEIR_LOOKASIDE: 'http://mirror.invalid/second/$filename',
      },
    });
    expect(result.code).toBe(1);
    expect(proxied).toEqual(['lookaside.invalid', 'mirror.invalid']);
    expect(asked.map(({ path }) => path)).toEqual(['/first/a.tgz', '/second/a.tgz']);
    expect(result.stderr).toContain('error: component a: a.tgz has the wrong SHA512 hash\n');
    expect(result.stderr).toContain('  http://lookaside.invalid/first/a.tgz: HTTP 404 Not Found\n');
  });

  it('requires a folder', () => {
    const { code, stderr } = weir(['-C', project, 'component', 'prepare', 'a']);
    expect(code).toBe(2);
    expect(stderr).toContain("required option '-o, --output <dir>' not specified");
  });
});
