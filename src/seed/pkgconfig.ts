import type { Dependency } from '../rpm/types.ts';

/**
 * What a pkg-config file provides, as rpm's generator names it: `pkgconfig(zlib) = 1.3.2`. Variables in the version are
 * replaced. @param path of the file; its base name is the module's @returns undefined where the file has no version
 */
export function pkgconfigProvide(path: string, content: string): Dependency | undefined {
  const match = /\/([^/]+)\.pc$/.exec(path);
  if (match === null) return undefined;
  const variables = new Map<string, string>();
  const expand = (value: string): string =>
    value.replaceAll(/\$\{([^}]*)\}/g, (_whole, name: string) => variables.get(name) ?? '');
  let version: string | undefined;
  for (const line of content.split('\n')) {
    const variable = /^([A-Za-z0-9_.]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (variable !== null) variables.set(variable[1]!, expand(variable[2]!));
    const field = /^Version\s*:\s*(.*?)\s*$/i.exec(line);
    if (field !== null) version = expand(field[1]!);
  }
  const name = `pkgconfig(${match[1]})`;
  const evr = version?.replaceAll(/[^A-Za-z0-9._+~^]/g, '.');
  return evr === undefined || evr === '' ? { name, flags: '' } : { name, flags: '=', evr };
}
