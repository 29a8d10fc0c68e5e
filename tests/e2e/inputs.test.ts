import { copyFile, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileDigest, sha256 } from '../../src/base/digest.ts';
import { openEngine } from '../../src/engine/engine.ts';
import type { InputRepository } from '../../src/inputs/input-repository.ts';
import { type InputSource, type InputsContext, openInput } from '../../src/inputs/source.ts';
import { nevra } from '../../src/repo/metadata.ts';
import { resolveCached, resolvePackages } from '../../src/repo/resolve.ts';
import { obtainPackages } from '../../src/repo/source.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { type SigningKey, signRpms } from '../../src/trust/gpg.ts';
import { signingKey } from '../../src/workspace/keys.ts';
import { writeRpm } from '../rpm/write-rpm.ts';
import {
  cloneCache,
  exitOf,
  expectError,
  imageRecord,
  isRoot,
  newFolder,
  releaseRecord,
  shared,
  sharedWorkspace,
  startWeir,
  tools,
  weir,
  weirOk,
} from './weir.ts';

// Mirrors are servers on loopback that speak HTTP, with metadata by createrepo_c and signatures by rpmsign, as Fedora's.

let toolbox: Toolbox;
let key: SigningKey;
let server: ReturnType<typeof createServer>;
let origin: string;
/** What the server answers: path → a folder, or the answer itself. A folder's files are below its path. */
const served = new Map<string, string | Buffer>();
/** Paths that were asked for. */
let asked: string[] = [];

beforeAll(async () => {
  toolbox = await tools();
  key = await signingKey(await sharedWorkspace(), toolbox);
  server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').replace(/\?.*/, ''));
    asked.push(path);
    const answer = async (): Promise<void> => {
      const [at, what] =
        [...served].filter(([prefix]) => path.startsWith(prefix)).sort(([a], [b]) => b.length - a.length)[0] ?? [];
      if (at === undefined || what === undefined) return void response.writeHead(404).end();
      const bytes = typeof what === 'string' ? await readFile(join(what, path.slice(at.length))) : what;
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    };
    answer().catch(() => response.writeHead(404).end());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

interface Small {
  readonly name: string;
  readonly version?: string;
  readonly requires?: readonly string[];
  readonly content?: string;
  readonly epoch?: number;
}

/** A repository with small packages. @param signs false leaves the packages unsigned */
async function smallRepository(packages: readonly Small[], signs = true): Promise<string> {
  const dir = await newFolder('repository');
  const names: string[] = [];
  for (const { name, version = '1', requires = [], content = name, epoch } of packages) {
    const file = `${name}-${version}-1.noarch.rpm`;
    names.push(file);
    await writeRpm(join(dir, file), {
      ...{ name, version, release: '1', arch: 'noarch', summary: name, description: name, license: 'MIT' },
      ...(epoch === undefined ? {} : { epoch }),
      buildTime: 1_760_000_000,
      requires: requires.map((each) => ({ name: each, flags: '' as const })),
      files: [{ path: `/usr/share/${name}`, kind: 'file', mode: 0o644, content: Buffer.from(content) }],
    });
  }
  if (signs) await signRpms(toolbox, key, dir, names, 1_760_000_000, dir);
  await runTool(toolbox, { argv: ['createrepo_c', '--quiet', dir], binds: [{ from: dir, writable: true }] });
  return dir;
}

function metalinkOf(repomd: Buffer, ...mirrors: string[]): Buffer {
  const urls = mirrors.map(
    (mirror, index) =>
      `<url protocol="http" type="http" preference="${100 - index}">${origin}${mirror}/repodata/repomd.xml</url>`,
  );
  return Buffer.from(`<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/"><files><file name="repomd.xml"><size>${repomd.length}</size>
<verification><hash type="sha256">${sha256(repomd)}</hash></verification>
<resources maxconnections="1">${urls.join('')}</resources></file></files></metalink>`);
}

/** A cache of its own, with nothing in it. */
async function emptyCache(): Promise<InputsContext> {
  const cache = await newFolder('cache');
  const engine = await openEngine(cache, () => {});
  return { engine, toolbox, cache, lock: join(cache, 'inputs.lock'), arch: 'x86_64', note: () => {} };
}

async function keyFile(text = key.publicKey): Promise<string> {
  const path = join(await newFolder('key'), 'key.asc');
  await writeFile(path, text);
  return `file://${path}`;
}

async function repositoryAt(path: string, over: Partial<InputRepository> = {}): Promise<InputRepository> {
  const address = { kind: 'baseurl', urls: [`${origin}${path}`] } as const;
  return { id: 'test', address, keys: [await keyFile()], checksSignatures: true, priority: 99, ...over };
}

/** Resolves and downloads. @returns NEVRAs */
async function taken(sources: readonly InputSource[], wanted: readonly string[]): Promise<string[]> {
  const packages = await resolvePackages(toolbox, sources, wanted, { arch: 'x86_64', purpose: 'a test' });
  await obtainPackages(sources, packages);
  return packages.map((pkg) => `${nevra(pkg)} of ${pkg.origin}`);
}

describe('a repository over the network', () => {
  test('a mirror older than the metalink is passed over, and what was taken is there with every mirror gone', async () => {
    const good = await smallRepository([{ name: 'top', requires: ['bottom'] }, { name: 'bottom' }, { name: 'unused' }]);
    const stale = await smallRepository([{ name: 'top', version: '0.9' }]);
    const repomd = await readFile(join(good, 'repodata/repomd.xml'));
    served
      .set('/good/', good)
      .set('/stale/', stale)
      .set('/metalink', metalinkOf(repomd, '/stale', '/gone', '/good'));
    const context = await emptyCache();
    const repository = await repositoryAt('', { address: { kind: 'metalink', url: `${origin}/metalink` } });
    const source = await openInput(context, repository);
    expect(await taken([source], ['top'])).toEqual(['bottom-1-1.noarch of test', 'top-1-1.noarch of test']);
    served.clear();
    asked = [];
    const again = await openInput(context, repository);
    expect(await taken([again], ['top'])).toHaveLength(2);
    expect(asked).toEqual([]);
    process.env.WEIR_OFFLINE = '1';
    try {
      await expect(taken([again], ['unused'])).rejects.toMatchObject({ code: 'offline' });
    } finally {
      delete process.env.WEIR_OFFLINE;
    }
    // The lock without the cache: the state cannot be had any more, and the error says so.
    const other = await emptyCache();
    await copyFile(context.lock, other.lock);
    await expect(openInput(other, repository)).rejects.toMatchObject({ code: 'no-metadata' });
  });

  test('a repository that moved on is not taken unasked', async () => {
    served.set('/moving/', await smallRepository([{ name: 'top' }]));
    const context = await emptyCache();
    const repository = await repositoryAt('/moving');
    await openInput(context, repository);
    served.set('/moving/', await smallRepository([{ name: 'top', version: '2' }]));
    // The same cache has the locked state; another has not.
    expect((await openInput(context, repository)).find('top-1-1.noarch')).toBeDefined();
    const other = await emptyCache();
    await copyFile(context.lock, other.lock);
    await expect(openInput(other, repository)).rejects.toMatchObject({ code: 'inputs-changed' });
  });

  test('a package replaced under the same name, or gone, is an error that names each mirror', async () => {
    const dir = await smallRepository([{ name: 'top' }, { name: 'other' }]);
    const evil = await smallRepository([{ name: 'top', content: 'replaced' }]);
    served.set('/replaced/', dir).set('/replaced/top-1-1.noarch.rpm', await readFile(join(evil, 'top-1-1.noarch.rpm')));
    served.set('/second/', dir).set('/second/top-1-1.noarch.rpm', await readFile(join(evil, 'top-1-1.noarch.rpm')));
    const urls = ['/replaced', '/second'].map((path) => `${origin}${path}`);
    const source = await openInput(await emptyCache(), await repositoryAt('', { address: { kind: 'baseurl', urls } }));
    const error = await taken([source], ['top']).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'wrong-hash' });
    await rm(join(dir, 'other-1-1.noarch.rpm'));
    const gone = await taken([source], ['other']).catch((thrown: unknown) => thrown);
    expect(gone).toMatchObject({ code: 'not-found' });
    expect(JSON.stringify((gone as { details: unknown }).details)).toContain('/second/other-1-1.noarch.rpm');
    // The right bytes at the second mirror are enough.
    served.set('/second/top-1-1.noarch.rpm', await readFile(join(dir, 'top-1-1.noarch.rpm')));
    expect(await taken([source], ['top'])).toEqual(['top-1-1.noarch of test']);
  });

  test('an unsigned package, and one signed by another key, are refused unless the project accepts unsigned ones', async () => {
    served.set('/unsigned/', await smallRepository([{ name: 'top' }], false));
    const refused = await openInput(await emptyCache(), await repositoryAt('/unsigned'));
    await expect(taken([refused], ['top'])).rejects.toMatchObject({ code: 'bad-signature' });
    const accepted = await repositoryAt('/unsigned', { keys: [], checksSignatures: false });
    expect(await taken([await openInput(await emptyCache(), accepted)], ['top'])).toHaveLength(1);
    const home = await newFolder('gnupg');
    const script =
      'gpg --homedir "$1" --batch --passphrase "" --quick-generate-key other@example.org ed25519 sign never && gpg --homedir "$1" --armor --export';
    const argv = ['sh', '-c', script, 'sh', home];
    const made = await runTool(toolbox, { argv, binds: [{ from: home, writable: true }] });
    served.set('/signed/', await smallRepository([{ name: 'top' }]));
    const foreign = await repositoryAt('/signed', { keys: [await keyFile(made.stdout)] });
    const source = await openInput(await emptyCache(), foreign);
    await expect(taken([source], ['top'])).rejects.toThrow('has no valid signature');
  });

  test('what was signed after its key had expired is refused; what was signed before is not', async () => {
    const created = 1_760_000_000;
    const day = 86_400;
    const answer = async (signed: number, repomdSigned = signed): Promise<unknown> => {
      const home = await newFolder('gnupg');
      const dir = await smallRepository([{ name: 'top' }], false);
      // gpg does not sign with a key that has expired, so the key gets its date afterwards.
      const script = `set -e
at() { time=$1; shift; gpg --homedir "$home" --batch --passphrase '' --faked-system-time "$time!" "$@"; }
home=$1
at ${created} --quick-generate-key old@example.org ed25519 sign never
rpmsign --define "_gpg_path $1" --define '__gpg /usr/bin/gpg' --define '_openpgp_sign_id old@example.org' \\
  --define '_gpg_sign_cmd_extra_args --batch --faked-system-time ${signed}!' --addsign "$2"/*.rpm
createrepo_c --quiet "$2"
at ${repomdSigned} --armor --detach-sign "$2/repodata/repomd.xml"
key=$(gpg --homedir "$1" --with-colons --list-keys | sed -n '/^fpr/{s/^fpr:*//;s/:$//;p;q}')
at ${created + 10} --quick-set-expire "$key" 1d
gpg --homedir "$1" --armor --export >"$2/key.asc"`;
      const binds = [home, dir].map((from) => ({ from, writable: true }));
      await runTool(toolbox, { argv: ['sh', '-c', script, 'sh', home, dir], binds });
      served.set('/expired/', dir);
      const repository = await repositoryAt('/expired', { keys: [`file://${dir}/key.asc`] });
      const opened = openInput(await emptyCache(), repository);
      return opened.then((source) => taken([source], ['top'])).catch((thrown: unknown) => thrown);
    };
    expect(await answer(created + day / 2)).toHaveLength(1);
    const metadata = await answer(created + day / 2, created + 7 * day);
    expect(metadata).toMatchObject({ code: 'bad-signature', message: expect.stringContaining('repomd.xml') });
    const error = await answer(created + 7 * day, created + day / 2);
    expect(error).toMatchObject({ code: 'bad-signature' });
    expect(JSON.stringify((error as { details: unknown }).details)).toContain('NOTTRUSTED');
  });

  test('a modular repository is reported, and only default streams are used', async () => {
    const dir = await smallRepository([{ name: 'app' }, { name: 'app', version: '2' }]);
    const modules = `---
document: modulemd
version: 2
data:
  name: app
  stream: "2"
  version: 1
  context: c0ffee42
  arch: x86_64
  summary: App
  description: App
  license: { module: [MIT] }
  artifacts:
    rpms: ["app-0:2-1.noarch"]
...
`;
    await writeFile(join(dir, 'modules.yaml'), modules);
    const argv = ['modifyrepo_c', '--mdtype=modules', join(dir, 'modules.yaml'), join(dir, 'repodata')];
    await runTool(toolbox, { argv, binds: [{ from: dir, writable: true }] });
    served.set('/modular/', dir);
    const notes: string[] = [];
    const context = { ...(await emptyCache()), note: (text: string) => void notes.push(text) };
    const source = await openInput(context, await repositoryAt('/modular'));
    expect(notes).toEqual(['test has modules: packages of streams that are not the default are not used']);
    expect(await taken([source], ['app'])).toEqual(['app-1-1.noarch of test']);
  });

  test('damaged metadata is refused, and the error names what was tried', async () => {
    const dir = await smallRepository([{ name: 'top' }]);
    const repomd = await readFile(join(dir, 'repodata/repomd.xml'), 'utf8');
    const primary = /repodata\/[0-9a-f]+-primary\.xml\.zst/.exec(repomd)![0];
    const bytes = await readFile(join(dir, primary));
    served.set('/damaged/', dir).set(`/damaged/${primary}`, bytes.subarray(0, bytes.length - 10));
    const damaged = await openInput(await emptyCache(), await repositoryAt('/damaged')).catch(
      (thrown: unknown) => thrown,
    );
    expect(damaged).toMatchObject({ code: 'no-metadata' });
    // librepo notices while it downloads, or when it loads the file: then it names the one in its cache.
    const reported = JSON.stringify((damaged as { details: unknown }).details);
    expect(reported).toContain(`${origin}/damaged`);
    expect(reported).toContain(primary);
    // Truncated by its maker: the checksums are right.
    const short = bytes.subarray(0, bytes.length - 10);
    const told = repomd
      .replaceAll(await fileDigest(join(dir, primary)), sha256(short))
      .replace(`<size>${bytes.length}</size>`, `<size>${short.length}</size>`);
    const path = `/truncated/repodata/${sha256(short)}-primary.xml.zst`;
    served.set('/truncated/', dir).set('/truncated/repodata/repomd.xml', Buffer.from(told)).set(path, short);
    const truncated = await openInput(await emptyCache(), await repositoryAt('/truncated')).catch((e: unknown) => e);
    expect((truncated as { code: string }).code).toMatch(/^(bad|no)-metadata$/);
    const nowhere = await repositoryAt('', {
      address: { kind: 'baseurl', urls: ['http://127.0.0.1:1/x', `${origin}/nothing`] },
    });
    const failed = await openInput(await emptyCache(), nowhere).catch((thrown: unknown) => thrown);
    const details = JSON.stringify((failed as { details: unknown }).details);
    expect(details).toContain('127.0.0.1:1');
    expect(details).toContain('/nothing/repodata/repomd.xml');
  });

  test('versions compare as rpm does, and the repository with the lower priority number wins', async () => {
    served.set(
      '/first/',
      await smallRepository([
        { name: 'tilde', version: '1~rc1' },
        { name: 'caret', version: '1' },
        { name: 'both', content: 'first' },
        { name: 'epoch', version: '9' },
      ]),
    );
    served.set(
      '/second/',
      await smallRepository([
        { name: 'tilde', version: '1' },
        { name: 'caret', version: '1^20260101' },
        { name: 'both', content: 'second' },
        { name: 'epoch', version: '1', epoch: 1 },
      ]),
    );
    const context = await emptyCache();
    const first = await openInput(context, await repositoryAt('/first', { id: 'first' }));
    const second = await openInput(context, await repositoryAt('/second', { id: 'second' }));
    expect(await taken([first, second], ['tilde', 'caret', 'epoch'])).toEqual([
      'caret-1^20260101-1.noarch of second',
      'epoch-1:1-1.noarch of second',
      'tilde-1-1.noarch of second',
    ]);
    const low = { ...second, priority: 10 };
    const [chosen] = await resolvePackages(toolbox, [first, low], ['both'], { arch: 'x86_64', purpose: 'a test' });
    expect(chosen!.rpm).toBe(second.find('both-1-1.noarch')!.rpm);
    expect(chosen!.rpm).not.toBe(first.find('both-1-1.noarch')!.rpm);

    // excludepkgs and includepkgs.
    const filter = { excludes: [], includes: [], moduleHotfixes: false };
    const without = { ...second, filter: { ...filter, excludes: ['tild*', 'epoch-1:1-1'] } };
    expect(await taken([first, without], ['tilde', 'caret', 'epoch'])).toEqual([
      'caret-1^20260101-1.noarch of second',
      'epoch-9-1.noarch of first',
      'tilde-1~rc1-1.noarch of first',
    ]);
    const only = { ...second, filter: { ...filter, includes: ['car*', 'both'] } };
    expect(await taken([only], ['caret'])).toEqual(['caret-1^20260101-1.noarch of second']);
    await expect(taken([only], ['tilde'])).rejects.toMatchObject({
      code: 'unresolvable',
      details: expect.arrayContaining([expect.stringMatching(/excluded/)]),
    });
    // Both have this NEVRA: what dnf5 chose is taken, from the cache of resolutions too.
    const excluded = { ...low, filter: { ...filter, excludes: ['both'] } };
    for (const sources of [
      [first, excluded],
      [first, excluded],
    ]) {
      const [pkg] = await resolveCached(
        { engine: context.engine, toolbox, arch: 'x86_64' },
        sources,
        ['both'],
        'a test',
      );
      expect(pkg!.rpm).toBe(first.find('both-1-1.noarch')!.rpm);
    }
  });
});

describe('a project that builds from repositories', () => {
  const spec = `Name: hello
Version: 1
Release: 1
Summary: Says hello
License: MIT
BuildRequires: gcc
%description
Says hello.
%build
test "$FLAVOUR" = sweet
test -d /run/lock -a -d /var/extra
echo 'int main(void) { return 0; }' > hello.c
gcc -O2 -g -o hello hello.c
%install
install -D hello %{buildroot}%{_bindir}/hello
%files
%{_bindir}/hello
`;
  let project: string;

  beforeAll(async () => {
    project = join(await newFolder('derived'), 'project');
    await mkdir(project, { recursive: true });
    const published = join(shared.out, 'repo/4.0/latest');
    served.clear();
    served.set('/published/', published);
    const repository = (name: string): string => `[resources.rpm-repos.${name}]
base-uri = "${origin}/published/${name}/$basearch"
gpg-key = "${published}/RPM-GPG-KEY"
`;
    await writeFile(
      join(project, 'weir.toml'),
      `[project]
default-distro = { name = "derived", version = "1" }
[distros.derived.versions.1]
release-ver = "4.0"
mock-config = "mock.cfg"
inputs.rpm-build = [{ repo = "base" }, { repo = "sdk" }]
[release]
version = "1"
snapshot = "2026-11-20"
channels = [{ name = "base" }]
build-root = ["bash", "coreutils", "diffutils", "findutils", "gcc", "grep", "gzip", "make", "rpm-build", "sed", "tar", "weir-rpm-config"]
[toolbox]
allow-expired = true
${repository('base')}${repository('sdk')}
[components.hello]
spec = { type = "local", path = "hello.spec" }
[images.hello]
definition = { type = "weir", kind = "container", packages = ["hello", "weir-release"] }
`,
    );
    await writeFile(join(project, 'hello.spec'), spec);
    await writeFile(
      join(project, 'mock.cfg'),
      `config_opts['target_arch'] = 'x86_64'
config_opts['root'] = 'derived'
config_opts['chroot_setup_cmd'] = 'install bash'
config_opts['environment']['FLAVOUR'] = 'sweet'
config_opts['extra_chroot_dirs'] = ['/run/lock', '/var/extra']
config_opts['rpmbuild_opts'] = '--nodeps'
config_opts['dnf.conf'] = '[main]\\n'
`,
    );
  });

  test('is built from them, with its images, and again with the mirror gone', async () => {
    const out = join(project, 'out');
    const built = await weirOk(['-C', project, 'build', '--out', out]);
    expect(built.images.map(({ name }) => name)).toEqual(['hello']);
    const { packages } = await imageRecord('hello', out);
    expect(packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['hello', 'glibc']));
    const record = await releaseRecord(out);
    expect(record.inputs.repositories?.map(({ id }) => id)).toEqual(['base', 'sdk']);
    const [base] = record.channels;
    // Only what the image and the packages need is published.
    expect(base!.packages.length).toBeLessThan(30);
    expect(base!.packages.find((each) => each.nevra.startsWith('glibc-'))?.origin).toBe('base');
    expect(await readFile(join(out, 'images/hello/sbom.spdx.json'), 'utf8')).toContain(
      'taken as it is from repository base',
    );

    served.clear();
    const verified = await weir(['-C', project, 'inputs', 'verify']);
    expect(verified.code, verified.stderr + verified.stdout).toBe(0);
    await writeFile(join(project, 'hello.spec'), spec.replace('Release: 1', 'Release: 2'));
    const lock = await readFile(join(project, 'inputs.lock'), 'utf8');
    const again = await weir(['-C', project, '--offline', 'component', 'build', 'hello']);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain('hello-1-2.x86_64.rpm');
    expect(await readFile(join(project, 'inputs.lock'), 'utf8')).toBe(lock);

    // weir-release is only in the image.
    expect(lock).toContain('"weir-release-');
    const pruned = await weir(['-C', project, '--offline', 'inputs', 'prune']);
    expect(pruned.code, pruned.stderr).toBe(0);
    expect(pruned.stdout).toBe('0 packages dropped from inputs.lock\n');
    expect(await readFile(join(project, 'inputs.lock'), 'utf8')).toBe(lock);
  });

  test('the lock is written and read as a package manifest of dnf5', async () => {
    served.set('/published/', join(shared.out, 'repo/4.0/latest'));
    const written = await weir(['-C', project, 'inputs', 'manifest']);
    expect(written.code, written.stderr).toBe(0);
    expect(written.stdout).toMatch(/^document: rpm-package-manifest\nversion: 0\.2\.2\n/);
    const file = join(project, 'packages.manifest.yaml');
    await writeFile(file, written.stdout);
    const lock = join(project, 'inputs.lock');
    const whole = await readFile(lock, 'utf8');
    await rm(lock);
    const read = await weir(['-C', project, 'inputs', 'update', '--manifest', file]);
    expect(read.code, read.stderr).toBe(0);
    expect(await readFile(lock, 'utf8')).toBe(whole);
    await writeFile(
      file,
      written.stdout.replace(/(name: bash\n(?: .*\n){2} *checksum: sha256:)[0-9a-f]{64}/, `$1${'0'.repeat(64)}`),
    );
    const refused = await weir(['-C', project, 'inputs', 'update', '--manifest', file]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/bash-\S+: repository base has other bytes/);
    expect(await readFile(lock, 'utf8')).toBe(whole);
    served.clear();
  });

  test('a repository of the command line is used as it is now, and is not locked', async () => {
    served.set('/published/', join(shared.out, 'repo/4.0/latest'));
    const lock = join(project, 'inputs.lock');
    const whole = await readFile(lock, 'utf8');
    await writeFile(
      join(project, 'hello.spec'),
      spec
        .replace('BuildRequires: gcc', 'BuildRequires: gcc, passing')
        .replace('test -d', 'cat /usr/share/passing; test -d'),
    );
    const folder = await smallRepository([{ name: 'passing', content: 'one' }], false);
    const build = ['-C', project, 'component', 'build', 'hello', '--repo', `here=${folder}`];
    for (const content of ['one', 'two']) {
      const next = await smallRepository([{ name: 'passing', content }], false);
      await rm(folder, { recursive: true });
      await rename(next, folder);
      const built = await weir(build);
      expect(built.code, built.stderr).toBe(0);
      expect(built.stderr).toContain('rpmbuild_opts is not followed');
      const { stdout } = await weir(['-C', project, 'component', 'log', 'hello']);
      expect(stdout).toContain(`\n${content}`);
    }
    expect(await readFile(lock, 'utf8')).toBe(whole);
    // One with the id of a repository of the project stands in for it.
    const alone = await weir(['-C', project, 'component', 'build', 'hello', '--repo', `sdk=${folder}`]);
    expect(alone.code).toBe(1);
    expect(alone.stderr).toMatch(/ sdk \d+: 1 packages/);
    await writeFile(lock, whole);
    for (const [words, message] of [
      [['--repo', `a=${folder}`, '--repo', `a=${folder}`], /two repositories "a"/],
      [['--repo', `built=${folder}`], /the id "built" is reserved|repository id "built" is reserved/],
    ] as const) {
      const refused = await weir(['-C', project, 'component', 'build', 'hello', ...words]);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toMatch(message);
    }
    await writeFile(join(project, 'hello.spec'), spec);
    served.clear();
  });

  test('fetch downloads what the lock names', async () => {
    served.set('/published/', join(shared.out, 'repo/4.0/latest'));
    const env = { XDG_CACHE_HOME: await newFolder('cache') };
    await mkdir(join(env.XDG_CACHE_HOME, 'weir/store'), { recursive: true });
    // With another key, the shared toolbox would be unpacked again under the other tests.
    const cacheKey = 'weir/store/key';
    await copyFile(join(shared.cacheHome, cacheKey), join(env.XDG_CACHE_HOME, cacheKey));
    await symlink(join(shared.cacheHome, 'weir/toolbox'), join(env.XDG_CACHE_HOME, 'weir/toolbox'));
    expect((await weir(['-C', project, 'inputs', 'verify'], { env })).code).toBe(1);
    const fetched = await weir(['-C', project, 'inputs', 'fetch'], { env });
    expect(fetched.code, fetched.stderr).toBe(0);
    served.clear();
    const verified = await weir(['-C', project, '--offline', 'inputs', 'verify'], { env });
    expect(verified.code, verified.stdout).toBe(0);
    const seed = await weir(['-C', shared.project, 'inputs', 'verify']);
    expectError(seed, { exit: 2, says: /inputs\.lock names no repository/, hint: /builds from the seed/ });
  });

  test('update goes on after kill -9 at any time', async () => {
    served.set('/published/', join(shared.out, 'repo/4.0/latest'));
    const lock = join(project, 'inputs.lock');
    const whole = await readFile(lock, 'utf8');
    for (const delay of [100, 300, 500, 700, 900, 1100]) {
      await rm(lock, { force: true });
      const child = startWeir(['-C', project, 'inputs', 'update'], {});
      const timer = setTimeout(() => child.kill('SIGKILL'), delay);
      await exitOf(child);
      clearTimeout(timer);
      const left = await readFile(lock, 'utf8').catch(() => '');
      expect(left === '' || left.includes('version = 1')).toBe(true);
    }
    const updated = await weir(['-C', project, 'inputs', 'update']);
    expect(updated.code, updated.stderr).toBe(0);
    const verified = await weir(['-C', project, 'inputs', 'verify']);
    expect(verified.code, verified.stdout).toBe(0);
    await writeFile(lock, whole);
    served.clear();
  });

  test('a full disk is reported, and leaves the lock unchanged', async () => {
    served.set('/published/', join(shared.out, 'repo/4.0/latest'));
    const cache = await cloneCache();
    const scratch = join(cache, 'weir/scratch');
    await mkdir(scratch, { recursive: true });
    const lock = join(project, 'inputs.lock');
    const whole = await readFile(lock, 'utf8');
    const script = 'mount -t tmpfs -o size=64k tmpfs "$1" || exit 99; shift; exec "$@"';
    const within = ['unshare', ...(isRoot ? [] : ['--map-root-user']), '--mount', 'sh', '-c', script, 'sh', scratch];
    const result = await weir(['-C', project, 'inputs', 'update'], { within, env: { XDG_CACHE_HOME: cache } });
    expectError(result, { exit: 1, says: /no space left/, hint: /XDG_CACHE_HOME/ });
    expect(await readFile(lock, 'utf8')).toBe(whole);
    served.clear();
  });

  test('the lock is listed, and verify tells what is missing', async () => {
    const listed = await weir(['-C', project, 'inputs', 'list', '--json']);
    const rows = JSON.parse(listed.stdout) as { id: string; locked: { signed: boolean; packages: number } }[];
    expect(rows.map(({ id, locked }) => [id, locked.signed, locked.packages > 10])).toEqual([
      ['base', true, true],
      ['sdk', true, true],
    ]);
    const lock = join(project, 'inputs.lock');
    const text = await readFile(lock, 'utf8');
    await writeFile(lock, text.replace(/("bash-\S+ \d+ )[0-9a-f]{64}/, `$1${'0'.repeat(64)}`));
    const result = await weir(['-C', project, 'inputs', 'verify']);
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/bash-\S+: missing/);
    await writeFile(lock, text);
    expect((await stat(lock)).size).toBe(text.length);
  });
});
