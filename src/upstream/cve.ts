import { compareText } from '../base/order.ts';

/** Where a CVE number was found. */
export type CvePlace = 'message' | 'changelog' | 'patch';

export interface CveMention {
  /** `CVE-YEAR-NUMBER`, in capitals. */
  readonly id: string;
  readonly in: readonly CvePlace[];
}

/** A CVE ID in capitals; its number has four digits or more (https://www.cve.org/ResourcesSupport/AllResources/CNARules). */
export const cveId = /CVE-([0-9]{4})-([0-9]{4,19})/;

const pattern = new RegExp(`(?<![0-9a-z])${cveId.source}(?![0-9])`, 'gi');
const whole = new RegExp(`^${cveId.source}$`);

/** Whether a text is a CVE ID, in capitals. */
export function isCve(text: string): boolean {
  return whole.test(text);
}

/**
 * The CVE numbers that texts name, sorted by year and number.
 * @param before the older changelog: what it names is no news in the newer one, however its lines have moved
 */
export function cveMentions(
  texts: Readonly<Record<CvePlace, readonly string[]>>,
  before: readonly string[] = [],
): CveMention[] {
  const old = new Set(
    before.flatMap((text) => [...text.matchAll(pattern)].map(([, year, number]) => `CVE-${year}-${number}`)),
  );
  const found = new Map<string, { readonly year: number; readonly number: bigint; readonly in: Set<CvePlace> }>();
  for (const place of ['message', 'changelog', 'patch'] as const) {
    for (const text of texts[place]) {
      for (const [, year, number] of text.matchAll(pattern)) {
        const id = `CVE-${year}-${number}`;
        if (place === 'changelog' && old.has(id)) continue;
        const mention = found.get(id) ?? { year: Number(year), number: BigInt(number!), in: new Set() };
        mention.in.add(place);
        found.set(id, mention);
      }
    }
  }
  return [...found]
    .sort(
      ([idA, a], [idB, b]) =>
        a.year - b.year || (a.number < b.number ? -1 : a.number > b.number ? 1 : compareText(idA, idB)),
    )
    .map(([id, mention]) => ({ id, in: [...mention.in] }));
}
