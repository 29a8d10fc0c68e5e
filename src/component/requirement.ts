const operators = new Set(['<', '<=', '=', '==', '>=', '>', 'and', 'or', 'if', 'else', 'unless', 'with', 'without']);
const comparisons = new Set(['<', '<=', '=', '==', '>=', '>']);

/**
 * The names in a requirement: one for `name >= 1`, several for a rich one such as `(a if b)`. A name may have brackets:
 * `pkgconfig(zlib)`.
 */
export function requiredNames(requirement: string): string[] {
  const words = isRich(requirement) ? richWords(requirement) : requirement.trim().split(/\s+/);
  const names = words.filter((word, index) => !operators.has(word) && !comparisons.has(words[index - 1] ?? ''));
  // Without blanks around the operator: `name>=1`.
  return [...new Set(names.map((name) => name.split(/[<>=]/)[0]!).filter((name) => name !== ''))];
}

function isRich(requirement: string): boolean {
  return requirement.trimStart().startsWith('(');
}

/** Words of a rich requirement without grouping brackets, which are at the start of a word. */
function richWords(requirement: string): string[] {
  const words: string[] = [];
  for (const raw of requirement.trim().split(/\s+/)) {
    let word = raw.replace(/^\(+/, '');
    while (word.endsWith(')') && word.split('(').length <= word.split(')').length - 1) word = word.slice(0, -1);
    if (word !== '') words.push(word);
  }
  return words;
}

/**
 * Names of packages that, by Fedora's naming rules, provide a generated name, most likely first: `python3-foo` for
 * `python3dist(foo)`. Such provides are in built packages only, not in specs.
 */
export function likelyPackages(name: string): string[] {
  const match = /^([\w.+-]+)\(([^()]+)\)/.exec(name);
  if (match === null) {
    const program = /^\/usr\/s?bin\/([\w.+-]+)$/.exec(name)?.[1];
    return program === undefined ? [] : [program];
  }
  const [, kind = '', inner = ''] = match;
  const dashed = inner.replaceAll(/[._]/g, '-').toLowerCase();
  if (/^python3(\.\d+)?dist$/.test(kind)) return [`python3-${dashed.replace(/\[.*$/, '')}`];
  if (kind === 'perl') return [`perl-${inner.replaceAll('::', '-')}`];
  if (kind === 'rubygem') return [`rubygem-${inner}`];
  if (kind === 'crate') {
    const [crate = '', feature = 'default'] = inner.split('/');
    return feature === 'default'
      ? [`rust-${crate}+default-devel`, `rust-${crate}-devel`]
      : [`rust-${crate}+${feature}-devel`];
  }
  if (kind === 'pkgconfig') return [`${inner}-devel`, `lib${inner}-devel`, `${inner.replace(/-?[\d.]+$/, '')}-devel`];
  if (kind === 'cmake') return [`${inner}-devel`, `${inner.toLowerCase()}-devel`];
  // An architecture: `zlib-devel(x86-64)`.
  return [kind];
}
