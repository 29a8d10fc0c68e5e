// Replacing lines of a spec.

import { asStored, lineEnd, type SpecLine } from '../spec/lines.ts';
import { parseLines, type Spec } from '../spec/parse.ts';

/** Replaces the lines from `from` to before `to` by `texts`. A text may have several lines. */
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly texts: readonly string[];
}

/** Applies several edits, which are in file order and do not overlap. */
export function edit(spec: Spec, edits: readonly Edit[]): Spec {
  const end = lineEnd(spec.lines);
  const result: SpecLine[] = [];
  let at = 0;
  const copyTo = (to: number): void => {
    for (; at < to; at++) result.push(spec.lines[at]!);
  };
  for (const { from, to, texts } of edits) {
    copyTo(from);
    const last = result.at(-1);
    if (texts.length > 0 && last?.end === '') result[result.length - 1] = { text: last.text, end };
    for (const text of texts) {
      for (const line of asStored(text, spec.encoding).split('\n')) {
        result.push({ text: line.replace(/\r$/, ''), end });
      }
    }
    at = to;
  }
  copyTo(spec.lines.length);
  return parseLines(result, spec.encoding);
}

/** Replaces the lines from `from` to before `to` by `texts`. A text may have several lines. */
export function replaceLines(spec: Spec, from: number, to: number, texts: readonly string[]): Spec {
  return edit(spec, [{ from, to, texts }]);
}

export function removeLines(spec: Spec, ranges: readonly (readonly [number, number])[]): Spec {
  return edit(
    spec,
    ranges.map(([from, to]) => ({ from, to, texts: [] })),
  );
}
