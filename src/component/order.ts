import { WeirError } from '../base/errors.ts';

/** A component in the build graph. */
export interface GraphNode {
  readonly name: string;
  /** What its build needs, in dnf's syntax. */
  readonly needs: readonly string[];
  /** Names that its packages provide. */
  readonly provides: readonly string[];
}

/**
 * Which components each component waits for: those that provide, by name alone, something its build needs.
 * @throws WeirError `build-cycle`, with the cycle
 */
export function buildOrder(nodes: readonly GraphNode[]): Map<string, readonly string[]> {
  const providers = new Map<string, string>();
  for (const node of nodes) for (const provide of node.provides) providers.set(provide, node.name);
  const waits = new Map<string, readonly string[]>();
  for (const node of nodes) {
    const names = node.needs
      .map((need) => providers.get(need.split(/[\s<>=]/)[0]!))
      .filter((name) => name !== undefined && name !== node.name) as string[];
    waits.set(node.name, [...new Set(names)].sort());
  }
  findCycle(waits);
  return waits;
}

function findCycle(waits: ReadonlyMap<string, readonly string[]>): void {
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    if (done.has(name)) return;
    const at = path.indexOf(name);
    if (at >= 0) {
      throw new WeirError('build-cycle', `build dependency cycle: ${[...path.slice(at), name].join(' → ')}`, {
        where: { component: name },
        hint: 'remove one of the build requirements with an overlay',
      });
    }
    for (const next of waits.get(name) ?? []) visit(next, [...path, name]);
    done.add(name);
  };
  for (const name of waits.keys()) visit(name, []);
}

/** Runs `work` over the graph, each name as soon as all it waits for are done, at most `limit` at a time. Stops at the first failure. */
export async function inOrder<T>(
  waits: ReadonlyMap<string, readonly string[]>,
  limit: number,
  work: (name: string) => Promise<T>,
): Promise<Map<string, T>> {
  const results = new Map<string, T>();
  const started = new Set<string>();
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const ready = (): string[] =>
    [...waits.keys()].filter(
      (name) => !started.has(name) && waits.get(name)!.every((other) => results.has(other) || !waits.has(other)),
    );
  while (results.size < waits.size && failure === undefined) {
    for (const name of ready().slice(0, limit - running.size)) {
      started.add(name);
      const job: Promise<void> = work(name)
        .then(
          (result) => void results.set(name, result),
          (error: unknown) => {
            failure ??= { error };
          },
        )
        .finally(() => running.delete(job));
      running.add(job);
    }
    await Promise.race(running);
  }
  await Promise.all(running);
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
  return results;
}
