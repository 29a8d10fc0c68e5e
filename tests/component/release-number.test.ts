import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { createProgress } from '../../src/base/progress.ts';
import { prepareComponents } from '../../src/component/ready.ts';
import { renderComponents } from '../../src/component/render/render.ts';
import { selectComponents } from '../../src/project/select.ts';
import { openProjectWorkspace } from '../../src/workspace/workspace.ts';
import { type ProjectRepository, projectRepository } from '../history/project-repository.ts';
import { folder } from '../project/fixture.ts';

const lock = (commit: string): string => `version = 1\nupstream-commit = '${commit}'\n`;
const spec = (name: string, release: string, changelog: string): string =>
  `Name: ${name}\nVersion: 1.0\nRelease: ${release}\nSummary: x\n%description\nx\n%prep\n%changelog\n${changelog}\n`;

function macro(number: number): string {
  return `%[${number} + %{?-b*}%{!?-b:1} - 1]`;
}

/** A dist-git of two components, and a project that has them, one locked and one not. */
function made() {
  const plain = projectRepository({});
  plain.commit('Plain begins', {
    'plain.spec': spec('plain', '3%{?dist}', '* Mon Jan 01 2024 U <u@p.example> - 1.0-3\n- theirs'),
  });
  const auto = projectRepository({});
  auto.commit('Auto begins', { 'auto.spec': spec('auto', '%autorelease', '%autochangelog') });
  const at = folder({});
  const git = join(at, 'git');
  for (const [name, { git: run, dir }] of Object.entries({ plain, auto })) {
    run('clone', '-q', '--bare', dir, join(git, name));
  }
  const heads = [plain, auto].map((each) => each.git('rev-parse', 'HEAD')) as [string, string];
  const project = projectRepository({
    'weir.toml': `
[distros.up]
default-version = "1"
dist-git-base-uri = "${git}/$pkg"
[distros.up.versions.1]
dist-git-branch = "main"
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up" } }
[components.plain]
[components.auto]
`,
  });
  return { project, heads };
}

async function workspaceOf({ dir }: ProjectRepository) {
  vi.stubEnv('XDG_CACHE_HOME', folder({}));
  const progress = createProgress('quiet', false, () => {});
  return openProjectWorkspace({ directory: dir, progress });
}

async function render(repository: ProjectRepository, workspace?: Awaited<ReturnType<typeof workspaceOf>>) {
  const used = workspace ?? (await workspaceOf(repository));
  const all = selectComponents(used.project, { names: [], patterns: [], groups: [], all: true });
  const report = await renderComponents(used, all, { all: true });
  expect(report.failed).toEqual([]);
  const text = (name: string): string =>
    readFileSync(join(repository.dir, 'specs', name[0]!, name, `${name}.spec`), 'utf8');
  return { report, plain: text('plain'), auto: text('auto') };
}

it('rendering leaves release numbers to upstream where the project keeps no locks', async () => {
  const { project } = made();
  const { plain, auto } = await render(project);
  expect(plain).toContain('Release: 3%{?dist}\n');
  expect(auto).toContain(macro(1));
  expect(auto).toContain('Ann Author <ann@example.org> - 1.0-1\n- Auto begins\n');
});

it('rendering raises them by the commits since the first lock', async () => {
  const { project, heads } = made();
  project.commit('Lock both', { 'locks/plain.lock': lock(heads[0]), 'locks/auto.lock': lock(heads[1]) });
  const toml = join(project.dir, 'weir.toml');
  const change = `build = { defines = { x = "1" } }\n`;
  writeFileSync(toml, `${readFileSync(toml, 'utf8')}${change}`);
  // Not committed yet, and committed: the same number.
  const before = await render(project);
  project.commit('Define x\n\n- for a reason', {});
  const after = await render(project);
  for (const { plain, auto } of [before, after]) {
    expect(auto).toContain(macro(3));
    expect(plain).toContain('Release: 4%{?dist}\n');
  }
  expect(after.auto).toContain(' - 1.0-3\n- Define x\n- for a reason\n\n* ');
  expect(after.auto).toContain(' - 1.0-2\n- Lock both\n\n* ');
  expect(after.plain).toContain(
    '%changelog\n* Mon Jan 05 2026 Ann Author <ann@example.org> - 1.0-4\n- Lock both\n\n* Mon Jan 01 2024 U <u@p.example> - 1.0-3\n',
  );
  // A build prepares the very spec that is rendered.
  const [ready] = await prepareComponents(await workspaceOf(project), undefined, ['plain']);
  expect(Buffer.from(ready!.rendered.files.get('plain.spec')!.bytes).toString()).toBe(after.plain);
});

it('what was rendered before a commit is rendered again after it', async () => {
  const { project, heads } = made();
  const locks = { 'locks/auto.lock': lock(heads[1]), 'locks/plain.lock': lock(heads[0]) };
  project.write(locks);
  const workspace = await workspaceOf(project);
  expect((await render(project, workspace)).auto).toContain('- Changes that are not committed yet');
  project.commit('Lock auto', locks);
  const { report, auto } = await render(project, workspace);
  expect(auto).toContain('- Lock auto');
  expect(report.unchanged).toBe(0);
  expect((await render(project, workspace)).report).toMatchObject({ unchanged: 2, changed: [] });
});
