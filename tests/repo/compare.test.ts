import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareNames } from '../../src/repo/compare.ts';
import { nevra, parseNevra } from '../../src/repo/metadata.ts';

const packages = (...ids: string[]) => ids.map((id) => parseNevra(id)!);

describe('two sides compared by name', () => {
  it('say what is missing, extra, newer, older, or built otherwise', () => {
    const left = packages(
      'a-1-1.x86_64',
      'b-1-1.noarch',
      'c-1-1.x86_64',
      'd-1:1-1.x86_64',
      'e-1-1.x86_64',
      'same-1-1.x86_64',
    );
    const right = packages(
      'b-1-1.x86_64',
      'c-1-2.x86_64',
      'd-2-1.x86_64',
      'f-1~rc1-1.x86_64',
      'e-1-1.x86_64',
      'e-0.9-1.x86_64',
      'same-1-1.x86_64',
    );
    expect(compareNames(left, right)).toEqual({
      same: 1,
      changed: [
        { name: 'a', type: 'rpm', change: 'missing', left: ['a-1-1.x86_64'], right: [] },
        { name: 'b', type: 'rpm', change: 'other', left: ['b-1-1.noarch'], right: ['b-1-1.x86_64'] },
        { name: 'c', type: 'rpm', change: 'upgraded', left: ['c-1-1.x86_64'], right: ['c-1-2.x86_64'] },
        { name: 'd', type: 'rpm', change: 'downgraded', left: ['d-1:1-1.x86_64'], right: ['d-2-1.x86_64'] },
        { name: 'e', type: 'rpm', change: 'other', left: [], right: ['e-0.9-1.x86_64'] },
        { name: 'f', type: 'rpm', change: 'extra', left: [], right: ['f-1~rc1-1.x86_64'] },
      ],
    });
  });

  it('keep source packages apart from binary ones of their name', () => {
    const { changed, same } = compareNames(
      packages('a-1-1.x86_64', 'a-1-1.src'),
      packages('a-1-1.x86_64', 'a-2-1.src'),
    );
    expect(same).toBe(1);
    expect(changed).toMatchObject([{ name: 'a', type: 'srpm', change: 'upgraded' }]);
  });

  it('are mirror images when they change places, and equal to themselves', () => {
    const word = fc.constantFrom('a', 'b', 'a-b');
    const number = fc.constantFrom('1', '2', '1.0', '1~rc', '1^git');
    const pkg = fc.record({
      name: word,
      epoch: fc.nat(1),
      version: number,
      release: number,
      arch: fc.constantFrom('x86_64', 'noarch', 'src'),
    });
    const mirrored = {
      missing: 'extra',
      extra: 'missing',
      upgraded: 'downgraded',
      downgraded: 'upgraded',
      other: 'other',
    };
    fc.assert(
      fc.property(fc.array(pkg), fc.array(pkg), (left, right) => {
        const there = compareNames(left, right);
        const back = compareNames(right, left);
        expect(back.changed).toEqual(
          there.changed.map((each) => ({ ...each, change: mirrored[each.change], left: each.right, right: each.left })),
        );
        expect(compareNames(left, left).changed).toEqual([]);
        const ids = (side: typeof left) => new Set(side.map(nevra));
        const lost = [...ids(left)].filter((id) => !ids(right).has(id)).sort();
        expect(there.changed.flatMap((each) => each.left).sort()).toEqual(lost);
      }),
    );
  });
});
