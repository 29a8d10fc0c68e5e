import { WeirError } from '../base/errors.ts';

/** So many errors are shown of one load; more would only push the first ones off the screen. */
const shown = 20;

/**
 * What is wrong with a configuration, gathered while it is read, so that one run names all of it. An error that follows
 * from another one is for the callers to avoid: they go on with what does not depend on the part that failed.
 */
export class Problems {
  readonly #found = new Map<string, WeirError>();
  readonly #warnings = new Map<string, WeirError>();
  readonly permissive: boolean;

  /** @param permissive whether unknown keys, and names that nothing stands behind, are warnings */
  constructor(permissive = false) {
    this.permissive = permissive;
  }

  /** What a load can do without and the user should still know of. */
  get warnings(): readonly WeirError[] {
    return inOrder([...this.#warnings.values()]);
  }

  /** Runs a step and keeps its error of configuration. @returns undefined where it failed */
  attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      this.add(error);
      return undefined;
    }
  }

  /** `attempt` for what a permissive load only warns of: names in lists that mean nothing. */
  check<T>(step: () => T): T | undefined {
    if (!this.permissive) return this.attempt(step);
    try {
      return step();
    } catch (error) {
      if (!isConfiguration(error)) throw error;
      for (const each of flat(error)) this.warn(each);
      return undefined;
    }
  }

  /** Keeps an error of configuration, once; anything else is thrown. */
  add(error: unknown): void {
    if (!isConfiguration(error)) throw error;
    for (const each of flat(error)) put(this.#found, each);
  }

  warn(warning: WeirError): void {
    put(this.#warnings, warning);
  }

  /** @throws WeirError the first of the errors, by file and line, with the others behind it */
  throwIfAny(): void {
    const [first, ...others] = inOrder([...this.#found.values()]);
    if (first === undefined) return;
    throw together(first, others);
  }
}

/** One error that stands for several. */
export function together(first: WeirError, others: readonly WeirError[]): WeirError {
  if (others.length === 0) return first;
  const more = others.length + 1 - shown;
  const left =
    more <= 0 ? [] : [new WeirError('more-errors', `and ${more} more in the same configuration`, { exit: 2 })];
  return new WeirError(first.code, first.message, {
    ...(first.where === undefined ? {} : { where: first.where }),
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    details: first.details,
    others: [...others.slice(0, shown - 1), ...left],
    exit: 2,
    cause: first,
  });
}

function isConfiguration(error: unknown): error is WeirError {
  return error instanceof WeirError && error.exit === 2;
}

function flat(error: WeirError): WeirError[] {
  // `together` keeps the first one, without the others, as the cause.
  const first = error.others.length > 0 && error.cause instanceof WeirError ? error.cause : error;
  return [first, ...error.others];
}

function put(into: Map<string, WeirError>, error: WeirError): void {
  const { file, line, column } = error.where ?? {};
  const key = [file, line, column, error.code, error.message].join('\0');
  if (!into.has(key)) into.set(key, error);
}

/** By file, in the order of the first errors of each, then by line and column. */
function inOrder(errors: readonly WeirError[]): WeirError[] {
  const files = [...new Set(errors.map((error) => error.where?.file))];
  const rank = ({ where }: WeirError): number[] => [files.indexOf(where?.file), where?.line ?? 0, where?.column ?? 0];
  return errors.toSorted((a, b) => compare(rank(a), rank(b)));
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}
