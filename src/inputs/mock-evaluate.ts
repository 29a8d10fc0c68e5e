import type { Expression, Operation } from './mock-expression.ts';
import { type Budget, type FilePosition, join, maxDepth, mockError, type Text, textAt } from './mock-text.ts';

/** Lists and tuples are arrays. */
export type Value = null | boolean | number | Text | Value[] | Map<string, Value> | Unset | Callable;

/** Jinja's undefined: the value of an unset variable. */
export interface Unset {
  readonly kind: 'unset';
  readonly name: string;
}

/** A macro of a template, or a function that the language offers. */
export interface Callable {
  readonly kind: 'callable';
  readonly call: (values: readonly Value[], position: FilePosition) => Value;
}

/** The scope for evaluating names, and the remaining work budget. */
export interface Names {
  readonly budget: Budget;
  /** The value of a name. Throws, or returns {@link Unset}, if the name is not defined. */
  readonly valueOf: (name: string, position: FilePosition) => Value;
  /** In a template, a key that a dictionary lacks is {@link Unset}; in Python it is an error. */
  readonly lenient: boolean;
  /** The key under which a dictionary keeps an option that has several names. */
  readonly keyOf: (of: Map<string, Value>, key: string) => string;
}

export function isText(value: Value): value is Text {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'text';
}

export function isUnset(value: Value): value is Unset {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'unset';
}

function isCallable(value: Value): value is Callable {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'callable';
}

/** The kind of a value, for messages. */
export function kindOf(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return 'a boolean';
  if (typeof value === 'number') return 'a number';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Map) return 'a dictionary';
  if (isText(value)) return 'a string';
  return isUnset(value) ? 'not set' : 'a function';
}

/** Whether Python treats the value as true. */
export function isTrue(value: Value): boolean {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return Boolean(value);
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return isText(value) ? value.text !== '' : !isUnset(value);
}

/** The text that `str()` returns for a value. @throws WeirError for lists and dictionaries, which have no text here */
export function textOf(value: Value, position: FilePosition): Text {
  if (isText(value)) return value;
  if (value === null) return textAt('None', position);
  if (typeof value === 'boolean') return textAt(value ? 'True' : 'False', position);
  if (typeof value === 'number') return textAt(String(value), position);
  if (isUnset(value)) return textAt('', position);
  throw mockError(position, `expected a string, found ${kindOf(value)}`, 'write a string');
}

/** The value of an expression. Errors have the position of the part that is wrong. */
export function evaluate(expression: Expression, names: Names): Value {
  names.budget.enter(expression.position);
  const value = valueOfPart(expression, names);
  names.budget.leave();
  return value;
}

function valueOfPart(expression: Expression, names: Names): Value {
  const { position } = expression;
  const value = (part: Expression): Value => evaluate(part, names);
  switch (expression.type) {
    case 'text':
      return expression.text;
    case 'plain':
      return expression.value;
    case 'name':
      return names.valueOf(expression.name, position);
    case 'list':
      return expression.items.map(value);
    case 'dictionary': {
      const made = new Map<string, Value>();
      for (const [key, item] of expression.entries) made.set(keyOf(value(key), key.position), value(item));
      return made;
    }
    case 'item':
      return itemOf(value(expression.of), value(expression.key), names, position);
    case 'attribute':
      return attributeOf(value(expression.of), expression.name, position);
    case 'call': {
      const called = value(expression.of);
      if (!isCallable(called)) throw mockError(position, `unsupported call: this is ${kindOf(called)}`);
      return called.call(expression.values.map(value), position);
    }
    case 'filter':
      return filtered(expression.name, value(expression.of), expression.values.map(value), position);
    case 'test':
      return tested(expression.name, value(expression.of), position) === expression.expected;
    case 'not':
      return !isTrue(value(expression.of));
    case 'negative':
      return -numberOf(value(expression.of), position);
    case 'and':
    case 'or': {
      let last: Value = null;
      for (const item of expression.items) {
        last = value(item);
        if (isTrue(last) === (expression.type === 'or')) break;
      }
      return last;
    }
    case 'chain': {
      let result = value(expression.first);
      for (const { operator, right } of expression.rest) {
        result = combined(operator, result, value(right), names.budget, right.position);
      }
      return result;
    }
    case 'comparison':
      return holds(value(expression.first), expression.rest, names);
    case 'choice':
      if (isTrue(value(expression.when))) return value(expression.chosen);
      return expression.otherwise === undefined ? { kind: 'unset', name: '' } : value(expression.otherwise);
  }
}

/** A key of a dictionary. */
export function keyOf(value: Value, position: FilePosition): string {
  if (isText(value)) return value.text;
  throw mockError(position, `a key is a string, found ${kindOf(value)}`, 'put the key in quotes');
}

function itemOf(of: Value, key: Value, names: Names, position: FilePosition): Value {
  if (of instanceof Map) {
    const name = keyOf(key, position);
    const found = of.get(names.keyOf(of, name));
    if (found !== undefined) return found;
    if (names.lenient) return { kind: 'unset', name };
    throw mockError(position, `${JSON.stringify(name)} is not set`, 'set it first');
  }
  if (Array.isArray(of) && typeof key === 'number') {
    const found = of.at(key);
    if (found === undefined) throw mockError(position, `the list has no item ${key}`, `it has ${of.length} items`);
    return found;
  }
  throw mockError(position, `unsupported: [...] on ${kindOf(of)}${isUnset(of) ? `: ${of.name}` : ''}`);
}

function attributeOf(of: Value, name: string, position: FilePosition): Value {
  if (of instanceof Map) return of.get(name) ?? { kind: 'unset', name };
  throw mockError(position, `unsupported: .${name} on ${kindOf(of)}${isUnset(of) ? `: ${of.name}` : ''}`);
}

function numberOf(value: Value, position: FilePosition): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw mockError(position, `expected a number, found ${kindOf(value)}`, 'write a number, or use int');
}

/** Limit for texts and lists; no configuration needs longer ones. */
const maxLength = 4_000_000;

/** `left + right` and the other operators. */
export function combined(operator: string, left: Value, right: Value, budget: Budget, position: FilePosition): Value {
  if (operator === '~') {
    return checkedLength(join(textOf(left, position), textOf(right, position)), budget, position);
  }
  if (operator === '+' && isText(left) && isText(right)) return checkedLength(join(left, right), budget, position);
  if (operator === '+' && Array.isArray(left) && Array.isArray(right)) {
    budget.spend(position, (left.length + right.length) * 16);
    return [...left, ...right];
  }
  const simple = (value: Value) => typeof value === 'number' || typeof value === 'boolean';
  if (!simple(left) || !simple(right)) {
    throw mockError(
      position,
      `unsupported: ${kindOf(left)} ${operator} ${kindOf(right)}`,
      'both values must be of the same kind',
    );
  }
  const [a, b] = [numberOf(left, position), numberOf(right, position)];
  const result = operator === '+' ? a + b : operator === '-' ? a - b : a * b;
  if (!Number.isSafeInteger(result)) throw mockError(position, 'the number is too large', 'use a smaller one');
  return result;
}

function checkedLength(text: Text, budget: Budget, position: FilePosition): Text {
  budget.spend(position);
  if (text.text.length > maxLength)
    throw mockError(position, 'the text is too long', `at most ${maxLength} characters`);
  return text;
}

function holds(first: Value, rest: readonly Operation[], names: Names): boolean {
  let left = first;
  for (const { operator, right: expression } of rest) {
    const right = evaluate(expression, names);
    if (!compared(operator, left, right, names, expression.position)) return false;
    left = right;
  }
  return true;
}

function compared(operator: string, left: Value, right: Value, names: Names, position: FilePosition): boolean {
  const { budget } = names;
  if (operator === '==') return equal(left, right, budget, position);
  if (operator === '!=') return !equal(left, right, budget, position);
  if (operator === 'in') return contains(right, left, names, position);
  if (operator === 'not in') return !contains(right, left, names, position);
  const order = orderOf(left, right, position);
  if (operator === '<') return order < 0;
  if (operator === '<=') return order <= 0;
  return operator === '>' ? order > 0 : order >= 0;
}

function orderOf(left: Value, right: Value, position: FilePosition): number {
  if (isText(left) && isText(right)) {
    // By code point, as Python does it.
    return Buffer.compare(Buffer.from(left.text), Buffer.from(right.text));
  }
  if (isText(left) || isText(right)) {
    const hint = 'compare with int(...), in a template with |int';
    throw mockError(position, `cannot compare ${kindOf(left)} with ${kindOf(right)}`, hint);
  }
  return numberOf(left, position) - numberOf(right, position);
}

function equal(left: Value, right: Value, budget: Budget, position: FilePosition, depth = 0): boolean {
  budget.spend(position);
  if (depth > maxDepth) throw mockError(position, `nested more than ${maxDepth} levels deep`);
  if (isText(left) && isText(right)) return left.text === right.text;
  if (Array.isArray(left) && Array.isArray(right)) {
    return (
      left.length === right.length &&
      left.every((item, index) => equal(item, right[index]!, budget, position, depth + 1))
    );
  }
  if (left instanceof Map && right instanceof Map) {
    if (left.size !== right.size) return false;
    for (const [key, value] of left) {
      const other = right.get(key);
      if (other === undefined || !equal(value, other, budget, position, depth + 1)) return false;
    }
    return true;
  }
  if (isUnset(left) && isUnset(right)) return true;
  const plain = (value: Value) => (typeof value === 'boolean' ? Number(value) : value);
  return plain(left) === plain(right);
}

function contains(list: Value, wanted: Value, names: Names, position: FilePosition): boolean {
  if (isText(list) && isText(wanted)) {
    names.budget.spend(position, list.text.length);
    return list.text.includes(wanted.text);
  }
  if (Array.isArray(list)) return list.some((item) => equal(item, wanted, names.budget, position));
  if (list instanceof Map && isText(wanted)) return list.has(names.keyOf(list, wanted.text));
  if (isUnset(list)) return false;
  throw mockError(position, `cannot look for ${kindOf(wanted)} in ${kindOf(list)}`, 'use a list of strings');
}

function tested(name: string, value: Value, position: FilePosition): boolean {
  if (name === 'defined') return !isUnset(value);
  if (name === 'undefined') return isUnset(value);
  if (name === 'none') return value === null;
  throw mockError(position, `unsupported Jinja test: ${name}`, 'use: defined, undefined or none');
}

function filtered(name: string, value: Value, values: readonly Value[], position: FilePosition): Value {
  if (name === 'int' && values.length <= 1) {
    if (isUnset(value))
      throw mockError(position, `${value.name} is not set`, 'set it, or give it a |default(...) first');
    return wholeNumber(value) ?? values[0] ?? 0;
  }
  if (name === 'default' && values.length === 1) return isUnset(value) ? values[0]! : value;
  if (name === 'lower' && values.length === 0) return textAt(textOf(value, position).text.toLowerCase(), position);
  if (name === 'upper' && values.length === 0) return textAt(textOf(value, position).text.toUpperCase(), position);
  throw mockError(position, `unsupported Jinja filter: ${name}`, 'use: int, default(value), lower or upper');
}

/** The number in a value, cut at its point; undefined where there is none. */
export function wholeNumber(value: Value): number | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return Number(value);
  if (!isText(value)) return undefined;
  const digits = value.text.trim();
  if (digits.length > 100 || !/^[+-]?(?:\d+(?:_\d+)*)(?:\.\d*)?(?:[eE][+-]?\d+)?$/.test(digits)) return undefined;
  const number = Math.trunc(Number(digits.replaceAll('_', '')));
  return Number.isSafeInteger(number) ? number : undefined;
}
