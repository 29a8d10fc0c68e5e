import { PackageURL } from 'packageurl-js';
import { byKey } from './order.ts';

/** Parts of a package URL; the type decides whether namespace and name are lower-cased. */
export interface PackageUrlParts {
  readonly type: 'rpm' | 'deb';
  readonly namespace: string;
  readonly name: string;
  /** Empty for all versions. */
  readonly version: string;
  /** Qualifiers with an empty value are omitted. */
  readonly qualifiers: Readonly<Record<string, string>>;
}

/**
 * A package URL in canonical form (ECMA-427, "Character encoding"): every character except letters, digits, `.`, `-`, `_`,
 * `~` and the colon is percent-encoded, in every part alike. Tools that join two lists by package URL compare text, so the
 * exact characters matter; packageurl-js leaves `+` in versions unencoded and writes `~` in qualifiers as `%7E`.
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
    .sort(byKey)
    .map(([key, value]) => `${key}=${encoded(value)}`);
  const at = version === undefined || version === '' ? '' : `@${encoded(version)}`;
  return `pkg:${type}/${path}${at}${qualifiers.length === 0 ? '' : `?${qualifiers.join('&')}`}`;
}

/** RFC 3986, 2.1. encodeURIComponent leaves a few more characters unencoded, and encodes the colon. */
function encoded(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%3A', ':')
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
