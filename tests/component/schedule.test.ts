import { describe, expect, test } from 'vitest';
import type { Built } from '../../src/build/rpmbuild.ts';
import type { SpecFacts } from '../../src/build/specquery.ts';
import { type BuildSteps, buildInOrder, neededFor } from '../../src/component/schedule.ts';

interface Given {
  readonly packages?: readonly string[];
  readonly needs?: readonly string[];
  /** What it needs once the distribution's macros are in the root. */
  readonly needsLater?: readonly string[];
}

/** Steps over made-up components that note what was asked of them; `broken` fail to build. */
function stepsOver(
  components: Readonly<Record<string, Given>>,
  inputs: readonly string[],
  buildRoot: readonly string[],
  broken: readonly string[] = [],
) {
  const queries: { names: readonly string[]; root: readonly string[]; visible: string[] }[] = [];
  const builds: { name: string; root: readonly string[]; visible: string[] }[] = [];
  const named = (visible: readonly Built[]): string[] => visible.map((each) => each.component);
  const packagesOf = (name: string): readonly string[] => components[name]!.packages ?? [name];
  const steps: BuildSteps = {
    buildRoot,
    inInputs: (name) => inputs.includes(name),
    query: async (names, root, visible) => {
      queries.push({ names, root, visible: named(visible) });
      const facts = names.map((name): [string, SpecFacts] => {
        const { needs = [], needsLater = needs } = components[name]!;
        const buildRequires = visible.length === 0 ? needs : needsLater;
        const packages = packagesOf(name);
        return [name, { name, version: '1', release: '1', buildRequires, packages, provides: packages, unapplied: [] }];
      });
      return new Map(facts);
    },
    build: async (name, root, visible) => {
      builds.push({ name, root, visible: named(visible) });
      await Promise.resolve();
      if (broken.includes(name)) throw new Error(`${name} does not build`);
      const packages = packagesOf(name).map((each) => ({ name: each }));
      return { component: name, packages, cached: false } as unknown as Built;
    },
  };
  return { steps, queries, builds };
}

describe('building in order', () => {
  test('the distribution’s macros come first, and specs are read again with them', async () => {
    const components = {
      app: { needs: ['gcc'], needsLater: ['gcc', 'lib-devel'] },
      lib: { packages: ['lib', 'lib-devel'] },
      macros: { packages: ['dist-macros'] },
    };
    const { steps, queries, builds } = stepsOver(components, ['gcc', 'rpm-build'], ['rpm-build', 'dist-macros']);
    const { built } = await buildInOrder(['app', 'lib', 'macros'], steps);
    expect(queries).toEqual([
      { names: ['app', 'lib', 'macros'], root: ['rpm-build'], visible: [] },
      { names: ['app', 'lib'], root: ['rpm-build', 'dist-macros'], visible: ['macros'] },
    ]);
    expect(builds).toEqual([
      { name: 'macros', root: ['rpm-build'], visible: [] },
      { name: 'lib', root: ['dist-macros', 'rpm-build'], visible: ['macros'] },
      { name: 'app', root: ['dist-macros', 'gcc', 'lib-devel', 'rpm-build'], visible: ['macros', 'lib'] },
    ]);
    expect([...built.keys()]).toEqual(['macros', 'lib', 'app']);
  });

  test('a component sees what it waits for, directly or not, and nothing else that is built already', async () => {
    const components = { a: {}, b: { needs: ['a'] }, c: { needs: ['b >= 1'] }, d: {} };
    const { steps, builds } = stepsOver(components, [], []);
    await buildInOrder(['d', 'a', 'b', 'c'], steps);
    const seen = Object.fromEntries(builds.map(({ name, visible }) => [name, [...visible].sort()]));
    expect(seen).toEqual({ a: [], b: ['a'], c: ['a', 'b'], d: [] });
  });

  test('without anything to bootstrap, all are in one group', async () => {
    const { steps, queries } = stepsOver({ a: {}, b: {} }, ['rpm-build'], ['rpm-build']);
    await buildInOrder(['a', 'b'], steps);
    expect(queries[1]).toEqual({ names: ['a', 'b'], root: ['rpm-build'], visible: [] });
  });

  test('a failure ends it: what waits for it is not built', async () => {
    const { steps, builds } = stepsOver({ a: {}, b: { needs: ['a'] }, c: { needs: ['b'] } }, [], [], ['b']);
    await expect(buildInOrder(['a', 'b', 'c'], steps)).rejects.toThrow('b does not build');
    expect(builds.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('a failure while bootstrapping ends it before the rest is read', async () => {
    const { steps, queries } = stepsOver({ a: {}, macros: {} }, [], ['macros'], ['macros']);
    await expect(buildInOrder(['a', 'macros'], steps)).rejects.toThrow('macros does not build');
    expect(queries).toHaveLength(1);
  });

  test('a circle is an error before anything of its group is built', async () => {
    const { steps, builds } = stepsOver({ a: { needs: ['b'] }, b: { needs: ['a'] } }, [], []);
    await expect(buildInOrder(['a', 'b'], steps)).rejects.toThrow('a → b → a');
    expect(builds).toEqual([]);
  });
});

describe('what some components need', () => {
  const components = { app: { needs: ['lib'] }, lib: { needs: ['base'] }, base: {}, other: {}, macros: {} };

  test('is what they wait for, and what every buildroot has', async () => {
    const { steps, builds } = stepsOver(components, [], ['macros']);
    const needed = await neededFor(['app'], Object.keys(components), steps);
    expect([...needed].sort()).toEqual(['app', 'base', 'lib', 'macros']);
    expect(builds).toEqual([]);
  });
});
