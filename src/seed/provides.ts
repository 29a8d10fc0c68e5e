import type { ReadAt } from '../archive/read-at.ts';
import type { Dependency } from '../rpm/types.ts';
import { elfProvides, isElf, readElf } from './elf.ts';
import { pkgconfigProvide } from './pkgconfig.ts';

/**
 * Provides that rpm's generators would add for a file at build time: sonames with symbol versions, pkg-config modules, Perl
 * modules, Python distributions, users and groups from sysusers.d.
 * @param read the file's content
 */
export function fileProvides(path: string, size: number, read: ReadAt): Dependency[] {
  if (/\.so(\.[^/]*)?$/.test(path)) {
    const info = isElf(read(0, 4)) ? readElf(read) : undefined;
    return info === undefined ? [] : elfProvides(info).map((name) => ({ name, flags: '' }));
  }
  if (path.endsWith('.pc') && size < 1 << 20) {
    const provide = pkgconfigProvide(path, read(0, size).toString());
    return provide === undefined ? [] : [provide];
  }
  if (path.endsWith('.pm')) return perlModule(path);
  if (/\/(METADATA|PKG-INFO)$/.test(path) && size < 1 << 20) return pythonDistribution(read(0, size).toString());
  if (/^\/usr\/lib\/sysusers\.d\/[^/]+\.conf$/.test(path) && size < 1 << 20) return accounts(read(0, size).toString());
  return [];
}

/**
 * Additional provides of packages outside the fixed seed: CMake packages, and Python distributions by Python's version.
 * @param python Python's version, such as `3.14`
 */
export function moreProvides(path: string, provides: readonly Dependency[], python: string): Dependency[] {
  const cmake = /^\/usr\/(?:lib|share)\/.*?([^/]+?)(?:Config|-config)\.cmake$/.exec(path)?.[1];
  if (cmake !== undefined) return [{ name: `cmake(${cmake})`, flags: '' }];
  return provides.flatMap((provide) => {
    const name = /^python3dist(\(.+\))$/.exec(provide.name)?.[1];
    return name === undefined ? [] : [{ ...provide, name: `python${python}dist${name}` }];
  });
}

/** `perl(File::Temp)`, for a path in Perl's search path. */
function perlModule(path: string): Dependency[] {
  const match =
    /^\/usr\/(?:share\/perl5|share\/perl\/[\d.]+|lib\/[^/]+\/perl5?\/[\d.]+|lib\/[^/]+\/perl-base)\/(.+)\.pm$/.exec(
      path,
    );
  return match === null ? [] : [{ name: `perl(${match[1]!.replaceAll('/', '::')})`, flags: '' }];
}

/** `python3dist(name) = version`, with the name normalised as in PEP 503. */
function pythonDistribution(text: string): Dependency[] {
  const name = /^Name:\s*(\S+)/m.exec(text)?.[1];
  const version = /^Version:\s*(\S+)/m.exec(text)?.[1];
  if (name === undefined || version === undefined) return [];
  const normal = name.toLowerCase().replaceAll(/[-_.]+/g, '-');
  return [{ name: `python3dist(${normal})`, flags: '=', evr: version.replaceAll(/[^A-Za-z0-9._+~^]/g, '.') }];
}

/**
 * `user(name) = LINE` and `group(name) = LINE`, the line in base64 without padding: rpm creates the account from it before it
 * installs files. Source of the format: rpm's `%add_sysuser`.
 */
export function accounts(text: string): Dependency[] {
  const provides: Dependency[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const fields = line.split(/\s+/);
    const [type, name, third] = fields;
    if (line.startsWith('#') || name === undefined || !/^(g|u!?|m)$/.test(type!)) continue;
    const plain = fields.join(' ');
    const evr = Buffer.from(plain + '\0'.repeat((3 - (Buffer.byteLength(plain) % 3)) % 3)).toString('base64');
    if (type === 'm') provides.push({ name: `groupmember(${name}/${third ?? ''})`, flags: '=', evr });
    else provides.push({ name: `${type === 'g' ? 'group' : 'user'}(${name})`, flags: '=', evr });
    if (type!.startsWith('u')) provides.push({ name: `group(${name})`, flags: '' });
  }
  return provides;
}
