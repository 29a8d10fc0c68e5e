import { mkdtempSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { createProgress } from '../../src/base/progress.ts';
import { sourceContext } from '../../src/component/sources.ts';
import { updateComponents } from '../../src/component/update.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import { selectComponents } from '../../src/project/select.ts';
import { type StatusOptions, upstreamStatus } from '../../src/upstream/status.ts';
import type { ComponentStatus } from '../../src/upstream/status-model.ts';
import { openProjectWorkspace, type ProjectWorkspace } from '../../src/workspace/workspace.ts';
import { type Repository, repositoryAt } from '../sources/git-repository.ts';

/** A project, its dist-gits, and a cache of their own; gone after the test. */
export interface Site {
  readonly root: string;
  /** The project's folder. */
  readonly dir: string;
  /** The dist-git of a package, with branch `f1`. */
  readonly distGit: (name: string) => Repository;
  readonly write: (files: Readonly<Record<string, string>>) => Promise<void>;
  readonly read: (path: string) => Promise<string>;
  readonly open: () => Promise<ProjectWorkspace>;
  /** Locks all components at what the configuration selects. */
  readonly lock: () => Promise<void>;
  readonly status: (options?: StatusOptions) => Promise<Record<string, ComponentStatus>>;
}

/** @param components TOML of the components @param snapshot of the distro, RFC 3339 */
export async function siteWith(components: string, snapshot?: string): Promise<Site> {
  const root = mkdtempSync(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(root));
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'home'));
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const dir = join(root, 'project');
  const at = snapshot === undefined ? '' : `, snapshot = "${snapshot}"`;
  const config = `
[project]
description = "p"
default-distro = { name = "ours", version = "1" }
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1"${at} } }
[distros.up]
dist-git-base-uri = "../git/$pkg"
[distros.up.versions.1]
dist-git-branch = "f1"
${components}`;
  const write: Site['write'] = async (files) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(dir, name)), { recursive: true });
      await writeFile(join(dir, name), text);
    }
  };
  await write({ 'weir.toml': config });
  const open = (): Promise<ProjectWorkspace> =>
    openProjectWorkspace({ directory: dir, progress: createProgress('quiet', false, () => {}) });
  const repositories = new Map<string, Repository>();
  return {
    root,
    dir,
    distGit: (name) => {
      const known = repositories.get(name) ?? repositoryAt(join(root, 'git', name));
      repositories.set(name, known);
      return known;
    },
    write,
    read: (path) => readFile(join(dir, path), 'utf8'),
    open,
    lock: async () => {
      const workspace = await open();
      const configuration = () => loadConfiguration(dir);
      await updateComponents(workspace, all(workspace), await sourceContext(workspace), { configuration });
    },
    status: async (options = {}) => {
      const workspace = await open();
      const report = await upstreamStatus(workspace, all(workspace), await sourceContext(workspace), options);
      return Object.fromEntries(report.components.map((one) => [one.component, one]));
    },
  };
}

export function all({ project }: ProjectWorkspace) {
  return selectComponents(project, { names: [], patterns: [], groups: [], all: true });
}

/** A spec as a small package has it. */
export function spec(
  name: string,
  part: { readonly version?: string; readonly body?: string; readonly changelog?: string } = {},
): string {
  const { version = '1', body = '', changelog = '* Mon Jan 06 2020 Ann <ann@example.org> - 1-1\n- first\n' } = part;
  return `Name: ${name}
Version: ${version}
Release: 1%{?dist}
Summary: A package
License: MIT
Source0: https://example.org/%{name}-%{version}.tar.gz
${body}
%description
A package.

%prep
%autosetup -p1

%files

%changelog
${changelog}`;
}
