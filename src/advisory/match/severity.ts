import type { Severity } from '../record.ts';

/** The word of CVSS ratings, GitHub's advisories, vendors and Debian's urgencies; undefined for others, such as `unknown`. */
export function severityOfWord(word: string | undefined): Severity | undefined {
  const severity: Readonly<Record<string, Severity>> = {
    critical: 'critical',
    ...{ high: 'important', important: 'important' },
    ...{ medium: 'moderate', moderate: 'moderate' },
    low: 'low',
    ...{ none: 'none', negligible: 'none' },
  };
  const key = word?.trim().toLowerCase() ?? '';
  return Object.hasOwn(severity, key) ? severity[key] : undefined;
}

/** The severity of a CVSS base score, by the qualitative rating scale of CVSS 3.1 (section 5). */
export function severityOfScore(score: number): Severity {
  if (score >= 9) return 'critical';
  if (score >= 7) return 'important';
  if (score >= 4) return 'moderate';
  return score > 0 ? 'low' : 'none';
}

const weights3: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  AV: { N: 0.85, A: 0.62, L: 0.55, P: 0.2 },
  AC: { L: 0.77, H: 0.44 },
  UI: { N: 0.85, R: 0.62 },
  C: { H: 0.56, L: 0.22, N: 0 },
  I: { H: 0.56, L: 0.22, N: 0 },
  A: { H: 0.56, L: 0.22, N: 0 },
};

const privileges3: Readonly<Record<string, readonly [number, number]>> = {
  N: [0.85, 0.85],
  L: [0.62, 0.68],
  H: [0.27, 0.5],
};

/**
 * The base score of a CVSS 3.0 or 3.1 vector (specification, section 7.1); undefined for other versions, and for a vector that
 * is not complete.
 */
export function baseScore(vector: string): number | undefined {
  const match = /^CVSS:3\.[01]\/(.+)$/.exec(vector);
  if (match === null) return undefined;
  const metrics = new Map(match[1]!.split('/').map((part) => part.split(':', 2) as [string, string]));
  const weight = (name: string): number | undefined => weights3[name]?.[metrics.get(name) ?? ''];
  const scope = metrics.get('S');
  const privileges = privileges3[metrics.get('PR') ?? ''];
  const [av, ac, ui, c, i, a] = ['AV', 'AC', 'UI', 'C', 'I', 'A'].map(weight);
  if ([av, ac, ui, c, i, a].includes(undefined) || privileges === undefined) return undefined;
  if (scope !== 'U' && scope !== 'C') return undefined;
  const isChanged = scope === 'C';
  const base = 1 - (1 - c!) * (1 - i!) * (1 - a!);
  const impact = isChanged ? 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 : 6.42 * base;
  if (impact <= 0) return 0;
  const exploitability = 8.22 * av! * ac! * privileges[isChanged ? 1 : 0] * ui!;
  return roundUp(Math.min(isChanged ? 1.08 * (impact + exploitability) : impact + exploitability, 10));
}

/** Rounds up to one decimal, on integers as the specification says (appendix A). */
function roundUp(value: number): number {
  const whole = Math.round(value * 100_000);
  return whole % 10_000 === 0 ? whole / 100_000 : (Math.floor(whole / 10_000) + 1) / 10;
}

/** The severity of a CVSS vector, if its version is 3.0 or 3.1. */
export function severityOfVector(vector: string | undefined): Severity | undefined {
  const score = vector === undefined ? undefined : baseScore(vector);
  return score === undefined ? undefined : severityOfScore(score);
}
