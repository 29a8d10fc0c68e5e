// The inputs of a component by its spec source: a local folder, or an upstream revision.

import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SpecSource } from '../project/model/component.ts';
import { renderedSpecsDir } from '../project/paths.ts';
import { type InputPart, Parts, short } from './input-parts.ts';

type Upstream = Extract<SpecSource, { type: 'upstream' }>;

export function specParts(spec: SpecSource | undefined, parts: Parts): void {
  if (spec === undefined) {
    parts.say('spec source', 'none');
  } else if (spec.type === 'local') {
    parts.say('spec source', 'local');
    parts.later(folderParts(dirname(spec.path), basename(spec.path), parts));
  } else {
    parts.say('spec source', 'upstream');
    if (spec.name !== parts.component.name) parts.say('upstream name', spec.name);
    const { project } = parts.context;
    const distro = project.distros.get(spec.distro.name);
    const base = distro?.distGitBaseUri ?? (project.seed?.distGit === undefined ? '' : `${project.seed.distGit}/$pkg`);
    const local = localFolder(base, spec.name);
    if (local === undefined) upstreamParts(spec, base, parts);
    else parts.later(localUpstream(spec, base, local, parts));
  }
}

/** The folder of a dist-git that is on this machine. */
function localFolder(base: string, name: string): string | undefined {
  const isUrl = /^[a-z][a-z0-9+.-]*:/i.test(base);
  if (base === '' || (isUrl && !base.startsWith('file:'))) return undefined;
  const path = base.replaceAll('$pkg', () => (isUrl ? encodeURIComponent(name) : name));
  return isUrl ? fileURLToPath(path) : path;
}

async function localUpstream(spec: Upstream, base: string, dir: string, parts: Parts): Promise<readonly InputPart[]> {
  const name = `${spec.name}.spec`;
  for (const folder of [dir, join(dir, spec.name)]) {
    const { has } = parts.context.files;
    if ((await has(join(folder, '.git'))) || !(await has(join(folder, name)))) continue;
    return folderParts(folder, name, parts);
  }
  const git = new Parts(parts.component, parts.context);
  upstreamParts(spec, base, git);
  return git.all();
}

async function folderParts(dir: string, spec: string, parts: Parts): Promise<readonly InputPart[]> {
  const { files, project } = parts.context;
  // Rendered specs are made from the inputs, so they are not inputs, wherever they are.
  const rendered = `${renderedSpecsDir(project)}/`;
  const taken = [...(await files.folder(dir, spec))].filter(([path]) => !join(dir, path).startsWith(rendered));
  return taken.map(([path, digest]) => ({
    // The spec is renamed to the component's name, so its file name does not matter.
    name: path === spec ? 'spec file' : `spec folder ${path}`,
    digest,
    value: short(digest),
  }));
}

function upstreamParts(spec: Upstream, base: string, parts: Parts): void {
  const { project, locks } = parts.context;
  const commit = locks?.get(parts.component.name)?.upstreamCommit ?? spec.commit;
  if (commit !== undefined) {
    // A commit identifies its content: the branch and the server do not matter.
    parts.say('upstream commit', commit.toLowerCase());
    return;
  }
  const { name, version, snapshot } = spec.distro;
  const distro = project.distros.get(name);
  const wanted = version ?? distro?.defaultVersion;
  const branch = wanted === undefined ? undefined : distro?.versions.get(wanted)?.distGitBranch;
  parts.say('upstream distro', wanted === undefined ? name : `${name} ${wanted}`);
  parts.say('upstream snapshot', snapshot ?? 'the newest');
  if (branch !== undefined) parts.say('dist-git branch', branch);
  // A path on this machine is not a name that others share.
  parts.say('dist-git', localFolder(base, spec.name) === undefined ? base : 'local');
}
