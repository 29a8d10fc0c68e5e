// The sections of a spec as Weir reads and edits them, held against those that rpm's own parse has.

import { WeirError } from '../../src/base/errors.ts';
import { sectionTail } from '../../src/overlay/insert-places.ts';
import { edit } from '../../src/overlay/line-edits.ts';
import { removeSubpackage } from '../../src/overlay/section-edits.ts';
import { argumentWords, parseHeader, type SectionHeader } from '../../src/spec/header.ts';
import { parseSpec, type Section, type Spec } from '../../src/spec/parse.ts';

const mark = 'weir-section';

/**
 * The spec with a line `%{echo:…}` at each section: rpm prints the section's number if it reads that line, so no condition has to be
 * evaluated here.
 */
export function markedSpec(bytes: Uint8Array): { readonly spec: Spec; readonly text: string } {
  const spec = parseSpec(bytes);
  const before = new Map<number, number[]>();
  const after = new Map<number, number[]>();
  const add = (place: Map<number, number[]>, line: number, number: number): void => {
    place.set(line, [...(place.get(line) ?? []), number]);
  };
  for (const [number, { header, maker }] of spec.sections.entries()) {
    if (header < 0) continue;
    let last = header;
    while (spec.lines[last]!.text.endsWith('\\') && spec.joined[last + 1] === true) last++;
    if (maker === undefined) add(after, last, number);
    else add(before, header, number);
  }
  const lines = spec.lines.flatMap(({ text }, line) => [
    ...(before.get(line) ?? []).map((number) => `%{echo:${mark} ${number}}`),
    text,
    ...(after.get(line) ?? []).map((number) => `%{echo:${mark} ${number}}`),
  ]);
  return { spec, text: `${lines.join('\n')}\n` };
}

/** Macros whose packages the run lacks: they expand to nothing here. */
export const absentMacros = ['gopkg', 'godevelpkg', 'goaltpkg', 'gopkgfiles', 'godevelfiles', 'goaltfiles', 'fontpkg'];
absentMacros.push('fontfiles', 'fontmetapkg', '_font_pkg', 'kernel_module_package', 'javadoc_package', 'debug_package');

/**
 * How the sections differ; undefined if they are the same.
 * @param output what `rpmspec --parse` printed for the marked spec
 */
export function sectionDifference(spec: Spec, output: string): string | undefined {
  const marks: number[] = [];
  const headers: SectionHeader[] = [];
  for (const line of output.split('\n')) {
    const number = line.startsWith(`${mark} `) ? Number(line.slice(mark.length + 1)) : undefined;
    // rpm parses a spec again for each architecture of its packages.
    if (number !== undefined && number <= (marks.at(-1) ?? -1)) marks.length = 0;
    if (number !== undefined) marks.push(number);
    const header = parseHeader(line);
    if (header !== undefined) headers.push(header);
  }
  let at = 0;
  const found = (): string =>
    headers[at] === undefined ? 'nothing' : `${headers[at]!.name} ${headers[at]!.arguments}`;
  for (const [index, number] of marks.entries()) {
    const section = spec.sections[number]!;
    const place = `line ${section.header + 1}: ${section.name} ${section.arguments}`;
    if (section.maker === undefined) {
      while (!fits(section, headers[at]) && isDebug(headers[at])) at++;
      if (!fits(section, headers[at])) return `${place}; rpm has ${found()}`;
      at++;
      continue;
    }
    if (spec.sections[marks[index - 1] ?? -1]?.header === section.header) continue;
    const made = new Set(spec.sections.filter((one) => one.header === section.header));
    const start = at;
    for (;;) {
      const one = [...made].find((some) => fits(some, headers[at]));
      if (one === undefined) break;
      // A loop generates packages whose names are unknown as often as it runs.
      if (!one.package.includes('*')) made.delete(one);
      at++;
    }
    const { macro, certain } = section.maker;
    if (at === start && certain && !absentMacros.includes(macro.slice(1))) return `${place} of ${macro}; rpm has none`;
  }
  // The tag BuildSystem appends sections that the spec does not have.
  const generated = /^(%prep|%conf|%generate_buildrequires|%build|%install|%check)$/;
  const isGenerated = ({ key }: SectionHeader): boolean =>
    generated.test(key) && spec.lines.some(({ text }) => /^\s*BuildSystem\s*:/i.test(text));
  while (headers[at] !== undefined && (isGenerated(headers[at]!) || isDebug(headers[at]))) at++;
  return at === headers.length ? undefined : `rpm has ${found()}, too`;
}

/** Packages of debug information come with rpm's own %install, which is a macro. */
function isDebug(header: SectionHeader | undefined): boolean {
  return header !== undefined && /debug(info|source)$/.test(header.package);
}

/** Whether a section that Weir reads can be the one with a header of rpm's, in which all macros are expanded. */
function fits(section: Section, header: SectionHeader | undefined): boolean {
  if (header?.key !== section.key) return false;
  const known = argumentWords(section.package)
    .join(' ')
    .split(/%\{[^}]*\}|%\([^)]*\)|%[\w?!]+|\*/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${known.join('.*')}$`, 's').test(header.package);
}

/** A section of rpm's output, without blank lines and comments. */
interface Output {
  readonly header: string;
  readonly body: readonly string[];
}

/** What `%(mktemp …)` and the like give. */
const randomName = /[A-Za-z0-9]{20,}/g;

function sectionsIn(output: string): Output[] {
  const sections = [{ header: '', body: [] as string[] }];
  for (const line of output.split('\n')) {
    if (parseHeader(line) !== undefined) sections.push({ header: line.trim(), body: [] });
    else if (/^\s*[^\s#]/.test(line)) sections.at(-1)!.body.push(line.trimEnd().replace(randomName, '…'));
  }
  return sections;
}

const appended = 'weir-appended';

/** The spec with a line at the end of each section that takes any line; as `spec-append-lines` adds it. */
export function appendedSpec(spec: Spec): { readonly text: string; readonly refused: number } {
  let refused = 0;
  const edits: { from: number; to: number; texts: string[] }[] = [];
  for (const [number, section] of spec.sections.entries()) {
    const { key, maker, header, arguments: words } = section;
    if (maker !== undefined || header < 0 || !takesAnyLine.test(key) || /-p\s*<lua>/.test(words)) continue;
    try {
      const at = sectionTail(spec, section);
      edits.push({ from: at, to: at, texts: [`/${appended}-${number}-`] });
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      refused++;
    }
  }
  edits.sort((a, b) => a.from - b.from);
  return { text: edit(spec, edits).text, refused };
}

const takesAnyLine = /^%(description|prep|build|install|check|files|post|postun|pre|preun)$/;

/** Whether each section that rpm reads has the appended line of one section of that name, once; else the first fault. */
export function appendDifference(spec: Spec, plain: string, output: string): string | undefined {
  const before = sectionsIn(plain);
  const after = sectionsIn(output);
  if (before.length !== after.length) return `${after.length} sections, before ${before.length}`;
  const seen = new Set<number>();
  for (const [index, { header, body }] of after.entries()) {
    const added = body.filter((line) => line.includes(appended));
    if (body.length - added.length !== before[index]!.body.length) return `"${header}" lost or gained lines`;
    const key = parseHeader(header)?.key;
    if (key === undefined && added.length > 0) return `${added[0]} in the preamble`;
    if (added.length > 1) return `"${header}" has ${added.join(' and ')}`;
    const number = /-(\d+)-/.exec(added[0] ?? '')?.[1];
    if (number === undefined) continue;
    const section = spec.sections[Number(number)]!;
    if (seen.has(Number(number))) return `${added[0]} is there twice`;
    seen.add(Number(number));
    if (!fits(section, parseHeader(header))) return `"${header}" has the line of ${section.name} ${section.arguments}`;
  }
  return undefined;
}

/**
 * Packages to remove: those with a written `%package` and a name without macros, which can be found again in rpm's output.
 * None if the spec uses `%{summary}`: for rpm that is the summary of the last package before it, so removing one changes others.
 */
export function subpackages(spec: Spec): string[] {
  if (/%\{?\??summary\b/.test(spec.text)) return [];
  const names = spec.sections.filter(
    ({ key, maker, header }) => key === '%package' && maker === undefined && header >= 0,
  );
  return [...new Set(names.map((section) => section.package).filter((name) => !name.includes('%')))];
}

/** The spec without a package; undefined if Weir refuses to remove it. */
export function withoutPackage(spec: Spec, name: string): Spec | undefined {
  try {
    return removeSubpackage(spec, name);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return undefined;
  }
}

/** Whether the removed package's sections are gone and all others are as before; else the first fault. */
export function removalDifference(spec: Spec, name: string, plain: string, output: string): string | undefined {
  const main = /^Name\s*:\s*(\S+)/im.exec(plain)?.[1] ?? '';
  const fullName = (section: SectionHeader): string =>
    section.wholeName ? section.package : `${main}-${section.package}`;
  const removed = new Set(spec.sections.filter((section) => section.package === name).map(fullName));
  const isRemoved = (header: string): boolean => {
    const parsed = parseHeader(header);
    return parsed !== undefined && parsed.package !== '' && removed.has(fullName(parsed));
  };
  const kept = sectionsIn(plain).filter(
    ({ header }, index, all) => !isRemoved(/^%end\b/i.test(header) ? (all[index - 1]?.header ?? '') : header),
  );
  const after = sectionsIn(output);
  for (const [index, one] of kept.entries()) {
    const now = after[index];
    if (now?.header !== one.header) return `"${one.header}" is now "${now?.header ?? 'missing'}"`;
    const differs = one.body.findIndex((line, at) => line !== now.body[at]);
    if (differs >= 0) return `"${one.header}": "${one.body[differs]}" is now "${now.body[differs] ?? 'missing'}"`;
    if (now.body.length > one.body.length) return `"${one.header}" gained "${now.body[one.body.length]}"`;
  }
  return after.length > kept.length ? `"${after[kept.length]!.header}" is still there` : undefined;
}
