import { WeirError } from '../base/errors.ts';

/** A package of an input repository cannot be downloaded or verified: components that need it cannot be built through no fault of their own. */
export class InputError extends WeirError {}

/** An error while packages of a repository are downloaded or checked, with the repository's name. */
export function inputError(repository: string, error: unknown): unknown {
  if (!(error instanceof WeirError) || error instanceof InputError) return error;
  const { code, message, where, hint, details, others, exit, cause } = error;
  const named = message.startsWith('repository ') ? message : `repository ${repository}: ${message}`;
  return new InputError(code, named, {
    ...{ details, others, exit, cause },
    ...(where === undefined ? {} : { where }),
    ...(hint === undefined ? {} : { hint }),
  });
}
