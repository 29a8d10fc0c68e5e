import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatError, WeirError } from '../../src/base/errors.ts';
import { checkLockstep, type ImagePackages, outOfStep } from '../../src/release/lockstep.ts';

const pkg = (name: string, version: string, release = '1', epoch = 0) => ({ name, epoch, version, release });
const image = (name: string, ...packages: ImagePackages['packages']): ImagePackages => ({ name, packages });

describe('images in lockstep', () => {
  test('share one version of common packages; other packages do not matter', () => {
    const images = [image('vm', pkg('glibc', '2.42'), pkg('kernel', '7.2')), image('container', pkg('glibc', '2.42'))];
    expect(outOfStep(images)).toEqual([]);
    expect(() => checkLockstep(images)).not.toThrow();
  });

  test.each([
    ['version', pkg('glibc', '2.43')],
    ['release', pkg('glibc', '2.42', '2')],
    ['epoch', pkg('glibc', '2.42', '1', 1)],
  ])('a different %s is found', (_what, other) => {
    expect(outOfStep([image('a', pkg('glibc', '2.42')), image('b', other)])).toHaveLength(1);
  });

  test('an image with one of two kernels is out of step, one with both is not', () => {
    const both = [pkg('kernel', '7.1'), pkg('kernel', '7.2')];
    expect(outOfStep([image('a', ...both), image('b', ...both.toReversed())])).toEqual([]);
    expect(outOfStep([image('a', ...both), image('b', both[0]!)])).toEqual([
      {
        package: 'kernel',
        versions: [
          { evr: '7.1-1 and 7.2-1', images: ['a'] },
          { evr: '7.1-1', images: ['b'] },
        ],
      },
    ]);
  });

  test('the error lists every package, its versions and their images', () => {
    const images = [
      image('container-base', pkg('glibc', '2.42'), pkg('bash', '5.3', '4')),
      image('vm-base', pkg('glibc', '2.42'), pkg('bash', '5.3', '5', 1)),
      image('vm-azure', pkg('glibc', '2.43'), pkg('bash', '5.3', '4')),
    ];
    try {
      checkLockstep(images);
    } catch (error) {
      expect(error).toBeInstanceOf(WeirError);
      expect((error as WeirError).exit).toBe(1);
      expect(formatError(error as WeirError)).toBe(
        [
          'error: images of this release hold different versions of bash, glibc',
          '  bash: 5.3-4 in container-base, vm-azure; 1:5.3-5 in vm-base',
          '  glibc: 2.42-1 in container-base, vm-base; 2.43-1 in vm-azure',
          "hint: publish one version of the package, and list it without a version in the images' packages",
        ].join('\n'),
      );
      return;
    }
    throw new Error('no error');
  });

  test('images from a repository with one version of each package are in step', () => {
    const repository = fc.uniqueArray(
      fc.record({ name: fc.constantFrom(...'abcdef'), version: fc.constantFrom('1', '2') }),
      {
        selector: (each) => each.name,
      },
    );
    fc.assert(
      fc.property(repository, fc.array(fc.nat(63), { maxLength: 5 }), (packages, choices) => {
        const images = choices.map((bits, index) =>
          image(
            `i${index}`,
            ...packages.filter((_, at) => bits & (1 << at)).map((each) => pkg(each.name, each.version)),
          ),
        );
        expect(outOfStep(images)).toEqual([]);
      }),
    );
  });
});
