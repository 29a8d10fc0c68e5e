import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ComparedPackage, changesVersion, diffPackages } from '../../../src/release/image/package-diff.ts';
import { parseEvr } from '../../../src/rpm/version.ts';

function pkg(name: string, evr: string, arch = 'x86_64', content = `${name} ${evr} ${arch}`): ComparedPackage {
  const { epoch, version, release = '1' } = parseEvr(evr);
  return { name, epoch, version, release, arch, content };
}

/** `change: old → new` */
function said(a: readonly ComparedPackage[], b: readonly ComparedPackage[]): string[] {
  return diffPackages(a, b).map(
    ({ name, change, before, after }) => `${name} ${change}: ${before?.evr ?? '-'} → ${after?.evr ?? '-'}`,
  );
}

describe('the difference of two sets of packages', () => {
  test.each([
    ['5.3-4', '5.3-5', 'upgraded'],
    ['5.10-1', '5.9-1', 'downgraded'],
    ['5.3-1', '5.3~rc1-1', 'downgraded'],
    ['5.3-1', '5.3^git1-1', 'upgraded'],
    ['9.9-1', '1:1.0-1', 'upgraded'],
    ['5.3-1.wl4', '5.3-1.wl4.1', 'upgraded'],
  ])('%s → %s is %s, as rpm compares', (old, made, change) => {
    expect(said([pkg('bash', old)], [pkg('bash', made)])).toEqual([`bash ${change}: ${old} → ${made}`]);
  });

  test('a package on one side only is added or removed', () => {
    expect(said([pkg('a', '1-1'), pkg('b', '1-1')], [pkg('b', '1-1'), pkg('c', '1-1')])).toEqual([
      'a removed: 1-1 → -',
      'c added: - → 1-1',
    ]);
  });

  test('the same version with other bytes or architecture is rebuilt', () => {
    const changes = [
      diffPackages([pkg('a', '1-1')], [pkg('a', '1-1', 'x86_64', 'other')]),
      diffPackages([pkg('a', '1-1')], [pkg('a', '1-1', 'noarch')]),
    ].flat();
    expect(changes.map(({ change }) => change)).toEqual(['rebuilt', 'rebuilt']);
    expect(changes.some(changesVersion)).toBe(false);
  });

  test('of several versions, common ones stay and the others are matched newest to newest', () => {
    const kernels = (...versions: string[]) => versions.map((version) => pkg('kernel', version));
    expect(said(kernels('7.1-1', '7.2-1'), kernels('7.3-1', '7.2-1'))).toEqual(['kernel upgraded: 7.1-1 → 7.3-1']);
    expect(said(kernels('7.1-1'), kernels('7.1-1', '7.2-1'))).toEqual(['kernel added: - → 7.2-1']);
  });

  test('packages are matched by architecture', () => {
    const both = (evr: string) => [pkg('glibc', evr, 'i686'), pkg('glibc', evr, 'x86_64')];
    const changes = diffPackages(both('1-1'), both('2-1'));
    expect(changes.map(({ before, after }) => `${before?.arch} ${after?.arch}`)).toEqual([
      'i686 i686',
      'x86_64 x86_64',
    ]);
  });

  const packages = fc.uniqueArray(
    fc
      .tuple(
        fc.constantFrom('a', 'b'),
        fc.constantFrom('1-1', '2-1', '1:1-1', '1-2'),
        fc.constantFrom('x86_64', 'noarch'),
      )
      .map(([name, evr, arch]) => pkg(name, evr, arch)),
    { selector: (each) => each.content, maxLength: 8 },
  );
  const opposite = {
    added: 'removed',
    removed: 'added',
    upgraded: 'downgraded',
    downgraded: 'upgraded',
    rebuilt: 'rebuilt',
  };

  test('is empty for equal sets, and reversed for swapped sets', () => {
    fc.assert(
      fc.property(packages, packages, (a, b) => {
        expect(diffPackages(a, [...a].reverse())).toEqual([]);
        const there = diffPackages(a, b).map(({ name, change, before, after }) =>
          JSON.stringify([name, opposite[change], after, before]),
        );
        const back = diffPackages(b, a).map(({ name, change, before, after }) =>
          JSON.stringify([name, change, before, after]),
        );
        expect(back.sort()).toEqual(there.sort());
      }),
    );
  });

  test('applied to the first set gives the second', () => {
    fc.assert(
      fc.property(packages, packages, (a, b) => {
        const builds = new Set(a.map(({ content }) => content));
        for (const { before, after } of diffPackages(a, b)) {
          if (before !== undefined) expect(builds.delete(before.content)).toBe(true);
          if (after !== undefined) builds.add(after.content);
        }
        expect([...builds].sort()).toEqual(b.map(({ content }) => content).sort());
      }),
    );
  });
});
