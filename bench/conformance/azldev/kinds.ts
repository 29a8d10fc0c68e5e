import { decodeText } from '../../../src/spec/lines.ts';
import { parseSpec, type Spec } from '../../../src/spec/parse.ts';
import { expandPlain, fileNameOf, imbalances, patches, plainMacros } from '../../../src/spec/query.ts';
import type { Compared, Outcome, OverlayCase } from './overlays.ts';

// The differences between azldev and Weir that are known and intended. docs/azldev.md has the reason of each; a test holds both
// lists against each other.

type Files = Extract<Outcome, { readonly kind: 'files' }>;
type Refused = Extract<Outcome, { readonly kind: 'refused' }>;

/** How two results of one case differ. */
interface Rules {
  /** Both made something else. */
  readonly differ: Readonly<Record<string, (azldev: Files, weir: Files, made: OverlayCase) => boolean>>;
  readonly onlyWeirRefuses: Readonly<Record<string, (weir: Refused, azldev: Files, made: OverlayCase) => boolean>>;
  readonly onlyAzldevRefuses: Readonly<Record<string, (azldev: Refused, weir: Files, made: OverlayCase) => boolean>>;
}

const has = (made: OverlayCase, ...types: string[]): boolean =>
  made.overlays.some(({ type }) => types.includes(String(type)));

export const overlayRules: Rules = {
  differ: {
    'blank-lines': (azldev, weir) => sameFiles(azldev, weir) && withoutBlanks(azldev.spec) === withoutBlanks(weir.spec),
    'next-conditional': (azldev, weir) => sameFiles(azldev, weir) && isInNextConditional(azldev.spec, weir.spec),
    'macro-made': (azldev, weir, made) =>
      parseSpec(made.spec).sections.some(({ maker }) => maker !== undefined) &&
      sameFiles(azldev, weir) &&
      [...extraLines(weir.spec, azldev.spec), ...extraLines(azldev.spec, weir.spec)].every((line) =>
        /^\s*%\w/.test(line),
      ),
    'open-brace': (azldev, weir, made) =>
      has(made, 'spec-remove-section', 'spec-remove-subpackage') &&
      sameFiles(azldev, weir) &&
      extraLines(azldev.spec, weir.spec).length === 0 &&
      extraLines(weir.spec, azldev.spec).every((line) => /^\s*%\{[!?]+\w+:\s*$/.test(line)),
    'patch-place': (azldev, weir, made) =>
      has(made, 'patch-add') && sameFiles(azldev, weir) && sameLines(azldev.spec, weir.spec),
    'unlisted-patches': (azldev, weir, made) =>
      has(made, 'patch-remove') &&
      sameLines(azldev.spec, weir.spec) &&
      keptFiles(azldev, weir).every((name) => !isListed(made.spec, name)),
    'empty-conditional': (azldev, weir, made) =>
      has(made, 'spec-remove-section', 'spec-remove-subpackage') &&
      sameFiles(azldev, weir) &&
      withoutEmptyConditionals(azldev.spec) === withoutEmptyConditionals(weir.spec),
    'else-comment': (azldev, weir, made) =>
      has(made, 'spec-remove-section', 'spec-remove-subpackage') &&
      sameFiles(azldev, weir) &&
      withoutEmptyConditionals(withoutComments(azldev.spec)) === withoutEmptyConditionals(withoutComments(weir.spec)),
  },
  onlyWeirRefuses: {
    'outside-path': ({ code, message }) => code === 'overlay-path' && message.includes('outside'),
    'spec-as-file': ({ code, message }) => code === 'overlay-invalid' && message.includes('a spec'),
    'rename-onto-file': ({ code }, _azldev, made) => code === 'overlay-exists' && has(made, 'file-rename'),
    'patch-without-file': ({ message }, _azldev, made) =>
      has(made, 'patch-remove') && message.includes('but the sources have no such file'),
  },
  onlyAzldevRefuses: {
    'new-folder': ({ message }) => message.includes('failed to create copy destination'),
    'macro-in-header': ({ message }, _weir, made) =>
      message.includes('not found') && /^%\w+\s+%\{/m.test(textOf(made.spec)),
    'section-case': ({ message }, _weir, made) =>
      message.includes('section not found') &&
      made.overlays.some(({ section = '' }) => isUnusual(made.spec, `${section}`)),
    'conditional-boundary': ({ message }, weir) =>
      /%else\/%elif branch directive|spans across section boundaries/.test(message) &&
      imbalances(parseSpec(weir.spec)).length === 0,
  },
};

/**
 * The kind of a comparison: `same` (but for the line feed at the end of the spec, which azldev adds), `both refuse`, or a known
 * difference; undefined for one that is not known.
 */
export function kindOf({ azldev, weir, made }: Compared): string | undefined {
  const first = <A, W>(rules: Readonly<Record<string, (a: A, b: W, made: OverlayCase) => boolean>>, a: A, b: W) =>
    Object.keys(rules).find((kind) => rules[kind]!(a, b, made));
  if (azldev.kind === 'refused') {
    return weir.kind === 'refused' ? 'both refuse' : first(overlayRules.onlyAzldevRefuses, azldev, weir);
  }
  if (weir.kind === 'refused') return first(overlayRules.onlyWeirRefuses, weir, azldev);
  if (sameFiles(azldev, weir) && plain(azldev.spec) === plain(weir.spec)) return 'same';
  return first(overlayRules.differ, azldev, weir);
}

function plain(spec: string): string {
  return spec.replaceAll('\r\n', '\n').replace(/\n*$/, '\n');
}

function sameFiles(azldev: Files, weir: Files): boolean {
  const listed = (files: Files['files']): string => JSON.stringify(Object.entries(files).sort());
  return listed(azldev.files) === listed(weir.files);
}

function linesOf(spec: string): string[] {
  return plain(spec)
    .split('\n')
    .filter((line) => line.trim() !== '');
}

function withoutBlanks(spec: string): string {
  return linesOf(spec).join('\n');
}

/**
 * Whether the only difference is the place of added lines: azldev's are in a conditional, or behind a comment, that belongs to the
 * section that follows.
 */
function isInNextConditional(azldev: string, weir: string): boolean {
  const [theirs, ours] = [linesOf(azldev), linesOf(weir)];
  if (theirs.toSorted().join('\n') !== ours.toSorted().join('\n')) return false;
  // What differs is one run of lines, and Weir has the added lines before the rest of it.
  const from = theirs.findIndex((line, index) => line !== ours[index]);
  let end = theirs.length;
  while (end > from && theirs[end - 1] === ours[end - 1]) end--;
  const [their, our] = [theirs.slice(from, end), ours.slice(from, end)];
  for (let moved = 1; moved < our.length; moved++) {
    const rest = our.slice(moved);
    if ([...rest, ...our.slice(0, moved)].join('\n') !== their.join('\n')) continue;
    return rest.every((line) => /^\s*(%if|%else|%elif|#|%dnl|%global|%define|%endif)/.test(line));
  }
  return false;
}

function sameLines(azldev: string, weir: string): boolean {
  return linesOf(azldev).sort().join('\n') === linesOf(weir).sort().join('\n');
}

function withoutComments(spec: string): string {
  return linesOf(spec)
    .filter((line) => !/^\s*#/.test(line))
    .join('\n');
}

/** The lines that a spec has more often than another. */
function extraLines(spec: string, other: string): string[] {
  const left = new Map<string, number>();
  for (const line of linesOf(other)) left.set(line, (left.get(line) ?? 0) + 1);
  return linesOf(spec).filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

/** The lines without `%if`s that hold nothing. */
function withoutEmptyConditionals(spec: string): string {
  const kept: string[] = [];
  for (const line of linesOf(spec)) {
    if (/^\s*%endif/.test(line) && /^\s*%if/.test(kept.at(-1) ?? '')) kept.pop();
    else kept.push(line);
  }
  return kept.join('\n');
}

function textOf(spec: string | Uint8Array): string {
  return typeof spec === 'string' ? spec : decodeText(spec).text;
}

/** Whether the spec has a section only with other letters. */
function isUnusual(spec: string | Uint8Array, section: string): boolean {
  const names = new Set(parseSpec(spec).sections.map(({ name }) => name));
  return !names.has(section) || section !== section.toLowerCase();
}

function keptFiles(azldev: Files, weir: Files): string[] {
  return Object.keys(weir.files).filter((name) => !(name in azldev.files));
}

function isListed(text: string | Uint8Array, name: string): boolean {
  const spec: Spec = parseSpec(text);
  const macros = plainMacros(spec);
  return patches(spec).some(({ value }) => fileNameOf(expandPlain(value, macros)) === name);
}
