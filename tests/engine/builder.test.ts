import { expect, test } from 'vitest';
import { freeIds } from '../../src/engine/builder.ts';

test.each([
  ['a whole host', '         0          0 4294967295\n', 0x70000000],
  ['a container with 65,536 ids', '         0     100000      65536\n', 61_184],
  ['a container with ids in two parts', '0 1000 1\n1 100000 65536\n', 61_184],
])('unused UIDs: %s', (_, map, first) => {
  expect(freeIds(map).first).toBe(first);
});
