/** A moment as `2026-01-31T12:00:00Z`. @param seconds since 1970, whole */
export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** The day of a moment, in UTC: `2026-01-31`. @param seconds since 1970 */
export function isoDay(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}
