// `npm run conformance:profile -- --snapshot out/repo/4.0/latest [--image NAME] [--dir DIR]`: builds Weir Linux with its profile
// `fedora`, from local servers that speak the formats of Fedora's.
//
// The profile is built as it stands; a further configuration file moves addresses. RPM repositories are the channels of a published
// snapshot behind a metalink. Dist-gits have the seed's short specs, the lookaside their tarballs. Fedora's macros are made from those
// of the snapshot. With WEIR_AZURELINUX, a checkout of microsoft/azurelinux, the profile is first rendered with real specs: every
// overlay must still fit.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { sha256 } from '../src/base/digest.ts';
import { cacheRoot } from '../src/base/paths.ts';
import { loadProject } from '../src/project/load.ts';
import { parseSourcesFile } from '../src/sources/listing.ts';
import { openCheckout } from './conformance/checkout.ts';
import { distGitBranch, makeDistGit } from './conformance/dist-git.ts';
import { type RepositoryFile, writeRepository } from './distgit.ts';

const { values } = parseArgs({
  options: {
    snapshot: { type: 'string' },
    image: { type: 'string', default: 'container-base' },
    dir: { type: 'string' },
  },
});
const home = resolve(import.meta.dirname, '..');

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Serves the channels of a snapshot: `/metalink?repo=ID` and `/ID/…`. */
async function serve(channels: ReadonlyMap<string, string>): Promise<{ origin: string; close: () => void }> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', origin());
    const answer = async (): Promise<Buffer> => {
      if (url.pathname !== '/metalink') {
        const [, id = '', rest = ''] = /^\/([^/]+)\/(.+)$/.exec(decodeURIComponent(url.pathname)) ?? [];
        if (rest.split('/').includes('..')) throw new Error('outside');
        return readFile(join(channels.get(id)!, rest));
      }
      const id = url.searchParams.get('repo') ?? '';
      const repomd = await readFile(join(channels.get(id)!, 'repodata/repomd.xml'));
      return Buffer.from(`<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/"><files><file name="repomd.xml"><size>${repomd.length}</size>
<verification><hash type="sha256">${sha256(repomd)}</hash></verification><resources maxconnections="1">
<url protocol="http" type="http" preference="100">${origin()}/${id}/repodata/repomd.xml</url></resources></file></files></metalink>`);
    };
    answer().then(
      (bytes) => response.writeHead(200, { 'content-length': bytes.length }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { origin: origin(), close: () => server.close() };
}

/** Runs Weir. @returns its exit code */
async function weir(argv: readonly string[], shows = true): Promise<number> {
  say(`weir ${argv.join(' ')}`);
  const child = spawn(join(home, 'weir'), [...argv], { stdio: ['ignore', shows ? 'inherit' : 'ignore', 'inherit'] });
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

/** Packages of each of Fedora's macro components: those that `profiles/fedora.toml` publishes. */
const macros: Readonly<Record<string, readonly string[]>> = {
  'lua-rpm-macros': ['lua-rpm-macros', 'lua-srpm-macros'],
  'perl-srpm-macros': ['perl-srpm-macros'],
  'pyproject-rpm-macros': ['pyproject-rpm-macros', 'pyproject-srpm-macros'],
  'python-rpm-macros': ['python-rpm-macros', 'python-srpm-macros', 'python3-rpm-macros'],
  'redhat-rpm-config': ['redhat-rpm-config'],
};

/** A spec with the component's packages. That of redhat-rpm-config has the files that every buildroot already has. */
function macroSpec(component: string): RepositoryFile {
  const names = macros[component]!;
  const packages = names.map((name) =>
    name === component
      ? `%files -f ${name}.list\n`
      : `%package -n ${name}\nSummary: Macros\n%description -n ${name}\nMacros.\n%files -n ${name} -f ${name}.list\n`,
  );
  const install = names.map((name) =>
    name === 'redhat-rpm-config'
      ? `rpm -ql ${name} | while read -r path; do
  if [ -d "$path" ] && [ ! -L "$path" ]; then mkdir -p "%{buildroot}$path"; echo "%%dir $path"
  else mkdir -p "%{buildroot}\${path%%/*}"; cp -a "$path" "%{buildroot}$path"; echo "$path"; fi
done > ${name}.list`
      : `mkdir -p %{buildroot}%{_rpmmacrodir}
echo '%%__made_of_${name.replaceAll('-', '_')} 1' > %{buildroot}%{_rpmmacrodir}/macros.${name}
echo '%{_rpmmacrodir}/macros.${name}' > ${name}.list`,
  );
  const text = `Name: ${component}
Version: 400
Release: 1%{?dist}
Summary: Macros
License: MIT
BuildArch: noarch
%description
Macros.
%install
${install.join('\n')}
${packages.join('')}`;
  return { name: `${component}.spec`, bytes: Buffer.from(text), executable: false };
}

async function copyProject(dir: string): Promise<void> {
  for (const name of ['distro', 'seed', 'toolbox.lock']) {
    await rm(join(dir, name), { recursive: true, force: true });
    await cp(join(home, name), join(dir, name), { recursive: true, preserveTimestamps: true });
  }
}

/** The configuration that moves addresses to the work folder. */
function moved(distGit: string, repositories: string): string {
  return `[distros.fedora]
dist-git-base-uri = "${distGit}/$pkg"
lookaside-base-uri = "lookaside/$hash/$filename"
[distros.fedora.versions.44]
dist-git-branch = "${distGitBranch}"
${repositories}`;
}

/** Renders the profile with the real specs of a checkout. @returns the exit code */
async function renderReal(checkoutFolder: string, dir: string, upstream: readonly string[]): Promise<number> {
  const checkout = await openCheckout(resolve(checkoutFolder));
  for (const name of upstream) {
    const files = checkout.components.get(name);
    if (files === undefined) throw new Error(`${checkoutFolder} has no component ${name}`);
    // Rendering needs no sources of the lookaside.
    const candidate = { name, files: [], signatures: [], cost: 0 };
    if (!(await makeDistGit(checkout, candidate, join(dir, 'real-dist-git'))))
      throw new Error(`${name}: a file is missing`);
  }
  const config = join(dir, 'real.toml');
  await writeFile(config, moved('real-dist-git', ''));
  return weir(
    ['-C', join(dir, 'distro'), '--profile', 'fedora', '--config-file', config, 'component', 'render', '-a', '-q'],
    false,
  );
}

async function build(snapshot: string): Promise<number> {
  const dir = resolve(values.dir ?? join(cacheRoot(), '..', 'weir-conformance-profile'));
  await mkdir(dir, { recursive: true });
  await copyProject(dir);
  const project = await loadProject(join(dir, 'distro'), {
    configFiles: [join(dir, 'distro/profiles/fedora.toml')],
  });
  const upstream = [...project.components.values()].flatMap(({ name, spec }) =>
    spec?.type === 'upstream' ? [name] : [],
  );
  const checkout = process.env.WEIR_AZURELINUX;
  if (checkout === undefined || checkout === '') say('not checked: real specs, which need WEIR_AZURELINUX');
  else if ((await renderReal(checkout, dir, upstream)) !== 0) return 1;

  const distGit = join(dir, 'dist-git');
  await rm(distGit, { recursive: true, force: true });
  for (const name of upstream) {
    if (name in macros) {
      writeRepository(join(distGit, name), distGitBranch, [macroSpec(name)]);
      continue;
    }
    const from = join(home, 'seed/dist-git', name);
    const files = await Promise.all(
      (await readdir(from)).map(async (file) => ({
        name: file,
        bytes: await readFile(join(from, file)),
        executable: false,
      })),
    );
    writeRepository(join(distGit, name), distGitBranch, files);
    const prepared = join(dir, 'prepared', name);
    if (!existsSync(prepared)) {
      const code = await weir(['-C', join(dir, 'distro'), 'component', 'prepare', name, '-o', prepared, '-q'], false);
      if (code !== 0) return code;
    }
    for (const { filename, hash } of parseSourcesFile(
      await readFile(join(from, 'sources'), 'utf8'),
      `${name}/sources`,
    )) {
      await mkdir(join(dir, 'lookaside', hash), { recursive: true });
      await copyFile(join(prepared, filename), join(dir, 'lookaside', hash, filename));
    }
  }
  const published = await realpath(snapshot);
  const arch = project.release?.architectures[0] ?? 'x86_64';
  const { origin, close } = await serve(
    new Map([
      ['fedora-44', join(published, 'base', arch)],
      ['updates-released-f44', join(published, 'sdk', arch)],
    ]),
  );
  const repository = (id: string, name: string): string => `[resources.rpm-repos.${id}]
metalink = "${origin}/metalink?repo=${name}&arch=$basearch"
gpg-key = ${JSON.stringify(join(published, 'RPM-GPG-KEY'))}
`;
  const config = join(dir, 'local.toml');
  // The seed's hostname has no service for NIS to take out.
  await writeFile(
    config,
    `${moved('dist-git', repository('fedora', 'fedora-44') + repository('fedora-updates', 'updates-released-f44'))}
[components.hostname]
overlay-files = []
`,
  );
  // The port is another one in each run, and the lock names the address.
  await rm(join(dir, 'distro/inputs.lock'), { force: true });
  const out = join(dir, 'out');
  const where = ['-C', join(dir, 'distro'), '--profile', 'fedora', '--config-file', config];
  try {
    for (const argv of [
      ['build', '--image', values.image, '--out', out],
      ['release', 'verify', '--out', out],
      ['inputs', 'list'],
      ['inputs', 'verify'],
    ]) {
      const code = await weir([...where, ...argv]);
      if (code !== 0) return code;
    }
  } finally {
    close();
  }
  // With every mirror gone.
  return weir([...where, '--offline', 'build', '--image', values.image, '--out', join(dir, 'out-again')]);
}

if (values.snapshot === undefined || !existsSync(values.snapshot)) {
  say('usage: npm run conformance:profile -- --snapshot DIR (a published one, such as out/repo/4.0/latest)');
  process.exitCode = 2;
} else {
  process.exitCode = await build(values.snapshot);
}
