import type { SectionHeader } from './header.ts';
import type { Spec } from './parse.ts';
import { expandPlain, plainMacros } from './query.ts';

/** How a package's name matches a section's: it does; it may, as parts of the section's name are unknown; it cannot. */
export type Fit = 'exact' | 'like' | 'any';

/** Matches package names, as overlays write them, against those of sections. */
export function nameFitter(spec: Spec): (section: SectionHeader, packageName: string) => Fit | undefined {
  const macros = plainMacros(spec);
  const main = expandPlain('%{name}', macros);
  return (section, packageName) => {
    if (section.package === packageName) return 'exact';
    if (packageName === '')
      return section.wholeName && expandPlain(section.package, macros) === main ? 'exact' : undefined;
    if (section.package === '') return undefined;
    const full = section.wholeName ? section.package : `${main}-${section.package}`;
    const parts = literalParts(expandPlain(full, macros));
    const wanted = expandPlain(packageName, macros);
    for (const name of [wanted, `${main}-${wanted}`]) {
      if (parts.length === 1 ? parts[0] === name : matchesParts(name, parts)) {
        if (parts.length === 1) return 'exact';
        const own = literalParts(expandPlain(section.package, macros));
        return own.some((part) => /[A-Za-z0-9]/.test(part)) ? 'like' : 'any';
      }
    }
    return undefined;
  };
}

/** The known parts of a name, between its macros and `*`. */
function literalParts(name: string): string[] {
  const parts = [''];
  let index = 0;
  while (index < name.length) {
    const char = name[index]!;
    if (char === '*' || char === '%') {
      parts.push('');
      index = char === '*' ? index + 1 : macroEnd(name, index);
      continue;
    }
    parts[parts.length - 1] += char;
    index++;
  }
  return parts;
}

/** Index after the macro that begins at `start`. */
function macroEnd(text: string, start: number): number {
  const open = text[start + 1];
  const close = open === '{' ? '}' : open === '(' ? ')' : open === '[' ? ']' : undefined;
  let index = start + 1;
  if (close === undefined) {
    while (index < text.length && /[\w?!*#]/.test(text[index]!)) index++;
    return index;
  }
  for (let depth = 0; index < text.length; index++) {
    if (text[index] === open) depth++;
    else if (text[index] === close && --depth === 0) return index + 1;
  }
  return index;
}

function matchesParts(name: string, parts: readonly string[]): boolean {
  const [first, last] = [parts[0]!, parts.at(-1)!];
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
