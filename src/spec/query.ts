import { conditionalPattern, parseTag, type Section, type Spec } from './parse.ts';

/** A tag in the preamble or in a `%package` section, unexpanded. */
export interface Tag {
  /** As written, with its qualifier: `Requires(post)`. */
  readonly name: string;
  /** `post` of `Requires(post)`, `C` of `Summary(C)`. */
  readonly qualifier: string | undefined;
  /** One line; if the file has several, they are joined by a blank. */
  readonly value: string;
  /** Index of its first line. */
  readonly line: number;
  /** Index after its last line. */
  readonly end: number;
  /** As its section names it; `''` is the main package. */
  readonly package: string;
}

/** All tags in file order, from all branches of all conditionals. */
export function tags(spec: Spec, select: { readonly name?: string; readonly package?: string } = {}): Tag[] {
  const found: Tag[] = [];
  const name = select.name === undefined ? undefined : tagKey(select.name);
  for (const section of spec.sections) {
    if (section.key !== '%package') continue;
    if (select.package !== undefined && section.package !== select.package) continue;
    for (let line = section.start; line < section.end; line++) {
      if (spec.roles[line] !== 'tag') continue;
      const tag = tagAt(spec, section, line);
      if (name === undefined || tagKey(tag.name) === name) found.push(tag);
    }
  }
  return found;
}

/** A key that is equal for two spellings of the same tag: without case, and without blanks as in `Requires( post )`. */
export function tagKey(name: string): string {
  return name.replaceAll(/\s+/g, '').toLowerCase();
}

function tagAt(spec: Spec, section: Section, line: number): Tag {
  const { name, value: first } = parseTag(spec.lines[line]!.text)!;
  let end = line + 1;
  const parts = [first];
  // Inside %{?x:…} all lines are joined, but only a backslash makes the next line part of this tag.
  while (end < section.end && spec.lines[end - 1]!.text.endsWith('\\') && spec.joined[end] === true) {
    parts[parts.length - 1] = parts.at(-1)!.slice(0, -1).trimEnd();
    parts.push(spec.lines[end]!.text.trim());
    end++;
  }
  const qualifier = qualifierOf(name)?.replaceAll(/\s+/g, '');
  return { name, qualifier, value: parts.join(' '), line, end, package: section.package };
}

/** The text in the brackets at the end of a name. */
function qualifierOf(name: string): string | undefined {
  const inner = name.endsWith(')') ? name.slice(name.lastIndexOf('(') + 1, -1) : undefined;
  return inner === undefined || inner.includes(')') || !name.includes('(') ? undefined : inner;
}

/** The value of a package's first tag of that name, unexpanded. */
export function tagValue(spec: Spec, name: string, packageName = ''): string | undefined {
  return tags(spec, { name, package: packageName })[0]?.value;
}

/** A patch or a source. */
export interface ListedFile {
  /** RPM's number: that of the tag, or the one after the file before it. */
  readonly number: number;
  /** Unexpanded. */
  readonly value: string;
  readonly line: number;
  readonly end: number;
  /** Whether it is in `%patchlist` or `%sourcelist` and not in a tag. */
  readonly inList: boolean;
}

/** All patches with their numbers, those of tags first. */
export function patches(spec: Spec): ListedFile[] {
  return listedFiles(spec, 'patch', '%patchlist');
}

/** All sources with their numbers, those of tags first. */
export function sources(spec: Spec): ListedFile[] {
  return listedFiles(spec, 'source', '%sourcelist');
}

function listedFiles(spec: Spec, tag: 'patch' | 'source', list: string): ListedFile[] {
  const found: ListedFile[] = [];
  const pattern = new RegExp(`^${tag}(\\d{0,9})$`, 'i');
  let last = -1;
  for (const { name, value, line, end } of tags(spec)) {
    const match = pattern.exec(name);
    if (match === null) continue;
    last = match[1] === '' ? last + 1 : Number(match[1]);
    found.push({ number: last, value, line, end, inList: false });
  }
  for (const section of spec.sections) {
    if (section.key !== list) continue;
    for (let line = section.start; line < section.end; line++) {
      if (spec.roles[line] !== 'text') continue;
      last++;
      found.push({ number: last, value: spec.lines[line]!.text.trim(), line, end: line + 1, inList: true });
    }
  }
  return found;
}

/**
 * Sections of a name (with its `%`, any case), of one package or of all, that are written in the spec. `''` is the main
 * package, also if a header spells out its name: `%files -n %{name}`.
 */
export function sectionsOf(spec: Spec, name: string | undefined, packageName: string | undefined): Section[] {
  const key = name?.toLowerCase();
  const found = spec.sections.filter(
    (section) => section.maker === undefined && (key === undefined || (section.key === key && section.header >= 0)),
  );
  if (packageName === undefined) return found;
  if (packageName !== '') return found.filter((section) => section.package === packageName);
  const isMain = mainNames(spec, found);
  return found.filter((section) => section.package === '' || (section.wholeName && isMain(section.package)));
}

/**
 * Returns a test for whether a full name is that of the main package. A package with its own `%package` is not, even if a
 * branch sets the same name.
 */
export function mainNames(spec: Spec, sections: readonly Section[] = spec.sections): (name: string) => boolean {
  if (!sections.some((section) => section.wholeName)) return () => false;
  const macros = plainMacros(spec);
  const main = macros.get('name');
  if (main === undefined) return () => false;
  const expanded = expandPlain(main, macros);
  const own = new Set(spec.sections.filter(({ key }) => key === '%package').map((section) => section.package));
  return (name) => !own.has(name) && (name === main || expandPlain(name, macros) === expanded);
}

/** One requirement, unexpanded: `name`, `name op version`, or a rich one in parentheses, with single blanks. */
export function requirements(value: string): string[] {
  const found: string[] = [];
  for (const word of topLevelWords(value)) {
    const previous = found.at(-1);
    if (previous !== undefined && (/^(<|<=|=|==|>=|>)$/.test(word) || /\s(<|<=|=|==|>=|>)$/.test(previous))) {
      found[found.length - 1] = `${previous} ${word}`;
    } else {
      found.push(word);
    }
  }
  return found;
}

/** Words separated by blanks and commas, but never split inside brackets. */
function topLevelWords(value: string): string[] {
  const words: string[] = [];
  let word = '';
  let depth = 0;
  for (const char of value) {
    if (depth === 0 && /[\s,]/.test(char)) {
      if (word !== '') words.push(word);
      word = '';
      continue;
    }
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char) && depth > 0) depth--;
    word += char;
  }
  if (word !== '') words.push(word);
  return words;
}

/** The spec's build requirements, unexpanded, from all branches of all conditionals. */
export function buildRequires(spec: Spec): string[] {
  return tags(spec)
    .filter((tag) => /^buildrequires(\(|$)/i.test(tag.name))
    .flatMap((tag) => requirements(tag.value));
}

/** Macros known from the text alone: one-line `%global` and `%define` without parameters, and the main tags. */
export function plainMacros(spec: Spec): Map<string, string> {
  const macros = new Map<string, string>();
  for (const [index, { text }] of spec.lines.entries()) {
    if (spec.joined[index] === true || text.endsWith('\\')) continue;
    const match = /^\s*%(?:global|define)\s+([A-Za-z_]\w*)\s+(?=\S)/.exec(text);
    if (match !== null) macros.set(match[1]!, text.slice(match[0].length).trimEnd());
  }
  for (const name of ['Name', 'Version', 'Release', 'URL', 'Epoch']) {
    const value = tagValue(spec, name);
    if (value !== undefined) macros.set(name.toLowerCase(), value);
  }
  return macros;
}

/**
 * Expands `%name`, `%{name}` and `%{?name}` of known macros; all else stays. Bounded: a macro that expands to itself, or
 * to very much text, stays as it is.
 */
export function expandPlain(text: string, macros: ReadonlyMap<string, string>): string {
  let left = 1000;
  let room = 1 << 20;
  const expand = (part: string, depth: number): string => {
    if (depth === 0 || !part.includes('%')) return part;
    return part.replace(/%%|%\{(\??)([A-Za-z_]\w*)\}|%([A-Za-z_]\w*)/g, (whole, _optional, braced, bare) => {
      const value = macros.get((braced ?? bare) as string);
      if (value === undefined || left-- <= 0 || value.length > room) return whole;
      room -= value.length;
      return expand(value, depth - 1);
    });
  };
  return expand(text, 8);
}

/** The file name that rpm looks for in the source folder: after the last `/` of a URL or its `#/` fragment. */
export function fileNameOf(value: string): string {
  return value.slice(value.lastIndexOf('/') + 1);
}

/** A conditional without its counterpart. */
export interface Imbalance {
  /** Index of the line. */
  readonly line: number;
  /** The problem in short: `%endif without %if`. */
  readonly problem: string;
}

/** Unbalanced conditionals, in file order: rpm rejects such a spec. */
export function imbalances(spec: Spec): Imbalance[] {
  const word = (line: number): string => `%${conditionalPattern.exec(spec.lines[line]!.text)![1]}`;
  const found: Imbalance[] = spec.strays.map((line) => ({ line, problem: `${word(line)} without %if` }));
  for (const { open, branches, close } of spec.conditionals) {
    if (close === undefined) found.push({ line: open, problem: `${word(open)} without %endif` });
    const last = branches.findIndex((line) => word(line) === '%else');
    if (last < 0) continue;
    for (const line of branches.slice(last + 1)) found.push({ line, problem: `${word(line)} after %else` });
  }
  return found.sort((a, b) => a.line - b.line);
}

/** A branch of a conditional, around some line. */
export interface BranchAround {
  /** Index of its first line: the `%if`, an `%elif` or the `%else`. */
  readonly line: number;
  /** `if`, `ifarch`, `elif`, `else` … */
  readonly word: string;
  /** As written; `''` for `%else`. */
  readonly expression: string;
}

/** The branches of conditionals around a line, the outermost first. */
export function branchesAround(spec: Spec, line: number): BranchAround[] {
  const around: BranchAround[] = [];
  // The last conditional opened before the line is the innermost one, or a sibling of it: search upwards from there.
  let low = 0;
  let high = spec.conditionals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (spec.conditionals[middle]!.open < line) low = middle + 1;
    else high = middle;
  }
  for (let index = low - 1; index >= 0; index = spec.conditionals[index]!.parent) {
    const { open, branches, close } = spec.conditionals[index]!;
    if (close !== undefined && close <= line) continue;
    if (branches.includes(line)) continue;
    const start = branches.findLast((branch) => branch < line) ?? open;
    const match = conditionalPattern.exec(spec.lines[start]!.text)!;
    const expression = spec.lines[start]!.text.slice(match[0].length).trim();
    around.push({ line: start, word: match[1]!, expression: match[1] === 'else' ? '' : expression });
  }
  return around.reverse();
}
