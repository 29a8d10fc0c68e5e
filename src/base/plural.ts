/** A count with its noun: `1 patch`, `2 patches`, `0 repositories`. */
export function plural(count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`;
  if (/[^aeiou]y$/.test(noun)) return `${count} ${noun.slice(0, -1)}ies`;
  return `${count} ${noun}${noun.endsWith('ch') ? 'es' : 's'}`;
}
