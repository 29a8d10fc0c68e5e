import { type Budget, type Call, closingBrace, expandCall, parseCall } from './expand.ts';
import { parseHeader, type SectionHeader, sectionNames } from './header.ts';
import { type KnownMacro, knownMacros } from './known-macros.ts';

/** A line that generates sections whose headers are not written in the spec. */
export interface Maker {
  /** The macro as the spec names it: `%gopkg`, `%{?fedora:…}`, `%{lua:…}`. */
  readonly macro: string;
  /** False if it may generate none: in a condition, or with a macro that some systems define as empty. */
  readonly certain: boolean;
  /** Whether the line is a call that only generates these sections, so that it can be removed with them. */
  readonly pure: boolean;
}

/** The sections that one line generates, in order; unknown parts of names are macros or `*`. */
export interface MadeSections {
  readonly maker: Maker;
  readonly sections: readonly SectionHeader[];
}

/** A macro that the spec itself defines, if it generates sections: only the lines that matter for that. */
interface OwnMacro {
  readonly options: string | undefined;
  readonly lines: readonly string[];
  readonly certain: boolean;
}

/** A word that is a single macro: its name. */
const onlyMacro = /^%\{?\??([A-Za-z_]\w*)\}?$/;
const definitionPattern = /^\s*%(?:define|global)\s+([A-Za-z_]\w*)(?:\(([^)]*)\))?(?:\s+|(?=\\)|$)/;
const anyHeader = new RegExp(`%(?:${[...sectionNames].map((name) => name.slice(1)).join('|')})(?![A-Za-z0-9_])`, 'i');
const callPattern = /^\s*%(\{?)\s*([?!]*)([A-Za-z_]\w*)(.*)$/s;
const firstMacro = /^\s*%\{?\s*([?!]*)\s*([A-Za-z_]\w*)/;
const conditionalMacro = /^\s*%\{\s*([?!]+)\s*([A-Za-z_]\w*)\s*:(.*)$/s;
/** A header in a Lua string: at the start of a line or of the string. */
const luaHeader = /(?:^[ \t]*|["']|\[\[|\\n)%{1,2}([A-Za-z_]+)(?![A-Za-z0-9_])([^\n]*)/gm;

/** Macros that can generate sections, as far as the spec was read; lines are fed in order. */
export class SectionMacros {
  private readonly own = new Map<string, OwnMacro>();
  private readonly values = new Map<string, string>();
  /** Macros that expand to lines of text, such as descriptions that packages share. */
  private readonly texts = new Set<string>();
  private readonly budget: Budget = { left: 800_000 };

  /** Reads a `%define` or `%global`. @param text the logical line @param conditional whether it is inside an `%if` */
  define(text: string, conditional: boolean): void {
    const match = definitionPattern.exec(text);
    if (match === null) return;
    const [head, name, options] = match;
    const body = text.slice(head.length);
    const simple = options === undefined && !body.includes('\n');
    const same = simple ? onlyMacro.exec(body.trim())?.[1] : undefined;
    if (/^(?:%\{expand:)?[ \t]*\\?\n/.test(body) || (same !== undefined && this.texts.has(same))) this.texts.add(name!);
    if (simple && (!conditional || !this.values.has(name!))) this.values.set(name!, body.trim());
    const lines = body.includes('\n') || body.includes('%') ? this.relevantLines(body) : [];
    const before = this.own.get(name!);
    if (lines.length > 0) {
      const certain = !conditional && before === undefined && !/^\s*%if/m.test(body);
      this.own.set(name!, { options, lines, certain });
    } else if (before !== undefined) {
      this.own.set(name!, { ...before, certain: false });
    }
  }

  /**
   * The header as rpm sees it if its bare word is a macro that is not a name: `%description %{text}` with lines of
   * text, `%files %{?with_x:-f list}`, or `%{?x}` with an `x` that the spec does not define, is the main package's.
   */
  settled(header: SectionHeader): SectionHeader {
    if (header.wholeName || header.package[0] !== '%') return header;
    const only = onlyMacro.exec(header.package);
    const optional = /^%\{[?!]+\w+:(.*)\}$/s.exec(header.package)?.[1];
    const none =
      only === null
        ? optional?.trimStart().startsWith('-') === true
        : this.texts.has(only[1]!) || (/^%\{?\?/.test(header.package) && !this.values.has(only[1]!));
    return none ? { ...header, package: '' } : header;
  }

  /** False if a line generates none: most lines that begin with a macro are paths. @param first the first of a logical line */
  mayMake(first: string): boolean {
    const match = firstMacro.exec(first);
    if (match === null) return false;
    const name = match[2]!;
    return this.makes(name) || name === 'lua' || name === 'expand' || (match[1] !== '' && conditionalMacro.test(first));
  }

  /** The sections that a line of the spec generates without being a header. @param lines the logical line's */
  madeBy(lines: readonly string[]): MadeSections | undefined {
    const first = lines[0]!;
    if (!this.mayMake(first)) return undefined;
    if (/^\s*%\{\s*(?:[?!]*\w+\s*:\s*%\{\s*)?lua\s*:/.test(first)) return fromLua(lines.join('\n'));
    // The text in braces that follows has its own lines, which are read as such.
    const peeled = peel(first);
    const header = parseHeader(peeled.text.replace(/^%%/, '%'));
    if (header !== undefined) {
      return { maker: { macro: peeled.macro, certain: peeled.certain, pure: false }, sections: [this.named(header)] };
    }
    return this.called(peeled.text === first ? { ...peeled, text: lines.join('\n') } : peeled);
  }

  private called(peeled: Peeled): MadeSections | undefined {
    const call = callPattern.exec(peeled.text);
    if (call === null || !this.makes(call[3]!)) return undefined;
    const sections = this.sectionsOfCall(call, 5);
    if (sections.length === 0) return undefined;
    const name = call[3]!;
    const certain = peeled.certain && call[2] === '' && this.isCertain(call);
    const behind = call[1] === '' ? '' : call[4]!.slice(Math.max(0, closingBrace(`{${call[4]}`, 0)));
    return { maker: { macro: `%${name}`, certain, pure: !this.own.has(name) && behind.trim() === '' }, sections };
  }

  /** Whether a call generates at least one section, whatever the macros in it are. */
  private isCertain(match: RegExpExecArray): boolean {
    const own = this.own.get(match[3]!);
    if (own !== undefined) return own.certain;
    const known = knownMacros.get(match[3]!)!;
    return typeof known.certain === 'boolean' ? known.certain : known.certain(this.knownCall(given(match), known));
  }

  private knownCall(text: string, known: KnownMacro): Call {
    return parseCall(expandCall(text, undefined, this.values, this.budget), known.options);
  }

  private makes(name: string): boolean {
    return this.own.has(name) || knownMacros.has(name);
  }

  /** Lines of a macro's body that are headers, call a generating macro, or set a macro that is used in their names. */
  private relevantLines(body: string): string[] {
    const lines: string[] = [];
    let makes = false;
    if (!anyHeader.test(body) && !this.callsMaker(body)) return lines;
    for (const line of body.split('\n')) {
      const text = line.replace(/\\\s*$/, '');
      const inner = peel(text).text.replace(/^%%/, '%');
      const isMaker = parseHeader(inner) !== undefined || this.makes(callPattern.exec(inner)?.[3] ?? '');
      makes ||= isMaker;
      if (isMaker || definitionPattern.test(text)) lines.push(text);
    }
    return makes ? lines : [];
  }

  private callsMaker(body: string): boolean {
    for (const match of body.matchAll(/%\{?[?!]*([A-Za-z_]\w*)/g)) if (this.makes(match[1]!)) return true;
    return false;
  }

  private sectionsOfCall(match: RegExpExecArray, depth: number): SectionHeader[] {
    const name = match[3]!;
    const own = this.own.get(name);
    // Too deep or too long to follow: it generates sections, but which is unknown.
    if (depth === 0 || this.budget.left <= 0) return [parseHeader('%package -n *')!];
    if (own === undefined) {
      const known = knownMacros.get(name)!;
      const headers = known.headers(this.knownCall(given(match), known)).slice(0, 1000);
      this.budget.left -= headers.length * 20;
      return headers.map((header) => parseHeader(header)!);
    }
    const call = own.options === undefined ? undefined : parseCall(given(match), own.options);
    const local = new Map<string, string>();
    const values = { get: (key: string) => local.get(key) ?? this.values.get(key) };
    const found: SectionHeader[] = [];
    for (const line of own.lines) {
      this.budget.left -= 1 + line.length;
      if (this.budget.left <= 0) break;
      const set = definitionPattern.exec(line);
      if (set !== null) {
        local.set(set[1]!, expandCall(line.slice(set[0].length).trim(), call, values, this.budget));
        continue;
      }
      const text = peel(line).text.replace(/^%%/, '%');
      const header = parseHeader(text);
      if (header !== undefined) {
        found.push(parseHeader(`${header.name} ${expandCall(header.arguments, call, values, this.budget)}`)!);
        continue;
      }
      const inner = callPattern.exec(expandCall(text.replace(/^\s*%/, '%%'), call, values, this.budget));
      if (inner !== null && this.makes(inner[3]!)) found.push(...this.sectionsOfCall(inner, depth - 1));
    }
    return found;
  }

  private named(header: SectionHeader): SectionHeader {
    return parseHeader(`${header.name} ${expandCall(header.arguments, undefined, this.values, this.budget)}`)!;
  }
}

/** The arguments of a call, as `callPattern` matched it. */
function given([, brace, , , rest]: RegExpExecArray): string {
  const end = brace === '' ? rest!.length : closingBrace(`{${rest}`, 0) - 1;
  return (end < 0 ? rest! : rest!.slice(0, end)).replaceAll('\\\n', ' ').replace(/^\s*--\s/, ' ');
}

interface Peeled {
  readonly text: string;
  /** What was removed, `''` if nothing. */
  readonly macro: string;
  readonly certain: boolean;
}

/** Removes `%{expand:…}` and `%{?x:…}` around the start of a line. */
function peel(text: string): Peeled {
  let current = text;
  let macro = '';
  let certain = true;
  for (let depth = 0; depth < 8; depth++) {
    const condition = conditionalMacro.exec(current);
    const expanded = condition === null ? /^\s*%\{\s*expand\s*:(.*)$/s.exec(current) : null;
    if (condition === null && expanded === null) break;
    if (macro === '') macro = condition === null ? '%{expand:…}' : `%{${condition[1]}${condition[2]}:…}`;
    certain &&= condition === null;
    const inside = condition === null ? expanded![1]! : condition[3]!;
    const close = closingBrace(`{${inside}`, 0);
    current = close < 0 ? inside : inside.slice(0, close - 1);
  }
  return { text: current, macro, certain };
}

function fromLua(text: string): MadeSections | undefined {
  const code = text.replace(/^[ \t]*--(?!\[\[).*$/gm, '');
  const sections: SectionHeader[] = [];
  for (const [, name, rest] of code.matchAll(luaHeader)) {
    if (!sectionNames.has(`%${name!.toLowerCase()}`) || sections.length > 100) continue;
    // What Lua inserts is unknown; the string can continue after it.
    const said = rest!.replace(/\]\].*?(\[\[|$)|["'].*?(["']|$)|\\n.*$/g, (part) =>
      part.startsWith('\\n') ? '' : '*',
    );
    sections.push(parseHeader(`%${name} ${said}`)!);
  }
  return sections.length === 0 ? undefined : { maker: { macro: '%{lua:…}', certain: false, pure: false }, sections };
}
