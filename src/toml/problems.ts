import { WeirError } from '../base/errors.ts';

/** How many errors of one load are shown; more would scroll the first ones off the screen. */
const shown = 20;

/**
 * Errors of a configuration, collected while it is read, so that one run reports all of them. Callers must avoid
 * follow-up errors: they continue only with parts that do not depend on the failed part.
 */
export class Problems {
  readonly #found = new Map<string, WeirError>();
  readonly #warnings = new Map<string, WeirError>();
  readonly permissive: boolean;

  /** @param permissive whether unknown keys, and references to undefined names, are warnings */
  constructor(permissive = false) {
    this.permissive = permissive;
  }

  /** Warnings: problems that do not stop the load. */
  get warnings(): readonly WeirError[] {
    return inOrder([...this.#warnings.values()]);
  }

  /** Runs a step and records its configuration error. @returns undefined if it failed */
  attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      this.add(error);
      return undefined;
    }
  }

  /** `attempt` with errors that are only warnings in a permissive load: undefined names in lists. */
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

  /** Records a configuration error, once; rethrows anything else. */
  add(error: unknown): void {
    if (!isConfiguration(error)) throw error;
    for (const each of flat(error)) put(this.#found, each);
  }

  warn(warning: WeirError): void {
    put(this.#warnings, warning);
  }

  /** @throws WeirError the first error, by file and line, with the others attached */
  throwIfAny(): void {
    const [first, ...others] = inOrder([...this.#found.values()]);
    if (first === undefined) return;
    throw together(first, others);
  }
}

/** One error with others attached. */
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
  // `together` keeps the first error, without the others, as the cause.
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
