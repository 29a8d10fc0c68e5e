import { WeirError } from '../../src/base/errors.ts';

/** The WeirError that `work` fails with. @throws Error if it succeeds or fails with something else */
export async function failure(work: Promise<unknown>): Promise<WeirError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WeirError) return error;
  throw new Error(`no WeirError: ${error instanceof Error ? error.stack : String(error)}`);
}
