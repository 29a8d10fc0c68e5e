import type { Lifecycle } from '../../project/model/release.ts';
import { addDays } from './support.ts';

/** A setting of os-release that is not what the project's `[lifecycle]` says. */
export interface OsReleaseDifference {
  readonly key: string;
  /** Undefined if os-release does not have it. */
  readonly found?: string;
  /** Undefined if it should not have it. */
  readonly expected?: string;
}

/**
 * What `[lifecycle]` says in the words of os-release. SUPPORT_END is the first day without support (os-release(5)), `support-end`
 * is the last day with it.
 */
export function expectedOsRelease(
  lifecycle: Pick<Lifecycle, 'id' | 'name' | 'version' | 'supportEnd'>,
): Readonly<Record<string, string | undefined>> {
  const { id, name, version, supportEnd } = lifecycle;
  return {
    ID: id,
    NAME: name,
    VERSION_ID: version,
    SUPPORT_END: supportEnd === undefined ? undefined : addDays(supportEnd, 1),
  };
}

/** The last day of support by an os-release file; undefined if SUPPORT_END is missing or not a date. */
export function lastDayOfSupport({ SUPPORT_END: first }: Readonly<Record<string, string>>): string | undefined {
  return first === undefined || Number.isNaN(Date.parse(first)) ? undefined : addDays(first.slice(0, 10), -1);
}

/** Compares the settings of an os-release file with the project. */
export function osReleaseDifferences(
  lifecycle: Parameters<typeof expectedOsRelease>[0],
  osRelease: Readonly<Record<string, string>>,
): OsReleaseDifference[] {
  return Object.entries(expectedOsRelease(lifecycle)).flatMap(([key, expected]) => {
    const found = osRelease[key];
    if (found === expected) return [];
    return [{ key, ...(found === undefined ? {} : { found }), ...(expected === undefined ? {} : { expected }) }];
  });
}
