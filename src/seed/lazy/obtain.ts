import { holds, type Requirement } from '../../rpm/requirement.ts';
import type { Dependency } from '../../rpm/types.ts';

/**
 * The names to obtain so that a requirement holds, of alternatives the first that can be had; undefined if it cannot hold.
 * @param has whether a name is there already
 * @param find whether a name can be obtained
 */
export async function toObtain(
  requirement: Requirement,
  has: (dependency: Dependency) => boolean,
  find: (dependency: Dependency) => Promise<boolean>,
): Promise<Dependency[] | undefined> {
  if (holds(requirement, has)) return [];
  if (!('operator' in requirement)) return (await find(requirement)) ? [requirement] : undefined;
  const all = async (parts: readonly Requirement[]): Promise<Dependency[] | undefined> => {
    const needed: Dependency[] = [];
    for (const part of parts) {
      const own = await toObtain(part, has, find);
      if (own === undefined) return undefined;
      needed.push(...own);
    }
    return needed;
  };
  switch (requirement.operator) {
    case 'and':
    case 'with':
      return all(requirement.parts);
    case 'without':
      return all(requirement.parts.slice(0, 1));
    case 'or':
      for (const part of requirement.parts) {
        const needed = await toObtain(part, has, find);
        if (needed !== undefined) return needed;
      }
      return undefined;
    case 'if':
    case 'unless': {
      // `a if b` and `a unless b` without the branch that does not apply.
      const isThen = holds(requirement.condition, has) === (requirement.operator === 'if');
      const branch = isThen ? requirement.body : requirement.otherwise;
      return branch === undefined ? [] : toObtain(branch, has, find);
    }
  }
}

/** The names in a requirement, with their versions. */
export function leavesOf(requirement: Requirement): Dependency[] {
  if (!('operator' in requirement)) return [requirement];
  if ('parts' in requirement) return requirement.parts.flatMap(leavesOf);
  const { body, condition, otherwise } = requirement;
  return [body, condition, ...(otherwise === undefined ? [] : [otherwise])].flatMap(leavesOf);
}
