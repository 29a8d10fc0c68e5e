import { type Place, WeirError } from './errors.ts';

/** A WeirError as plain data, for messages between threads and for files. */
export interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly where?: Place;
  readonly hint?: string;
  readonly details: readonly string[];
  readonly exit: 1 | 2;
  readonly stack?: string;
}

export function plainError(error: WeirError): PlainError {
  const { code, message, where, hint, details, exit, stack } = error;
  return {
    code,
    message,
    details,
    exit,
    ...(where === undefined ? {} : { where }),
    ...(hint === undefined ? {} : { hint }),
    ...(stack === undefined ? {} : { stack }),
  };
}

export function revivedError(plain: PlainError): WeirError {
  const { code, message, where, hint, details, exit, stack } = plain;
  const error = new WeirError(code, message, {
    details,
    exit,
    ...(where === undefined ? {} : { where }),
    ...(hint === undefined ? {} : { hint }),
  });
  if (stack !== undefined) error.stack = stack;
  return error;
}
