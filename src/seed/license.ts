import { parseStanzas } from './control.ts';

/** Placeholder for licences for which the copyright file has no machine-readable short name. */
export const unreadLicense = 'LicenseRef-Debian-copyright';

/** Debian's short names whose SPDX name follows no rule. */
const spdx: Readonly<Record<string, string>> = {
  '0bsd': '0BSD',
  'afl-2.0': 'AFL-2.0',
  'afl-2.1': 'AFL-2.1',
  'apsl-2.0': 'APSL-2.0',
  'apache-2': 'Apache-2.0',
  'apache-2.0': 'Apache-2.0',
  'apache-2.0 with llvm-exception': 'Apache-2.0 WITH LLVM-exception',
  'apache-2.0 with llvm exception': 'Apache-2.0 WITH LLVM-exception',
  'apache-2.0-with-llvm-exception': 'Apache-2.0 WITH LLVM-exception',
  artistic: 'Artistic-1.0-Perl',
  'artistic-2.0': 'Artistic-2.0',
  'bsd-1-clause': 'BSD-1-Clause',
  'bsd-2-clause': 'BSD-2-Clause',
  'bsd-3-clause': 'BSD-3-Clause',
  'bsd-4-clause': 'BSD-4-Clause',
  'bsl-1.0': 'BSL-1.0',
  'cc0-1.0': 'CC0-1.0',
  curl: 'curl',
  expat: 'MIT',
  fsfap: 'FSFAP',
  fsful: 'FSFUL',
  fsfullr: 'FSFULLR',
  isc: 'ISC',
  mit: 'MIT',
  'mpl-1.1': 'MPL-1.1',
  'mpl-2.0': 'MPL-2.0',
  'oldap-2.8': 'OLDAP-2.8',
  'openldap-2.8': 'OLDAP-2.8',
  openssl: 'OpenSSL',
  'psf-2': 'PSF-2.0',
  'psf-2.0': 'PSF-2.0',
  'python-2.0': 'Python-2.0',
  'unicode-3.0': 'Unicode-3.0',
  x11: 'X11',
  zlib: 'Zlib',
  'zlib/libpng': 'Zlib',
};

/** Versioned licence families with "only" and "or later" variants. */
const gnu = /^(A|L)?GPL-(\d(?:\.\d)?)(\+)?$|^GFDL-(?:NIV-)?(\d\.\d)(\+)?$/i;

/**
 * The SPDX expression of a machine-readable copyright file (Debian's copyright format 1.0): every licence of its files,
 * joined with AND. Names unknown to SPDX become `LicenseRef-Debian-…`. @returns `LicenseRef-Debian-copyright` for a file in
 * prose
 */
export function licenseExpression(copyright: string | undefined): string {
  if (copyright === undefined) return unreadLicense;
  const stanzas = parseStanzas(copyright);
  if (!/copyright-format|dep5/i.test(stanzas[0]?.get('format') ?? '')) return unreadLicense;
  const parts = new Set<string>();
  for (const stanza of stanzas) {
    const line = stanza.get('files') === undefined ? undefined : stanza.get('license')?.split('\n')[0];
    const license = line?.replaceAll(/\s+/g, ' ').trim();
    // Packaging files are left out, and so is their licence.
    if (license === undefined || license === '' || stanza.get('files')?.trim() === 'debian/*') continue;
    for (const part of license.split(/\s*,?\s+and(?:\/or)?\s+|\s*,\s*/i))
      if (part !== '') parts.add(alternatives(part));
  }
  return parts.size === 0 ? unreadLicense : [...parts].sort().join(' AND ');
}

function alternatives(text: string): string {
  const options = text.split(/\s+or\s+/i).map(oneLicense);
  const distinct = [...new Set(options)];
  return distinct.length === 1 ? distinct[0]! : `(${distinct.join(' OR ')})`;
}

/** One short name, perhaps `… with … exception`, as an SPDX identifier or reference. */
function oneLicense(text: string): string {
  if (Object.hasOwn(spdx, text.toLowerCase())) return spdx[text.toLowerCase()]!;
  if (text.length > 200) return unreadLicense;
  const match = gnu.exec(text);
  if (match !== null) {
    const [, prefix, version, later, free, freeLater] = match;
    const number = version ?? free!;
    const name = version === undefined ? 'GFDL' : `${(prefix ?? '').toUpperCase()}GPL`;
    return `${name}-${number.includes('.') ? number : `${number}.0`}-${(later ?? freeLater) === '+' ? 'or-later' : 'only'}`;
  }
  const plain = text.replaceAll(/[^A-Za-z0-9.-]+/g, '-').replaceAll(/^-+|-+$/g, '');
  return plain === '' ? unreadLicense : `LicenseRef-Debian-${plain}`;
}
