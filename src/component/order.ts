/** Component → the components that it waits for. Names that are not keys are ignored. */
export type Waits = ReadonlyMap<string, Iterable<string>>;

/** The start nodes and all components that they wait for, directly or indirectly. */
export function reachable(waits: Waits, from: Iterable<string>): Set<string> {
  const found = new Set<string>(from);
  // Iterating over a set also visits entries that are added meanwhile.
  for (const name of found) for (const next of waits.get(name) ?? []) found.add(next);
  return found;
}

/** The shortest path from one component to another, both included; undefined if the first does not wait for the second. */
export function shortestPath(waits: Waits, from: string, to: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [from];
  for (const name of queue) {
    for (const next of waits.get(name) ?? []) {
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, name);
      if (next !== to) {
        queue.push(next);
        continue;
      }
      const path = [to];
      do path.unshift(cameFrom.get(path[0]!)!);
      while (path[0] !== from);
      return path;
    }
  }
  return undefined;
}

/** The shortest cycle among some components, its first name again at its end; undefined if there is none. */
export function shortestCycle(waits: Waits, among: Iterable<string>): string[] | undefined {
  let best: string[] | undefined;
  for (const name of among) {
    const cycle = shortestPath(waits, name, name);
    if (cycle !== undefined && (best === undefined || cycle.length < best.length)) best = cycle;
    // A component never waits for itself, so no cycle is shorter.
    if (best?.length === 3) break;
  }
  return best;
}

/**
 * Groups of components that all wait for each other, in the order of the graph: its strongly connected components of two or more
 * (Tarjan's algorithm with an explicit stack instead of recursion, because chains are long).
 */
export function tangles(waits: Waits): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const found: string[][] = [];
  const enter = (name: string): { name: string; rest: Iterator<string> } => {
    index.set(name, index.size);
    low.set(name, index.get(name)!);
    open.push(name);
    isOpen.add(name);
    return { name, rest: waits.get(name)![Symbol.iterator]() };
  };
  const lower = (name: string, value: number): void => void low.set(name, Math.min(low.get(name)!, value));
  const leave = (name: string): void => {
    if (low.get(name) !== index.get(name)) return;
    const group = open.splice(open.lastIndexOf(name));
    for (const each of group) isOpen.delete(each);
    if (group.length > 1) found.push(group);
  };
  for (const start of waits.keys()) {
    if (index.has(start)) continue;
    const stack = [enter(start)];
    while (stack.length > 0) {
      const { name, rest } = stack.at(-1)!;
      const { value: next, done } = rest.next();
      if (done === true) {
        leave(name);
        stack.pop();
        const above = stack.at(-1);
        if (above !== undefined) lower(above.name, low.get(name)!);
      } else if (waits.has(next) && !index.has(next)) stack.push(enter(next));
      else if (isOpen.has(next)) lower(name, index.get(next)!);
    }
  }
  return found;
}
