import type { Mapping, Naming } from '../mapping.ts';
import { makeNaming } from '../mapping.ts';

/** Names of the RPMs made from packages outside the fixed seed. */
export interface MoreNaming extends Naming {
  /** The Debian packages that go into the same RPM as this one: those that its rule lists by exact name. */
  readonly membersOf: (debian: string) => readonly string[];
}

/** Names of the fixed seed: of its RPMs, and of the Debian packages in them. */
export interface FixedNames {
  readonly rpms: ReadonlySet<string>;
  readonly debs: ReadonlySet<string>;
}

/**
 * The seed's rules also apply to packages outside the fixed seed, if a rule lists the package by exact name and the fixed seed lacks the
 * rule's RPM. A package that is matched only by a pattern keeps its name: `gcc-15` must not become part of the seed's `gcc`.
 */
export function makeMoreNaming(mapping: Mapping, { rpms: fixed, debs }: FixedNames): MoreNaming {
  const naming = makeNaming(mapping);
  const renaming = makeNaming({ ...mapping, packages: new Map() });
  const rules = new Map<string, { readonly name: string; readonly from: readonly string[] }>();
  for (const [name, { from = [] }] of mapping.packages) {
    if (fixed.has(name)) continue;
    const exact = from.filter((each) => !/[*?[{]/.test(each));
    for (const deb of exact) rules.set(deb, { name, from: exact });
  }
  return {
    rpmName: (debian) => {
      const own = naming.rpmName(debian);
      if (own === undefined || debs.has(debian)) return own;
      const rule = rules.get(debian);
      if (rule !== undefined) return rule.name;
      const renamed = renaming.rpmName(debian)!;
      // A rule of another package may have taken the name, or `names.toml` may give it to more than this package.
      if (fixed.has(renamed) || mapping.packages.has(renamed)) return `debian-${debian}`;
      return mapping.names.has(renamed) && `${mapping.names.get(renamed)}` !== debian ? debian : renamed;
    },
    rank: (debian) => Math.max(0, rules.get(debian)?.from.indexOf(debian) ?? 0),
    membersOf: (debian) => rules.get(debian)?.from ?? [],
  };
}
