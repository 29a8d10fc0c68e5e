import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildOrder, inOrder } from '../../src/component/order.ts';

describe('build order', () => {
  const node = (name: string, needs: readonly string[], provides = [name]) => ({ name, needs, provides });

  test('a component waits for who provides what it needs, by name and without versions', () => {
    const waits = buildOrder([
      node('a', ['b-devel >= 2', 'gcc', 'pkgconfig(c)']),
      node('b', [], ['b', 'b-devel']),
      node('c', [], ['pkgconfig(c)']),
    ]);
    expect(waits.get('a')).toEqual(['b', 'c']);
    expect(waits.get('b')).toEqual([]);
  });

  test('a component may need its own package of before', () => {
    expect(buildOrder([node('a', ['a'])]).get('a')).toEqual([]);
  });

  test('a circle is an error that names it', () => {
    expect(() => buildOrder([node('a', ['b']), node('b', ['c']), node('c', ['a'])])).toThrow('a → b → c → a');
  });

  const graph = fc.integer({ min: 1, max: 12 }).chain((count) =>
    fc.array(fc.array(fc.nat(count - 1), { maxLength: 4 }), { minLength: count, maxLength: count }).map((edges) =>
      // Edges to lower numbers only: no circles.
      edges.map((targets, index) =>
        node(
          `n${index}`,
          targets.filter((target) => target < index).map((target) => `n${target}`),
        ),
      ),
    ),
  );

  test('nothing starts before what it waits for is done, nothing runs twice, no more than the limit at once', async () => {
    await fc.assert(
      fc.asyncProperty(graph, fc.integer({ min: 1, max: 3 }), async (nodes, limit) => {
        const waits = buildOrder(nodes);
        const done = new Set<string>();
        let running = 0;
        const results = await inOrder(waits, limit, async (name) => {
          running++;
          expect(running).toBeLessThanOrEqual(limit);
          for (const other of waits.get(name)!) expect(done.has(other)).toBe(true);
          await Promise.resolve();
          expect(done.has(name)).toBe(false);
          done.add(name);
          running--;
          return name;
        });
        expect([...results.keys()].sort()).toEqual(nodes.map((each) => each.name).sort());
      }),
    );
  });

  test('the first failure is thrown, after what ran has ended, and nothing new starts', async () => {
    const started: string[] = [];
    const waits = buildOrder([node('a', []), node('b', []), node('c', ['a'])]);
    await expect(
      inOrder(waits, 2, async (name) => {
        started.push(name);
        await Promise.resolve();
        if (name === 'a') throw new Error('a is broken');
      }),
    ).rejects.toThrow('a is broken');
    expect(started).toEqual(['a', 'b']);
  });
});
