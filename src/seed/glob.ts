// Not the matcher of base/glob.ts: renaming needs the text that each star matched, and `**` crosses folders anywhere in a
// pattern, so that `lib*/**.so` is valid.

/** A path pattern: `*` and `?` match within one path component, `**` across them, `[a-z]` and `{a,b}` as in a shell. */
export interface Glob {
  readonly pattern: string;
  /** Matches the whole path; each `*` and `**` is a group. */
  readonly whole: RegExp;
  /** Matches the path or a folder above it; the rest of the path is the last group. */
  readonly under: RegExp;
}

export function compileGlob(pattern: string): Glob {
  let source = '';
  let depth = 0;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!;
    if (char === '*') {
      const deep = pattern[i + 1] === '*';
      source += deep ? '(.*)' : '([^/]*)';
      if (deep) i++;
    } else if (char === '?') source += '[^/]';
    else if (char === '[' && pattern.indexOf(']', i + 1) > 0) {
      const end = pattern.indexOf(']', i + 1);
      source += pattern.slice(i, end + 1).replace('[!', '[^');
      i = end;
    } else if (char === '{') {
      source += '(?:';
      depth++;
    } else if (char === '}' && depth > 0) {
      source += ')';
      depth--;
    } else if (char === ',' && depth > 0) source += '|';
    else source += char.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  }
  return { pattern, whole: new RegExp(`^${source}$`), under: new RegExp(`^${source}(/.*)?$`) };
}

/** Whether any pattern matches the path or a folder above it. */
export function matchesUnder(globs: readonly Glob[], path: string): boolean {
  return globs.some((glob) => glob.under.test(path));
}

/**
 * Renames a path if the pattern matches it or a folder above it. The stars of `target` stand for those of the pattern, in
 * order. @returns undefined if the pattern does not match
 */
export function renameByGlob(glob: Glob, target: string, path: string): string | undefined {
  const match = glob.under.exec(path);
  if (match === null) return undefined;
  const groups = match.slice(1, -1);
  let next = 0;
  return target.replaceAll(/\*\*?/g, () => groups[next++] ?? '') + (match.at(-1) ?? '');
}
