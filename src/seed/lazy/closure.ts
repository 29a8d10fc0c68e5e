import { compareText } from '../../base/order.ts';
import { parseRelations, type Relation } from '../control.ts';
import type { DebianIndex } from './debian-index.ts';
import type { MoreNaming } from './more-naming.ts';

export interface ClosureContext {
  readonly index: DebianIndex;
  readonly naming: MoreNaming;
  /** Debian packages of the fixed seed, and the virtual names that they provide. */
  readonly fixed: ReadonlySet<string>;
}

/**
 * The dependency closure of a Debian package outside the fixed seed, with the package itself; sorted. Of alternatives, the first that
 * exists is taken, unless the fixed seed has one. The choice depends on the fixed seed and the indexes alone, so a closure does not
 * depend on other requests. Conflicts do not matter: packages come into one repository, not into one root.
 */
export function closureOf(context: ClosureContext, root: string): string[] {
  const { index, naming, fixed } = context;
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (fixed.has(name) || found.has(name)) return;
    const pkg = index.get(name);
    if (pkg === undefined) return;
    found.add(name);
    for (const member of naming.membersOf(name)) visit(member);
    for (const clause of [...parseRelations(pkg.preDepends), ...parseRelations(pkg.depends)]) {
      const next = choose(context, clause);
      if (next !== undefined) visit(next);
    }
  };
  visit(root);
  return [...found].sort(compareText);
}

/** The package that a clause adds; undefined if the fixed seed meets it, or nothing does. */
function choose({ index, naming, fixed }: ClosureContext, clause: readonly Relation[]): string | undefined {
  if (clause.some(({ name }) => fixed.has(name) || naming.rpmName(name) === undefined)) return undefined;
  for (const { name } of clause) {
    if (index.get(name) !== undefined) return name;
    const provider = index
      .providers(name)
      .map((each) => each.name)
      .filter((each) => naming.rpmName(each) !== undefined)
      .sort((a, b) => a.length - b.length || compareText(a, b))[0];
    if (provider !== undefined) return provider;
  }
  return undefined;
}
