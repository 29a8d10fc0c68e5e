import { expect, test } from 'vitest';
import { makeCases } from '../../../../bench/conformance/scanners/cases.ts';
import { compareScan, expectedFindings, wrongCases } from '../../../../bench/conformance/scanners/compare.ts';
import { laterSources } from '../../../../bench/conformance/scanners/later-release.ts';
import { randomOf } from '../../../../bench/fuzz/random.ts';
import { sourceName } from '../../../../src/repo/metadata.ts';
import { compareEvr } from '../../../../src/rpm/version.ts';
import { pkg } from '../../../advisory/snapshot.ts';

const packages = [
  pkg('audit-libs-1:4.1.2-1+b2.x86_64', { sourceRpm: 'audit-4.1.2-1.src.rpm' }),
  pkg('bash-5.3-4.x86_64'),
  pkg('dnf5-5.4-2+b1.x86_64', { sourceRpm: 'dnf5-5.4-2.src.rpm' }),
  pkg('libdnf5-5.4-2+b1.x86_64', { sourceRpm: 'dnf5-5.4-2.src.rpm' }),
  pkg('gmp-2:6.3.0-5.x86_64'),
  pkg('less-668-1.wl4.x86_64'),
  pkg('sed-4.9-3.x86_64'),
];
const sources = laterSources(packages);

test('the later release has newer versions of all packages', () => {
  for (const { image, later } of sources) {
    for (const [index, old] of image.entries()) expect(compareEvr(later[index]!, old)).toBe(1);
  }
});

test('a case of every kind says what rpm says', () => {
  const cases = makeCases(sources, 400, randomOf(3));
  expect(new Set(cases.map(({ kind }) => kind)).size).toBe(20);
  expect(wrongCases(cases)).toEqual([]);
  expect(wrongCases(cases.map((one) => ({ ...one, reported: !one.reported })))).not.toEqual([]);
});

test('what a scanner misses, invents and repeats is found', () => {
  const cases = makeCases(sources, 20, randomOf(3));
  const expected = expectedFindings(cases, packages);
  const scan = { findings: expected, packages: ['pkg:rpm/weir/a@1-1'], system: 'weir 4.0' };
  const urls = ['pkg:rpm/weir/a@1-1'];
  const nothing = { missed: [], wrong: [], twice: [], warned: [], packages: { missing: [], more: [] } };
  expect(compareScan(scan, cases, packages, urls, [])).toEqual({ expected: expected.length, ...nothing });
  const quiet = cases.find(({ reported }) => !reported)!;
  const invented = `${quiet.id} ${packages.find((one) => sourceName(one) === quiet.source.name)!.name}`;
  const bad = { ...scan, findings: [...expected.slice(1), expected[1]!, invented], packages: ['pkg:rpm/a@1-1'] };
  expect(compareScan(bad, cases, packages, urls, [])).toMatchObject({
    missed: [expected[0]],
    wrong: [invented],
    twice: [expected[1]],
    packages: { missing: urls, more: ['pkg:rpm/a@1-1'] },
  });
  const warned = compareScan(bad, cases, packages, undefined, [invented]);
  expect(warned).toMatchObject({ wrong: [], warned: [invented] });
});
