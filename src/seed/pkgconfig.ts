import type { Dependency } from '../rpm/types.ts';

/** Limit for a value, in characters, well beyond any real one. */
const longestValue = 4096;

/**
 * The provide of a pkg-config file, as rpm's generator writes it: `pkgconfig(zlib) = 1.3.2`. Expands variables in the
 * version. @param path of the file; the base name is the module's @returns undefined if the path is not a `.pc` file
 */
export function pkgconfigProvide(path: string, content: string): Dependency | undefined {
  const match = /\/([^/]+)\.pc$/.exec(path);
  if (match === null) return undefined;
  const variables = new Map<string, string>();
  const expand = (value: string): string => {
    const whole = value.replaceAll(/\$\{([^{}]*)\}/g, (_all, name: string) => variables.get(name) ?? '');
    // Nested variables can grow exponentially.
    return whole.length <= longestValue ? whole : '';
  };
  let version: string | undefined;
  for (const line of content.split('\n')) {
    const mark = line.search(/[=:]/);
    if (mark < 0 || line.length > longestValue) continue;
    const [key, value] = [line.slice(0, mark).trimEnd(), line.slice(mark + 1).trim()];
    if (line[mark] === '=' && /^[A-Za-z0-9_.]+$/.test(key)) variables.set(key, expand(value));
    if (line[mark] === ':' && key.toLowerCase() === 'version') version = expand(value);
  }
  const name = `pkgconfig(${match[1]})`;
  const evr = version?.replaceAll(/[^A-Za-z0-9._+~^]/g, '.');
  return evr === undefined || evr === '' ? { name, flags: '' } : { name, flags: '=', evr };
}
