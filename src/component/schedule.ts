import { UnmetError } from '../repo/resolve.ts';
import { Group } from './group.ts';
import { causesOf } from './outcome.ts';
import { type BuildSteps, Run, type Schedule, type ScheduleOptions } from './run.ts';

/**
 * Builds the selected components and the components that they wait for, each as soon as its dependencies are built. Components are built
 * first if they have packages of the buildroot that the inputs lack, or macros for every spec: with these, specs can expand differently.
 * A failed component is an outcome; components that do not wait for it are built.
 * @throws WeirError only for errors that concern all components: of the inputs or the tools
 */
export async function buildInOrder(
  selected: readonly string[],
  steps: BuildSteps,
  options: ScheduleOptions,
): Promise<Schedule> {
  const run = new Run(steps, options);
  const isSelected = new Set(selected);
  const base: string[] = [];
  const bootstrap = async (bringing: readonly string[], macros: readonly string[]): Promise<boolean> => {
    const first = [...new Set([...bringing, ...macros])];
    const group = new Group(run, { root: run.availableRoot([]), base: [], builds: (name) => first.includes(name) });
    await group.add(first);
    await group.build();
    for (const name of group.names) if (run.outcomes.get(name)?.state === 'built') base.push(name);
    return bringing.every((name) => ['built', 'skipped'].includes(run.outcomes.get(name)?.state ?? ''));
  };
  let bringing = await bringingRoot(run, selected);
  let macros: string[] = [];
  for (const name of selected) {
    const made = await steps.namesOf(name);
    if (made.some((each) => isForEverySpec(each, steps.buildRoot))) macros.push(name);
  }
  for (;;) {
    if (bringing.length + macros.length > 0 && !(await bootstrap(bringing, macros))) {
      const causes = bringing.flatMap((name) => causesOf(name, run.outcomes.get(name)!));
      for (const name of selected.filter((each) => !run.outcomes.has(each))) {
        run.settle(name, run.stopped ? { state: 'stopped' } : { state: 'waiting', waitsFor: causes });
      }
      return run;
    }
    const rest = selected.filter((name) => !run.outcomes.has(name));
    const builds = steps.replacesInputs ? () => true : (name: string) => isSelected.has(name);
    const group = new Group(run, { root: run.availableRoot(run.builtOf(base)), base: [...base], builds });
    try {
      await group.add(rest);
    } catch (error) {
      // A package of the buildroot requires something that only another component provides.
      const makers = error instanceof UnmetError ? await run.makersOfAll(error.unmet) : [];
      bringing = makers.filter((name) => !run.outcomes.has(name));
      const isMet = bringing.length > 0 || (error instanceof UnmetError && (await run.grow(error.unmet, '')).again);
      if (!isMet) throw error;
      macros = [];
      continue;
    }
    await group.build();
    return run;
  }
}

/**
 * Whether a package has macros that rpm needs to parse any spec, by Fedora's names: `-rpm-config` and `-rpm-macros` packages of the
 * buildroot, and the `-srpm-macros` of each language, which Fedora's macro packages require.
 */
function isForEverySpec(name: string, buildRoot: readonly string[]): boolean {
  return name.endsWith('-srpm-macros') || (buildRoot.includes(name) && /-rpm-(config|macros)$/.test(name));
}

/** Components with a package of the buildroot that the inputs lack. For packages that no component has, requests them from the inputs. */
async function bringingRoot(run: Run, selected: readonly string[]): Promise<string[]> {
  const { buildRoot, inInputs, makersOf, query } = run.steps;
  const found = new Set<string>();
  let isCertain = true;
  for (const name of buildRoot.filter((each) => !inInputs(each))) {
    const makers = await makersOf(name);
    if (makers.length === 0) isCertain = false;
    for (const maker of makers) found.add(maker);
  }
  if (isCertain) return [...found];
  // A macro may generate the package: then only rpm can list it.
  const missing = new Set(buildRoot.filter((name) => !inInputs(name)));
  const made = new Set<string>();
  for (const [name, facts] of await query(selected, run.availableRoot([]), [])) {
    const those = 'error' in facts ? [] : facts.packages.filter((pkg) => missing.has(pkg));
    if (those.length > 0) found.add(name);
    for (const pkg of those) made.add(pkg);
  }
  for (const name of missing) if ((await makersOf(name)).length > 0) made.add(name);
  await run.grow(
    [...missing].filter((name) => !made.has(name)),
    '',
  );
  return [...found];
}
