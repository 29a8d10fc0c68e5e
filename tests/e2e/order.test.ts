import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { exists } from '../../src/base/files.ts';
import type { RunResult } from '../../src/base/process.ts';
import type { ComponentResult } from '../../src/component/outcome.ts';
import { expectError, projectWith, weir } from './weir.ts';

interface Tiny {
  /** Lines of the preamble. */
  readonly tags?: readonly string[];
  /** Sections before `%files`. */
  readonly body?: string;
  /** Lines of its table. */
  readonly toml?: string;
  /** Comes from a dist-git that does not have it. */
  readonly missing?: boolean;
}

/** Prints one requirement more in each round: when its last one is installed. */
const rounds = `%generate_buildrequires
echo tiny-base
if test -e %{_datadir}/tiny-base; then echo 'tiny-late >= 1'; fi
if test -e %{_datadir}/tiny-late; then echo 'gzip >= 1'; fi
%install
mkdir -p %{buildroot}%{_datadir}
cat %{_datadir}/tiny-base %{_datadir}/tiny-late >%{buildroot}%{_datadir}/%{name}
`;

const components: Readonly<Record<string, Tiny>> = {
  'tiny-base': {},
  'tiny-child': { tags: ['BuildRequires: tiny-base'] },
  'tiny-late': { tags: ['BuildRequires: tiny-base'] },
  'tiny-dynamic': { body: rounds },
  'tiny-endless': { body: '%generate_buildrequires\necho tiny-base\necho no-such-package\n' },
  'tiny-nosource': { missing: true },
  'tiny-waiter': { tags: ['BuildRequires: tiny-nosource'] },
  'tiny-unparsable': { tags: ['%if 1'] },
  'tiny-broken': { body: '%build\necho the reason of the failure\nfalse\n' },
  'tiny-expected': {
    body: '%build\nfalse\n',
    toml: 'build.failure = { expected = true, expected-reason = "it never did" }',
  },
  'tiny-surprise': { toml: 'build.failure = { expected = true, expected-reason = "it never did" }' },
  'tiny-ring-a': { tags: ['BuildRequires: tiny-ring-b'] },
  'tiny-ring-b': { tags: ['BuildRequires: tiny-ring-c', 'BuildRequires: tiny-ring-a'] },
  'tiny-ring-c': { tags: ['BuildRequires: tiny-ring-a'] },
  'tiny-arm': { tags: ['ExclusiveArch: aarch64'] },
  'tiny-nodep': { tags: ['BuildRequires: no-such-package'] },
  'tiny-check': { body: '%check\necho the test ran\nfalse\n' },
  'tiny-skip': {
    body: '%check\nfalse\n',
    toml: 'build.check = { skip = true, skip_reason = "needs a network" }',
  },
};

function spec(name: string, { tags = [], body = '' }: Tiny): string {
  const install = `%install
mkdir -p %{buildroot}%{_datadir}
echo %{name} >%{buildroot}%{_datadir}/%{name}
`;
  return `Name: ${name}
Version: 1
Release: 1
Summary: A package of a test
License: MIT
${tags.some((tag) => tag.startsWith('ExclusiveArch')) ? '' : 'BuildArch: noarch\n'}${tags.join('\n')}

%description
A package of a test.

${body}${body.includes('%install') ? '' : install}
%files
%{_datadir}/%{name}
`;
}

/** What the fixed seed lacks and Debian has, by kind; in `%build`, that it works. */
const lazy: Tiny = {
  tags: [
    ...[
      'pkgconfig(libevent) >= 2',
      'perl(Test::Deep)',
      'python3dist(iniconfig)',
      '/usr/bin/xmllint',
      'cmake',
      'gettext-devel',
    ],
    ...['cmake(zstd)', '(no-such-package or jansson-devel)'],
  ].map((need) => `BuildRequires: ${need}`),
  body: `%build
pkg-config --modversion libevent jansson
perl -MTest::Deep -e1
python3 -c 'import iniconfig'
xmllint --version
cmake --version
autopoint --version
`,
};

let project: string;
beforeAll(async () => {
  const all = { ...components, 'lazy-some': lazy, 'lazy-none': { tags: ['BuildRequires: no-such-package'] } };
  const tables = Object.entries<Tiny>(all).map(([name, { missing = false, toml = '' }]) =>
    missing
      ? `[components.${name}]\n${toml}\n`
      : `[components.${name}]\nspec = { type = "local", path = "${name}.spec" }\n${toml}\n`,
  );
  const specs = Object.entries<Tiny>(all).filter(([, { missing = false }]) => !missing);
  project = await projectWith({
    'distro/components/tiny/tiny.toml': () => tables.join('\n'),
    ...Object.fromEntries(specs.map(([name, tiny]) => [`distro/components/tiny/${name}.spec`, () => spec(name, tiny)])),
  });
});

const build = (...words: readonly string[]): Promise<RunResult> =>
  weir(['-C', project, 'component', 'build', ...words]);
const rendered = (name: string): Promise<boolean> => exists(join(project, `specs/t/${name}/${name}.spec`));

test('one component is built with the components that it waits for, and no other is processed', async () => {
  const result = await build('tiny-child', '--json');
  expect(result.code, result.stderr).toBe(0);
  const built = JSON.parse(result.stdout) as { name: string; packages: readonly string[] }[];
  expect(built.map(({ name }) => name)).toEqual(['tiny-child', 'tiny-base', 'weir-rpm-config']);
  expect(built[0]!.packages).toEqual([expect.stringMatching(/tiny-child-1-1\.noarch\.rpm$/)]);
  expect(await rendered('tiny-child')).toBe(true);
  expect(await rendered('tiny-waiter')).toBe(false);
});

describe('with --keep-going each component fails alone', () => {
  let first: RunResult;
  let results: ReadonlyMap<string, ComponentResult>;
  beforeAll(async () => {
    first = await build('-p', 'tiny-*', '--keep-going', '--jobs', '2', '--json');
    const said = JSON.parse(first.stdout) as { components: readonly ComponentResult[] };
    results = new Map(said.components.map((each) => [each.component, each]));
  });
  const of = (name: string) => results.get(name);

  test('exit 1, and each has a state', () => {
    expect(first.code, first.stderr).toBe(1);
    // What an earlier run of the tests in the same cache built is not built again.
    const wording = (state: string): string => (state === 'cached' ? 'built' : state);
    const states = Object.fromEntries(
      [...results].map(([name, { state, class: at }]) => [name, [wording(state), at].join(' ').trim()]),
    );
    expect(states).toEqual({
      'tiny-arm': 'skipped',
      'tiny-base': 'built',
      'tiny-broken': 'failed build',
      'tiny-check': 'failed build',
      'tiny-child': 'built',
      'tiny-dynamic': 'built',
      'tiny-endless': 'failed buildrequires',
      'tiny-expected': 'expected build',
      'tiny-late': 'built',
      'tiny-nodep': 'failed buildrequires',
      'tiny-nosource': 'failed source',
      'tiny-ring-a': 'failed cycle',
      'tiny-ring-b': 'failed cycle',
      'tiny-ring-c': 'failed cycle',
      'tiny-skip': 'built',
      'tiny-surprise': 'built',
      'tiny-unparsable': 'failed parse',
      'tiny-waiter': 'waiting',
      'weir-rpm-config': 'built',
    });
  });

  test('and a line of why', async () => {
    expect(of('tiny-arm')!.why).toBe('Architecture is not included: x86_64');
    expect(of('tiny-broken')!.why).toMatch(/exit code 1 in %build: \+ false$/);
    expect(await readFile(of('tiny-broken')!.log!, 'utf8')).toContain('the reason of the failure');
    expect(of('tiny-check')!.why).toMatch(/exit code 1 in %check/);
    expect(of('tiny-endless')!.why).toMatch(/no repository has no-such-package/);
    expect(of('tiny-expected')!.why).toMatch(/^it never did: rpmbuild failed/);
    expect(of('tiny-surprise')!.why).toMatch(/it never did.*remove build\.failure\.expected/);
    expect(of('tiny-nodep')!.why).toMatch(/no repository has no-such-package/);
    expect(of('tiny-ring-c')!.why).toMatch(
      /: (tiny-ring-a → tiny-ring-b → tiny-ring-a|tiny-ring-b → tiny-ring-a → tiny-ring-b)$/,
    );
    expect(of('tiny-unparsable')!.why).toMatch(/tiny-unparsable\.spec/);
    expect(of('tiny-waiter')).toMatchObject({ waitsFor: ['tiny-nosource'], why: 'waiting for tiny-nosource' });
  });

  test('%generate_buildrequires got its packages in rounds, from the inputs and from another component', async () => {
    const log = await readFile(of('tiny-dynamic')!.log!, 'utf8');
    expect(log).toContain('gzip >= 1');
    expect(log).not.toContain('Failed build dependencies');
  });

  test('the next run continues where this one ended, and prints a table', async () => {
    const again = await build('-p', 'tiny-*', '--keep-going');
    expect(again.code).toBe(1);
    const row = (name: string): string => again.stdout.split('\n').find((line) => line.startsWith(`${name} `)) ?? '';
    expect(row('tiny-dynamic')).toMatch(/^tiny-dynamic +cached$/);
    expect(row('tiny-waiter')).toMatch(/waiting +waiting for tiny-nosource$/);
    expect(row('tiny-broken')).toMatch(/failed \(build\) +rpmbuild failed.*\[.*tiny-broken\.failed\.log\]$/);
    expectError(again, { exit: 1, says: /^error: 9 of 19 components failed: /, hint: /component log/ });
  });
});

describe('what the seed lacks is looked up in Debian', () => {
  const lock = (): Promise<string> => readFile(join(project, 'seed-asked.lock'), 'utf8');

  test('and built with; the lock has it and nothing else', async () => {
    const result = await build('lazy-some');
    expect(result.code, result.stderr).toBe(0);
    const answers = [...(await lock()).matchAll(/^ {2}"(.+): \S.*",$/gm)].map(([, wanted]) => wanted);
    expect(answers.slice(0, 8)).toEqual([
      '/usr/bin/xmllint',
      'cmake',
      'cmake(zstd)',
      'gettext-devel',
      'jansson-devel',
      'perl(Test::Deep)',
      'pkgconfig(libevent) >= 2',
      'python3dist(iniconfig)',
    ]);
  });

  test('a second build needs no network and no other package', async () => {
    const before = await lock();
    const path = join(project, 'components/tiny/lazy-some.spec');
    await writeFile(path, (await readFile(path, 'utf8')).replace('Release: 1', 'Release: 2'));
    const result = await weir(['-C', project, 'component', 'build', 'lazy-some'], { env: { WEIR_OFFLINE: '1' } });
    expect(result.code, result.stderr).toBe(0);
    expect(result.stdout).toMatch(/lazy-some-1-2\.noarch\.rpm$/m);
    expect(await lock()).toBe(before);
  });

  test('what nobody has is an error that says where it was looked for', async () => {
    const before = await lock();
    expectError(await build('lazy-none'), {
      exit: 1,
      says: /no repository has no-such-package/,
      details: /no-such-package: no package of Debian has this name/,
    });
    expect(await lock()).toBe(before);
  });
});

test('without --keep-going the first failure ends the run', async () => {
  const result = await build('tiny-nosource', 'tiny-surprise', '--json');
  const said = JSON.parse(result.stdout) as { components: readonly ComponentResult[] };
  // As with that component alone: a dist-git without it is a fault of the configuration.
  expect(result.code).toBe(2);
  expect(said.components.map(({ component, state }) => `${component} ${state}`)).toEqual([
    'tiny-nosource failed',
    'tiny-surprise stopped',
  ]);
});

test('an expected failure is no failure of the run', async () => {
  const result = await build('tiny-expected');
  expect(result.code, result.stderr).toBe(0);
  expect(result.stdout).toMatch(/^tiny-expected +expected \(build\) +it never did: /m);
});

test('--no-check skips %check', async () => {
  const result = await build('tiny-check', '--no-check', '--json');
  expect(result.code, result.stderr).toBe(0);
  const [{ log }] = JSON.parse(result.stdout) as [{ log: string }];
  expect(await readFile(log, 'utf8')).not.toContain('the test ran');
});
