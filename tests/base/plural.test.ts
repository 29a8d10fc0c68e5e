import { expect, test } from 'vitest';
import { plural } from '../../src/base/plural.ts';

test.each([
  [1, 'record', '1 record'],
  [0, 'record', '0 records'],
  [2, 'patch', '2 patches'],
  [2, 'repository', '2 repositories'],
  [2, 'day', '2 days'],
])('%i %s is "%s"', (count, noun, text) => expect(plural(count, noun)).toBe(text));
