import { expect, test } from 'vitest';
import { checkBudget } from '../../../src/release/image/budget.ts';
import type { Entry, Tree } from '../../../src/tree/tree.ts';

const image = { name: 'small', origin: { file: 'images.toml', line: 3 } };

function file(path: string, size: number, packages: string[], hardlink?: string): Entry {
  const base = { kind: 'file', mode: 0o644, user: 'root', group: 'root', mtime: 0, digest: path } as const;
  return { ...base, path, size, packages, ...(hardlink === undefined ? {} : { hardlink }) };
}

const tree: Tree = {
  packages: [],
  entries: [file('/a', 60, ['a']), file('/a2', 60, ['a'], '/a'), file('/b', 30, ['b']), file('/c', 10, [])],
};

test('an image within its budget passes; hard links count once', () => {
  expect(() => checkBudget(image, 100, tree)).not.toThrow();
});

test('a larger one is an error that lists the largest packages', () => {
  expect(() => checkBudget(image, 99, tree)).toThrow(
    expect.objectContaining({
      code: 'image-too-large',
      message: 'image small has 100 bytes, more than its max-size of 99',
      details: ['a: 60', 'b: 30', 'no package: 10'],
      where: image.origin,
      exit: 2,
    }),
  );
});
