// `npm run conformance:profile`: builds Weir Linux from Fedora's specs and from RPM repositories served as Fedora serves its own.
//
//     WEIR_AZURELINUX=DIR npm run conformance:profile -- --snapshot out/repo/4.0/latest [--image NAME] [--dir DIR]
//
// The profile `fedora` of distro/ is built as it stands; a further configuration file moves only addresses. Its dist-gits are made from
// the checkout's specs, its lookaside from Debian's source packages by hash, and its repositories are the channels of a published
// snapshot behind a metalink, on a server on loopback.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { sha256 } from '../src/base/digest.ts';
import { cacheRoot } from '../src/base/paths.ts';
import { loadProject } from '../src/project/load.ts';
import { openCheckout } from './conformance/checkout.ts';
import { type Candidate, findCandidates } from './conformance/choose.ts';
import { openDebian } from './conformance/debian.ts';
import { distGitBranch, makeDistGit } from './conformance/dist-git.ts';
import { openLookaside } from './conformance/lookaside.ts';

const { values } = parseArgs({
  options: {
    snapshot: { type: 'string' },
    image: { type: 'string', default: 'container-base' },
    dir: { type: 'string' },
  },
});
const azureLinux = process.env.WEIR_AZURELINUX;
const home = resolve(import.meta.dirname, '..');

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Serves the channels of a snapshot: `/metalink?repo=ID` and `/ID/…`. @returns the server's address and what ends it */
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

async function build(checkoutFolder: string, snapshot: string): Promise<number> {
  const dir = resolve(values.dir ?? join(cacheRoot(), '..', 'weir-conformance-profile'));
  await mkdir(dir, { recursive: true });
  for (const name of ['distro', 'seed', 'toolbox.lock']) {
    await rm(join(dir, name), { recursive: true, force: true });
    await cp(join(home, name), join(dir, name), { recursive: true, preserveTimestamps: true });
  }
  const checkout = await openCheckout(resolve(checkoutFolder));
  const debian = await openDebian(join(dir, 'debian'));
  const lookaside = await openLookaside({ dir, debian, mostBytes: 40 << 20 });
  const project = await loadProject(join(dir, 'distro'), { configFiles: [join(dir, 'distro/profiles/fedora.toml')] });
  const upstream = [...project.components.values()].filter(({ spec }) => spec?.type === 'upstream');
  const known = new Map((await findCandidates(checkout, debian)).map((each) => [each.name, each]));
  for (const { name } of upstream) {
    // Macros are files of the dist-git: nothing is looked up for them.
    const candidate: Candidate = known.get(name) ?? { name, files: [], signatures: [], cost: 0 };
    for (const file of candidate.files) {
      const lack = await lookaside.obtain(name, file);
      if (lack !== undefined) say(`${name}: ${file.filename}: ${lack}`);
    }
    const has = checkout.components.has(name) && (await makeDistGit(checkout, candidate, join(dir, 'dist-git')));
    if (!has) say(`${name}: the checkout lacks its spec or one of its files`);
  }
  const published = await realpath(snapshot);
  const arch = project.release?.architectures[0] ?? 'x86_64';
  const channels = new Map([
    ['fedora-44', join(published, 'base', arch)],
    ['updates-released-f44', join(published, 'sdk', arch)],
  ]);
  const { origin, close } = await serve(channels);
  const repository = (id: string, name: string): string => `[resources.rpm-repos.${id}]
metalink = "${origin}/metalink?repo=${name}&arch=$basearch"
gpg-key = ${JSON.stringify(join(published, 'RPM-GPG-KEY'))}
`;
  const config = join(dir, 'local.toml');
  await writeFile(
    config,
    `[distros.fedora]
dist-git-base-uri = "dist-git/$pkg"
lookaside-base-uri = ${JSON.stringify(lookaside.template)}
[distros.fedora.versions.44]
dist-git-branch = "${distGitBranch}"
${repository('fedora', 'fedora-44')}${repository('fedora-updates', 'updates-released-f44')}`,
  );
  const out = join(dir, 'out');
  const where = ['-C', join(dir, 'distro'), '--profile', 'fedora', '--config-file', config];
  try {
    for (const argv of [
      ['build', '--keep-going', '--image', values.image, '--out', out],
      ['release', 'verify', '--out', out],
      ['inputs', 'list'],
      ['inputs', 'verify'],
    ]) {
      say(`weir ${argv.join(' ')}`);
      const child = spawn(join(home, 'weir'), [...where, ...argv], { stdio: 'inherit' });
      const [code] = (await once(child, 'close')) as [number | null];
      if (code !== 0) return code ?? 1;
    }
    return 0;
  } finally {
    close();
  }
}

if (azureLinux === undefined || azureLinux === '' || values.snapshot === undefined || !existsSync(values.snapshot)) {
  say('skipped: set WEIR_AZURELINUX to a checkout of microsoft/azurelinux, and --snapshot to a published one');
} else {
  process.exitCode = await build(azureLinux, values.snapshot);
}
