import { holds } from '../spec/condition.ts';
import { closingBrace } from '../spec/expand.ts';
import { expandPlain } from '../spec/query.ts';
import { printedBy } from '../spec/shell-filter.ts';

/** The facts about a spec that release numbers need, as far as they are known from its text. */
export interface SpecFacts {
  /** `[epoch:]version`, expanded as far as possible; undefined if there is none. */
  readonly version: string | undefined;
  /** The release, expanded as far as possible, without the distribution's own suffix; undefined if there is none. */
  readonly release: string | undefined;
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

/** Queries rpm for `[epoch:]version` of specs; undefined for a spec that rpm cannot parse. */
export type AskVersions = (specs: readonly string[]) => Promise<readonly (string | undefined)[]>;

const noOptions: AutoreleaseOptions = { prerelease: false, base: 1, tags: [] };

/**
 * Macros that a distribution sets, not the spec: both branches of a condition on them count. Macros of other distributions
 * (rhel, centos) are undefined in Fedora, where rpmautospec reads its history.
 */
const systemMacro = /^(?:fedora|dist|azl|_arch|_target_cpu|_os|fc\d+|__.*)$/;

/**
 * Reads the facts from a spec's text up to `%prep`. This runs far more often than full parsing (once for each commit of a
 * history), so it only scans: macros on one line, conditions on macros that the spec itself sets, the first occurrence of each
 * tag.
 */
export function specFacts(text: string): SpecFacts {
  const macros = new Map<string, string>();
  const tags = new Map<string, string>();
  const expand = (value: string): string => expandFacts(value, macros, 'value');
  const conditions = new Conditions((value) => expandFacts(value, macros, 'condition'));
  for (const line of text.split('\n')) {
    if (/^\s*%prep\b/.test(line)) break;
    if (!line.includes('%') && !line.includes(':')) continue;
    if (conditions.take(line) || !conditions.mayHold()) continue;
    // `%{!?name:%global name value}`
    const guarded = /^\s*%\{(!?)\?([A-Za-z_]\w*):\s*(%(?:global|define)\s.*)\}\s*$/.exec(line);
    if (guarded !== null && macros.has(guarded[2]!) === (guarded[1] === '!')) continue;
    if (define(guarded?.[3] ?? line, macros)) continue;
    const tag = /^\s*(Name|Version|Epoch|Release)\s*:\s*(.*?)\s*$/i.exec(line);
    if (tag === null || tags.has(tag[1]!.toLowerCase())) continue;
    const key = tag[1]!.toLowerCase();
    // Expanded immediately: a version may come from a macro of its own name.
    const value = key === 'release' ? tag[2]! : expand(tag[2]!);
    tags.set(key, value);
    macros.set(key, value);
  }
  const [version, epoch, release] = ['version', 'epoch', 'release'].map((name) => tags.get(name));
  const prefix = epoch === undefined ? '' : `${epoch}:`;
  return {
    version: version === undefined ? undefined : `${prefix}${version}`,
    release: release === undefined ? undefined : expand(release),
    autorelease: autoreleaseOptions(expandPlain(release ?? '', macros)),
  };
}

/**
 * The facts of several specs. The text is enough to find the version of nearly all (7,599 of 7,611 in Azure Linux); one run of rpm finds
 * the others, whose versions come from Lua or the shell.
 */
export async function factsOf(texts: readonly string[], ask?: AskVersions): Promise<SpecFacts[]> {
  const facts = texts.map(specFacts);
  const open = facts.flatMap(({ version }, index) => (version?.includes('%') === true ? [index] : []));
  if (open.length === 0 || ask === undefined) return facts;
  const versions = await ask(open.map((index) => texts[index]!));
  for (const [at, index] of open.entries()) {
    const version = versions[at];
    if (version !== undefined) facts[index] = { ...facts[index]!, version };
  }
  return facts;
}

/** Processes a line that defines or undefines a macro. */
function define(line: string, macros: Map<string, string>): boolean {
  const found = /^\s*%(global|define|undefine)\s+([A-Za-z_]\w*)(?:\s+(.*?))?\s*$/.exec(line);
  if (found !== null) {
    const [, how, name, value = ''] = found;
    if (how === 'undefine') macros.delete(name!);
    // `%global` expands immediately, so it can refer to its own earlier value.
    else if (value !== '' && !value.endsWith('\\')) {
      macros.set(name!, how === 'global' ? expandFacts(value, macros, 'value') : value);
    }
    return true;
  }
  const [, kind, name, value] = /^\s*%bcond(_with|_without)?\s+(\w+)(?:\s+(.*?))?\s*$/.exec(line) ?? [];
  if (name === undefined) return false;
  const on = kind === undefined ? holds(expandFacts(value ?? '', macros, 'condition')) : kind === '_without';
  // Stored under a name that no macro can have: the value of `%{with name}`, `%` if unknown.
  macros.set(`with ${name}`, on === undefined ? '%' : on ? '1' : '0');
  return true;
}

/** Which of the branches around a line are taken. */
class Conditions {
  readonly #expand: (expression: string) => string;
  /** For each `%if`: whether this branch is taken, and whether an earlier one was; undefined if unknown. */
  readonly #open: { now: boolean | undefined; before: boolean | undefined }[] = [];

  constructor(expand: (expression: string) => string) {
    this.#expand = expand;
  }

  mayHold(): boolean {
    return this.#open.every(({ now }) => now !== false);
  }

  /** Processes a line that begins or ends a branch. */
  take(line: string): boolean {
    const found = /^\s*%(if|ifn?arch|ifn?os|elif|elifn?arch|elifn?os|else|endif)\b(.*)$/.exec(line);
    if (found === null) return false;
    const [, word, expression] = found;
    const held = (): boolean | undefined => (/(?:arch|os)$/.test(word!) ? undefined : holds(this.#expand(expression!)));
    const last = this.#open.at(-1);
    if (word!.startsWith('if')) {
      this.#open.push({ now: this.mayHold() ? held() : false, before: false });
    } else if (word === 'endif') {
      this.#open.pop();
    } else if (last !== undefined) {
      last.before = last.before === true || last.now === true ? true : last.before === undefined ? undefined : last.now;
      const now = word === 'else' ? true : held();
      last.now = last.before === true || now === false ? false : last.before === undefined ? undefined : now;
    }
    return true;
  }
}

/**
 * Expands known macros. `%{?x}` of an undefined macro is empty, but in a condition a macro of the distribution is
 * kept.
 */
function expandFacts(text: string, macros: ReadonlyMap<string, string>, what: 'value' | 'condition'): string {
  // Macros can multiply.
  let room = 1 << 16;
  let calls = 2000;
  const expand = (part: string, depth: number): string => {
    if (depth === 0 || !part.includes('%')) return part;
    let result = '';
    for (let at = 0; at < part.length; ) {
      const percent = part.indexOf('%', at);
      const start = percent < 0 ? part.length : percent;
      result += part.slice(at, start);
      if (percent < 0) break;
      const shell = part[percent + 1] === '(' ? closingBracket(part, percent + 1) : -1;
      if (shell >= 0 && calls-- > 0) {
        result += printedBy(expand(part.slice(percent + 2, shell), depth - 1)) ?? part.slice(percent, shell + 1);
        at = shell + 1;
        continue;
      }
      const braced = part[percent + 1] === '{' ? closingBrace(part, percent + 1) : -1;
      const bare = /^%%|^%([A-Za-z_]\w*)/.exec(part.slice(percent, percent + 100));
      const end = braced >= 0 ? braced + 1 : percent + (bare?.[0].length ?? 1);
      const inner = braced >= 0 ? part.slice(percent + 2, braced) : bare?.[1];
      const value = inner === undefined || room <= 0 || calls-- <= 0 ? undefined : one(inner, depth - 1);
      result += value ?? part.slice(percent, end);
      at = end;
    }
    room -= result.length;
    return result;
  };
  const one = (inner: string, depth: number): string | undefined => {
    const [, marks, name, colon, body = ''] = /^([?!]*)([A-Za-z_]\w*)(:?)(.*)$/s.exec(inner) ?? [];
    if (name === undefined) return undefined;
    const word = /^(with|without|defined|undefined) +(\w+)$/.exec(inner);
    if (word !== null) {
      const [, how, of] = word;
      const asked = how!.startsWith('with');
      const known = asked ? (macros.get(`with ${of}`) ?? '0') : String(Number(macros.has(of!)));
      if (known === '%') return undefined;
      if (!asked && known === '0' && systemMacro.test(of!))
        return of === 'fedora' ? (how === 'defined' ? '1' : '0') : undefined;
      return how === 'with' || how === 'defined' ? known : String(1 - Number(known));
    }
    if (marks === '' && name === 'sub') return subString(expand(body.trim(), depth));
    if (colon === '' && body !== '') return undefined;
    if (marks === '' && name === 'expand' && colon !== '') return expand(body, depth);
    if (name === 'nil') return '';
    const value = macros.get(name);
    if (marks === '') return value === undefined || colon !== '' ? undefined : expand(value, depth);
    if (value === undefined && what === 'condition' && systemMacro.test(name)) return undefined;
    if (!marks!.includes('?')) return undefined;
    const wanted = (marks!.split('!').length - 1) % 2 === 0;
    if ((value !== undefined) !== wanted) return '';
    return colon !== '' ? expand(body, depth) : wanted ? expand(value!, depth) : '';
  };
  return expand(text, 16);
}

/** rpm's `%{sub TEXT FROM TO}`, both ends counted from 1. */
function subString(given: string): string | undefined {
  const found = /^([^\s%]+) +(\d+) +(\d+)$/.exec(given);
  return found === null ? undefined : found[1]!.slice(Number(found[2]) - 1, Number(found[3]));
}

/** Index of the parenthesis that closes the one at `open`; -1 if there is none. */
function closingBracket(text: string, open: number): number {
  let depth = 0;
  for (let index = open; index < text.length; index++) {
    if (text[index] === '(') depth++;
    else if (text[index] === ')' && --depth === 0) return index;
  }
  return -1;
}

/** The options of the `%autorelease` call in a Release value. */
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
