import { WeirError } from '../base/errors.ts';
import type { Built } from '../build/rpmbuild.ts';
import { InputError } from '../inputs/input-error.ts';

/**
 * The step at which a component failed: input packages cannot be downloaded or have no valid signature (`inputs`), fetching its sources
 * (`source`), applying its overlays (`render`), a spec that rpm cannot parse (`parse`), another fault while rpm read the spec (`query`), a
 * build requirement that nothing provides (`buildrequires`), rpmbuild (`build`), or components that wait for each other (`cycle`).
 */
export type FailureClass = 'inputs' | 'source' | 'render' | 'parse' | 'query' | 'buildrequires' | 'build' | 'cycle';

/** A component that failed, with the reason. */
export interface Failure {
  readonly class: FailureClass;
  readonly error: WeirError;
  /** Path of the whole build log, if there is one. */
  readonly log?: string;
}

/** Errors of the machine or the cache: they stop the run, because every other component would fail, too. */
const concernAll = new Set(['interrupted', 'bad-blob', 'missing-blob', 'no-space', 'too-many-files']);

/** An error as the failure of one component. @throws the error itself if it concerns all components, or is a bug in Weir */
export function failureOf(failsAt: FailureClass, error: unknown): Failure {
  if (!(error instanceof WeirError) || concernAll.has(error.code)) throw error;
  return { class: error instanceof InputError ? 'inputs' : failsAt, error };
}

/** The outcome of a component in a run. */
export type Outcome =
  /** @param unexpected why its build was expected to fail */
  | { readonly state: 'built'; readonly built: Built; readonly unexpected?: string }
  | ({ readonly state: 'failed' } & Failure)
  /** The component failed as expected: `build.failure.expected` is set. */
  | ({ readonly state: 'expected'; readonly reason: string } & Failure)
  /** The spec excludes this architecture. */
  | { readonly state: 'skipped'; readonly why: string }
  /** @param waitsFor the components that failed, or were skipped by a failure */
  | { readonly state: 'waiting'; readonly waitsFor: readonly string[] }
  /** Not started, because another component failed before. */
  | { readonly state: 'stopped' };

/** One line of the table at the end of a run. */
export interface ComponentResult {
  readonly component: string;
  readonly state: 'built' | 'cached' | 'failed' | 'expected' | 'skipped' | 'waiting' | 'stopped';
  readonly class?: FailureClass;
  /** One line. */
  readonly why?: string;
  readonly waitsFor?: readonly string[];
  readonly log?: string;
  /** Seconds that rpmbuild took, in this run or an earlier one. */
  readonly seconds?: number;
}

/** An outcome as the table and `--json` show it. */
export function resultOf(component: string, outcome: Outcome): ComponentResult {
  switch (outcome.state) {
    case 'built': {
      const { cached, log, seconds } = outcome.built;
      const why = outcome.unexpected;
      return {
        ...{ component, state: cached ? 'cached' : 'built', log, seconds },
        ...(why === undefined ? {} : { why: `expected to fail (${why}), but built: remove build.failure.expected` }),
      };
    }
    case 'failed':
      return { component, state: 'failed', class: outcome.class, why: reason(outcome.error), ...logOf(outcome) };
    case 'expected': {
      const why = `${outcome.reason}: ${reason(outcome.error)}`;
      return { component, state: 'expected', class: outcome.class, why, ...logOf(outcome) };
    }
    case 'skipped':
      return { component, state: 'skipped', why: outcome.why };
    case 'waiting':
      return {
        ...{ component, state: 'waiting', waitsFor: outcome.waitsFor },
        why: `waiting for ${outcome.waitsFor.join(', ')}`,
      };
    case 'stopped':
      return { component, state: 'stopped', why: 'not started, because another component failed' };
  }
}

/** The outcome of a failure. A failed fetch is never an expected failure. @param expected why a failure is expected, if it is */
export function failedOutcome(failure: Failure, expected: string | undefined): Outcome {
  if (expected === undefined || failure.class === 'source') return { state: 'failed', ...failure };
  return { state: 'expected', reason: expected, ...failure };
}

/** Whether an outcome makes the run fail: the component should have been built but was not. */
export function isFailure(outcome: Outcome): boolean {
  return ['failed', 'waiting', 'stopped'].includes(outcome.state);
}

/** The components whose failure keeps the components that wait for this one from being built. */
export function causesOf(name: string, outcome: Outcome): readonly string[] {
  if (outcome.state === 'waiting') return outcome.waitsFor;
  return isFailure(outcome) || outcome.state === 'expected' ? [name] : [];
}

/** The error of a run in which a component that should have been built was not. */
export class ComponentsError extends WeirError {
  readonly results: readonly ComponentResult[];

  /** @param outcomes with at least one failure; if exactly one component failed, its error is used */
  constructor(outcomes: ReadonlyMap<string, Outcome>) {
    const failed = [...outcomes].flatMap(([name, each]) =>
      each.state === 'failed' ? [{ name, error: each.error }] : [],
    );
    const causes = [...outcomes].flatMap(([name, each]) => (each.state === 'expected' ? [name] : []));
    const [first] = failed;
    if (first !== undefined && failed.length === 1) {
      const { code, message, where, hint, details, others, exit, cause } = first.error;
      const place = where === undefined ? { component: first.name } : { component: first.name, ...where };
      super(code, message, { where: place, details, others, exit, cause, ...(hint === undefined ? {} : { hint }) });
    } else {
      const names = failed.length === 0 ? causes : failed.map(({ name }) => name);
      const which = `${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}`;
      const message =
        failed.length === 0
          ? `components wait for others whose failure is expected: ${which}`
          : `${failed.length} of ${outcomes.size} components failed: ${which}`;
      const hasLog = [...outcomes.values()].some((each) => each.state === 'failed' && each.log !== undefined);
      const hint = hasLog ? 'weir component log NAME shows the log of a failed build' : first?.error.hint;
      super('components-failed', message, hint === undefined ? {} : { hint });
    }
    this.results = [...outcomes].map(([name, outcome]) => resultOf(name, outcome));
  }
}

/** One line: the message with the log line that most likely has the reason; for a failed download, the last mirror's error. */
function reason(error: WeirError): string {
  const { message, details } = error;
  if (error instanceof InputError) {
    const tried = details.findLast((line) => /^(?:https?|file):/.test(line));
    return tried === undefined ? message : `${message}: ${tried}`;
  }
  const lines = details.map((line) => line.trim()).filter((line) => line !== '');
  // rpmbuild prints this line when a command has failed; the line before it is the command's last output.
  const end = lines.findIndex((line) => /^error: Bad exit status from /.test(line));
  // For other errors, rpmbuild's output ends with a list that repeats errors from further up in the log.
  const list = lines.lastIndexOf('RPM build errors:');
  const listed = list < 0 ? undefined : lines[list + 1];
  const said = end > 0 ? lines[end - 1] : (lines.find((line) => /\berror: /i.test(line)) ?? listed);
  // After a heading such as "Failed build dependencies:", the next line has the reason.
  const next = said?.endsWith(':') === true ? lines[lines.indexOf(said) + 1] : undefined;
  const plain = (next === undefined ? said : `${said} ${next}`)?.replace(/^error: /, '');
  return plain === undefined || message.includes(plain) ? message : `${message}: ${plain}`;
}

function logOf({ log }: Failure): { readonly log?: string } {
  return log === undefined ? {} : { log };
}
