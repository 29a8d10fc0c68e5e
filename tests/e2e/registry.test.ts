import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunResult, run } from '../../src/base/process.ts';
import type { Bind } from '../../src/engine/jail.ts';
import { sandboxArgv } from '../../src/engine/sandbox.ts';
import type { PushReport } from '../../src/registry/push.ts';
import { runTool, type Toolbox, tryTool } from '../../src/toolbox/tool.ts';
import { type Envelope, openEnvelope } from '../../src/trust/dsse.ts';
import { layoutOf, readIndex } from './container.ts';
import { exitOf, imageRecord, newFolder, shared, tools, weir } from './weir.ts';

// A real registry (the CNCF's distribution) on the loopback, a real client (skopeo) and a real runtime (runc).

let toolbox: Toolbox;
let server: ChildProcess;
let registry: string;
let dir: string;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as { port: number };
  await new Promise((done) => probe.close(done));
  return port;
}

beforeAll(async () => {
  toolbox = await tools('test');
  dir = await newFolder('registry');
  registry = `127.0.0.1:${await freePort()}`;
  const config = `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${dir}/data } }\nhttp: { addr: ${registry} }\n`;
  await writeFile(join(dir, 'config.yml'), config);
  const [program, ...args] = sandboxArgv(toolbox.jail, {
    code: 'tool',
    root: toolbox.root,
    argv: ['docker-registry', 'serve', join(dir, 'config.yml')],
    binds: [{ from: dir, writable: true }],
    network: true,
  });
  server = spawn(program!, args, { stdio: 'ignore' });
  for (let tries = 0; ; tries++) {
    const up = await fetch(`http://${registry}/v2/`).catch(() => undefined);
    if (up?.ok === true) break;
    if (tries > 200) throw new Error(`the registry does not respond; it exited with ${server.exitCode}`);
    await new Promise((done) => setTimeout(done, 50));
  }
});

afterAll(async () => {
  server?.kill('SIGKILL');
  if (server !== undefined) await exitOf(server);
});

async function push(image: string, reference: string, more: readonly string[] = []): Promise<PushReport> {
  const words = [
    '-C',
    shared.project,
    'image',
    'push',
    image,
    `${registry}/${reference}`,
    ...more,
    '--out',
    shared.out,
    '--json',
  ];
  const result = await weir(words);
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as PushReport;
}

/** Copies an image from the registry as a host that asks for signatures does. @param key public key, PEM file */
async function pullSigned(reference: string, to: string, key: string): Promise<{ code: number; stderr: string }> {
  const lookaside = join(dir, 'registries.d');
  await runTool(toolbox, { argv: ['mkdir', '-p', lookaside], binds: [{ from: dir, writable: true }] });
  await writeFile(join(lookaside, 'weir.yaml'), `docker:\n  ${registry}:\n    use-sigstore-attachments: true\n`);
  const requirement = [{ type: 'sigstoreSigned', keyPath: key }];
  const policy = { default: [{ type: 'reject' }], transports: { docker: { [registry]: requirement } } };
  await writeFile(join(dir, 'policy.json'), JSON.stringify(policy));
  // A layout has no place for signatures.
  const copy = ['copy', '--remove-signatures', '--registries.d', lookaside, '--src-tls-verify=false', '--tmpdir', dir];
  return tryTool(toolbox, {
    argv: ['skopeo', '--policy', join(dir, 'policy.json'), ...copy, `docker://${registry}/${reference}`, `oci:${to}:t`],
    binds: [{ from: dir, writable: true }, { from: shared.out }],
    network: true,
  });
}

/**
 * Runs a runtime, which makes namespaces of its own: in the sandbox of tools, but without its filter and with all capabilities in
 * it, for Weir's tools have no right to any of that.
 */
function startContainer(argv: readonly string[], binds: readonly Bind[]): Promise<RunResult> {
  const words = sandboxArgv(toolbox.jail, { code: 'tool', root: toolbox.root, argv, binds });
  const filter = words.indexOf('--seccomp');
  const unfiltered = filter < 0 ? words : words.toSpliced(filter, 2);
  return run(unfiltered.toSpliced(unfiltered.lastIndexOf('--chdir'), 0, '--cap-add', 'ALL'));
}

describe('an image in a registry', () => {
  test('is pushed once; a second push sends nothing', async () => {
    const first = await push('distroless-base', 'weir/base:4.0');
    const { digest } = (await readIndex(layoutOf('distroless-base'))).manifests[0]!;
    expect(first).toMatchObject({ digest, tag: '4.0', pushed: `${registry}/weir/base@${digest}` });
    expect(first.blobs.uploaded).toBeGreaterThan(3);
    const again = await push('distroless-base', 'weir/base:4.0');
    expect(again.blobs.uploaded).toBe(0);
    expect(again.digest).toBe(digest);
  });

  test('an image on the same base sends only differing blobs', async () => {
    await push('distroless-base', 'weir/family:base');
    const { blobs } = await push('python', 'weir/family:python');
    expect(blobs.there).toBeGreaterThan(2);
  });

  test('is signed under every tag, and verification with another key fails', async () => {
    await push('distroless-base', 'weir/base:4.0');
    await push('distroless-base', 'weir/base:stable');
    const key = join(shared.out, 'image-key.pem');
    for (const tag of ['4.0', 'stable']) {
      const pulled = await pullSigned(`weir/base:${tag}`, join(dir, `pulled-${tag}`), key);
      expect(pulled.stderr).toBe('');
      expect(pulled.code).toBe(0);
    }
    const other = join(dir, 'other.pem');
    const { generateKeyPairSync } = await import('node:crypto');
    const pair = generateKeyPairSync('ed25519');
    await writeFile(other, pair.publicKey.export({ type: 'spki', format: 'pem' }));
    const refused = await pullSigned('weir/base:4.0', join(dir, 'refused'), other);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/signature/i);
  });

  test('has its SBOMs and its signed provenance as referrers', async () => {
    const { digest } = await push('distroless-base', 'weir/base:4.0');
    const get = async <T>(path: string): Promise<T> => {
      const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json';
      const response = await fetch(`http://${registry}/v2/weir/base/${path}`, { headers: { accept } });
      expect(response.status, path).toBe(200);
      return (await response.json()) as T;
    };
    // This registry does not list referrers itself: then an index under a tag does (Distribution Specification 1.1).
    type Listed = { manifests: { digest: string; artifactType: string }[] };
    const { manifests } = await get<Listed>(`manifests/${digest.replace(':', '-')}`);
    const types = ['application/spdx+json', 'application/vnd.cyclonedx+json', 'application/vnd.dsse.envelope.v1+json'];
    expect(manifests.map(({ artifactType }) => artifactType).sort()).toEqual(types);
    const artifact = async <T>(type: string): Promise<T> => {
      const found = manifests.find(({ artifactType }) => artifactType === type)!;
      const manifest = await get<{ layers: { digest: string }[]; subject: { digest: string } }>(
        `manifests/${found.digest}`,
      );
      expect(manifest.subject.digest).toBe(digest);
      return get<T>(`blobs/${manifest.layers[0]!.digest}`);
    };
    expect(await artifact('application/spdx+json')).toMatchObject({ spdxVersion: 'SPDX-2.3' });
    const envelope = await artifact<Envelope>('application/vnd.dsse.envelope.v1+json');
    const payload = openEnvelope(await readFile(join(shared.out, 'image-key.pem'), 'utf8'), envelope);
    const statement = JSON.parse(Buffer.from(payload!).toString()) as {
      subject: unknown;
      predicate: { buildDefinition: { resolvedDependencies: { name: string }[] } };
    };
    expect(statement.subject).toEqual([{ name: 'distroless-base', digest: { sha256: digest.slice(7) } }]);
    const { packages } = await imageRecord('distroless-base');
    const used = statement.predicate.buildDefinition.resolvedDependencies.map(({ name }) => name);
    expect(used.sort()).toEqual([...packages.map(({ nevra }) => nevra), 'toolbox'].sort());
  });

  test('is in an index where clients find their architecture', async () => {
    await push('distroless-minimal', 'weir/multi:4.0', ['--index']);
    const { digest } = (await readIndex(layoutOf('distroless-minimal'))).manifests[0]!;
    const inspect = async (...words: string[]): Promise<{ Digest: string; Architecture: string }> => {
      const argv = ['skopeo', ...words, 'inspect', '--tls-verify=false', `docker://${registry}/weir/multi:4.0`];
      return JSON.parse((await runTool(toolbox, { argv, network: true })).stdout);
    };
    expect((await inspect()).Architecture).toBe('amd64');
    const other = ['skopeo', '--override-arch', 'arm64', 'inspect', '--tls-verify=false'];
    const missing = await tryTool(toolbox, { argv: [...other, `docker://${registry}/weir/multi:4.0`], network: true });
    expect(missing.stderr).toMatch(/no image found in image index for architecture \W+arm64/);
    const key = join(shared.out, 'image-key.pem');
    const pulled = await pullSigned('weir/multi:4.0', join(dir, 'multi'), key);
    expect(pulled.stderr).toBe('');
    expect((await readIndex(join(dir, 'multi'))).manifests[0]!.digest).toBe(digest);
  });

  test('is pulled by skopeo and run by runc', async () => {
    await push('python', 'weir/python:4.0');
    const pulled = join(dir, 'python');
    const bundle = join(dir, 'bundle');
    const { code, stderr } = await pullSigned('weir/python:4.0', pulled, join(shared.out, 'image-key.pem'));
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const binds = [{ from: dir, writable: true }];
    await runTool(toolbox, { argv: ['umoci', 'unpack', '--rootless', '--image', `${pulled}:t`, bundle], binds });
    const spec = JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8'));
    expect(spec.process.args).toEqual(['/usr/bin/python3']);
    // What only a host that gives a whole range of users and a control group can have; this has to run everywhere.
    spec.process = { ...spec.process, terminal: false, user: { uid: 0, gid: 0 } };
    spec.process.args = [
      ...spec.process.args,
      '-c',
      'import os, platform; print(platform.freedesktop_os_release()["IMAGE_ID"], os.getpid() > 0)',
    ];
    spec.mounts = [
      { destination: '/proc', type: 'bind', source: '/proc', options: ['rbind'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
    ];
    const needed = ['mount', 'user', 'ipc', 'uts'];
    spec.linux.namespaces = needed.map((type) => ({ type }));
    delete spec.linux.maskedPaths;
    delete spec.linux.readonlyPaths;
    await writeFile(join(bundle, 'config.json'), JSON.stringify(spec));
    const start = ['runc', '--root', join(dir, 'runc'), '--rootless=true', 'run', '--bundle', bundle, 'weir'];
    const ran = await startContainer(start, [...binds, { from: '/sys' }]);
    expect(ran.stdout, ran.stderr).toBe('python True\n');
    expect(ran.code).toBe(0);
  });
});
