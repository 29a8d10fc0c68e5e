// Where new lines go in a spec, so that they are not inside a macro, a conditional or another section.

import { WeirError } from '../base/errors.ts';
import { countBrackets } from '../spec/logical-lines.ts';
import type { Section, Spec } from '../spec/parse.ts';
import { lineLabel } from './edit-errors.ts';

/**
 * The end of a section: after its last line, but before an `%if` that guards the next header, so that added lines do not
 * depend on the next section's condition, and before trailing blank lines. If the section's header is in a conditional, the
 * end is in the same branch: lines after it belong to another section wherever the condition is false.
 */
export function sectionTail(spec: Spec, section: Section): number {
  const end = branchEnd(spec, section);
  let at = end;
  for (let line = end - 1; line >= section.start; line--) {
    // Specs choose a package's name in the %if around its %package, so macros that are set there belong to the guard.
    line = Math.max(section.start, logicalStart(spec, line));
    const role = spec.roles[line];
    if (role === 'if' || role === 'branch') at = line;
    else if (role === 'endif' || role === 'tag') break;
    else if (role === 'text' && !definePattern.test(spec.lines[line]!.text)) break;
  }
  while (at > section.start && spec.roles[at - 1] === 'blank' && spec.joined[at] !== true) at--;
  return before(spec, at, section.start);
}

/** Index after the last line of the section that is in the branch of its header. */
function branchEnd(spec: Spec, { header, start, end }: Section): number {
  if (header < 0) return end;
  for (let line = start; line < end; line++) if (spec.depths[line]! < spec.depths[header]!) return line;
  return end;
}

/** The last place up to `at`, but not before `first`, that is not inside a logical line. */
export function before(spec: Spec, at: number, first: number): number {
  if (spec.joined[at] !== true) return free(spec, at, first);
  const start = logicalStart(spec, at);
  if (start >= first) return start;
  // The braces were opened before the section, so all of its lines are inside them.
  let place = at;
  while (place > first && spec.lines[place - 1]!.text.endsWith('\\')) place--;
  if (spec.lines[place - 1]!.text.endsWith('\\')) throw headerGoesOn(spec, place - 1);
  return place;
}

function headerGoesOn(spec: Spec, header: number): WeirError {
  return new WeirError(
    'overlay-interleaved',
    'cannot insert lines here: the section header ends with a backslash and continues on the next line',
    {
      details: [lineLabel(spec, { header })],
      hint: 'overlays cannot change a header: replace the section, with spec-remove-section and then spec-append-lines',
      exit: 2,
    },
  );
}

const definePattern = /^\s*%(global|define)\b/;

/** The first line of the logical line that contains `line`. */
function logicalStart(spec: Spec, line: number): number {
  let start = line;
  while (start > 0 && spec.joined[start] === true) start--;
  return start;
}

/**
 * The first place from `at` on that is not inside a logical line. If the last logical line continues past the end of the
 * file, the place before that line, because the line would absorb the added text.
 * @param first the place must not be before this line
 */
export function free(spec: Spec, at: number, first = 0): number {
  let place = at;
  while (spec.joined[place] === true) place++;
  const last = spec.lines.length - 1;
  if (place <= last || last < 0) return place;
  if (!countBrackets(spec.lines[last]!.text, { brace: 0, paren: 0, square: 0 })) return place;
  const start = logicalStart(spec, last);
  if (start >= first) return start;
  throw headerGoesOn(spec, start);
}
