/** Whether a value read from TOML or JSON is a table: an object that is no list. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
