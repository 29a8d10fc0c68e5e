import { isoDay } from '../../base/time.ts';

// Days are texts "YYYY-MM-DD" in UTC: they compare as text.

/** `before-release`: general availability is still to come. `security-only`: only vulnerabilities are fixed. */
export type SupportState = 'before-release' | 'supported' | 'security-only' | 'ended';

/** The days of a release, or of a part of it that has a day of its own. */
export interface SupportDays {
  /** First day of general availability. */
  readonly releaseDate?: string;
  /** Last day of full support; the same as `supportEnd` by default. */
  readonly fullSupportEnd?: string;
  /** Last day of support; none is known without it. */
  readonly supportEnd?: string;
}

/** How a release is supported on one day. */
export interface Support {
  readonly supportEnd?: string;
  readonly state: SupportState;
  /** Days after this one that are still supported: 0 on the last day, negative after it. */
  readonly daysLeft?: number;
}

/** The support on a day. The first and the last day count. */
export function supportOn({ releaseDate, fullSupportEnd, supportEnd }: SupportDays, day: string): Support {
  const until = supportEnd === undefined ? {} : { supportEnd, daysLeft: daysBetween(day, supportEnd) };
  const state =
    supportEnd !== undefined && day > supportEnd
      ? 'ended'
      : releaseDate !== undefined && day < releaseDate
        ? 'before-release'
        : fullSupportEnd !== undefined && day > fullSupportEnd
          ? 'security-only'
          : 'supported';
  return { state, ...until };
}

const milliseconds = 86_400_000;

/** Days from one day to another; negative if the other is earlier. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / milliseconds);
}

/** The day so many days after another. */
export function addDays(day: string, days: number): string {
  return isoDay(Date.parse(day) / 1000 + days * 86_400);
}
