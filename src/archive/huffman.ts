/** A Huffman code of deflate by symbol: the bits of each code word, first written bit lowest, and its length. */
export interface HuffmanCode {
  readonly bits: Uint16Array;
  readonly lengths: Uint8Array;
}

/**
 * The optimal length-limited Huffman code for symbols with these frequencies, by the package-merge algorithm (L. Larmore and
 * D. Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", 1990). Ties are broken as in Go's compress/flate, so
 * the codes are equal: a package precedes a symbol of equal weight, and symbols of equal frequency are ordered by number.
 * @param most maximum code length in bits
 */
export function huffmanCode(frequencies: ArrayLike<number>, most: number): HuffmanCode {
  const bits = new Uint16Array(frequencies.length);
  const lengths = new Uint8Array(frequencies.length);
  const symbols = Array.from({ length: frequencies.length }, (_, index) => index).filter(
    (one) => frequencies[one]! > 0,
  );
  symbols.sort((a, b) => frequencies[a]! - frequencies[b]! || a - b);
  if (symbols.length <= 2) {
    for (const [index, symbol] of symbols.sort((a, b) => a - b).entries()) {
      bits[symbol] = index;
      lengths[symbol] = 1;
    }
    return { bits, lengths };
  }
  const counts = countsOfLengths(
    symbols.map((one) => frequencies[one]!),
    most,
  );
  let code = 0;
  let end = symbols.length;
  for (const [length, count] of counts.entries()) {
    code <<= 1;
    // Frequent symbols get the short codes; among codes of one length, lower symbols get lower codes.
    for (const symbol of symbols.slice(end - count, end).sort((a, b) => a - b)) {
      bits[symbol] = reversed(code++, length);
      lengths[symbol] = length;
    }
    end -= count;
  }
  return { bits, lengths };
}

/** Package-merge: the number of symbols with a code of 0, 1, 2 … bits. @param weights frequencies in ascending order, at least three */
function countsOfLengths(weights: readonly number[], most: number): number[] {
  const depth = Math.min(most, weights.length - 1);
  // Each level is the symbols merged, by weight, with the packages (pairs of items) of the level below; true stands for a symbol.
  const levels: boolean[][] = [];
  let below: number[] = [];
  for (let level = 0; level < depth; level++) {
    const pairs = below.length >> 1;
    const merged: number[] = [];
    const kinds: boolean[] = [];
    for (let symbol = 0, pair = 0; symbol < weights.length || pair < pairs; ) {
      const package_ = pair < pairs ? below[2 * pair]! + below[2 * pair + 1]! : Number.POSITIVE_INFINITY;
      const isSymbol = symbol < weights.length && weights[symbol]! < package_;
      merged.push(isSymbol ? weights[symbol]! : package_);
      kinds.push(isSymbol);
      if (isSymbol) symbol++;
      else pair++;
    }
    levels.push(kinds);
    below = merged;
  }
  const counts = new Array<number>(depth + 1).fill(0);
  let taken = 2 * weights.length - 2;
  let before = 0;
  for (let length = 1; length <= depth; length++) {
    const symbols = levels[depth - length]!.slice(0, taken).filter(Boolean).length;
    // A symbol's code length is the number of levels on which it is taken, so the difference of two levels counts the codes of one length.
    if (length > 1) counts[length - 1] = before - symbols;
    before = symbols;
    taken = 2 * (taken - symbols);
  }
  counts[depth] = before;
  return counts;
}

function reversed(code: number, length: number): number {
  let result = 0;
  for (let bit = 0; bit < length; bit++) result |= ((code >> bit) & 1) << (length - 1 - bit);
  return result;
}
