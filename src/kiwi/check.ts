import { didYouMean, type Place, WeirError } from '../base/errors.ts';
import type { XmlElement } from './xml.ts';

/** The allowed values: one of several words, or text that matches a pattern. `rule` describes the pattern in messages. */
export type ValueRule = readonly string[] | { readonly pattern: RegExp; readonly rule: string };

export interface ElementRule {
  readonly attributes?: Readonly<Record<string, ValueRule>>;
  /** Required attributes. */
  readonly required?: readonly string[];
  readonly children?: Readonly<Record<string, ElementRule>>;
  /** The allowed text content; without a rule, the element must not contain text. */
  readonly text?: ValueRule;
  /** Whether a parent may contain several of these elements. */
  readonly many?: true;
}

/** An error in a description. */
export function fault(where: Place, message: string, hint?: string): WeirError {
  return new WeirError('invalid-kiwi', message, { where, exit: 2, ...(hint === undefined ? {} : { hint }) });
}

/**
 * Checks an element and everything in it.
 * @param ignoring children that are checked elsewhere
 * @throws WeirError `invalid-kiwi` (exit 2)
 */
export function checkElement(element: XmlElement, rule: ElementRule, ignoring: readonly string[] = []): void {
  const { name, place, attributes, children } = element;
  const known = rule.attributes ?? {};
  for (const [key, { value, place: at }] of attributes) {
    const allowed = Object.hasOwn(known, key) ? known[key] : undefined;
    if (allowed === undefined) {
      throw fault(at, `Weir does not know the attribute ${key} of <${name}>`, hintOf(key, Object.keys(known)));
    }
    checkValue(name, key, allowed, value, at);
  }
  for (const key of rule.required ?? []) {
    if (!attributes.has(key)) throw fault(place, `<${name}> has no attribute ${key}`);
  }
  if (rule.text === undefined) {
    if (element.text !== '') throw fault(place, `<${name}> has text: ${JSON.stringify(element.text.slice(0, 40))}`);
  } else if (!allows(rule.text, element.text)) {
    throw fault(place, `<${name}>${element.text}</${name}> ${demand(rule.text)}`);
  }
  const inner = rule.children ?? {};
  for (const child of children) {
    if (ignoring.includes(child.name)) continue;
    if (!Object.hasOwn(inner, child.name)) {
      throw fault(
        child.place,
        `Weir does not know <${child.name}> in <${name}>`,
        hintOf(child.name, Object.keys(inner)),
      );
    }
    const childRule = inner[child.name]!;
    const earlier = childRule.many === true ? child : children.find((each) => each.name === child.name)!;
    if (earlier !== child) {
      throw fault(child.place, `<${name}> has more than one <${child.name}>`, `the other one is ${placeText(earlier)}`);
    }
    checkElement(child, childRule);
  }
}

function placeText({ place: { line, column } }: XmlElement): string {
  return `at ${line}:${column}`;
}

/** Checks an attribute. @throws WeirError `invalid-kiwi` (exit 2) */
export function checkValue(element: string, key: string, rule: ValueRule, value: string, place: Place): void {
  if (!allows(rule, value)) throw fault(place, `${key}="${value}" of <${element}> ${demand(rule)}`);
}

function allows(rule: ValueRule, value: string): boolean {
  return 'pattern' in rule ? rule.pattern.test(value) : rule.includes(value);
}

function demand(rule: ValueRule): string {
  if ('pattern' in rule) return `must be ${rule.rule}`;
  return `is not supported: ${rule.length === 1 ? `only "${rule[0]}" is` : `use ${rule.map((each) => `"${each}"`).join(', ')}`}`;
}

function hintOf(word: string, known: readonly string[]): string {
  const near = didYouMean(word, known);
  if (near !== undefined) return near;
  return known.length === 0 ? 'remove it' : `known here: ${known.toSorted().join(', ')}`;
}
