import { copyFile, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunResult } from '../../src/base/process.ts';
import { serveRepository } from '../../src/boot/repo-server.ts';
import { readRpm } from '../../src/rpm/read.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { type SigningKey, signDetached } from '../../src/trust/gpg.ts';
import { signingKey } from '../../src/workspace/keys.ts';
import type { Workspace } from '../../src/workspace/workspace.ts';
import { type Container, startContainer, unpackContainer } from './container.ts';
import { filesBelow, newFolder, shared, sharedWorkspace, tools, weir } from './weir.ts';

// All of this runs in the container image that was built: its own dnf5, repository file and key, as a user has them.

let workspace: Workspace;
let toolbox: Toolbox;
let key: SigningKey;
let root: string;
/** The published RPM that is installed and tampered with. */
let rpm: string;

beforeAll(async () => {
  workspace = await sharedWorkspace();
  toolbox = await tools();
  key = await signingKey(workspace, toolbox);
  root = await unpackContainer(toolbox);
  const published = join(shared.out, 'repo/4.0/latest/sdk/x86_64/Packages/d');
  const name = (await filesBelow(published)).find((each) => /^dos2unix-[\d.]+-.*x86_64\.rpm$/.test(each));
  rpm = join(published, name!);
});

/** A container whose repositories are at `mirror`, a URL. */
async function containerFor(mirror: string, folder: string, network: boolean): Promise<Container> {
  const variable = join(await newFolder('mirror'), 'weirmirror');
  await writeFile(variable, `${mirror}\n`);
  return startContainer(toolbox, root, {
    network,
    binds: [
      { from: variable, to: '/etc/dnf/vars/weirmirror' },
      ...(network ? [] : [{ from: folder, to: '/srv/mirror' }]),
    ],
  });
}

const install = ['dnf5', '-y', '--enablerepo=weir-sdk', 'install', 'dos2unix'];

/** A mirror of its own with this one package in the base channel. @param edit changes it before it is signed */
async function smallMirror(
  edit: (rpm: string) => Promise<void> = async () => {},
): Promise<{ dir: string; base: string }> {
  const dir = await newFolder('small');
  const base = join(dir, '4.0/latest/base/x86_64');
  const copy = join(base, 'dos2unix.rpm');
  await mkdir(base, { recursive: true });
  await copyFile(rpm, copy);
  await edit(copy);
  await runTool(toolbox, { argv: ['createrepo_c', '--quiet', base], binds: [{ from: base, writable: true }] });
  await sign(base);
  return { dir, base };
}

async function sign(base: string): Promise<void> {
  const repomd = join(base, 'repodata/repomd.xml');
  await writeFile(`${repomd}.asc`, await signDetached(toolbox, key, repomd, workspace.clock));
}

async function installFrom(dir: string): Promise<RunResult & { readonly installed: boolean }> {
  const container = await containerFor('file:///srv/mirror', dir, false);
  const result = await container.run(['dnf5', '-y', 'install', 'dos2unix']);
  return { ...result, installed: (await container.run(['rpm', '-q', 'dos2unix'])).code === 0 };
}

/** Flips one bit. */
async function damage(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0]! ^= 1;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

describe('dnf5 installs from the published repository with both checks on', () => {
  const works = async (container: Container): Promise<void> => {
    const result = await container.run(install);
    expect(result.code, result.stdout + result.stderr).toBe(0);
    expect((await container.run(['rpm', '-V', 'dos2unix'])).stdout).toBe('');
    expect((await container.run(['dos2unix', '--version'])).stdout).toMatch(/^dos2unix \d/);
    const settings = (await container.run(['dnf5', 'repo', 'info', '--all'])).stdout;
    expect(settings).not.toMatch(/Verify (packages|repodata)\s*: false/);
  };

  test('from a folder', async () => {
    await works(await containerFor('file:///srv/mirror', join(shared.out, 'repo'), false));
  });

  test('over HTTP', async () => {
    const server = await serveRepository(join(shared.out, 'repo'));
    try {
      await works(await containerFor(`http://127.0.0.1:${server.port}`, '', true));
      expect(server.requests.some((request) => request.path.endsWith('repomd.xml.asc'))).toBe(true);
    } finally {
      await server.close();
    }
  });
});

describe('dnf5 rejects', () => {
  test('nothing of an intact small mirror', async () => {
    const { dir } = await smallMirror();
    const result = await installFrom(dir);
    expect(result.installed, result.stdout + result.stderr).toBe(true);
  });

  test('an unsigned package', async () => {
    const { dir } = await smallMirror(async (file) => {
      await runTool(toolbox, {
        argv: ['rpmsign', '--delsign', file],
        binds: [{ from: join(file, '..'), writable: true }],
      });
      expect((await readRpm(file)).signed).toBe(false);
    });
    const result = await installFrom(dir);
    expect(result).toMatchObject({ installed: false });
    expect(result.stdout + result.stderr).toMatch(/not signed|signature/i);
  });

  test('a package changed after signing, with matching metadata', async () => {
    const { payloadOffset, size } = await readRpm(rpm);
    expect(size).toBeGreaterThan(0);
    const { dir } = await smallMirror((file) => damage(file, payloadOffset + 100));
    expect(await installFrom(dir)).toMatchObject({ installed: false });
  });

  test('a package that differs from the metadata', async () => {
    const { dir, base } = await smallMirror();
    await damage(join(base, 'dos2unix.rpm'), (await readRpm(rpm)).payloadOffset + 100);
    const result = await installFrom(dir);
    expect(result).toMatchObject({ installed: false });
    expect(result.stdout + result.stderr).toMatch(/checksum|digest/i);
  });

  test('metadata changed after signing', async () => {
    const { dir, base } = await smallMirror();
    const repomd = join(base, 'repodata/repomd.xml');
    await writeFile(repomd, `${await readFile(repomd, 'utf8')}<!-- altered -->\n`);
    const result = await installFrom(dir);
    expect(result).toMatchObject({ installed: false });
    expect(result.stdout + result.stderr).toMatch(/signature|verif|GPG|PGP/i);
  });

  test('unsigned metadata', async () => {
    const { dir, base } = await smallMirror();
    await rm(join(base, 'repodata/repomd.xml.asc'));
    expect(await installFrom(dir)).toMatchObject({ installed: false });
  });
});

describe('weir repo query', () => {
  const query = (options: readonly string[], words: readonly string[]): Promise<RunResult> =>
    weir(['-C', shared.project, 'repo', 'query', '--out', shared.out, ...options, '--', ...words]);

  test("queries the release's repositories", async () => {
    const result = await query([], ['repoquery', '--whatprovides', '/usr/bin/less', '--qf', '%{name} %{vendor}\n']);
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout.trim()).toBe('less Weir Linux');
  });

  test('queries a published tree over HTTP, and reports unreachable repositories', async () => {
    const server = await serveRepository(join(shared.out, 'repo/4.0/latest'));
    try {
      const prefix = ['--repo-prefix', `http://127.0.0.1:${server.port}`, '--no-debuginfo', '--no-srpms'];
      const result = await query(prefix, ['repoquery', '--arch', 'x86_64', 'less']);
      expect(result.stdout.trim()).toMatch(/^less-0:\S+\.x86_64$/);
      expect(server.requests.some(({ path }) => path.includes('srpms'))).toBe(false);
      const all = await query(prefix.slice(0, 2), ['repolist', '--all']);
      expect(all.stdout).toMatch(/^base-src\b/m);
    } finally {
      await server.close();
    }
  });

  test("returns dnf's exit code, and requires repositories", async () => {
    expect((await query([], ['no-such-command'])).code).not.toBe(0);
    const none = await query(['--repo-prefix', '/nowhere', '--template', 'none'], ['repolist']);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('unknown repository template none');
  });
});
