import { describe, expect, test } from 'vitest';
import { type Asked, nothingAsked, parseAsked, printAsked } from '../../../src/seed/lazy/asked-lock.ts';
import { closureOf } from '../../../src/seed/lazy/closure.ts';
import { grow, takenBy } from '../../../src/seed/lazy/grow.ts';
import { context, fixed } from './fixture.ts';

const closure = (root: string) => closureOf({ ...context(), fixed }, root);
const ask = (from: Asked, ...wanted: string[]) =>
  grow({ ...context(), fixed }, from, wanted, ({ name }) => name === 'in-seed');

describe('closureOf', () => {
  test('has what the fixed seed lacks; of alternatives that of the fixed seed, or the first that exists', () => {
    expect(closure('cmake')).toEqual(['cmake', 'cmake-data']);
    expect(closure('libfoo-dev')).toEqual(['libfoo-dev', 'libfoo1']);
    expect(closure('git')).toEqual(['git']);
    expect(closure('needs-mail')).toEqual(['mail-a', 'needs-mail']);
    expect(closure('libc6')).toEqual([]);
  });
});

describe('grow', () => {
  test('finds and misses, with what was tried', async () => {
    const { found, missing, asked } = await ask(nothingAsked('s'), 'cmake', '(nope or foo-devel)', 'nope >= 1', 'a b');
    expect(found).toEqual(['cmake', '(nope or foo-devel)']);
    expect([...missing.keys()]).toEqual(['nope >= 1', 'a b']);
    expect([...asked.answers.keys()]).toEqual(['cmake', 'foo-devel']);
    expect([...asked.packages.keys()].sort()).toEqual(['cmake', 'cmake-data', 'libfoo-dev', 'libfoo1']);
  });

  test('a condition that does not apply requests nothing', async () => {
    const { found, asked } = await ask(nothingAsked('s'), '(cmake if nope)', '(in-seed or cmake)');
    expect(found).toHaveLength(2);
    expect(asked.answers.size).toBe(0);
  });

  test('the lock does not depend on the order of asking, and reads back', async () => {
    const once = await ask(nothingAsked('s'), 'gettext-devel', 'cmake', 'foo-devel');
    const first = await ask(nothingAsked('s'), 'foo-devel');
    const second = await ask(first.asked, 'cmake', 'gettext-devel');
    const text = printAsked(new Map([['forky-amd64', once.asked]]));
    expect(printAsked(new Map([['forky-amd64', second.asked]]))).toBe(text);
    expect(printAsked(parseAsked(text, 'x.lock'))).toBe(text);
  });

  test('a root gets the packages that it requests and nothing else', async () => {
    const { asked } = await ask(nothingAsked('s'), 'gettext-devel', 'cmake', 'foo-devel');
    const taken = await takenBy(asked, ['foo-devel', 'in-seed'], ({ name }) => name === 'in-seed');
    expect(taken.debs.map(({ name }) => name)).toEqual(['libfoo-dev', 'libfoo1']);
    expect(taken.aliases.map(({ wanted }) => wanted.name)).toEqual(['foo-devel']);
  });
});

test.each([
  ['answers = ["cmake: cmake"]', /invalid lock entry: cmake: cmake/],
  ['closures = ["cmake: cmake"]', /invalid lock entry: cmake: cmake/],
  ['packages = ["cmake"]', /invalid lock entry: cmake/],
  [`packages = ["a 1 all 1 ${'a'.repeat(64)} ../x"]`, /invalid lock entry/],
])('a lock with %s is an error', (line, message) => {
  const rest = ['answers', 'closures', 'packages'].filter((key) => !line.startsWith(key)).map((key) => `${key} = []`);
  expect(() => parseAsked(`version = 1\n[s]\nseed = "x"\n${[line, ...rest].join('\n')}\n`, 'x.lock')).toThrow(message);
});
