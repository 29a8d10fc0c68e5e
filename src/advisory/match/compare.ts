import { compareEvr, compareVersions, isEvr, parseEvr } from '../../rpm/version.ts';
import { compareDebianVersions } from '../../seed/debian-version.ts';
import type { VersionRange, VersionScheme } from './feed-entry.ts';

/** Compares two versions of a scheme. An empty one is before all others. @returns -1, 0 or 1 */
export function compareIn(scheme: VersionScheme, a: string, b: string): -1 | 0 | 1 {
  if (a === '' || b === '') return a === b ? 0 : a === '' ? -1 : 1;
  switch (scheme) {
    case 'debian':
      return compareDebianVersions(a, b);
    case 'rpm':
      return isEvr(a) && isEvr(b) ? compareEvr(parseEvr(a), parseEvr(b)) : compareVersions(a, b);
    case 'semver':
      return compareSemantic(a, b) ?? compareUpstream(a, b);
    case 'python':
      return compareUpstream(fromPython(a), fromPython(b));
    case 'upstream':
      return compareUpstream(a, b);
  }
}

/** Words for versions before the release whose number they follow. */
const before = /(?<=[0-9a-z])[._+-]?(?=(?:rc|alpha|beta|pre|preview|dev|snapshot|milestone)(?![a-z]))/gi;

/** A version as rpm would have it: without a leading `v`, and with a `~` before words such as `rc`. */
function asRpm(version: string): string {
  return version.replace(/^v(?=\d)/i, '').replace(before, '~');
}

/** Compares versions of upstream projects by rpm's rules, with words such as `rc1` before the release. @returns -1, 0 or 1 */
export function compareUpstream(a: string, b: string): -1 | 0 | 1 {
  return compareVersions(asRpm(a), asRpm(b));
}

/** PEP 440 has single letters for what comes before a release; elsewhere, as in OpenSSL, they come after it. */
function fromPython(version: string): string {
  const words: Readonly<Record<string, string>> = { a: 'alpha', b: 'beta', c: 'rc' };
  return version.replace(/(?<=\d)[._-]?([abc])(?=\d)/g, (_whole, letter: string) => `-${words[letter]}`);
}

const semantic = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9a-z.-]+))?(?:\+[0-9a-z.-]*)?$/i;

/**
 * Compares by semver.org's precedence (2.0.0, item 11); missing numbers are 0, and rpm's `~` is a hyphen. Undefined if one of them
 * has another form.
 */
function compareSemantic(a: string, b: string): -1 | 0 | 1 | undefined {
  const left = semantic.exec(a.replace('~', '-'));
  const right = semantic.exec(b.replace('~', '-'));
  if (left === null || right === null) return undefined;
  for (const part of [1, 2, 3]) {
    const order = compareVersions(left[part] ?? '0', right[part] ?? '0');
    if (order !== 0) return order;
  }
  const [x, y] = [left[4], right[4]];
  if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? 1 : -1;
  const [xs, ys] = [x.split('.'), y.split('.')];
  for (let index = 0; index < Math.min(xs.length, ys.length); index++) {
    const order = compareIdentifiers(xs[index]!, ys[index]!);
    if (order !== 0) return order;
  }
  return xs.length === ys.length ? 0 : xs.length < ys.length ? -1 : 1;
}

function compareIdentifiers(a: string, b: string): -1 | 0 | 1 {
  const [x, y] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (x && y) return compareVersions(a, b);
  if (x !== y) return x ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether a version is in a range. */
export function isInRange(scheme: VersionScheme, version: string, range: VersionRange): boolean {
  const { introduced, isAfter, fixed, lastAffected } = range;
  if (introduced !== undefined) {
    const order = compareIn(scheme, version, introduced);
    if (order < 0 || (order === 0 && isAfter === true)) return false;
  }
  if (fixed !== undefined && compareIn(scheme, version, fixed) >= 0) return false;
  return lastAffected === undefined || compareIn(scheme, version, lastAffected) <= 0;
}

/** The version in a tag: without the words before it, and with dots for underscores (`curl-8_0_1` is 8.0.1). */
export function versionOfTag(tag: string): string {
  const bare = tag.replace(/^.*?(?=\d)/s, '');
  return bare.includes('.') ? bare : bare.replaceAll('_', '.');
}

/** Words for a range: `< 5.3`, `3.0.0 to 3.0.6`, `all versions`. */
export function rangeWords({ introduced, isAfter, fixed, lastAffected }: VersionRange): string {
  const from = introduced === undefined ? '' : `${isAfter === true ? '>' : '>='} ${introduced}`;
  const to = fixed === undefined ? (lastAffected === undefined ? '' : `<= ${lastAffected}`) : `< ${fixed}`;
  return [from, to].filter((part) => part !== '').join(', ') || 'all versions';
}
