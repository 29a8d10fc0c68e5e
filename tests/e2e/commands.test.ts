import { spawnSync } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileDigest } from '../../src/base/digest.ts';
import { installRoot } from '../../src/base/paths.ts';
import { readGpt } from '../../src/lint/gpt.ts';
import { within } from '../../src/release/custom/raw-copy.ts';
import type { RepositoryComparison } from '../../src/release/repo-compare.ts';
import { runTool } from '../../src/toolbox/tool.ts';
import { Client } from '../mcp/client.ts';
import { expectError, filesBelow, newFolder, projectWith, releaseRecord, shared, tools, weir } from './weir.ts';

let work: string;

beforeAll(async () => {
  work = await newFolder('commands');
});

async function answer<T>(...words: string[]): Promise<T> {
  const { code, stdout, stderr } = await weir([...words, '--json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

describe('weir repo compare', () => {
  let server: Server;
  let url: string;
  let project: string;

  beforeAll(async () => {
    const { version, snapshot } = await releaseRecord();
    const top = join(shared.out, 'repo', version, snapshot);
    server = createServer((request, response) => {
      const path = join(top, new URL(request.url ?? '/', 'http://x').pathname);
      if (existsSync(path)) createReadStream(path).pipe(response);
      else response.writeHead(404).end();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const set = `
[resources.rpm-repo-set-templates.plain]
subrepos = [{ name = "base", subpath = "base/$basearch" }, { name = "sdk", subpath = "sdk/$basearch" }]
[resources.rpm-repo-sets.served]
template = "plain"
base-uri = "${url}"
name-prefix = "served-"
disable-gpg-check = true
`;
    project = await projectWith({ 'distro/weir.toml': (text) => `${text}${set}` });
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const compare = (...words: string[]): Promise<RepositoryComparison> =>
    answer('-C', project, 'repo', 'compare', '--out', shared.out, ...words);

  it('finds no difference between a snapshot and the repository set that serves it', async () => {
    const { counts, packages, left, right } = await compare('--left', 'latest', '--right', 'served');
    expect(packages).toEqual([]);
    expect(counts).toMatchObject({ missing: 0, extra: 0, upgraded: 0, downgraded: 0, other: 0 });
    expect(counts.same).toBeGreaterThan(300);
    expect(left.packages).toBe(right.packages);
    expect(right.repositories.map(({ id }) => id)).toEqual(['served-base', 'served-sdk']);
  });

  it('lists what one channel lacks', async () => {
    const { channels } = await releaseRecord();
    const sdk = channels.find(({ name }) => name === 'sdk')!.packages.map(({ nevra }) => nevra);
    const base = `${url}/base/x86_64`;
    const { packages } = await compare('--left', 'served', '--right', base, '--missing-from-right');
    expect(packages.flatMap((each) => each.left).sort()).toEqual(sdk.sort());
    const stat = await answer('repo', 'compare', '--left', base, '--right', base, '--stat');
    expect(stat).not.toHaveProperty('packages');
  });

  it('never takes a side that cannot be read for an empty one', async () => {
    const result = await weir(['-C', project, 'repo', 'compare', '--left', 'served', '--right', `${url}/nowhere`]);
    expectError(result, { exit: 1, says: /nowhere|repository/ });
  });
});

interface CustomResult {
  readonly path: string;
  readonly evidence: string;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
}

/** The list of files of an image, by path. */
async function treeOf(evidence: string): Promise<Map<string, Record<string, unknown>>> {
  const lines = gunzipSync(await readFile(join(evidence, 'tree.jsonl.gz')))
    .toString()
    .trim()
    .split('\n');
  return new Map(lines.map((line) => JSON.parse(line) as { path: string }).map((entry) => [entry.path, entry]));
}

describe('weir image customize', () => {
  it('derives a container with packages, files and accounts, the same bytes each time', async () => {
    await mkdir(join(work, 'dir/sub'), { recursive: true });
    await writeFile(join(work, 'dir/sub/run'), '#!/bin/sh\n', { mode: 0o755 });
    const config = join(work, 'box.yaml');
    await writeFile(
      config,
      `os:
  packages: { install: [less], remove: [bzip2] }
  additionalFiles:
  - { content: "hello", destination: /etc/motd, permissions: "640" }
  additionalDirs:
  - { source: dir, destination: /opt/app, newDirPermissions: "750" }
  users:
  - { name: alice, uid: 1234, secondaryGroups: [wheel] }
`,
    );
    const derive = (to: string): Promise<CustomResult> =>
      answer(
        '-C',
        shared.project,
        'image',
        'customize',
        'container-base',
        '--image-config',
        config,
        '--output-path',
        join(work, to),
        '--out',
        shared.out,
      );
    const first = await derive('a/box');
    const tree = await treeOf(first.evidence);
    expect(tree.get('/etc/motd')).toMatchObject({ mode: '0640', size: 5, user: 'root' });
    expect(tree.get('/opt/app')).toMatchObject({ mode: '0750' });
    expect(tree.get('/opt/app/sub/run')).toMatchObject({ mode: '0755' });
    expect(tree.get('/usr/bin/less')).toBeDefined();
    expect(tree.get('/usr/bin/bzip2')).toBeUndefined();
    expect(tree.get('/home/alice')).toMatchObject({ mode: '0700', user: 'alice' });
    const second = await derive('b/box');
    expect(second.files).toEqual(first.files);
  });

  it('derives a disk with words for the kernel, a password and services, whose file comes with its evidence', async () => {
    const config = join(work, 'vm.yaml');
    await writeFile(
      config,
      `os:
  hostname: web01
  users:
  - { name: root, password: { type: plain-text, value: secret } }
  services: { disable: [sshd] }
  kernelCommandLine: { extraCommandLine: [web=1] }
`,
    );
    const file = join(shared.out, 'images/vm-base/vm-base.raw');
    const before = await fileDigest(file);
    const words = ['--image-file', file, '--image-config', config, '--output-path', join(work, 'web.qcow2')];
    const made = await answer<CustomResult>('-C', shared.project, 'image', 'customize', ...words, '--out', shared.out);
    expect((await stat(made.path)).isFile()).toBe(true);
    expect(await filesBelow(made.evidence)).toEqual(
      ['image.json', 'provenance.dsse.json', 'sbom.cdx.json', 'sbom.spdx.json', 'tree.jsonl.gz'].sort(),
    );
    const record = JSON.parse(await readFile(join(made.evidence, 'image.json'), 'utf8')) as {
      details: { commandLine: string };
    };
    expect(record.details.commandLine).toMatch(/ web=1$/);
    const tree = await treeOf(made.evidence);
    expect(tree.get('/etc/hostname')).toMatchObject({ size: 6 });
    expect([...tree.keys()].filter((path) => path.endsWith('.wants/sshd.service'))).toEqual([]);
    const linted = await weir(['image', 'lint', made.path, '--json']);
    const { reports } = JSON.parse(linted.stdout) as {
      reports: { verdicts: { rule: string; status: string; findings: { message: string }[] }[] }[];
    };
    const broken = reports[0]!.verdicts.filter(({ status }) => status === 'broken');
    expect(broken.map(({ rule }) => rule).sort()).toEqual(['no-passwords', 'sshd-enabled']);
    expect(await fileDigest(file)).toBe(before);
  });

  it('says at which line an account asks for a number that the image has given', async () => {
    const config = join(work, 'taken.yaml');
    await writeFile(config, 'os:\n  users:\n  - { name: alice, uid: 1 }\n');
    const words = [
      'container-base',
      '--image-config',
      config,
      '--output-path',
      join(work, 'taken'),
      '--out',
      shared.out,
    ];
    const result = await weir(['-C', shared.project, 'image', 'customize', ...words]);
    expectError(result, {
      exit: 2,
      says: /taken\.yaml:3:5: the id 1 of user alice is in use: by user bin/,
      hint: /another/,
    });
    expect(existsSync(join(work, 'taken'))).toBe(false);
  });

  it('refuses a disk that is no image of the project', async () => {
    const foreign = join(work, 'foreign.raw');
    await writeFile(foreign, 'x');
    await writeFile(join(work, 'empty.yaml'), '');
    const words = [
      '--image-file',
      foreign,
      '--image-config',
      join(work, 'empty.yaml'),
      '--output-path',
      join(work, 'x.raw'),
    ];
    const result = await weir(['-C', shared.project, 'image', 'customize', ...words]);
    expectError(result, { exit: 2, says: /no image of the project/, hint: /name that image/ });
    expect(existsSync(join(work, 'x.raw'))).toBe(false);
  });
});

describe('weir image inject-files', () => {
  it('puts files into FAT and ext4, from one format to another, the same bytes each time', async () => {
    const disk = join(shared.out, 'images/vm-base/vm-base.raw');
    const { size } = await stat(disk);
    const parts = (await within(disk, (read) => readGpt(read, size))).partitions;
    const esp = parts.find(({ name }) => name === 'esp')!;
    const root = parts.find(({ name }) => name === 'root')!;
    await writeFile(join(work, 'signed.efi'), 'signed boot loader');
    const config = join(work, 'inject.yaml');
    await writeFile(
      config,
      `previewFeatures: [inject-files]
injectFiles:
- { partition: { idType: part-uuid, id: ${esp.uuid.toUpperCase()} }, source: signed.efi, destination: /EFI/BOOT/BOOTX64.EFI, type: shim }
- { partition: { id: ${esp.uuid} }, source: signed.efi, destination: /EFI/a b/new.efi }
- { partition: { idType: part-label, id: root }, source: signed.efi, destination: /etc/motd }
- { partition: { idType: part-label, id: root }, source: signed.efi, destination: /opt/new/file }
`,
    );
    const inject = async (to: string): Promise<string> => {
      const words = ['--image-file', disk, '--image-config', config, '--output-path', join(work, to)];
      await answer('-C', shared.project, 'image', 'inject-files', ...words);
      return join(work, to);
    };
    const raw = await inject('injected.img');
    expect(await fileDigest(await inject('again.img'))).toBe(await fileDigest(raw));
    const toolbox = await tools();
    const run = async (...argv: string[]): Promise<string> =>
      (await runTool(toolbox, { argv, binds: [{ from: work }], env: { MTOOLS_SKIP_CHECK: '1' } })).stdout;
    for (const path of ['::/EFI/BOOT/BOOTX64.EFI', '::/EFI/a b/new.efi']) {
      expect(await run('mtype', '-i', `${raw}@@${esp.offset}`, path)).toBe('signed boot loader');
    }
    const device = `${raw}?offset=${root.offset}`;
    for (const path of ['/etc/motd', '/opt/new/file']) {
      expect(await run('debugfs', '-R', `cat ${path}`, device)).toBe('signed boot loader');
      expect(await run('debugfs', '-R', `ea_list ${path}`, device)).toMatch(/security\.selinux .*_t:s0/);
    }
    await run('e2fsck', '-f', '-n', device);
    const vhd = await inject('injected.vhd');
    const linted = await weir(['image', 'lint', vhd, '--json']);
    expect(linted.code, linted.stdout).toBe(0);
  });

  it('lists the partitions of the disk where one is unknown, and leaves nothing', async () => {
    const disk = join(shared.out, 'images/vm-base/vm-base.qcow2');
    const config = join(work, 'wrong.yaml');
    await writeFile(
      config,
      'injectFiles:\n- { partition: { idType: part-label, id: boot }, source: wrong.yaml, destination: /x }\n',
    );
    const words = ['--image-file', disk, '--image-config', config, '--output-path', join(work, 'wrong.raw')];
    const result = await weir(['-C', shared.project, 'image', 'inject-files', ...words]);
    expectError(result, {
      exit: 2,
      says: /wrong\.yaml:2:3: the disk has no partition with part-label boot/,
      hint: /2: esp/,
    });
    expect((await readdir(work)).filter((name) => name.includes('wrong.raw') || name.endsWith('.tmp'))).toEqual([]);
  });
});

const hasPytest = spawnSync('python3', ['-c', 'import pytest, venv']).status === 0;

describe.runIf(hasPytest)('weir image test', () => {
  it('runs a suite on the last build of an image', async () => {
    const suite = `
[tests.layout]
type = "pytest"
pytest = { working-dir = "image-tests", test-paths = ["test_*.py"] , extra-args = ["--image-path={image-path}"] }
`;
    const project = await projectWith({
      'distro/weir.toml': (text) => `${text}${suite}`,
      'distro/images/container-base.toml': (text) =>
        `${text}\n[images.container-base.tests]\ntests = [{ name = "layout" }]\n`,
      'distro/image-tests/conftest.py': () => 'def pytest_addoption(parser):\n    parser.addoption("--image-path")\n',
      'distro/image-tests/test_layout.py': () => `import json, os
def test_layout(request):
    path = request.config.getoption("--image-path")
    assert json.load(open(os.path.join(path, "oci-layout")))["imageLayoutVersion"] == "1.0.0"
`,
    });
    const report = join(work, 'report.xml');
    const tested = await answer(
      '-C',
      project,
      'image',
      'test',
      'container-base',
      '--out',
      shared.out,
      '--junit-xml',
      report,
    );
    expect(tested).toMatchObject({ ok: true, tests: [{ name: 'layout', state: 'passed', cases: { tests: 1 } }] });
    expect(await readFile(report, 'utf8')).toContain('<testsuite name="layout"');
  });
});

describe('weir mcp', () => {
  it('asks the real tools and leaves project and output as they were', async () => {
    const project = await projectWith({});
    const snapshot = async (): Promise<string[]> => {
      const files = await filesBelow(join(project, '..'));
      return Promise.all(files.map(async (file) => `${file} ${await fileDigest(join(project, '..', file))}`));
    };
    const before = await snapshot();
    const client = new Client(['-C', project, 'mcp', '--out', shared.out], {
      cwd: installRoot,
      env: { ...(process.env as Record<string, string>), XDG_CACHE_HOME: shared.cacheHome },
    });
    await client.open('2025-11-25');
    const calls: [string, Record<string, unknown>][] = [
      ['component_query', { names: ['less'] }],
      ['overlay_explain', { component: 'less' }],
      ['component_diff', { names: ['less'] }],
      ['repo_compare', { left: 'latest', right: 'latest', stat: true }],
      ['package_list', { own: true }],
      ['package_evidence', { package: 'less' }],
      ['image_show', { name: 'container-base' }],
      ['release_show', {}],
    ];
    for (const [tool, given] of calls) {
      const { content, isError } = await client.call(tool, given);
      expect(isError, `${tool}: ${content[0]?.text}`).toBe(false);
      expect(() => JSON.parse(content[0]!.text) as unknown).not.toThrow();
    }
    expect(await client.close()).toBe(0);
    expect(await snapshot()).toEqual(before);
  });
});
