import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { createProgress } from '../../src/base/progress.ts';
import { renderComponents } from '../../src/component/render/render.ts';
import { openProjectWorkspace } from '../../src/workspace/workspace.ts';
import { projectRepository } from '../history/project-repository.ts';
import { folder } from '../project/fixture.ts';

/** Upstream specs by component, each with the number of its commits. */
const specs: Readonly<Record<string, readonly [text: string, commits: number]>> = {
  plain: ['%global major 2\nVersion: %{major}.1\nRelease: 5%{?dist}\n', 1],
  auto: ['Version: 1.0\nRelease: %autorelease -e rc1\n', 3],
  own: ['Version: 1.0\nRelease: 1%{dist}\n', 1],
  raw: ['Version: 1.0\nRelease: 1\n', 1],
};

/** The macros of a rendered component; undefined if it has no macros file. */
async function macros(): Promise<(name: string) => string[] | undefined> {
  const at = folder({});
  for (const [name, [text, commits]] of Object.entries(specs)) {
    const repository = projectRepository({});
    for (let count = 0; count < commits; count++) {
      const body = `Name: ${name}\n${text}Summary: ${count}\n%description\nx\n%changelog\n- by hand\n`;
      repository.commit(`Commit ${count}`, { [`${name}.spec`]: body });
    }
    repository.git('clone', '-q', '--bare', repository.dir, join(at, 'git', name));
  }
  const dir = folder({
    'weir.toml': `
[distros.fedora]
default-version = "43"
dist-git-base-uri = "${at}/git/$pkg"
[distros.fedora.versions.43]
release-ver = "43"
dist-git-branch = "main"
[distros.fedora.versions.rawhide]
release-ver = "rawhide"
dist-git-branch = "main"
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "fedora" } }
build.emit-upstream-provenance = true
[components.plain]
overlays = [{ type = "spec-search-replace", description = "d", regex = "major 2", replacement = "major 3" }]
[components.auto]
[components.own.build]
defines = { fedora_upstream_version = "mine", z = "1" }
undefines = ["fedora_upstream_release"]
[components.raw.spec]
upstream-distro.version = "rawhide"
`,
  });
  const progress = createProgress('quiet', false, () => {});
  vi.stubEnv('XDG_CACHE_HOME', folder({}));
  const workspace = await openProjectWorkspace({ directory: dir, progress });
  const report = await renderComponents(workspace, [...workspace.project.components.values()], { all: true });
  expect(report.failed).toEqual([]);
  return (name) => {
    const file = join(dir, 'specs', name[0]!, name, `${name}.weir.macros`);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(2, -1) : undefined;
  };
}

it('macros name the version and release of the untouched upstream package', async () => {
  const of = await macros();
  expect(of('plain')).toEqual(['%fedora_upstream_release 5.fc43', '%fedora_upstream_version 2.1']);
  expect(of('auto')).toEqual(['%fedora_upstream_release 3.rc1.fc43', '%fedora_upstream_version 1.0']);
  expect(of('own')).toEqual(['%fedora_upstream_release 1.fc43', '%fedora_upstream_version mine', '%z 1']);
  expect(of('raw')).toBeUndefined();
});
