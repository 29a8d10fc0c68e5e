import { PackageURL } from 'packageurl-js';

/** What a package URL is made of; the type decides whether namespace and name are in lower case. */
export interface PackageUrlParts {
  readonly type: 'rpm' | 'deb';
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** Those without a value are left out. */
  readonly qualifiers: Readonly<Record<string, string>>;
}

/**
 * A package URL in the canonical form of its specification (ECMA-427, "Character encoding"): everything but letters, digits,
 * `.`, `-`, `_`, `~` and the colon is percent-encoded, in each part alike. Whoever joins two lists by package URL compares text,
 * so the characters count; packageurl-js leaves `+` in versions as it is, and writes `~` in qualifiers as `%7E`.
 */
export function packageUrlText(parts: PackageUrlParts): string {
  const { type, namespace, name, version } = new PackageURL(
    parts.type,
    parts.namespace,
    parts.name,
    parts.version,
    undefined,
    undefined,
  );
  const path = [...(namespace ?? '').split('/').filter((word) => word !== ''), name!].map(encoded).join('/');
  const qualifiers = Object.entries(parts.qualifiers)
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${encoded(value)}`);
  const at = version === undefined ? '' : `@${encoded(version)}`;
  return `pkg:${type}/${path}${at}${qualifiers.length === 0 ? '' : `?${qualifiers.join('&')}`}`;
}

/** RFC 3986, 2.1; encodeURIComponent leaves some more as they are, and takes the colon for one that needs it. */
function encoded(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%3A', ':')
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
