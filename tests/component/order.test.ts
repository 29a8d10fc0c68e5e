import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reachable, shortestCycle, shortestPath, tangles } from '../../src/component/order.ts';

const graphOf = (edges: Readonly<Record<string, string>>): Map<string, string[]> =>
  new Map(Object.entries(edges).map(([name, targets]) => [name, targets.split(' ').filter((each) => each !== '')]));

describe('the build graph', () => {
  test('what is reachable includes the start and follows all edges once', () => {
    const graph = graphOf({ a: 'b c', b: 'd', c: 'd', d: 'a', e: 'a' });
    expect([...reachable(graph, ['b'])]).toEqual(['b', 'd', 'a', 'c']);
    expect([...reachable(graph, ['elsewhere'])]).toEqual(['elsewhere']);
  });

  test('the shortest path is found, not the first', () => {
    const graph = graphOf({ a: 'b c', b: 'x', x: 'd', c: 'd', d: '' });
    expect(shortestPath(graph, 'a', 'd')).toEqual(['a', 'c', 'd']);
    expect(shortestPath(graph, 'd', 'a')).toBeUndefined();
  });

  test('of a tangle with a long and a short cycle the short one is named', () => {
    const graph = graphOf({ a: 'b', b: 'c', c: 'd', d: 'a x', x: 'd' });
    expect(tangles(graph).map((group) => [...group].sort())).toEqual([['a', 'b', 'c', 'd', 'x']]);
    expect(shortestCycle(graph, ['a', 'b', 'c', 'd', 'x'])).toEqual(['d', 'x', 'd']);
  });

  test('chains of a hundred thousand are no problem', () => {
    const chain = new Map(Array.from({ length: 100_000 }, (_, n) => [`n${n}`, n === 0 ? [] : [`n${n - 1}`]]));
    expect(tangles(chain)).toEqual([]);
    chain.set('n0', ['n99999']);
    expect(tangles(chain)[0]).toHaveLength(100_000);
  });

  const graph = fc
    .integer({ min: 1, max: 9 })
    .chain((count) =>
      fc
        .array(fc.uniqueArray(fc.nat(count - 1), { maxLength: 3 }), { minLength: count, maxLength: count })
        .map(
          (edges) =>
            new Map(
              edges.map((targets, index) => [`n${index}`, targets.filter((to) => to !== index).map((to) => `n${to}`)]),
            ),
        ),
    );

  test('tangles are the sets of components that reach each other, and each has a cycle of real edges', () => {
    fc.assert(
      fc.property(graph, (waits) => {
        const together = (a: string, b: string): boolean =>
          reachable(waits, [a]).has(b) && reachable(waits, [b]).has(a);
        const groups = tangles(waits);
        for (const a of waits.keys()) {
          const group = groups.find((each) => each.includes(a)) ?? [a];
          expect([...waits.keys()].filter((b) => together(a, b))).toEqual([...group].sort());
        }
        for (const group of groups) {
          const cycle = shortestCycle(waits, group)!;
          expect(cycle[0]).toBe(cycle.at(-1));
          for (const [index, name] of cycle.slice(1).entries()) expect(waits.get(cycle[index]!)).toContain(name);
        }
        if (groups.length === 0) expect(shortestCycle(waits, waits.keys())).toBeUndefined();
      }),
    );
  });
});
