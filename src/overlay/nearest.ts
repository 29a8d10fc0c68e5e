import { closest } from '../base/errors.ts';

/** A line similar to the searched text. */
export interface NearLine {
  /** 1-based. */
  readonly line: number;
  readonly text: string;
}

/** The line most similar to `wanted`, by shared runs of three characters; undefined if none is similar. */
export function nearestLine(wanted: string, lines: Iterable<readonly [number, string]>): NearLine | undefined {
  const parts = trigrams(wanted);
  if (parts.size === 0) return undefined;
  let best: NearLine | undefined;
  let bestScore = 0.4;
  for (const [index, text] of lines) {
    if (text.length > 1000) continue;
    const other = trigrams(text);
    let shared = 0;
    for (const part of other) if (parts.has(part)) shared++;
    const score = (2 * shared) / (parts.size + other.size);
    if (score > bestScore) {
      best = { line: index + 1, text: text.trim() };
      bestScore = score;
    }
  }
  return best;
}

function trigrams(text: string): Set<string> {
  const plain = text.toLowerCase().replace(/\s+/g, ' ').trim();
  const found = new Set<string>();
  for (let index = 0; index + 3 <= plain.length; index++) found.add(plain.slice(index, index + 3));
  return found;
}

/** The name nearest to `wanted`; undefined if none is near. Long names are skipped: comparing takes time proportional to the product of their lengths. */
export function nearestName(wanted: string, names: Iterable<string>): string | undefined {
  if (wanted.length > 200) return undefined;
  return closest(
    wanted,
    [...new Set(names)].filter((name) => name.length <= 200),
  )[0];
}
