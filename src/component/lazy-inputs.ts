import type { Built } from '../build/rpmbuild.ts';
import type { RepoSource } from '../repo/source.ts';
import type { Inputs } from '../workspace/inputs.ts';
import type { BuildSteps } from './run.ts';

/** Inputs that can provide more packages on demand, such as a seed. */
export interface LazyInputs {
  /** Undefined if the inputs cannot provide more on demand. */
  readonly grow?: NonNullable<BuildSteps['grow']>;
  /** Whether packages for a requirement were requested and found. */
  readonly has: (requirement: string) => boolean;
  /**
   * The repositories for a buildroot: only packages requested by it, or by the buildroots of the components built for it, so that a build
   * does not depend on other components' requests.
   * @param root what the buildroot requires
   * @param name the component that the buildroot is for
   */
  readonly sources: (root: readonly string[], built: readonly Built[], name?: string) => Promise<readonly RepoSource[]>;
}

export function openLazyInputs({ seed }: Pick<Inputs, 'seed'>): LazyInputs {
  if (seed === undefined) return { has: () => false, sources: async () => [] };
  const { lazy } = seed;
  const met = new Set<string>();
  /** Component → requirements found when its buildroot was resolved; under the empty name, those of every buildroot. */
  const extra = new Map<string, Set<string>>();
  /** Component → what its buildroot required when it was last resolved. */
  const roots = new Map<string, readonly string[]>();
  const extraOf = (name: string): Set<string> => {
    const known = extra.get(name) ?? new Set();
    extra.set(name, known);
    return known;
  };
  return {
    has: (requirement) => met.has(requirement),
    grow: async (requirements, name) => {
      const missing = await lazy.grow(requirements);
      const found = requirements.filter((each) => !missing.has(each));
      for (const each of found) met.add(each);
      const lookedUp = [...missing].map(([each, tried]) => `${each}: ${tried}`);
      if (name === undefined) return { again: false, lookedUp };
      const before = extraOf(name);
      const fresh = found.filter((each) => !before.has(each));
      const useless = found.filter((each) => before.has(each));
      for (const each of fresh) before.add(each);
      const provided = await lazy.provide(useless);
      const open = useless.filter((each) => !provided.includes(each));
      lookedUp.push(...open.map((each) => `${each}: Debian's packages for it do not provide it`));
      return { again: fresh.length + provided.length > 0, lookedUp };
    },
    sources: async (root, built, name) => {
      const own = [...root, ...extraOf(''), ...(name === undefined ? [] : extraOf(name))];
      if (name !== undefined) roots.set(name, own);
      const all = new Set([...own, ...built.flatMap(({ component }) => roots.get(component) ?? [])]);
      const source = await lazy.sourceFor([...all].sort());
      return source === undefined ? [] : [source];
    },
  };
}
