import type { ScannerAdvisory, ScannerPackage } from '../../../src/advisory/export/scanner-advisory.ts';

/** An advisory of made-up facts about these packages. */
export function scannerAdvisory(
  id: string,
  packages: readonly ScannerPackage[],
  more: Partial<ScannerAdvisory> = {},
): ScannerAdvisory {
  return {
    id,
    title: `a fault in ${id}`,
    severity: 'important',
    cwe: [],
    aliases: [],
    references: [],
    published: '2026-11-01T00:00:00Z',
    modified: '2026-11-03T10:00:00Z',
    packages,
    ...more,
  };
}

export const distribution = { id: 'weir', name: 'Weir Linux', version: '4.0', supportEnd: '2028-11-20' } as const;

/** A package of which the release has `0:1-1`. */
export function scannerPackage(name: string, more: Partial<ScannerPackage> = {}): ScannerPackage {
  const released = { version: '0:1-1', affected: true };
  return { name, status: 'affected', released, ...more };
}
