import type { Comparison, Dependency } from './types.ts';
import { isEvr } from './version.ts';

/** A requirement as dnf and spec files write it: `name`, `name >= version`, or a rich one such as `(a or b)`. */
export type Requirement =
  | Dependency
  | { readonly operator: 'and' | 'or' | 'with' | 'without'; readonly parts: readonly Requirement[] }
  | {
      readonly operator: 'if' | 'unless';
      readonly body: Requirement;
      readonly condition: Requirement;
      readonly otherwise?: Requirement;
    };

const comparisons = new Set(['<', '<=', '=', '==', '>=', '>']);

/** Parses a requirement (rpm's docs/manual/boolean_dependencies.md). @returns undefined if the text is not a requirement */
export function parseRequirement(text: string): Requirement | undefined {
  const words = wordsOf(text);
  const parser = { words, at: 0 };
  const parsed = operand(parser, 0);
  return parser.at === words.length ? parsed : undefined;
}

/** Whether a requirement is met. @param met tests a single name with its version */
export function holds(requirement: Requirement, test: (dependency: Dependency) => boolean): boolean {
  if (!('operator' in requirement)) return test(requirement);
  const met = (each: Requirement): boolean => holds(each, test);
  switch (requirement.operator) {
    case 'and':
    case 'with':
      return requirement.parts.every(met);
    case 'or':
      return requirement.parts.some(met);
    case 'without':
      return met(requirement.parts[0]!);
    case 'if':
      return met(requirement.condition) ? met(requirement.body) : optional(requirement.otherwise, met);
    case 'unless':
      return met(requirement.condition) ? optional(requirement.otherwise, met) : met(requirement.body);
  }
}

function optional(requirement: Requirement | undefined, met: (each: Requirement) => boolean): boolean {
  return requirement === undefined || met(requirement);
}

/** Tokens of a requirement. Grouping brackets are tokens of their own; brackets within a name, as in `pkgconfig(zlib)`, are part of the name. */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const raw of text.trim().split(/\s+/)) {
    const opening = /^\(*/.exec(raw)![0].length;
    for (let n = 0; n < opening; n++) words.push('(');
    const inner = raw.slice(opening);
    const surplus = inner.split(')').length - inner.split('(').length;
    const closing = Math.max(0, Math.min(surplus, /\)*$/.exec(inner)![0].length));
    const word = inner.slice(0, inner.length - closing);
    // Without blanks: `name>=1`.
    const glued = /^([^<>=]+)(<=|>=|==|<|>|=)(.+)$/.exec(word);
    if (glued !== null && !comparisons.has(word)) words.push(glued[1]!, glued[2]!, glued[3]!);
    else if (word !== '') words.push(word);
    for (let n = 0; n < closing; n++) words.push(')');
  }
  return words;
}

interface Parser {
  readonly words: readonly string[];
  at: number;
}

/** No real requirement is nested more deeply. */
const mostDepth = 32;

function operand(parser: Parser, depth: number): Requirement | undefined {
  const word = parser.words[parser.at];
  if (word === undefined || word === ')' || depth > mostDepth) return undefined;
  if (word === '(') {
    parser.at++;
    const inner = operators(parser, depth + 1);
    if (inner === undefined || parser.words[parser.at] !== ')') return undefined;
    parser.at++;
    return inner;
  }
  parser.at++;
  const operator = parser.words[parser.at];
  if (operator === undefined || !comparisons.has(operator)) return { name: word, flags: '' };
  const evr = parser.words[parser.at + 1];
  if (evr === undefined || !isEvr(evr)) return undefined;
  parser.at += 2;
  return { name: word, flags: (operator === '==' ? '=' : operator) as Comparison, evr };
}

function operators(parser: Parser, depth: number): Requirement | undefined {
  const first = operand(parser, depth);
  const operator = parser.words[parser.at];
  if (first === undefined || operator === ')') return first;
  if (operator === 'if' || operator === 'unless') {
    parser.at++;
    const condition = operand(parser, depth);
    if (condition === undefined) return undefined;
    if (parser.words[parser.at] !== 'else') return { operator, body: first, condition };
    parser.at++;
    const otherwise = operand(parser, depth);
    return otherwise === undefined ? undefined : { operator, body: first, condition, otherwise };
  }
  if (operator !== 'and' && operator !== 'or' && operator !== 'with' && operator !== 'without') return undefined;
  const parts = [first];
  while (parser.words[parser.at] === operator) {
    parser.at++;
    const next = operand(parser, depth);
    if (next === undefined) return undefined;
    parts.push(next);
  }
  return { operator, parts };
}
