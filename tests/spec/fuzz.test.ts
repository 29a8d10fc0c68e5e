import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { macroUses } from '../../src/build/unknown-macros.ts';
import { parseSpec, printSpec, type Spec, specBytes } from '../../src/spec/parse.ts';
import {
  branchesAround,
  buildRequires,
  expandPlain,
  imbalances,
  patches,
  plainMacros,
  sources,
  tags,
} from '../../src/spec/query.ts';
import { countLooks, mutated, nastySpec, worstCases } from './arbitrary.ts';

const seeds = ['b/bzip2', 'c/chrony', 'l/logrotate'].map((name) =>
  readFileSync(join(import.meta.dirname, `../../distro/specs/${name}/${name.slice(2)}.spec`), 'utf8'),
);

/** Fails the test; quicker than an expectation where there are hundreds of thousands. */
function hold(fact: boolean, what: string): void {
  if (!fact) expect.fail(what);
}

/** Everything that can be asked of a spec; what holds for all of them is checked. */
function askAll(spec: Spec): void {
  const count = spec.lines.length;
  let next = 0;
  for (const { header, start, end } of spec.sections) {
    hold(header < start && start <= end, 'a section begins behind its header and ends behind its begin');
    hold(header < 0 || header === next || start === end || header < next, 'sections follow each other');
    next = end;
  }
  hold(next === count, 'sections go to the end');
  for (const list of [spec.roles, spec.joined, spec.depths]) hold(list.length === count, 'each line has its marks');
  for (const [index, { open, branches, close, parent }] of spec.conditionals.entries()) {
    for (const line of branches) hold(line > open && (close === undefined || line < close), 'branches are inside');
    hold(parent < index && (parent < 0 || spec.conditionals[parent]!.open < open), 'conditionals are a tree');
  }
  const balanced = spec.strays.length === 0 && spec.conditionals.every(({ close }) => close !== undefined);
  hold(balanced || imbalances(spec).length > 0, 'what does not match is told');
  for (const line of [0, count >> 1, count - 1]) {
    if (line < 0 || line >= count) continue;
    const around = branchesAround(spec, line);
    hold(!balanced || around.length === spec.depths[line], 'as many branches are around a line as it is deep');
    for (const branch of around) hold(branch.line < line, 'branches begin before');
  }
  const found = tags(spec);
  for (const { line, end, name } of found) {
    hold(end > line && spec.lines[line]!.text.includes(name), 'a tag is where it says');
  }
  hold(new Set(found.map(({ line }) => line)).size === found.length, 'a line is one tag');
  const macros = plainMacros(spec);
  for (const { value } of [...sources(spec), ...patches(spec)].slice(0, 1000)) expandPlain(value, macros);
  buildRequires(spec);
  macroUses(spec, new Set());
}

describe('any text is a spec', () => {
  it('that prints unchanged and can be queried', () => {
    fc.assert(
      fc.property(nastySpec, (text) => {
        const spec = parseSpec(text);
        expect(printSpec(spec)).toBe(text);
        askAll(spec);
      }),
      { numRuns: 1000 },
    );
  });

  it('that is realistic with a few defects, too', () => {
    for (const seed of seeds) {
      fc.assert(
        fc.property(mutated(seed), (text) => {
          const spec = parseSpec(text);
          expect(printSpec(spec)).toBe(text);
          askAll(spec);
        }),
        { numRuns: 150 },
      );
    }
  });

  it('of any bytes too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        const spec = parseSpec(bytes);
        expect(Buffer.from(specBytes(spec)).equals(Buffer.from(bytes))).toBe(true);
        askAll(spec);
      }),
      { numRuns: 300 },
    );
  });

  it.each(Object.keys(worstCases))('however large: %s', (name) => {
    const text = worstCases[name]!(/conditionals|braces|long/.test(name) ? 100_000 : 20_000);
    const spec = parseSpec(text);
    expect(printSpec(spec) === text).toBe(true);
    askAll(spec);
  });
});

describe('the time is linear in the text', () => {
  const looksAt = (text: string): number => countLooks(() => parseSpec(text));
  it.each(Object.keys(worstCases))('%s', (name) => {
    const [small, large] = [looksAt(worstCases[name]!(400)), looksAt(worstCases[name]!(4000))];
    // Ten times the text; quadratic work would be a hundred times as much.
    expect(large).toBeLessThanOrEqual(small * 14 + 1000);
    expect(large).toBeGreaterThan(0);
  });
});
