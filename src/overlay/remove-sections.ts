import { WeirError } from '../base/errors.ts';
import { countBrackets, type OpenBrackets } from '../spec/logical-lines.ts';
import { parseLines, type Section, type Spec } from '../spec/parse.ts';
import { imbalances } from '../spec/query.ts';

// Which section a line belongs to can depend on conditions: the lines after an %endif can be in one section or another. So
// every line gets the set of its possible owners, as two bits: a section to remove, or another one.
const removedOwner = 1;
const otherOwner = 2;

/**
 * Removes sections with all that only they can contain. Conditionals around them stay, even if empty; those inside a section
 * are removed with it, and so are macros that only it uses. Branches may hold different sections, and a section may continue
 * after a branch that holds another: each line is evaluated under every condition.
 * @throws WeirError `overlay-interleaved` if a line is in a removed section under one condition and elsewhere under
 * another, or if conditionals are not closed
 */
export function removeSections(spec: Spec, sections: readonly Section[]): Spec {
  const broken = imbalances(spec)[0];
  if (broken !== undefined) {
    throw interleaved(
      spec,
      broken.line,
      `cannot remove sections of a spec with unbalanced conditionals: ${broken.problem}`,
    );
  }
  const wrappers = braceWrappers(spec);
  const owners = lineOwners(spec, withEnds(spec, sections), wrappers);
  const gone = plainLines(spec, owners, wrappers);
  keepDefines(spec, gone);
  removeConditionals(spec, owners, wrappers, gone);
  keepGuards(spec, owners, gone);
  checkRuns(spec, gone);
  const lines = spec.lines.filter((_line, index) => gone[index] !== 1);
  return parseLines(lines, spec.encoding);
}

/** The sections with the `%end` lines that close them: rpm refuses one that closes nothing. */
function withEnds(spec: Spec, sections: readonly Section[]): Set<Section> {
  const removed = new Set(sections);
  for (const [index, section] of spec.sections.entries()) {
    if (section.key === '%end' && removed.has(spec.sections[index - 1]!)) removed.add(section);
  }
  return removed;
}

function interleaved(spec: Spec, line: number, message: string): WeirError {
  return new WeirError('overlay-interleaved', message, {
    details: [`line ${line + 1}: ${spec.lines[line]!.text.trim()}`],
    hint: 'use spec-search-replace on the lines themselves',
    exit: 2,
  });
}

/** `%{?x:` and `}` on separate lines, which form a conditional too. */
interface Wrapper {
  readonly open: number;
  readonly close: number;
}

/** Keyed by each of their two lines. */
function braceWrappers(spec: Spec): ReadonlyMap<number, Wrapper> {
  const found = new Map<number, Wrapper>();
  for (let line = 0; line < spec.lines.length; line++) {
    if (spec.joined[line] === true || spec.joined[line + 1] !== true) continue;
    if (!/^\s*%\{\s*[?!]+\s*\w+\s*:\s*$/.test(spec.lines[line]!.text)) continue;
    let last = line + 1;
    while (spec.joined[last + 1] === true) last++;
    if (spec.lines[last]!.text.trim() !== '}') continue;
    const wrapper = { open: line, close: last };
    found.set(line, wrapper).set(last, wrapper);
  }
  return found;
}

function lineOwners(spec: Spec, removed: ReadonlySet<Section>, wrappers: ReadonlyMap<number, Wrapper>): Uint8Array {
  const owners = new Uint8Array(spec.lines.length);
  const open: { readonly wrapper: Wrapper | undefined; readonly before: number; ends: number; complete: boolean }[] =
    [];
  let owner = otherOwner;
  let next = 1;
  for (let line = 0; line < spec.lines.length; line++) {
    const first = spec.sections[next];
    if (first?.header === line) {
      const before = owner;
      while (spec.sections[next]?.header === line) next++;
      const last = spec.sections[next - 1]!;
      owner = removed.has(last) ? removedOwner : otherOwner;
      owners[line] = removed.has(first) ? removedOwner : otherOwner;
      if (last.maker !== undefined) {
        // After a macro that may generate no section, the lines may belong to the section before it. This includes ldconfig's macros,
        // whose scriptlets have no body (-p): in practice they expand to nothing.
        if (/(^|\s)-p\s/.test(last.arguments)) owner = before;
        else if (!last.maker.certain) owner |= before;
      }
      for (let more = line + 1; more < last.start; more++) owners[more] = owners[line]!;
      line = Math.max(line, last.start - 1);
      continue;
    }
    const role = spec.roles[line];
    const wrapper = wrappers.get(line);
    const current = open.at(-1);
    if (role === 'if' || wrapper?.open === line) {
      open.push({ wrapper, before: owner, ends: 0, complete: false });
    } else if (
      current !== undefined &&
      current.wrapper !== wrapper &&
      (role === 'branch' || role === 'endif' || wrapper)
    ) {
      throw interleaved(spec, line, 'a conditional and a macro in braces overlap');
    } else if (role === 'branch' && current !== undefined) {
      current.ends |= owner;
      current.complete ||= /^\s*%else(?![A-Za-z0-9_])/.test(spec.lines[line]!.text);
      owner = current.before;
    } else if ((role === 'endif' || wrapper !== undefined) && current !== undefined) {
      owner |= current.ends | (current.complete ? 0 : current.before);
      open.pop();
    }
    owners[line] = owner;
  }
  return owners;
}

/** Lines that set or unset a macro, `%{!?x: %global x …}` too. */
const definePattern =
  /^\s*%(?:\{[?!]+\w+\s*:\s*%)?(?:global|define|undefine|bcond|bcond_with|bcond_without)(?![A-Za-z0-9_])/;

/** Lines to remove, without those of conditionals: 1 for a line to remove. */
function plainLines(spec: Spec, owners: Uint8Array, wrappers: ReadonlyMap<number, unknown>): Uint8Array {
  const gone = new Uint8Array(spec.lines.length);
  let inDefine = false;
  for (let line = 0; line < spec.lines.length; line++) {
    const role = spec.roles[line];
    inDefine = spec.joined[line] === true ? inDefine : definePattern.test(spec.lines[line]!.text);
    if (isConditional(spec, line) || wrappers.has(line)) continue;
    if (owners[line] === removedOwner) {
      gone[line] = 1;
    } else if ((owners[line]! & removedOwner) !== 0 && (role === 'text' || role === 'tag') && !inDefine) {
      // A macro definition may stay: it expands to nothing, whatever section it is in then.
      throw interleaved(spec, line, 'whether this line belongs to the section depends on a conditional before it');
    }
  }
  return gone;
}

function isConditional(spec: Spec, line: number): boolean {
  const role = spec.roles[line];
  return role === 'if' || role === 'branch' || role === 'endif';
}

const settingPattern = /^\s*%(?:\{[?!]+\w+\s*:\s*%)?(global|define|bcond|bcond_with|bcond_without)\s+([A-Za-z_]\w*)/;
const usePatterns = [/(?:%[{[(]?[?!]*|[?!]|macros\.)([A-Za-z_]\w*)/g, /\bwith(?:out)?[ _]([A-Za-z_]\w*)/g];

/**
 * Keeps definitions of macros that remaining lines use, and of the macros that those use: without them the rest would
 * break. Names that begin with `_` are rpm's own settings and count as used.
 */
function keepDefines(spec: Spec, gone: Uint8Array): void {
  const sets = new Map<string, number[]>();
  for (let line = 0; line < spec.lines.length; line++) {
    if (gone[line] !== 1 || spec.joined[line] === true) continue;
    const name = settingPattern.exec(spec.lines[line]!.text)?.[2];
    if (name === undefined) continue;
    const lines = sets.get(name);
    if (lines === undefined) sets.set(name, [line]);
    else lines.push(line);
  }
  if (sets.size === 0) return;
  const used: string[] = [];
  const use = (line: number): void => {
    const { text } = spec.lines[line]!;
    for (const pattern of usePatterns)
      for (const [, name] of text.matchAll(pattern)) if (sets.has(name!)) used.push(name!);
  };
  for (let line = 0; line < spec.lines.length; line++) if (gone[line] !== 1) use(line);
  for (const name of sets.keys()) if (name.startsWith('_') || name === 'debug_package') used.push(name);
  for (let name = used.pop(); name !== undefined; name = used.pop()) {
    for (const first of sets.get(name) ?? []) {
      let line = first;
      do {
        gone[line] = 0;
        use(line++);
      } while (spec.joined[line] === true);
    }
    sets.delete(name);
  }
}

/** Removes a conditional that began in a removed section if nothing in it stays. */
function removeConditionals(
  spec: Spec,
  owners: Uint8Array,
  wrappers: ReadonlyMap<number, Wrapper>,
  gone: Uint8Array,
): void {
  // stays[i]: number of lines before i that stay, without those of conditionals.
  const stays = new Uint32Array(spec.lines.length + 1);
  for (let line = 0; line < spec.lines.length; line++) {
    const counts = gone[line] !== 1 && !isConditional(spec, line) && !wrappers.has(line);
    stays[line + 1] = stays[line]! + (counts ? 1 : 0);
  }
  const all = [
    ...spec.conditionals.map(({ open, branches, close }) => [open, ...branches, close!]),
    ...[...new Set(wrappers.values())].map(({ open, close }) => [open, close]),
  ];
  for (const parts of all) {
    const [first, last] = [parts[0]!, parts.at(-1)!];
    if (owners[first] !== removedOwner || stays[last] !== stays[first]) continue;
    for (const part of parts) {
      gone[part] = 1;
      // An expression may span several lines.
      for (let line = part; spec.lines[line]!.text.endsWith('\\') && spec.joined[line + 1] === true; ) gone[++line] = 1;
    }
  }
}

/** Comments and blank lines between a header and the %if that guards it belong to that next section. */
function keepGuards(spec: Spec, owners: Uint8Array, gone: Uint8Array): void {
  for (const { header } of spec.sections) {
    if (header < 0 || gone[header] === 1) continue;
    let guard = header;
    for (let line = header - 1; line >= 0; line--) {
      const role = spec.roles[line];
      if (role === 'if' && gone[line] === 0 && owners[line] === removedOwner) guard = line;
      else if (role !== 'blank' && role !== 'comment' && role !== 'dnl') break;
    }
    for (let line = guard; line < header; line++) gone[line] = 0;
  }
}

/** The removed lines must not cut a macro that is in brackets or continued by a backslash. */
function checkRuns(spec: Spec, gone: Uint8Array): void {
  const open: OpenBrackets = { brace: 0, paren: 0, square: 0 };
  let before = '';
  let braces = 0;
  let joins = false;
  let from = -1;
  for (let line = 0; line <= spec.lines.length; line++) {
    if (spec.joined[line] !== true) {
      open.brace = open.paren = open.square = 0;
      joins = false;
    }
    const state = `${open.brace} ${open.paren} ${open.square} ${joins}`;
    if (gone[line] === 1 && from < 0) {
      from = line;
      before = state;
      braces = open.brace;
    } else if (gone[line] !== 1 && from >= 0) {
      if (state !== before) throw interleaved(spec, from, 'the section ends inside a macro');
      from = -1;
    }
    if (from >= 0 && open.brace < braces) throw interleaved(spec, from, 'the section ends inside a macro');
    if (line < spec.lines.length) joins = countBrackets(spec.lines[line]!.text, open);
  }
}
