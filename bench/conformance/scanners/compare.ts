import { packageStatus, standingOf } from '../../../src/advisory/state.ts';
import { sourceName } from '../../../src/repo/metadata.ts';
import type { Case } from './cases.ts';
import type { ImagePackage } from './later-release.ts';
import type { Scan } from './scan.ts';

/** What a scanner should have reported, and did not, or the other way round. */
export interface Comparison {
  readonly expected: number;
  readonly missed: readonly string[];
  readonly wrong: readonly string[];
  readonly twice: readonly string[];
  /** Findings beyond what is affected, of which the export warned. */
  readonly warned: readonly string[];
  readonly packages: { readonly missing: readonly string[]; readonly more: readonly string[] };
}

/** `CVE package` of every package of an image that a case says is affected. */
export function expectedFindings(cases: readonly Case[], packages: readonly ImagePackage[]): readonly string[] {
  return cases.flatMap(({ id, source, reported }) =>
    reported ? packages.filter((pkg) => sourceName(pkg) === source.name).map(({ name }) => `${id} ${name}`) : [],
  );
}

/** Cases of which rpm's rules say something else than the case does: then the case is wrong, not a scanner. */
export function wrongCases(cases: readonly Case[]): readonly string[] {
  return cases.flatMap(({ id, kind, source, events, reported }) => {
    const standing = standingOf({ events }, source.name)!;
    return source.image.flatMap((pkg) => {
      const status = packageStatus(standing, pkg);
      return (status === 'affected' || status === 'under-investigation') === reported
        ? []
        : [`${id} (${kind}): ${pkg.name} is ${status}`];
    });
  });
}

/** @param urls package URLs of the image's packages; undefined if the scanner has its own @param wider `CVE package` that may be reported more often */
export function compareScan(
  scan: Scan,
  cases: readonly Case[],
  packages: readonly ImagePackage[],
  urls: readonly string[] | undefined,
  wider: readonly string[],
): Comparison {
  const expected = new Set(expectedFindings(cases, packages));
  const found = new Set(scan.findings);
  const isWarned = (finding: string): boolean => wider.includes(finding);
  const more = [...found].filter((finding) => !expected.has(finding));
  return {
    expected: expected.size,
    missed: [...expected].filter((finding) => !found.has(finding)),
    wrong: more.filter((finding) => !isWarned(finding)),
    twice: repeated(scan.findings),
    warned: more.filter(isWarned),
    packages: {
      missing: urls === undefined ? [] : urls.filter((url) => !scan.packages.includes(url)),
      more: [
        ...repeated(scan.packages),
        ...(urls === undefined ? [] : scan.packages.filter((url) => !urls.includes(url))),
      ],
    },
  };
}

function repeated(texts: readonly string[]): string[] {
  return texts.filter((text, index) => texts.indexOf(text) !== index);
}
