// Expressions of `%if`, as in rpm's manual (https://rpm-software-management.github.io/rpm/manual/spec.html#conditionals):
// numbers, "texts", comparisons, `!`, `&&`, `||`, `+ - * /` and parentheses.

/** Undefined if the value is unknown. */
type Value = number | string | undefined;

/** Limit of the nesting of an expression; real ones are far below. */
const mostDepth = 50;

/**
 * Whether the expression of an `%if` is true. Its macros must be expanded already.
 * @returns undefined if unknown: it depends on unexpanded macros, compares versions, or rpm would reject it
 */
export function holds(expression: string): boolean | undefined {
  if (expression.length > 1000) return undefined;
  // A macro that is left is a value of its own, together with the text attached to it.
  const tokens = expression.match(/"[^"]*"|\w*%(?:\{[^{}]*\}|\w+)[\w.]*|\d+|&&|\|\||[=!<>]=|[-+*/!<>()]|\S/g) ?? [];
  try {
    const reader = new Reader(tokens);
    const value = reader.or(0);
    return reader.isAtEnd() ? truth(value) : undefined;
  } catch (error) {
    if (error instanceof Untold) return undefined;
    throw error;
  }
}

/** Thrown internally if the value of an expression is unknown. */
class Untold extends Error {}

function truth(value: Value): boolean | undefined {
  return value === undefined ? undefined : typeof value === 'number' ? value !== 0 : value !== '';
}

class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  isAtEnd(): boolean {
    return this.#at === this.#tokens.length;
  }

  #take(...wanted: readonly string[]): string | undefined {
    const token = this.#tokens[this.#at];
    if (token === undefined || !wanted.includes(token)) return undefined;
    this.#at++;
    return token;
  }

  or(depth: number): Value {
    if (depth > mostDepth) throw new Untold();
    let value = this.#and(depth);
    while (this.#take('||') !== undefined) {
      const both = [truth(value), truth(this.#and(depth))];
      value = both.includes(true) ? 1 : both.includes(undefined) ? undefined : 0;
    }
    return value;
  }

  #and(depth: number): Value {
    let value = this.#comparison(depth);
    while (this.#take('&&') !== undefined) {
      const both = [truth(value), truth(this.#comparison(depth))];
      value = both.includes(false) ? 0 : both.includes(undefined) ? undefined : 1;
    }
    return value;
  }

  #comparison(depth: number): Value {
    const left = this.#sum(depth);
    const operator = this.#take('==', '!=', '<=', '>=', '<', '>');
    if (operator === undefined) return left;
    const right = this.#sum(depth);
    if (left === undefined || right === undefined) return undefined;
    if (typeof left !== typeof right) throw new Untold();
    const found = left === right ? '=' : left < right ? '<' : '>';
    if (operator === '!=') return found === '=' ? 0 : 1;
    return operator.includes(found) ? 1 : 0;
  }

  #sum(depth: number): Value {
    let value = this.#product(depth);
    for (let sign = this.#take('+', '-'); sign !== undefined; sign = this.#take('+', '-')) {
      const right = this.#product(depth);
      if (typeof value === 'string' || typeof right === 'string') throw new Untold();
      if (value === undefined || right === undefined) value = undefined;
      else value = sign === '+' ? value + right : value - right;
    }
    return value;
  }

  #product(depth: number): Value {
    let value = this.#primary(depth);
    for (let sign = this.#take('*', '/'); sign !== undefined; sign = this.#take('*', '/')) {
      const right = this.#primary(depth);
      if (typeof value === 'string' || typeof right === 'string' || (sign === '/' && right === 0)) throw new Untold();
      if (value === undefined || right === undefined) value = undefined;
      else value = sign === '*' ? value * right : Math.trunc(value / right);
    }
    return value;
  }

  #primary(depth: number): Value {
    if (depth > mostDepth) throw new Untold();
    if (this.#take('!') !== undefined) {
      const value = truth(this.#primary(depth + 1));
      return value === undefined ? undefined : value ? 0 : 1;
    }
    if (this.#take('(') !== undefined) {
      const value = this.or(depth + 1);
      if (this.#take(')') === undefined) throw new Untold();
      return value;
    }
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Untold();
    if (token.includes('%')) return undefined;
    if (/^\d+$/.test(token)) return Number(token);
    if (token.length > 1 && token.startsWith('"')) return token.slice(1, -1);
    throw new Untold();
  }
}
