import { describe, expect, test } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import type { Built } from '../../src/build/rpmbuild.ts';
import type { SpecFacts } from '../../src/build/specquery.ts';
import { ComponentsError, type Failure, type Outcome, resultOf } from '../../src/component/outcome.ts';
import type { BuildSteps, Schedule } from '../../src/component/run.ts';
import { buildInOrder } from '../../src/component/schedule.ts';
import { UnmetError } from '../../src/repo/resolve.ts';

interface Given {
  readonly packages?: readonly string[];
  readonly needs?: readonly string[];
  /** What it needs once the distribution's macros are in the root. */
  readonly needsLater?: readonly string[];
  /** What its packages need where they are installed. */
  readonly requires?: readonly string[];
  /** What `%generate_buildrequires` asks for in each round. */
  readonly generates?: readonly (readonly string[])[];
  readonly fails?: 'source' | 'parse' | 'build';
  readonly excluded?: string;
  readonly expensive?: boolean;
  readonly expected?: string;
  /** Turns of the event loop that its build takes. */
  readonly turns?: number;
}

interface World {
  readonly components: Readonly<Record<string, Given>>;
  readonly selected?: readonly string[];
  readonly inputs?: readonly string[];
  /** What the inputs have, but too old for what the components need. */
  readonly old?: readonly string[];
  /** What the inputs can have on request. */
  readonly onRequest?: readonly string[];
  readonly buildRoot?: readonly string[];
  readonly replacesInputs?: boolean;
  readonly jobs?: number;
  readonly keepGoing?: boolean;
}

const failure = (at: Failure['class'], message: string): Failure => ({
  class: at,
  error: new WeirError('made-up', message),
});

/** Builds made-up components, and notes what was asked of the steps. Roots resolve as by dnf, by names. */
async function schedule(world: World) {
  const {
    components,
    inputs = [],
    old = [],
    onRequest,
    buildRoot = [],
    replacesInputs = true,
    jobs = 2,
    keepGoing = false,
  } = world;
  const queries: { names: readonly string[]; root: readonly string[]; visible: string[] }[] = [];
  const builds: { name: string; root: readonly string[]; visible: string[] }[] = [];
  const notes: string[] = [];
  const requests: { needs: readonly string[]; for?: string }[] = [];
  const granted = new Set<string>();
  const named = (visible: readonly Built[]): string[] => visible.map((each) => each.component);
  const packagesOf = (name: string): readonly string[] => components[name]!.packages ?? [name];
  const rounds = new Map<string, number>();
  let running = 0;
  let most = 0;
  const resolve = (root: readonly string[], visible: readonly Built[]): void => {
    const offered = new Set([
      ...inputs,
      ...granted,
      ...visible.flatMap((each) => each.packages.map((pkg) => pkg.name)),
    ]);
    const unmet = root.filter((need) => !offered.has(need.split(' ')[0]!));
    for (const { component, packages } of visible) {
      if (!packages.some((pkg) => root.includes(pkg.name))) continue;
      for (const need of components[component]!.requires ?? []) if (!offered.has(need)) unmet.push(need);
    }
    if (unmet.length > 0) throw new UnmetError('not-found', unmet, `no repository has ${unmet.join(', ')}`, {});
  };
  const steps: BuildSteps = {
    buildRoot,
    inInputs: (name) => [...inputs, ...old, ...granted].includes(name),
    ...(onRequest === undefined
      ? {}
      : {
          grow: async (needs: readonly string[], name?: string) => {
            requests.push({ needs, ...(name === undefined ? {} : { for: name }) });
            const fresh = needs.filter((need) => onRequest.includes(need) && !granted.has(need));
            for (const need of fresh) granted.add(need);
            const missing = needs.filter((need) => ![...inputs, ...granted].includes(need));
            return { again: fresh.length > 0, lookedUp: missing.map((need) => `${need}: nobody has it`) };
          },
        }),
    replacesInputs,
    makersOf: async (name) => Object.keys(components).filter((each) => packagesOf(each).includes(name)),
    namesOf: async (name) => packagesOf(name),
    hints: (name) => {
      const { expensive = false, expected } = components[name]!;
      return { expensive, ...(expected === undefined ? {} : { expected }) };
    },
    query: async (names, root, visible) => {
      queries.push({ names, root, visible: named(visible) });
      resolve(root, visible);
      return new Map(
        names.map((name): [string, SpecFacts | Failure] => {
          const { needs = [], needsLater = needs, fails, excluded } = components[name]!;
          if (fails === 'source' || fails === 'parse') return [name, failure(fails, `${name} has no ${fails}`)];
          const buildRequires = visible.length === 0 ? needs : needsLater;
          const packages = packagesOf(name);
          const facts = {
            name,
            version: '1',
            release: '1',
            buildRequires,
            packages,
            provides: packages,
            unapplied: [],
            urls: {},
          };
          return [name, { ...facts, ...(excluded === undefined ? {} : { excluded }) }];
        }),
      );
    },
    build: async (name, root, visible) => {
      resolve(root, visible);
      builds.push({ name, root, visible: named(visible) });
      most = Math.max(most, ++running);
      for (let turn = components[name]!.turns ?? 1; turn > 0; turn--) await Promise.resolve();
      running--;
      const { fails, generates = [] } = components[name]!;
      const round = rounds.get(name) ?? 0;
      rounds.set(name, round + 1);
      if (generates[round] !== undefined) return { requires: generates[round]! };
      if (fails === 'build') return failure('build', `${name} does not build`);
      const packages = packagesOf(name).map((each) => ({ name: each }));
      return { component: name, packages, cached: false, log: `${name}.log`, seconds: 1 } as unknown as Built;
    },
  };
  const report = { started: () => {}, settled: () => {}, note: (text: string) => void notes.push(text) };
  const selected = world.selected ?? Object.keys(components);
  const result: Schedule = await buildInOrder(selected, steps, { jobs, keepGoing, report });
  const states = Object.fromEntries([...result.outcomes].map(([name, { state }]) => [name, state]));
  const whys = Object.fromEntries([...result.outcomes].map(([name, each]) => [name, resultOf(name, each).why]));
  return { ...result, states, whys, queries, builds, requests, order: builds.map(({ name }) => name), notes, most };
}

const classOf = (outcome: Outcome | undefined): string | undefined =>
  outcome?.state === 'failed' || outcome?.state === 'expected' ? outcome.class : undefined;

describe('inputs that have more on request', () => {
  test('get one request for all requirements of the specs that no component provides', async () => {
    const { requests, states } = await schedule({
      components: { app: { needs: ['gcc', 'lib', 'git'] }, lib: { needs: ['git', 'cmake'] } },
      inputs: ['gcc'],
      onRequest: ['git', 'cmake'],
    });
    expect(requests).toEqual([{ needs: ['gcc', 'git', 'cmake'] }]);
    expect(states).toEqual({ app: 'built', lib: 'built' });
  });

  test('get requests for the buildroot and for requirements of its packages', async () => {
    const { requests, states, builds } = await schedule({
      components: { app: { needs: ['lib'] }, lib: { requires: ['libz'] } },
      onRequest: ['make', 'libz'],
      buildRoot: ['make'],
    });
    expect(requests).toEqual([
      { needs: ['make'], for: '' },
      { needs: ['libz'], for: 'app' },
    ]);
    expect(states).toEqual({ app: 'built', lib: 'built' });
    expect(builds.map(({ root }) => root)).toEqual([['make'], ['lib', 'make']]);
  });

  test('get requests for what %generate_buildrequires prints', async () => {
    const { requests, states } = await schedule({
      components: { app: { generates: [['lib', 'setuptools']] }, lib: {} },
      onRequest: ['setuptools', 'lib'],
    });
    expect(requests).toEqual([{ needs: ['setuptools'] }]);
    expect(states).toEqual({ app: 'built', lib: 'built' });
  });

  test('come before components that are not selected where their packages are preferred, and after them elsewhere', async () => {
    const world: World = {
      components: { app: { needs: ['lib'] }, lib: {} },
      selected: ['app'],
      onRequest: ['lib'],
    };
    expect((await schedule({ ...world, replacesInputs: false })).states).toEqual({ app: 'built' });
    expect((await schedule({ ...world, replacesInputs: true })).states).toEqual({ app: 'built', lib: 'built' });
  });

  test('get requests for requirements between components of a cycle', async () => {
    const components = { a: { needs: ['b', 'gcc'] }, b: { needs: ['a'] } };
    const { requests, states, builds } = await schedule({ components, onRequest: ['gcc', 'a', 'b'] });
    expect(requests).toEqual([{ needs: ['gcc'] }, { needs: ['b', 'a'] }]);
    expect(states).toEqual({ a: 'built', b: 'built' });
    expect(builds.map(({ visible }) => visible)).toEqual([[], []]);
    const { states: failed, whys } = await schedule({ components, onRequest: ['gcc'], keepGoing: true });
    expect(failed).toEqual({ a: 'failed', b: 'failed' });
    expect(whys.a).toBe('build dependency cycle: a → b → a');
  });

  test('what nobody has fails, with what was looked up', async () => {
    const { outcomes, requests } = await schedule({ components: { app: { needs: ['nope'] } }, onRequest: [] });
    expect(classOf(outcomes.get('app'))).toBe('buildrequires');
    const outcome = outcomes.get('app')!;
    expect(outcome.state === 'failed' && outcome.error.details).toEqual(['nope: nobody has it']);
    expect(requests).toEqual([{ needs: ['nope'] }, { needs: ['nope'], for: 'app' }]);
  });
});

describe('the order', () => {
  test('the distribution’s macros come first, and specs are read with them', async () => {
    const { queries, builds, outcomes } = await schedule({
      components: {
        app: { needs: ['gcc'], needsLater: ['gcc', 'lib-devel'] },
        lib: { packages: ['lib', 'lib-devel'] },
        macros: { packages: ['dist-macros'] },
      },
      inputs: ['gcc', 'rpm-build'],
      buildRoot: ['rpm-build', 'dist-macros'],
    });
    expect(queries).toEqual([
      { names: ['macros'], root: ['rpm-build'], visible: [] },
      { names: ['app', 'lib'], root: ['rpm-build', 'dist-macros'], visible: ['macros'] },
    ]);
    expect(builds).toEqual([
      { name: 'macros', root: ['rpm-build'], visible: [] },
      { name: 'lib', root: ['dist-macros', 'rpm-build'], visible: ['macros'] },
      { name: 'app', root: ['dist-macros', 'gcc', 'lib-devel', 'rpm-build'], visible: ['macros', 'lib'] },
    ]);
    expect([...outcomes.keys()]).toEqual(['macros', 'lib', 'app']);
  });

  test('macros that only rpm knows to be in a package are found by reading all specs', async () => {
    const { queries, order } = await schedule({
      components: { app: {}, macros: { packages: ['dist-macros'] } },
      buildRoot: ['dist-macros', 'nowhere'],
    });
    expect(queries[0]!.names).toEqual(['app', 'macros']);
    expect(order).toEqual(['macros', 'app']);
  });

  test('what a package of the buildroot needs, and only another component makes, is built before the rest', async () => {
    const { order, builds } = await schedule({
      components: { app: {}, macros: { requires: ['helper'] }, helper: {}, other: {} },
      selected: ['app'],
      buildRoot: ['macros'],
      replacesInputs: false,
    });
    expect(order).toEqual(['macros', 'helper', 'app']);
    expect(builds[2]).toEqual({ name: 'app', root: ['macros'], visible: ['macros', 'helper'] });
  });

  test('macros for every spec come before the rest, though the inputs have them', async () => {
    const { queries, builds } = await schedule({
      components: {
        app: { packages: ['app', 'app-rpm-macros'] },
        lang: { packages: ['lang-rpm-macros', 'lang-srpm-macros'] },
        'acme-rpm-config': {},
      },
      inputs: ['bash', 'acme-rpm-config', 'lang-srpm-macros'],
      buildRoot: ['bash', 'acme-rpm-config'],
      replacesInputs: false,
    });
    expect(builds.map(({ name }) => name)).toEqual(['lang', 'acme-rpm-config', 'app']);
    expect(queries.map(({ names, visible }) => ({ names, visible }))).toEqual([
      { names: ['lang', 'acme-rpm-config'], visible: [] },
      { names: ['app'], visible: ['lang', 'acme-rpm-config'] },
    ]);
    expect(builds[2]?.visible).toEqual(['lang', 'acme-rpm-config']);
  });

  test('where the inputs have such macros, a failure to build them is that of one component', async () => {
    const { states } = await schedule({
      components: { app: {}, 'lang-srpm-macros': { fails: 'build' } },
      inputs: ['bash', 'lang-srpm-macros'],
      buildRoot: ['bash'],
      keepGoing: true,
    });
    expect(states).toEqual({ app: 'built', 'lang-srpm-macros': 'failed' });
  });

  test('a buildroot has packages of components that its component waits for, directly or not, and of no others', async () => {
    const components = { d: {}, a: {}, b: { needs: ['a'] }, c: { needs: ['b >= 1'] } };
    const { builds } = await schedule({ components });
    const seen = Object.fromEntries(builds.map(({ name, visible }) => [name, [...visible].sort()]));
    expect(seen).toEqual({ a: [], b: ['a'], c: ['a', 'b'], d: [] });
  });

  test('no more than the given number run at once', async () => {
    const components = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`c${n}`, { turns: 1 + (n % 3) }]));
    expect((await schedule({ components, jobs: 3 })).most).toBe(3);
    expect((await schedule({ components, jobs: 1 })).most).toBe(1);
  });

  test('an expensive component, and components that it waits for, start before others', async () => {
    const components = { a: {}, b: {}, c: { needs: ['d'], expensive: true }, d: {} };
    expect((await schedule({ components, jobs: 1 })).order).toEqual(['d', 'c', 'a', 'b']);
  });
});

describe('what is built for a selection', () => {
  const components = { app: { needs: ['lib'] }, lib: { needs: ['base'] }, base: {}, other: {}, macros: {} };

  test('where the project replaces the inputs: all that a build needs and a component makes', async () => {
    const { states, queries } = await schedule({
      components,
      selected: ['app'],
      inputs: ['lib', 'base'],
      buildRoot: ['macros'],
    });
    expect(Object.keys(states).sort()).toEqual(['app', 'base', 'lib', 'macros']);
    expect(queries.flatMap(({ names }) => names)).not.toContain('other');
  });

  test('otherwise only what the inputs lack', async () => {
    const given = { components, selected: ['app'], replacesInputs: false };
    expect((await schedule({ ...given, inputs: ['lib', 'base'] })).order).toEqual(['app']);
    expect((await schedule({ ...given, inputs: ['base'] })).order).toEqual(['lib', 'app']);
    expect((await schedule({ ...given, inputs: [] })).order).toEqual(['base', 'lib', 'app']);
  });

  test('a selected component waits for another one even if the inputs have its package', async () => {
    const given = { components, selected: ['app', 'lib'], replacesInputs: false, inputs: ['lib', 'base'] };
    expect((await schedule(given)).order).toEqual(['lib', 'app']);
  });

  test('runtime dependencies of a built package are built too, if the inputs lack them', async () => {
    const { order, states } = await schedule({
      components: { app: { needs: ['lib'] }, lib: { requires: ['late'] }, late: {} },
      selected: ['app'],
      replacesInputs: false,
    });
    expect(order).toEqual(['lib', 'late', 'app']);
    expect(states).toEqual({ app: 'built', lib: 'built', late: 'built' });
  });

  test('a generated name is looked for in the package that Fedora’s rules name', async () => {
    const { order } = await schedule({
      components: {
        app: { needs: ['python3dist(foo.bar) >= 1'] },
        'python-foo': { packages: ['python3-foo-bar', 'python3dist(foo.bar)'] },
      },
      selected: ['app'],
      replacesInputs: false,
    });
    expect(order).toEqual(['python-foo', 'app']);
  });
});

describe('a failure', () => {
  const components = {
    bad: { fails: 'build' },
    child: { needs: ['bad'] },
    grandchild: { needs: ['child'] },
    good: {},
    nosource: { fails: 'source' },
    unparsable: { fails: 'parse' },
  } as const;

  test('with keepGoing stops only components that wait for the failed one; the others are built', async () => {
    const { states, whys, outcomes } = await schedule({ components, keepGoing: true });
    expect(states).toEqual({
      ...{ bad: 'failed', child: 'waiting', grandchild: 'waiting' },
      ...{ good: 'built', nosource: 'failed', unparsable: 'failed' },
    });
    expect(whys.grandchild).toBe('waiting for bad');
    expect(['bad', 'nosource', 'unparsable'].map((name) => classOf(outcomes.get(name)))).toEqual([
      'build',
      'source',
      'parse',
    ]);
  });

  test('otherwise ends it, after what was running', async () => {
    const { states, order } = await schedule({
      components: { bad: { fails: 'build' }, slow: { turns: 5 }, child: { needs: ['bad'] }, other: {} },
    });
    expect(order).toEqual(['bad', 'slow']);
    expect(states).toEqual({ bad: 'failed', slow: 'built', child: 'waiting', other: 'stopped' });
  });

  test('of the distribution’s macros concerns all', async () => {
    const { states, whys, queries } = await schedule({
      components: { a: {}, macros: { fails: 'build' } },
      buildRoot: ['macros'],
      keepGoing: true,
    });
    expect(states).toEqual({ a: 'waiting', macros: 'failed' });
    expect(whys.a).toBe('waiting for macros');
    expect(queries).toHaveLength(1);
  });

  test('a requirement that nothing provides is one', async () => {
    const { outcomes, whys } = await schedule({ components: { a: { needs: ['nowhere'] }, b: {} }, keepGoing: true });
    expect(classOf(outcomes.get('a'))).toBe('buildrequires');
    expect(whys.a).toMatch(/nowhere/);
    expect(outcomes.get('b')!.state).toBe('built');
  });

  test('a fault of Weir itself ends the run', async () => {
    const components = { a: {} };
    const broken = schedule({
      components: new Proxy(components, {
        get: (target, name, receiver) => {
          if (name === 'a' && new Error().stack?.includes('build')) throw new TypeError('a fault');
          return Reflect.get(target, name, receiver) as Given;
        },
      }),
    });
    await expect(broken).rejects.toThrow('a fault');
  });
});

describe('an expected failure', () => {
  test('is no failure of the run, and stops nothing', async () => {
    const { states, outcomes, order } = await schedule({
      components: { a: { fails: 'build', expected: 'needs a GPU' }, b: {}, c: {} },
      jobs: 1,
    });
    expect(states).toEqual({ a: 'expected', b: 'built', c: 'built' });
    expect(order).toEqual(['a', 'b', 'c']);
    expect(resultOf('a', outcomes.get('a')!).why).toBe('needs a GPU: a does not build');
  });

  test('does not cover sources that cannot be fetched', async () => {
    const { states } = await schedule({ components: { a: { fails: 'source', expected: 'needs a GPU' } } });
    expect(states).toEqual({ a: 'failed' });
  });

  test('that does not come is reported', async () => {
    const { whys } = await schedule({ components: { a: { expected: 'needs a GPU' } } });
    expect(whys.a).toBe('expected to fail (needs a GPU), but built: remove build.failure.expected');
  });

  test('keeps components that wait for it from being built, and that is a failure', async () => {
    const { outcomes, states } = await schedule({
      components: { a: { fails: 'build', expected: 'x' }, b: { needs: ['a'] } },
    });
    expect(states).toEqual({ a: 'expected', b: 'waiting' });
    expect(new ComponentsError(outcomes).message).toBe('components wait for others whose failure is expected: a');
  });
});

describe('a component for another architecture', () => {
  test('is skipped with rpm’s reason, and nothing waits for it', async () => {
    const { states, whys } = await schedule({
      components: { a: { excluded: 'Architecture is not included: x86_64' }, b: { needs: ['a'] } },
      inputs: ['a'],
    });
    expect(states).toEqual({ a: 'skipped', b: 'built' });
    expect(whys.a).toBe('Architecture is not included: x86_64');
  });
});

describe('a cycle', () => {
  const ring = { a: { needs: ['b'] }, b: { needs: ['c'] }, c: { needs: ['a'] }, d: { needs: ['a'] }, e: {} };

  test('fails its members, each with the shortest one named; others are built', async () => {
    const { states, whys, order } = await schedule({
      components: { ...ring, b: { needs: ['c', 'a'] } },
      keepGoing: true,
    });
    expect(states).toEqual({ a: 'failed', b: 'failed', c: 'failed', d: 'waiting', e: 'built' });
    expect(whys.c).toMatch(/: (a → b → a|b → a → b)$/);
    expect(order).toEqual(['e']);
  });

  test('without keepGoing nothing is built', async () => {
    const { order, whys } = await schedule({ components: ring });
    expect(order).toEqual([]);
    expect(whys.a).toBe('build dependency cycle: a → b → c → a');
  });

  test('is taken apart where the inputs have a package of it', async () => {
    const { states, builds, notes } = await schedule({ components: ring, inputs: ['c'], jobs: 1 });
    expect(new Set(Object.values(states))).toEqual(new Set(['built']));
    expect(builds.map(({ name, visible }) => [name, [...visible].sort().join(' ')])).toEqual([
      ['b', ''],
      ['a', 'b'],
      ['c', 'a b'],
      ['d', 'a b'],
      ['e', ''],
    ]);
    expect(notes).toEqual([expect.stringContaining('3 components need each other (a → b → c → a)')]);
  });

  test('is not taken apart where the inputs only seem to have it', async () => {
    const { states } = await schedule({ components: ring, old: ['a', 'b', 'c'], keepGoing: true });
    expect(states).toEqual({ a: 'failed', b: 'failed', c: 'failed', d: 'waiting', e: 'built' });
    const half = await schedule({ components: ring, inputs: ['c'], old: ['a', 'b'], keepGoing: true });
    expect(new Set(Object.values(half.states))).toEqual(new Set(['built']));
  });

  test('of generated names is taken apart by the packages that Fedora’s rules name', async () => {
    const components = {
      a: { packages: ['a-devel', 'pkgconfig(a)'], needs: ['pkgconfig(b)'] },
      b: { packages: ['b-devel', 'pkgconfig(b)'], needs: ['pkgconfig(a)'] },
    };
    const inputs = ['a-devel', 'pkgconfig(a)', 'b-devel', 'pkgconfig(b)'];
    expect((await schedule({ components, inputs })).states).toEqual({ a: 'built', b: 'built' });
  });

  test('that shows only when roots are resolved is one too', async () => {
    const { states } = await schedule({
      components: {
        a: { needs: ['x'] },
        b: { packages: ['b', 'x'], needs: ['y'] },
        c: { packages: ['c', 'y'], needs: ['x'] },
      },
      selected: ['a'],
      replacesInputs: false,
      keepGoing: true,
    });
    expect(states).toEqual({ a: 'waiting', b: 'failed', c: 'failed' });
  });

  test('a component can need its own earlier package', async () => {
    expect((await schedule({ components: { a: { needs: ['a'] } }, inputs: ['a'] })).states).toEqual({ a: 'built' });
  });
});

describe('%generate_buildrequires', () => {
  test('each round has the packages that the previous round reported', async () => {
    const { builds, states } = await schedule({
      components: {
        a: {
          needs: ['one'],
          generates: [
            ['one', 'two'],
            ['one', 'two', 'three >= 3'],
          ],
        },
      },
      inputs: ['one', 'two', 'three'],
    });
    expect(builds.map(({ root }) => root)).toEqual([['one'], ['one', 'two'], ['one', 'three >= 3', 'two']]);
    expect(states).toEqual({ a: 'built' });
  });

  test('may report a requirement that another component provides', async () => {
    const { builds } = await schedule({
      components: { a: { generates: [['lib']] }, lib: {}, b: { generates: [['other']] }, other: {} },
      selected: ['a', 'b'],
      replacesInputs: false,
    });
    const last = new Map(builds.map((each) => [each.name, each.visible]));
    expect(Object.fromEntries(last)).toEqual({ a: ['lib'], lib: [], b: ['other'], other: [] });
  });

  test('fails if it reports requirements that are installed, or always new ones', async () => {
    const endless = Array.from({ length: 20 }, (_, round) => [`need${round}`]);
    const { outcomes, whys, builds } = await schedule({
      components: { same: { needs: ['x'], generates: [['x']] }, endless: { generates: endless } },
      inputs: ['x', ...endless.flat()],
      keepGoing: true,
    });
    expect([classOf(outcomes.get('same')), classOf(outcomes.get('endless'))]).toEqual([
      'buildrequires',
      'buildrequires',
    ]);
    expect(whys.same).toMatch(/still reports requirements that are already in the buildroot: x/);
    expect(whys.endless).toMatch(/after 10 rounds: need10/);
    expect(builds.filter(({ name }) => name === 'endless')).toHaveLength(11);
  });
});

test('the error of a run is that of the component if one failed, else it counts them', async () => {
  const one = await schedule({ components: { a: { fails: 'build' }, b: { needs: ['a'] } } });
  expect(new ComponentsError(one.outcomes)).toMatchObject({
    code: 'made-up',
    message: 'a does not build',
    where: { component: 'a' },
  });
  const two = await schedule({ components: { a: { fails: 'build' }, b: { fails: 'source' }, c: {} }, keepGoing: true });
  const error = new ComponentsError(two.outcomes);
  expect(error).toMatchObject({ code: 'components-failed', message: '2 of 3 components failed: b, a' });
  expect(error.results.map(({ component, state }) => `${component} ${state}`)).toEqual([
    'b failed',
    'a failed',
    'c built',
  ]);
});
