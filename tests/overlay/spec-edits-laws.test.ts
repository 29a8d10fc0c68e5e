import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { applySpecOverlay } from '../../src/overlay/apply.ts';
import { addPatch, removePatches } from '../../src/overlay/patch-list-edits.ts';
import type { Overlay } from '../../src/project/model/overlay.ts';
import { parseSpec, printSpec, type Spec } from '../../src/spec/parse.ts';
import { tagValue } from '../../src/spec/query.ts';
import { countLooks, mutated, nastySpec, worstCases } from '../spec/arbitrary.ts';
import { type OverlayData, overlay } from './fixture.ts';

type SpecOverlay = Extract<Overlay, { readonly type: `spec-${string}` }>;
type SpecData = Extract<OverlayData, { readonly type: `spec-${string}` }>;

const applied = (spec: Spec, data: SpecData): Spec => applySpecOverlay(spec, overlay(data) as SpecOverlay);

/** The text after an overlay, or the code of its error. */
function outcome(text: string, ...all: SpecData[]): string {
  try {
    return printSpec(all.reduce(applied, parseSpec(text)));
  } catch (error) {
    if (error instanceof WeirError && error.exit === 2) return `error ${error.code}`;
    throw error;
  }
}

// A second reading of what overlays do, on lines and nothing else. It knows no conditionals, macros or continued lines,
// so the specs that it is held against have none.

const name = fc.constantFrom('Name', 'Requires', 'BuildRequires', 'Patch0', 'Patch7', 'Source', 'Requires(post)');
const packageName = fc.constantFrom('', '', 'a', 'b');
const header = fc.constantFrom(
  ...['%package a', '%package -n b', '%description', '%description -l de a', '%files', '%files -n b -f list'],
  ...['%post a -p /sbin/ldconfig', '%build', '%check', '  %check', '%changelog'],
);
const value = fc.stringMatching(/^[a-z][a-z0-9 .:-]{0,8}[a-z]$/);
const simpleLine = fc.oneof(
  fc.tuple(name, value).map(([tag, text]) => `${tag}: ${text}`),
  fc.tuple(name, value).map(([tag, text]) => ` ${tag.toUpperCase()} :\t${text} `),
  header,
  fc.constantFrom('', '# Name: no', 'make', 'x: y z', '/usr/bin/x'),
);
const simpleSpec = fc.array(simpleLine, { maxLength: 30 });

interface Place {
  readonly section: string;
  readonly package: string;
}

/** For each line the section that it is in; a header is in the one that it begins, and says so. */
function places(lines: readonly string[]): (Place & { readonly header: boolean })[] {
  let current: Place = { section: '%package', package: '' };
  return lines.map((line) => {
    const words = line.trim().split(' ');
    const isHeader = line.startsWith('%');
    if (isHeader) {
      const named = words.indexOf('-n') >= 0 ? words[words.indexOf('-n') + 1]! : undefined;
      const bare = words
        .slice(1)
        .filter((word, index, all) => !/^-/.test(word) && !/^-[lpf]/.test(all[index - 1] ?? ''));
      current = { section: words[0]!, package: named ?? bare[0] ?? '' };
    }
    return { ...current, header: isHeader };
  });
}

function reference(lines: readonly string[], data: SpecData): string[] | string {
  const at = places(lines);
  const wanted = 'package' in data ? (data.package ?? '') : '';
  const tagOf = (index: number): { name: string; value: string } | undefined => {
    const place = at[index]!;
    if (place.header || place.section !== '%package' || place.package !== wanted) return undefined;
    const match = /^\s*([A-Za-z][^\s:]*)\s*:(.*)$/.exec(lines[index]!);
    return match === null ? undefined : { name: match[1]!.toLowerCase(), value: match[2]!.trim() };
  };
  /** Behind the last line of the section that begins with line `start`, without blank lines. */
  const tail = (start: number): number => {
    let end = start;
    while (end < lines.length && !at[end]!.header) end++;
    while (end > start && lines[end - 1] === '') end--;
    return end;
  };
  /** First lines of the sections of a name. */
  const starts = (section: string): number[] => {
    const found = at.flatMap((place, index) =>
      place.header && place.section === section && place.package === wanted ? [index + 1] : [],
    );
    return section === '%package' && wanted === '' ? [0, ...found] : found;
  };
  const insert = (index: number, ...fresh: string[]): string[] => [
    ...lines.slice(0, index),
    ...fresh,
    ...lines.slice(index),
  ];
  const insertAll = (indexes: readonly number[], fresh: readonly string[]): string[] =>
    lines.concat(['']).flatMap((line, index) => {
      const here = indexes.includes(index) ? fresh : [];
      return index < lines.length ? [...here, line] : [...here];
    });
  switch (data.type) {
    case 'spec-add-tag': {
      const start = starts('%package')[0];
      return start === undefined ? 'overlay-no-match' : insert(tail(start), `${data.tag}: ${data.value}`);
    }
    case 'spec-update-tag':
    case 'spec-remove-tag': {
      const named = (index: number): boolean =>
        tagOf(index)?.name === data.tag.toLowerCase() &&
        (data.type === 'spec-update-tag' || data.value === undefined || tagOf(index)!.value === data.value);
      if (!lines.some((_line, index) => named(index))) return 'overlay-no-match';
      return data.type === 'spec-update-tag'
        ? lines.map((line, index) => (named(index) ? `${data.tag}: ${data.value}` : line))
        : lines.filter((_line, index) => !named(index));
    }
    case 'spec-set-tag': {
      const updated = reference(lines, { ...data, type: 'spec-update-tag' });
      return typeof updated === 'string' ? reference(lines, { ...data, type: 'spec-add-tag' }) : updated;
    }
    case 'spec-prepend-lines':
    case 'spec-append-lines': {
      if (data.section === undefined)
        return data.type === 'spec-prepend-lines' ? [...data.lines, ...lines] : [...lines, ...data.lines];
      const found = starts(data.section).filter((start) => start > 0);
      if (found.length === 0) return 'overlay-no-match';
      return insertAll(data.type === 'spec-prepend-lines' ? found : found.map(tail), data.lines);
    }
    case 'spec-search-replace': {
      const changed = lines.map((line, index) => {
        const place = at[index]!;
        const inside =
          (data.section === undefined || place.section === data.section) &&
          (data.package === undefined || place.package === data.package);
        return place.header || !inside ? line : line.replaceAll(data.regex, () => data.replacement);
      });
      return changed.every((line, index) => line === lines[index]) ? 'overlay-no-match' : changed;
    }
    case 'spec-remove-section': {
      // The preamble has no header, so it is never one of these.
      const gone = at.map((place, index) => {
        const begun = at.slice(0, index + 1).some(({ header: isHeader }) => isHeader);
        return begun && place.section === data.section && place.package === wanted;
      });
      return gone.includes(true) ? lines.filter((_line, index) => !gone[index]) : 'overlay-no-match';
    }
    case 'spec-remove-subpackage': {
      const gone = at.map((place) => place.package === wanted);
      return gone.includes(true) ? lines.filter((_line, index) => !gone[index]) : 'overlay-no-match';
    }
    default:
      throw new Error(`no reference for ${data.type}`);
  }
}

const section = fc.constantFrom('%description', '%files', '%check', '%build', '%post');
const fresh = fc.array(fc.constantFrom('one', 'two', ''), { minLength: 1, maxLength: 3 });
const simpleOverlay: fc.Arbitrary<SpecData> = fc.oneof(
  fc.record({
    type: fc.constantFrom('spec-add-tag', 'spec-update-tag', 'spec-set-tag'),
    tag: name,
    value,
    package: packageName,
  }),
  fc.record({ type: fc.constant('spec-remove-tag'), tag: name, package: packageName }),
  fc.record({ type: fc.constant('spec-remove-tag'), tag: name, value, package: packageName }),
  fc.record({ type: fc.constantFrom('spec-prepend-lines', 'spec-append-lines'), lines: fresh }),
  fc.record({
    type: fc.constantFrom('spec-prepend-lines', 'spec-append-lines'),
    lines: fresh,
    section,
    package: packageName,
  }),
  fc.record({
    type: fc.constant('spec-search-replace'),
    regex: fc.constantFrom('a', 'make', ': '),
    replacement: fc.constantFrom('$1', '', 'a'),
  }),
  fc.record({
    type: fc.constant('spec-search-replace'),
    section,
    regex: fc.constantFrom('a', 'make', ': '),
    replacement: fc.constantFrom('$1', 'a'),
  }),
  fc.record({
    type: fc.constant('spec-remove-section'),
    section: fc.oneof(section, fc.constant('%package')),
    package: packageName,
  }),
  fc.record({ type: fc.constant('spec-remove-subpackage'), package: fc.constantFrom('a', 'b') }),
) as fc.Arbitrary<SpecData>;

describe('an overlay on the parsed spec', () => {
  it('gives the same as on the lines', () => {
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(simpleSpec, simpleOverlay, (lines, data) => {
        const expected = reference(lines, data);
        const said = typeof expected === 'string' ? `error ${expected}` : expected.map((line) => `${line}\n`).join('');
        const text = lines.map((line) => `${line}\n`).join('');
        expect(outcome(text, data)).toBe(said);
        const key = `${data.type} ${typeof expected}`;
        outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
      }),
      { numRuns: 3000 },
    );
    // Each type has both worked and failed, so the comparison is one of something.
    for (const type of [
      'add-tag',
      'update-tag',
      'remove-tag',
      'append-lines',
      'search-replace',
      'remove-section',
      'remove-subpackage',
    ]) {
      expect(outcomes.get(`spec-${type} object`)).toBeGreaterThan(0);
      expect(outcomes.get(`spec-${type} string`)).toBeGreaterThan(0);
    }
  });
});

describe('laws', () => {
  const check = (property: (text: string) => void, numRuns = 500): void => {
    fc.assert(
      fc.property(
        fc.oneof(
          nastySpec,
          simpleSpec.map((lines) => lines.map((line) => `${line}\n`).join('')),
        ),
        property,
      ),
      { numRuns },
    );
  };

  it.each<SpecData>([
    { type: 'spec-set-tag', tag: 'URL', value: 'x' },
    { type: 'spec-update-tag', tag: 'Name', value: 'x' },
    { type: 'spec-set-tag', tag: 'Requires', value: 'x', package: 'a' },
    { type: 'spec-search-replace', regex: '[aeiou]', replacement: '-' },
  ])('$type again changes nothing more', (data) => {
    check((text) => {
      const once = outcome(text, data);
      const again = outcome(text, data, data);
      // A search that finds nothing any more is an error: it is an overlay without effect.
      if (data.type === 'spec-search-replace') {
        expect(again).toBe('error overlay-no-match');
      } else {
        expect(again).toBe(once);
      }
    });
  });

  it.each<SpecData>([
    { type: 'spec-remove-tag', tag: 'Name' },
    { type: 'spec-remove-section', section: '%files' },
    { type: 'spec-remove-section', section: '%description', package: 'a' },
    { type: 'spec-remove-subpackage', package: 'a' },
  ])('$type a second time finds nothing', (data) => {
    check((text) => {
      if (outcome(text, data).startsWith('error ')) return;
      expect(outcome(text, data, data)).toMatch(/^error overlay-(no-match|macro-made)$/);
    });
  });

  it('packages can be removed in any order', () => {
    // An empty conditional stays where it began outside of what is removed, so these can differ.
    const content = (text: string): string[] => {
      const spec = parseSpec(text);
      const says = (line: number): boolean => ['header', 'tag', 'text'].includes(spec.roles[line]!);
      return spec.lines.map((line) => line.text).filter((one, line) => says(line) && !/^%\{[?!]+\w+:$|^\}$/.test(one));
    };
    const remove = (one: string): SpecData => ({ type: 'spec-remove-subpackage', package: one });
    check((text) => {
      // A macro that one package sets and the other uses stays or goes by which of them goes first.
      if (/%(define|global|bcond)/.test(text)) return;
      const [first, second] = [outcome(text, remove('a'), remove('b')), outcome(text, remove('b'), remove('a'))];
      if (!first.startsWith('error ') && !second.startsWith('error ')) expect(content(first)).toEqual(content(second));
    });
  });

  it('tags of different names can be updated in any order', () => {
    const update = (tag: string): SpecData => ({ type: 'spec-set-tag', tag, value: 'x' });
    check((text) => {
      const spec = parseSpec(text);
      if (['Name', 'URL'].some((tag) => tagValue(spec, tag) === undefined)) return;
      expect(outcome(text, update('Name'), update('URL'))).toBe(outcome(text, update('URL'), update('Name')));
    });
  });

  it('prepended lines can be removed again', () => {
    check((text) => {
      const after = outcome(text, { type: 'spec-prepend-lines', lines: ['# one', '# two'] });
      expect(after).toMatch(/^# one\r?\n# two\r?\n/);
      expect(after.replace(/^# one\r?\n# two\r?\n/, '')).toBe(text);
    });
  });
});

const anyOverlay: fc.Arbitrary<SpecData> = fc.oneof(
  simpleOverlay,
  fc.record({ type: fc.constant('spec-insert-tag'), tag: name, value, package: packageName }) as fc.Arbitrary<SpecData>,
  fc.record({
    type: fc.constant('spec-search-replace'),
    regex: fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('(a*)*b', '^', '$', '(?s).*', '\\n', '%[a-z]+')),
    replacement: fc.string({ maxLength: 8 }),
  }) as fc.Arbitrary<SpecData>,
);

const largeOverlays: SpecData[] = [
  { type: 'spec-add-tag', tag: 'Requires', value: 'x' },
  { type: 'spec-insert-tag', tag: 'Patch9', value: 'x' },
  { type: 'spec-update-tag', tag: 'Requires', value: 'x' },
  { type: 'spec-remove-tag', tag: 'Requirez' },
  { type: 'spec-remove-tag', tag: 'Requires', value: 'zz' },
  { type: 'spec-append-lines', lines: ['x'], section: '%check' },
  { type: 'spec-prepend-lines', lines: ['x'], section: '%files', package: 'q' },
  { type: 'spec-search-replace', regex: '(a|b)*c', replacement: 'x' },
  { type: 'spec-remove-section', section: '%check' },
  { type: 'spec-remove-section', section: '%files', package: 'b' },
  { type: 'spec-remove-subpackage', package: 'b' },
  { type: 'spec-remove-subpackage', package: 'pa' },
];

/** Does the work; an error that is a word for the user is a good end too. */
function outcomeOf(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
  }
}

describe('an overlay on any spec works or throws a WeirError', () => {
  const seeds = ['c/chrony', 'l/logrotate'].map((one) =>
    readFileSync(join(import.meta.dirname, `../../distro/specs/${one}/${one.slice(2)}.spec`), 'utf8'),
  );
  it.each([
    ['of any text', nastySpec],
    ['of real shape, broken', fc.oneof(...seeds.map(mutated))],
    ['of any characters', fc.string({ unit: 'binary', maxLength: 300 })],
  ])('%s', (_what, specs) => {
    fc.assert(
      fc.property(specs, fc.array(anyOverlay, { minLength: 1, maxLength: 4 }), (text, all) => {
        const before = parseSpec(text);
        const after = outcome(text, ...all);
        if (!after.startsWith('error ')) expect(printSpec(parseSpec(after))).toBe(after);
        expect(printSpec(before)).toBe(text);
      }),
      { numRuns: 400 },
    );
  });

  it.each(Object.keys(worstCases))('however large: %s', (which) => {
    const spec = parseSpec(worstCases[which]!(/conditionals|braces/.test(which) ? 30_000 : 10_000));
    for (const data of largeOverlays) outcomeOf(() => applied(spec, data));
    outcomeOf(() => addPatch(spec, 'x.patch'));
    outcomeOf(() => removePatches(spec, '*', () => true));
    outcomeOf(() => removePatches(spec, 'none', () => false));
    expect(spec.lines.length).toBeGreaterThan(0);
  });
});

describe('the time of an overlay is linear in the spec', () => {
  const looksAt = (text: string): number => {
    const spec = parseSpec(text);
    return countLooks(() => {
      for (const data of largeOverlays) outcomeOf(() => applied(spec, data));
    });
  };
  it.each(Object.keys(worstCases))('%s', (which) => {
    const [small, large] = [looksAt(worstCases[which]!(400)), looksAt(worstCases[which]!(4000))];
    // Ten times the text; quadratic work would be a hundred times as much.
    expect(large).toBeLessThanOrEqual(small * 14 + 5000);
    expect(large).toBeGreaterThan(0);
  });
});
