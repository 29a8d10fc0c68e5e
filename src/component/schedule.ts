import type { Built } from '../build/rpmbuild.ts';
import type { SpecFacts } from '../build/specquery.ts';
import { buildOrder, inOrder } from './order.ts';

/** How many components are built at the same time. */
const buildsAtOnce = 2;

/** The steps of a build in order. Components are identified by name; `visible` are those whose packages a root may have. */
export interface BuildSteps {
  /** Packages that every buildroot has. */
  readonly buildRoot: readonly string[];
  /** Whether the inputs have a package of that name. */
  readonly inInputs: (name: string) => boolean;
  /** Reads specs with rpm, in a root with these packages. */
  readonly query: (
    names: readonly string[],
    root: readonly string[],
    visible: readonly Built[],
  ) => Promise<ReadonlyMap<string, SpecFacts>>;
  /** Builds one component, in a root with these packages. */
  readonly build: (name: string, root: readonly string[], visible: readonly Built[]) => Promise<Built>;
}

/** Every component's packages, and its spec as rpm reads it. */
export interface Schedule {
  readonly built: ReadonlyMap<string, Built>;
  readonly facts: ReadonlyMap<string, SpecFacts>;
}

/**
 * Builds components in order. First those that provide packages of the buildroot that the inputs lack (the distribution's
 * macros), then the rest, each as soon as what it needs is built. Stops at the first failure, after running builds have ended.
 * @throws WeirError `build-cycle`, and those of the steps
 */
export async function buildInOrder(names: readonly string[], steps: BuildSteps): Promise<Schedule> {
  const built = new Map<string, Built>();
  const facts = await steps.query(names, availableRoot(steps, []), []);
  const first = bringingRoot(steps, names, facts);
  await buildGroup(first, [], facts, built, steps);
  // With the distribution's macros in the root, specs can expand differently.
  const rest = names.filter((name) => !first.includes(name));
  const bootstrapped = first.map((name) => built.get(name)!);
  const restFacts = await steps.query(rest, steps.buildRoot, bootstrapped);
  await buildGroup(rest, first, restFacts, built, steps);
  return { built, facts: new Map([...facts, ...restFacts]) };
}

/**
 * The components that must be built for `wanted`: these, those that the buildroot needs, and all that they wait for.
 * @throws WeirError `build-cycle`
 */
export async function neededFor(
  wanted: readonly string[],
  names: readonly string[],
  steps: Pick<BuildSteps, 'buildRoot' | 'inInputs' | 'query'>,
): Promise<ReadonlySet<string>> {
  const facts = await steps.query(names, availableRoot(steps, []), []);
  const waits = buildOrder(nodes(names, facts));
  const inRoot = new Set(steps.buildRoot);
  const roots = names.filter((name) => facts.get(name)!.packages.some((pkg) => inRoot.has(pkg)));
  return reachable(waits, [...roots, ...wanted]);
}

/** Builds a group of components, each in a root with what it waits for in the group, and `base`. */
async function buildGroup(
  names: readonly string[],
  base: readonly string[],
  facts: ReadonlyMap<string, SpecFacts>,
  built: Map<string, Built>,
  steps: BuildSteps,
): Promise<void> {
  const waits = buildOrder(nodes(names, facts));
  await inOrder(waits, buildsAtOnce, async (name) => {
    // It sees the packages that it waits for and no others, even if others are built already. Else its buildroot, and so its
    // digest, would depend on timing.
    const visible = [...new Set([...base, ...reachable(waits, waits.get(name)!)])].map((each) => built.get(each)!);
    const root = [...new Set([...availableRoot(steps, visible), ...facts.get(name)!.buildRequires])].sort();
    const result = await steps.build(name, root, visible);
    built.set(name, result);
    return result;
  });
}

function nodes(names: readonly string[], facts: ReadonlyMap<string, SpecFacts>) {
  return names.map((name) => {
    const { buildRequires, provides } = facts.get(name)!;
    return { name, needs: buildRequires, provides };
  });
}

/** Components with a package that the buildroot needs and the inputs lack. */
function bringingRoot(
  { buildRoot, inInputs }: BuildSteps,
  names: readonly string[],
  facts: ReadonlyMap<string, SpecFacts>,
): string[] {
  const missing = new Set(buildRoot.filter((name) => !inInputs(name)));
  return names.filter((name) => facts.get(name)!.packages.some((pkg) => missing.has(pkg)));
}

/** What the buildroot can have so far: the first builds add the distribution's own packages. */
function availableRoot(
  { buildRoot, inInputs }: Pick<BuildSteps, 'buildRoot' | 'inInputs'>,
  built: readonly Built[],
): string[] {
  const packages = new Set(built.flatMap((each) => each.packages.map((pkg) => pkg.name)));
  return buildRoot.filter((name) => inInputs(name) || packages.has(name));
}

/** These components and all that they wait for, directly or not. */
function reachable(waits: ReadonlyMap<string, readonly string[]>, from: readonly string[]): Set<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const next of waits.get(name) ?? []) visit(next);
  };
  for (const name of from) visit(name);
  return found;
}
