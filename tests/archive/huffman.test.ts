import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { huffmanCode } from '../../src/archive/huffman.ts';

/** How long the best code makes a text, were its codes as long as they like. */
function best(frequencies: readonly number[]): number {
  const weights = frequencies.filter((one) => one > 0);
  let total = 0;
  while (weights.length > 1) {
    weights.sort((a, b) => b - a);
    const sum = weights.pop()! + weights.pop()!;
    weights.push(sum);
    total += sum;
  }
  return total;
}

describe('a prefix code', () => {
  const frequencies = fc.array(fc.oneof(fc.constant(0), fc.nat(20), fc.nat(100_000)), { minLength: 3, maxLength: 40 });

  it('is complete, and no longer than the best one', () => {
    fc.assert(
      fc.property(frequencies, (all) => {
        fc.pre(all.filter((one) => one > 0).length > 2);
        const { lengths } = huffmanCode(all, 15);
        const kraft = lengths.reduce((sum, length) => sum + (length === 0 ? 0 : 2 ** -length), 0);
        expect(kraft).toBe(1);
        const total = all.reduce((sum, one, symbol) => sum + one * lengths[symbol]!, 0);
        if (Math.max(...lengths) < 15) expect(total).toBe(best(all));
        else expect(total).toBeGreaterThanOrEqual(best(all));
      }),
    );
  });

  it('has no code that is a prefix of another, and none for absent symbols', () => {
    fc.assert(
      fc.property(frequencies, (all) => {
        const { bits, lengths } = huffmanCode(all, 7);
        const text = (symbol: number): string =>
          bits[symbol]!.toString(2).padStart(lengths[symbol]!, '0').split('').reverse().join('');
        const codes = all.flatMap((one, symbol) => (one > 0 ? [text(symbol)] : []));
        expect(codes.some((a, i) => codes.some((b, j) => i !== j && b.startsWith(a)))).toBe(false);
        expect(Math.max(...lengths)).toBeLessThanOrEqual(7);
        for (const [symbol, one] of all.entries()) if (one === 0) expect(lengths[symbol]).toBe(0);
      }),
    );
  });

  it('keeps to its limit where frequencies grow like rabbits', () => {
    const rabbits = [1, 1];
    while (rabbits.length < 30) rabbits.push(rabbits.at(-1)! + rabbits.at(-2)!);
    expect(Math.max(...huffmanCode(rabbits, 15).lengths)).toBe(15);
    expect(Math.max(...huffmanCode(rabbits, 7).lengths)).toBe(7);
  });
});
