import { written } from '../../rpm/dependencies.ts';
import { holds, type Requirement } from '../../rpm/requirement.ts';
import type { Dependency } from '../../rpm/types.ts';
import type { VersionRange } from '../../rpm/version.ts';

/** A name to obtain. `(a >= 1 with a < 2)` is one name with two ranges, which one package must meet. */
export interface Wanted extends Dependency {
  readonly also?: readonly VersionRange[];
}

/** The name with its version, as a requirement writes it. */
export function wantedText({ name, flags, evr, also = [] }: Wanted): string {
  const all = [{ flags, ...(evr === undefined ? {} : { evr }) }, ...also].map((range) => written({ name, ...range }));
  return all.length === 1 ? all[0]! : `(${all.join(' with ')})`;
}

/**
 * The names to obtain so that a requirement is met; of alternatives, the first that can be obtained. Undefined if it cannot be met.
 * @param has whether a name is already provided
 * @param find whether a name can be obtained
 */
export async function toObtain(
  requirement: Requirement,
  has: (dependency: Dependency) => boolean,
  find: (wanted: Wanted) => Promise<boolean>,
): Promise<Wanted[] | undefined> {
  if (holds(requirement, has)) return [];
  if (!('operator' in requirement)) return (await find(requirement)) ? [requirement] : undefined;
  const all = async (parts: readonly Requirement[]): Promise<Wanted[] | undefined> => {
    const needed: Wanted[] = [];
    for (const part of parts) {
      const own = await toObtain(part, has, find);
      if (own === undefined) return undefined;
      needed.push(...own);
    }
    return needed;
  };
  switch (requirement.operator) {
    case 'and':
      return all(requirement.parts);
    case 'with': {
      const joint = jointly(requirement.parts);
      if (joint === undefined) return all(requirement.parts);
      return (await find(joint)) ? [joint] : undefined;
    }
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

/** Ranges of one name as one; undefined if the names differ. */
function jointly(parts: readonly Requirement[]): Wanted | undefined {
  const [first, ...rest] = parts;
  if (first === undefined || 'operator' in first) return undefined;
  const also: VersionRange[] = [];
  for (const part of rest) {
    if ('operator' in part || part.name !== first.name) return undefined;
    also.push({ flags: part.flags, ...(part.evr === undefined ? {} : { evr: part.evr }) });
  }
  return { ...first, also };
}

/** The names in a requirement, with their versions. */
export function leavesOf(requirement: Requirement): Dependency[] {
  if (!('operator' in requirement)) return [requirement];
  if ('parts' in requirement) return requirement.parts.flatMap(leavesOf);
  const { body, condition, otherwise } = requirement;
  return [body, condition, ...(otherwise === undefined ? [] : [otherwise])].flatMap(leavesOf);
}
