import { expandPlain } from '../spec/query.ts';

/** What release numbers need of a spec, told by its text alone. */
export interface SpecFacts {
  /** `[epoch:]version`, expanded as far as the text tells; undefined where there is none. */
  readonly version: string | undefined;
  readonly autorelease: AutoreleaseOptions;
}

/** The options of `%autorelease`. */
export interface AutoreleaseOptions {
  readonly prerelease: boolean;
  /** `-b`: the first release of the version. */
  readonly base: number;
  /** `-e` and `-s`, in this order. */
  readonly tags: readonly string[];
}

const noOptions: AutoreleaseOptions = { prerelease: false, base: 1, tags: [] };

/**
 * Reads the facts from a spec's text up to `%prep`. It is read far more often than specs are parsed (once for each commit
 * of a history), so it is only looked over: macros in one line, the first of each tag.
 */
export function specFacts(text: string): SpecFacts {
  const macros = new Map<string, string>();
  const tags = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (/^\s*%prep\b/.test(line)) break;
    const define = /^\s*%(?:global|define)\s+([A-Za-z_]\w*)\s+(.*?)\s*$/.exec(line);
    if (define !== null) {
      if (!define[2]!.endsWith('\\')) macros.set(define[1]!, define[2]!);
      continue;
    }
    const tag = /^\s*(Name|Version|Epoch|Release)\s*:\s*(.*?)\s*$/i.exec(line);
    if (tag === null || tags.has(tag[1]!.toLowerCase())) continue;
    tags.set(tag[1]!.toLowerCase(), tag[2]!);
    macros.set(tag[1]!.toLowerCase(), tag[2]!);
  }
  // A macro that is not there, asked for politely, is nothing.
  const expand = (value: string): string => expandPlain(value, macros).replace(/%\{\?\w+\}/g, '');
  const [version, epoch, release] = ['version', 'epoch', 'release'].map((name) => tags.get(name));
  const prefix = epoch === undefined ? '' : `${expand(epoch)}:`;
  return {
    version: version === undefined ? undefined : `${prefix}${expand(version)}`,
    autorelease: autoreleaseOptions(expandPlain(release ?? '', macros)),
  };
}

/** The options that a Release value calls `%autorelease` with. */
export function autoreleaseOptions(release: string): AutoreleaseOptions {
  const call = /%(?:\{\??autorelease(?:\s+([^}]*))?\}|autorelease(?:\s+(.*))?$)/.exec(release);
  const words = (call?.[1] ?? call?.[2] ?? '').split(/\s+/).filter((word) => word !== '');
  let { prerelease, base } = noOptions;
  let extra: string | undefined;
  let snapshot: string | undefined;
  for (let at = 0; at < words.length; at++) {
    const [, letter, rest = ''] = /^-([a-z])(.*)$/.exec(words[at]!) ?? [];
    if (letter === 'p') prerelease = true;
    if (letter === undefined || !'ebs'.includes(letter)) continue;
    const value = rest === '' ? (words[++at] ?? '') : rest;
    if (letter === 'e') extra = value;
    else if (letter === 's') snapshot = value;
    else if (/^\d+$/.test(value)) base = Number(value);
  }
  return { prerelease, base, tags: [extra, snapshot].filter((tag) => tag !== undefined && tag !== '') as string[] };
}
