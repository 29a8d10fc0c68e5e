import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { applyRelease, releaseHistory, usesAutorelease } from '../../src/overlay/release-number.ts';
import { autoreleaseOptions, factsOf, specFacts } from '../../src/overlay/spec-facts.ts';
import { type ProjectChange, upstreamRelease } from '../../src/overlay/upstream-history.ts';
import type { ReleaseCalculation } from '../../src/project/model/component.ts';
import { resolveCommit } from '../../src/sources/git-revision.ts';
import { openGitStore, openRepository } from '../../src/sources/git-store.ts';
import { parseSpec, printSpec } from '../../src/spec/parse.ts';
import { projectRepository } from '../history/project-repository.ts';
import { serveGit } from '../sources/git-server.ts';
import { component, folder } from './fixture.ts';

const day = 86_400;
const change = (number: number, part: Partial<ProjectChange> = {}): ProjectChange => ({
  commit: String(number % 10).repeat(40),
  time: 1_700_000_000 + number * day,
  author: 'A B',
  email: 'a@b.example',
  message: `Change ${number}: 100%`,
  ...part,
});

/** The newest first. */
function changes(count: number): ProjectChange[] {
  return Array.from({ length: count }, (_, index) => change(count - index));
}

describe('release', () => {
  const calculate = (text: string, calculation: ReleaseCalculation, commits: number, number?: number): string =>
    printSpec(
      applyRelease(parseSpec(text), component({ release: { calculation } }), {
        commits: changes(commits),
        ...(number === undefined ? {} : { upstream: { number, version: '1', changelog: ['* entries'] } }),
      }),
    );

  it.each<[string, ReleaseCalculation, number, string]>([
    ['Release: 3%{?dist}\n', 'auto', 2, 'Release: 5%{?dist}\n'],
    ['Release: 3%{dist}\n', 'auto', 1, 'Release: 4%{dist}\n'],
    ['Release: 3\n', 'static', 1, 'Release: 4\n'],
    ['Release: 99999999999999999999\n', 'static', 1, 'Release: 100000000000000000000\n'],
    ['Release: 3.1%{?dist}\n', 'static', 0, 'Release: 3.1%{?dist}\n'],
    ['Release: 3.1%{?dist}\n', 'manual', 2, 'Release: 3.1%{?dist}\n'],
    ['Release: 3%{?dist}\n', 'autorelease', 2, 'Release: 3%{?dist}\n'],
    ['Name: no-release\n', 'auto', 2, 'Name: no-release\n'],
    ['# %autorelease\nRelease: 1\n', 'auto', 1, '# %autorelease\nRelease: 2\n'],
  ])('of %j by %s and %i commits', (text, calculation, commits, expected) => {
    expect(calculate(text, calculation, commits)).toBe(expected);
  });

  it.each<[string, ReleaseCalculation]>([
    ['Release: 3.1%{?dist}\n', 'auto'],
    ['Release: %{rel}\n', 'static'],
    ['Release: %autorelease\n', 'static'],
    ['%if 0\nRelease: 1\n%else\nRelease: 2\n%endif\n', 'auto'],
  ])('of %j by %s is an error', (text, calculation) => {
    try {
      calculate(text, calculation, 1);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(WeirError);
      expect((error as WeirError).code).toBe('release-form');
    }
  });

  const macro = (number: number): string =>
    `%define autorelease(e:s:pb:n) %{?-p:0.}%[${number} + %{?-b*}%{!?-b:1} - 1]%{?-e:.%{-e*}}%{?-s:.%{-s*}}%{!?-n:%{?dist}}\n`;

  it('defines %autorelease with the count of upstream and project commits', () => {
    const text = 'Release: %autorelease -b 3\n%changelog\n- by hand\n';
    expect(calculate(text, 'auto', 2, 4)).toBe(macro(4) + text);
    // Upstream without git counts as one commit.
    expect(calculate(text, 'autorelease', 2)).toBe(macro(3) + text);
    const through = '%global rel %autorelease\nRelease: %{rel}\n%changelog\n- by hand\n';
    expect(calculate(through, 'auto', 2)).toBe(macro(3) + through);
    // By hand means that nothing is raised; the macro is upstream's all the same.
    expect(calculate(text, 'manual', 0, 4)).toBe(macro(4) + text);
  });

  it('leaves a spec that rpmautospec has already processed', () => {
    const text = `## START: Set by rpmautospec\n%define autorelease(e:s:pb:n) 7\nRelease: %autorelease\n%changelog\n* old\n`;
    expect(calculate(text, 'auto', 2)).toBe(text);
  });

  it('writes %autochangelog from upstream, or from the project and the changelog file', () => {
    const manual = 'Version: 1\nRelease: 7\n%changelog\n%autochangelog\n';
    expect(calculate(manual, 'manual', 0, 1)).toBe(manual.replace('%autochangelog', '* entries'));
    const text = 'Version: 1\nRelease: %{autorelease}\n%changelog\n%{?autochangelog}\n';
    expect(calculate(text, 'auto', 1, 2)).toBe(`${macro(2)}${text.replace('%{?autochangelog}', '* entries')}`);
    const own = applyRelease(parseSpec(text), component(), {
      commits: [change(3, { message: 'Hidden\n\n[skip changelog]' }), change(2), change(1)],
      changelog: '* Thu Nov 16 2023 Old <old@b.example> - 1-1\n- old\n',
    });
    expect(printSpec(own)).toBe(`${macro(4)}Version: 1
Release: %{autorelease}
%changelog
* Thu Nov 16 2023 A B <a@b.example> - 1-3
- Change 2: 100%%

* Thu Nov 16 2023 A B <a@b.example> - 1-2
- Change 1: 100%%

* Thu Nov 16 2023 Old <old@b.example> - 1-1
- old
`);
  });

  it('adds a changelog to a spec without one that uses %autorelease', () => {
    expect(calculate('Version: 1\nRelease: %autorelease\n%files\n', 'auto', 0, 1)).toBe(
      `${macro(1)}Version: 1\nRelease: %autorelease\n%files\n\n%changelog\n* entries\n`,
    );
  });

  it('adds the commit that raised the release to a handwritten changelog', () => {
    const text = `%global v 2\nVersion: 1.%{v}\nRelease: 3%{?dist}\n%changelog
* Fri Nov 17 2023 Up Stream <up@b.example> - 1.2-3
- newest of upstream
`;
    expect(calculate(text, 'auto', 3)).toBe(`%global v 2\nVersion: 1.%{v}\nRelease: 6%{?dist}\n%changelog
* Fri Nov 17 2023 A B <a@b.example> - 1.2-6
- Change 3: 100%%

* Fri Nov 17 2023 A B <a@b.example> - 1.2-5
- Change 2: 100%%

* Fri Nov 17 2023 A B <a@b.example> - 1.2-4
- Change 1: 100%%

* Fri Nov 17 2023 Up Stream <up@b.example> - 1.2-3
- newest of upstream
`);
    // A version that only rpm can tell is left out.
    const hidden = 'Version: %{lua:print(1)}\nRelease: 3\n%changelog\n';
    expect(calculate(hidden, 'auto', 1)).toContain('* Wed Nov 15 2023 A B <a@b.example>\n- Change 1');
  });

  it.each([
    ['%autorelease', true],
    ['%{autorelease}', true],
    ['%{autorelease -e asan}', true],
    ['%{?autorelease}', true],
    ['%autoreleases', false],
    ['1%{?dist}', false],
  ])('knows %s', (value, expected) => {
    expect(usesAutorelease(value)).toBe(expected);
  });
});

it.each([
  ['%autorelease', { prerelease: false, base: 1, tags: [] }],
  ['%autorelease -p -b 4', { prerelease: true, base: 4, tags: [] }],
  ['%{autorelease -s 20260101git1 -e rc1 -n}', { prerelease: false, base: 1, tags: ['rc1', '20260101git1'] }],
  ['%{?autorelease -b12 -erc}', { prerelease: false, base: 12, tags: ['rc'] }],
  ['7%{?dist}', { prerelease: false, base: 1, tags: [] }],
])('the options of %s', (release, expected) => {
  expect(autoreleaseOptions(release)).toEqual(expected);
});

it('reads version and options from the text before %prep', () => {
  const text = `%global major 4
%define rc rc2
Name: x
Version: %{major}.1%{?nothing}
Epoch: 2
Release: %autorelease -p -e %{rc}
%package libs
Version: 9
%prep
%global major 5
`;
  expect(specFacts(text)).toEqual({
    version: '2:4.1',
    release: '%autorelease -p -e rc2',
    autorelease: { prerelease: true, base: 1, tags: ['rc2'] },
  });
  expect(specFacts('Name: x\n').version).toBeUndefined();
});

it('one run of rpm finds the versions that cannot be read from the text', async () => {
  const asked: (readonly string[])[] = [];
  const lua = 'Version: %{lua: print(1 + 1)}\n';
  const facts = await factsOf(['Version: 1\n', lua, 'Name: x\n', `# unreadable\n${lua}`], async (specs) => {
    asked.push(specs);
    return ['2', undefined];
  });
  expect(asked).toEqual([[lua, `# unreadable\n${lua}`]]);
  expect(facts.map(({ version }) => version)).toEqual(['1', '2', undefined, '%{lua: print(1 + 1)}']);
});

const spec = (version: string, release = '%autorelease', more = ''): string =>
  `Name: demo\nVersion: ${version}\nRelease: ${release}\n${more}%prep\n%changelog\n%autochangelog\n`;

/** A dist-git of real commits, and what Weir makes of its newest. */
function distGit() {
  const repository = projectRepository({});
  const up = (message: string, files: Readonly<Record<string, string | null>>): string =>
    repository.commit(message, files);
  const made = async (options: { commits?: ProjectChange[]; text?: string; changelog?: string; at?: string } = {}) => {
    const head = repository.git('rev-parse', options.at ?? 'HEAD');
    const text = options.text ?? repository.git('show', `${head}:demo.spec`);
    const opened = await openRepository(openGitStore(await folder({})), repository.dir);
    const history = await releaseHistory(
      parseSpec(`${text}\n`),
      component({ name: 'demo', spec: { type: 'upstream', name: 'demo', distro: { name: 'fedora' } } }),
      {
        dir: '',
        root: '',
        specPath: '',
        files: [],
        origin: { kind: 'git', from: repository.dir, repository: opened, commit: head },
      },
      options.commits ?? [],
      options.changelog,
    );
    return history.upstream!;
  };
  return { up, made, git: repository.git, dir: repository.dir };
}

const author = 'Ann Author <ann@example.org>';

describe("upstream's history", () => {
  it('counts the commits since the version changed, and lists all of them', async () => {
    const { up, made } = distGit();
    up('Begin', { 'demo.spec': spec('1.0') });
    up('Fix', { 'demo.spec': spec('1.0', '%autorelease', 'URL: x\n') });
    up('Update to 2.0\n\n- with a list\n- of 100% things', { 'demo.spec': spec('2.0') });
    up('Only tests', { 'tests/x': '1' });
    up('Silent\n\n[skip changelog]', { 'tests/x': '2' });
    expect(await made()).toEqual({
      number: 3,
      version: '2.0',
      changelog: [
        `* Mon Jan 05 2026 ${author} - 2.0-2\n- Only tests`,
        `* Mon Jan 05 2026 ${author} - 2.0-1\n- Update to 2.0\n- with a list\n- of 100%% things`,
        `* Mon Jan 05 2026 ${author} - 1.0-2\n- Fix`,
        `* Mon Jan 05 2026 ${author} - 1.0-1\n- Begin`,
      ],
    });
  });

  it('honours base, pre-release, extra version, snapshot, epoch and a bump', async () => {
    const { up, made } = distGit();
    up('Pre', { 'demo.spec': spec('1.0', '%autorelease -p -e rc1 -s git5') });
    up('Based', { 'demo.spec': spec('1.0', '%autorelease -b 5') });
    up('Epoch', { 'demo.spec': spec('1.0', '%autorelease', 'Epoch: 1\n') });
    up('Bump\n\n[bump release: 40]', { 'tests/x': '2' });
    up('After', { 'tests/x': '3' });
    const { number, changelog } = await made();
    expect(number).toBe(41);
    expect(changelog.map((entry) => entry.split(' - ')[1]?.split('\n')[0])).toEqual([
      '1:1.0-41',
      '1:1.0-40',
      '1:1.0-1',
      '1.0-6',
      '1.0-0.1.rc1.git5',
    ]);
  });

  it('uses the changelog file for all commits before its last change', async () => {
    const { up, made } = distGit();
    up('Begin', { 'demo.spec': spec('1.0') });
    up('Convert', { changelog: '* Mon Jan 01 2024 Old <old@example.org> - 0.9-1\n- by hand, 100%%\n' });
    up('Next', { 'demo.spec': spec('1.1') });
    expect(await made({ changelog: '* Mon Jan 01 2024 Old <old@example.org> - 0.9-1\n- by hand, 100%%\n' })).toEqual({
      number: 1,
      version: '1.1',
      changelog: [
        `* Mon Jan 05 2026 ${author} - 1.1-1\n- Next`,
        '* Mon Jan 01 2024 Old <old@example.org> - 0.9-1\n- by hand, 100%%',
      ],
    });
    up('Without', { changelog: null });
    expect((await made()).changelog).toEqual([
      `* Mon Jan 05 2026 ${author} - 1.1-2\n- Without`,
      `* Mon Jan 05 2026 ${author} - 1.1-1\n- Next`,
    ]);
  });

  it('follows merges as rpmautospec does', async () => {
    const { up, made, git } = distGit();
    up('Begin', { 'demo.spec': spec('1.0') });
    git('checkout', '-q', '-b', 'side');
    for (const word of ['one', 'two', 'three']) up(`Side ${word}`, { side: word });
    git('checkout', '-q', 'main');
    up('Main', { main: '1' });
    git('merge', '-q', '--no-ff', '-m', 'Merge side', 'side');
    // The longest way counts; what a merge of two contents did, nobody knows.
    expect(await made()).toMatchObject({
      number: 5,
      changelog: [expect.stringMatching(/- 1\.0-5\n- RPMAUTOSPEC: unresolvable merge$/)],
    });
    git('checkout', '-q', '-b', 'other', 'side');
    git('merge', '-q', '-s', 'ours', '--no-ff', '-m', 'Merge ours', 'main');
    expect((await made()).changelog.map((entry) => entry.split('\n')[1])).toEqual([
      '- Side three',
      '- Side two',
      '- Side one',
      '- Begin',
    ]);
  });

  it('bridges a gap in which the spec was missing', async () => {
    const { up, made } = distGit();
    up('Begin', { 'demo.spec': spec('1.0') });
    up('Retire', { 'demo.spec': null, 'dead.package': 'x' });
    up('Unretire', { 'demo.spec': spec('1.0'), 'dead.package': null });
    const { number, changelog } = await made();
    expect(number).toBe(2);
    expect(changelog.map((entry) => entry.split('\n')[1])).toEqual(['- Unretire', '- Begin']);
  });

  it('reads long histories only as far as it has to', async () => {
    const { up, made } = distGit();
    up('Begin', { 'demo.spec': spec('1.0') });
    for (let at = 0; at < 40; at++) up(`Commit ${at}`, { 'tests/x': String(at) });
    expect((await made()).number).toBe(41);
    expect((await made()).changelog).toHaveLength(41);
  });
});

it("reads upstream's history from a partial clone in a few fetches, and then offline", async () => {
  const { up, made, git, dir } = distGit();
  for (let at = 0; at < 40; at++)
    up(`Commit ${at}`, { 'demo.spec': spec(`1.${at >> 3}`, '%autorelease', `# ${at}\n`) });
  const root = await folder({});
  git('clone', '-q', '--bare', dir, join(root, 'demo.git'));
  const { url, asked } = await serveGit(root);
  const head = git('rev-parse', 'HEAD');
  const store = openGitStore(await folder({}));
  const repository = await openRepository(store, `${url}/demo.git`);
  await resolveCommit(repository, { commit: head });
  const options = { changes: [], changelog: true };
  const before = asked.length;
  const release = await upstreamRelease(repository, head, 'demo.spec', options);
  expect(release).toEqual(await made());
  expect(release.number).toBe(8);
  // The commits are there; the specs of forty come in batches that double.
  expect(asked.slice(before).filter(({ method }) => method === 'POST').length).toBeLessThanOrEqual(8);
  expect(await upstreamRelease(repository, head, 'demo.spec', { ...options, offline: true })).toEqual(release);
});

describe("the project's commits among upstream's", () => {
  it('count at the upstream commit that they were based on', async () => {
    const { up, made, git } = distGit();
    const old = up('Begin', { 'demo.spec': spec('1.0') });
    const oldTime = Number(git('show', '-s', '--format=%ct', 'HEAD'));
    const now = up('Update', { 'demo.spec': spec('2.0') });
    const time = oldTime + 10 * day;
    const commits = [
      change(4, { time: time + 2 * day, upstream: { commit: now }, message: 'Our second on 2.0' }),
      change(3, { time: time + day, upstream: { commit: now }, message: 'Update ours\n\n[skip changelog]' }),
      change(2, { time, upstream: { commit: old }, message: 'Ours on 1.0' }),
      change(1, { time, upstream: { commit: 'f'.repeat(40) }, message: 'On another branch' }),
    ];
    const { number, changelog } = await made({ commits });
    expect(number).toBe(3);
    expect(changelog).toEqual([
      '* Sat Jan 17 2026 A B <a@b.example> - 2.0-3\n- Our second on 2.0',
      // Upstream's commit is older than ours below it, which rpm would refuse.
      `* Thu Jan 15 2026 ${author} - 2.0-1\n- Update`,
      '* Thu Jan 15 2026 A B <a@b.example> - 1.0-2\n- Ours on 1.0',
      `* Mon Jan 05 2026 ${author} - 1.0-1\n- Begin`,
    ]);
    // By the snapshots that were in force it is the same story.
    const bySnapshot = commits.slice(0, 3).map((each) => {
      const snapshot = each.upstream?.commit === old ? oldTime : oldTime + day;
      return { ...each, upstream: { snapshot: new Date(snapshot * 1000).toISOString() } };
    });
    expect(await made({ commits: bySnapshot })).toEqual({ number, version: '2.0', changelog });
    // Without a changelog to write, no more is read than the number needs, and it is the same one.
    const text = spec('2.0').replace('%autochangelog', '- by hand');
    expect(await made({ commits, text })).toMatchObject({ number: 3, changelog: [] });
  });

  it('count alone if overlays change the version', async () => {
    const { up, made } = distGit();
    for (const word of ['a', 'b', 'c']) up(word, { 'demo.spec': spec('1.0', '%autorelease', `# ${word}\n`) });
    const { number, version, changelog } = await made({ commits: changes(2), text: spec('3.0') });
    expect({ number, version }).toEqual({ number: 2, version: '3.0' });
    expect(changelog.map((entry) => entry.split(' - ')[1]?.split('\n')[0])).toEqual([
      '3.0-2',
      '3.0-1',
      '1.0-3',
      '1.0-2',
      '1.0-1',
    ]);
  });

  it('do not depend on the current time', async () => {
    const { up, made } = distGit();
    up('Begin', { 'demo.spec': spec('1.0') });
    const uncommitted = change(1, { commit: '' });
    expect(await made({ commits: [uncommitted] })).toEqual(await made({ commits: [uncommitted] }));
  });
});
