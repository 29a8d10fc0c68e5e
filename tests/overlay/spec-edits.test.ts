import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { applySpecOverlay } from '../../src/overlay/apply.ts';
import { addPatch, removePatches } from '../../src/overlay/patch-list-edits.ts';
import type { Overlay } from '../../src/project/model/overlay.ts';
import { parseSpec, printSpec, specBytes } from '../../src/spec/parse.ts';
import { tags, tagValue } from '../../src/spec/query.ts';
import { type OverlayData, overlay } from './fixture.ts';

type SpecOverlay = Extract<Overlay, { readonly type: `spec-${string}` }>;
type SpecData = Extract<OverlayData, { readonly type: `spec-${string}` }>;

function apply(text: string, data: SpecData): string {
  return printSpec(applySpecOverlay(parseSpec(text), overlay(data) as SpecOverlay));
}

function failure(text: string, data: SpecData): WeirError {
  try {
    apply(text, data);
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('the overlay did not fail');
}

const lines = (...all: string[]): string => `${all.join('\n')}\n`;

const demo = lines(
  'Name: demo',
  'Version: 1',
  'Patch0: a.patch',
  '%if 0%{?fedora}',
  'Patch1: b.patch',
  '%endif',
  'Requires: one',
  'Requires: two',
  '',
  '%description',
  'Demo.',
  '',
  '%if %{with libs}',
  '%package libs',
  'Summary: Libraries',
  '',
  '%description libs',
  'Libs.',
  '%endif',
  '',
  '%prep',
  '%autosetup -p1',
  '',
  '%build',
  '%configure --with-foo \\',
  '  --with-bar',
  '',
  '%files',
  '/usr/bin/demo',
  '',
  '%if %{with libs}',
  '%files libs',
  '/usr/lib/demo',
  '%endif',
  '',
  '%changelog',
);

it('explains the difference if the closest section reads the same', () => {
  const text = '%global _about %{expand:\ntext.}\nName: a\n\n%description %{_about}\n';
  const scope = { section: '%description', package: '%{_about}' };
  expect(failure(text, { type: 'spec-append-lines', lines: ['x'], ...scope }).details).toEqual([
    'closest: line 5: %description %{_about}, which is a section of the main package: the macro holds its text, not the name of a package',
  ]);
});

describe('overlays on a spec', () => {
  const table: { name: string; text: string; data: SpecData; expected: string }[] = [
    {
      name: 'spec-add-tag: at the end of the preamble',
      text: lines('Name: a', '', '%description', 'x'),
      data: { type: 'spec-add-tag', tag: 'Requires', value: 'b' },
      expected: lines('Name: a', 'Requires: b', '', '%description', 'x'),
    },
    {
      name: 'spec-add-tag: before the %if that guards the next section',
      text: lines('Name: a', '', '# libs', '%if 0', '%package libs', '%endif'),
      data: { type: 'spec-add-tag', tag: 'Requires', value: 'b' },
      expected: lines('Name: a', '', '# libs', 'Requires: b', '%if 0', '%package libs', '%endif'),
    },
    {
      name: 'spec-add-tag: before a guard that sets macros too',
      text: lines('Name: a', '', '%if 0', '%global p \\', ' b', '%package -n %{p}', '%else', '%global p c', '%endif'),
      data: { type: 'spec-add-tag', tag: 'Requires', value: 'b' },
      expected: lines(
        ...[
          'Name: a',
          'Requires: b',
          '',
          '%if 0',
          '%global p \\',
          ' b',
          '%package -n %{p}',
          '%else',
          '%global p c',
          '%endif',
        ],
      ),
    },
    {
      name: 'spec-add-tag: into a %package, even where the tag is there already',
      text: lines('Name: a', '%package -n b', 'Requires: c', '%build'),
      data: { type: 'spec-add-tag', tag: 'Requires', value: 'd', package: 'b' },
      expected: lines('Name: a', '%package -n b', 'Requires: c', 'Requires: d', '%build'),
    },
    {
      name: 'spec-add-tag: gives the last line its line end',
      text: 'Name: a',
      data: { type: 'spec-add-tag', tag: 'Version', value: '1' },
      expected: lines('Name: a', 'Version: 1'),
    },
    {
      name: 'spec-add-tag: keeps CRLF',
      text: 'Name: a\r\nVersion: 1\r\n',
      data: { type: 'spec-add-tag', tag: 'Release', value: '2' },
      expected: 'Name: a\r\nVersion: 1\r\nRelease: 2\r\n',
    },
    {
      name: 'spec-insert-tag: behind its family, outside of the conditional',
      text: demo,
      data: { type: 'spec-insert-tag', tag: 'Patch9', value: 'c.patch' },
      expected: demo.replace('%endif\nRequires: one', '%endif\nPatch9: c.patch\nRequires: one'),
    },
    {
      name: 'spec-insert-tag: behind the last tag where the family is new',
      text: demo,
      data: { type: 'spec-insert-tag', tag: 'Source0', value: 's' },
      expected: demo.replace('Requires: two\n', 'Requires: two\nSource0: s\n'),
    },
    {
      name: 'spec-insert-tag: stays in a %package that is conditional itself',
      text: demo,
      data: { type: 'spec-insert-tag', tag: 'Requires', value: 'r', package: 'libs' },
      expected: demo.replace('Summary: Libraries\n', 'Summary: Libraries\nRequires: r\n'),
    },
    {
      name: 'spec-insert-tag: not inside of a conditional macro',
      text: lines('Name: a', '%{?with_x:', 'Patch0: a', '}', '%build'),
      data: { type: 'spec-insert-tag', tag: 'Patch1', value: 'b' },
      expected: lines('Name: a', '%{?with_x:', 'Patch0: a', '}', 'Patch1: b', '%build'),
    },
    {
      name: 'spec-insert-tag: at the end where there is no tag',
      text: lines('# nothing', '%build'),
      data: { type: 'spec-insert-tag', tag: 'Name', value: 'a' },
      expected: lines('# nothing', 'Name: a', '%build'),
    },
    {
      name: 'spec-set-tag: updates',
      text: demo,
      data: { type: 'spec-set-tag', tag: 'version', value: '2' },
      expected: demo.replace('Version: 1', 'version: 2'),
    },
    {
      name: 'spec-set-tag: adds',
      text: lines('Name: a'),
      data: { type: 'spec-set-tag', tag: 'Epoch', value: '1' },
      expected: lines('Name: a', 'Epoch: 1'),
    },
    {
      name: 'spec-update-tag: all of that name, over several lines',
      text: lines('Name:   a', 'Requires: b, \\', '  c', '%if 0', 'Requires:d', '%endif'),
      data: { type: 'spec-update-tag', tag: 'Requires', value: 'x' },
      expected: lines('Name:   a', 'Requires: x', '%if 0', 'Requires: x', '%endif'),
    },
    {
      name: 'spec-update-tag: a qualified tag is one of its own',
      text: lines('Requires: a', 'Requires(post): b'),
      data: { type: 'spec-update-tag', tag: 'Requires(post)', value: 'c' },
      expected: lines('Requires: a', 'Requires(post): c'),
    },
    {
      name: 'spec-remove-tag: all',
      text: demo,
      data: { type: 'spec-remove-tag', tag: 'Requires' },
      expected: demo.replace('Requires: one\nRequires: two\n', ''),
    },
    {
      name: 'spec-remove-tag: by value, without regard to case',
      text: demo,
      data: { type: 'spec-remove-tag', tag: 'requires', value: 'TWO' },
      expected: demo.replace('Requires: two\n', ''),
    },
    {
      name: 'spec-prepend-lines: behind the header of every match',
      text: lines('%if 0', '%check', 'a', '%else', '%check', 'b', '%endif'),
      data: { type: 'spec-prepend-lines', section: '%check', lines: ['x', 'y'] },
      expected: lines('%if 0', '%check', 'x', 'y', 'a', '%else', '%check', 'x', 'y', 'b', '%endif'),
    },
    {
      name: 'spec-prepend-lines: at the top of the file',
      text: lines('Name: a'),
      data: { type: 'spec-prepend-lines', lines: ['%global x 1'] },
      expected: lines('%global x 1', 'Name: a'),
    },
    {
      name: 'spec-remove-subpackage: with the %end of its sections',
      text: lines(
        'Name: x',
        '%package a',
        '%transfiletriggerin a -- /x',
        'run',
        '%end',
        '%transfiletriggerin -- /x',
        '%end',
      ),
      data: { type: 'spec-remove-subpackage', package: 'a' },
      expected: lines('Name: x', '%transfiletriggerin -- /x', '%end'),
    },
    {
      name: 'spec-remove-subpackage: sections that name the package in the other form, too',
      text: lines('Name: x', '%package a', 'Summary: s', '%files -n %{name}-a', '/a', '%files -n a', '/b'),
      data: { type: 'spec-remove-subpackage', package: 'a' },
      expected: lines('Name: x'),
    },
    {
      name: 'spec-append-lines: of one package, outside of the next guard',
      text: demo,
      data: { type: 'spec-append-lines', section: '%files', lines: ['/usr/share/demo\n/etc/demo\n'] },
      expected: demo.replace('/usr/bin/demo\n', '/usr/bin/demo\n/usr/share/demo\n/etc/demo\n\n'),
    },
    {
      name: 'spec-append-lines: of every match, in the branch of its header',
      text: lines('%if 0', '%check', 'a', '%else', '%check', 'b', '%endif', '%build'),
      data: { type: 'spec-append-lines', section: '%check', lines: ['x'] },
      expected: lines('%if 0', '%check', 'a', 'x', '%else', '%check', 'b', 'x', '%endif', '%build'),
    },
    {
      name: 'spec-append-lines: before text that belongs to another section where the condition is false',
      text: lines('%build', '%if 0', '%check', '%if 1', 'a', '%endif', '', '%endif', 'make', '%files'),
      data: { type: 'spec-append-lines', section: '%check', lines: ['x'] },
      expected: lines('%build', '%if 0', '%check', '%if 1', 'a', '%endif', 'x', '', '%endif', 'make', '%files'),
    },
    {
      name: 'spec-append-lines: at the end of the file',
      text: 'Name: a',
      data: { type: 'spec-append-lines', lines: ['# end'] },
      expected: lines('Name: a', '# end'),
    },
    {
      name: 'spec-search-replace: everywhere but in headers',
      text: lines('Name: libs', '%package libs', '# libs libs'),
      data: { type: 'spec-search-replace', regex: 'l[i]bs', replacement: '$1' },
      expected: lines('Name: $1', '%package libs', '# $1 $1'),
    },
    {
      name: 'spec-search-replace: in one section, with anchors for the line',
      text: demo,
      data: { type: 'spec-search-replace', section: '%build', regex: '^  --with-bar$', replacement: '  --a\n  --b' },
      expected: demo.replace('  --with-bar', '  --a\n  --b'),
    },
    {
      name: 'spec-search-replace: in one package',
      text: lines('%description', 'x', '%description libs', 'x'),
      data: { type: 'spec-search-replace', package: 'libs', regex: 'x', replacement: 'y' },
      expected: lines('%description', 'x', '%description libs', 'y'),
    },
    {
      name: 'spec-search-replace: what RE2 can',
      text: lines('Summary: Größe AB'),
      data: { type: 'spec-search-replace', regex: '(?i)(?P<x>gr\\pL+)\\s[[:alpha:]]{2}', replacement: 'ß' },
      expected: lines('Summary: ß'),
    },
    {
      name: 'spec-remove-section: with its body, without the next guard',
      text: demo,
      data: { type: 'spec-remove-section', section: '%files' },
      expected: demo.replace('%files\n/usr/bin/demo\n\n%if', '%if'),
    },
    {
      name: 'spec-remove-section: leaves an %if that began before it',
      text: demo,
      data: { type: 'spec-remove-section', section: '%files', package: 'libs' },
      expected: demo.replace('%files libs\n/usr/lib/demo\n', ''),
    },
    {
      name: 'spec-remove-section: in one branch of two',
      text: lines('%if 0', '%files a', 'x', '%else', '%files b', 'y', '%endif'),
      data: { type: 'spec-remove-section', section: '%files', package: 'a' },
      expected: lines('%if 0', '%else', '%files b', 'y', '%endif'),
    },
    {
      name: 'spec-remove-section: takes conditionals of its own along',
      text: lines('%check', '%if 0', 'a', '%else', 'b', '%endif', '%build'),
      data: { type: 'spec-remove-section', section: '%check' },
      expected: lines('%build'),
    },
    {
      name: 'spec-remove-section: leaves the other branch, which is of the section before',
      text: lines('%if 0', '%check', 'x', '%else', 'y', '%endif'),
      data: { type: 'spec-remove-section', section: '%check' },
      expected: lines('%if 0', '%else', 'y', '%endif'),
    },
    {
      name: 'spec-remove-section: with what is of it in an %if that another section begins in',
      text: lines('%check', '%if 0', 'x', '%build', '%endif'),
      data: { type: 'spec-remove-section', section: '%check' },
      expected: lines('%if 0', '%build', '%endif'),
    },
    {
      name: 'spec-remove-section: leaves the braces around it',
      text: lines('%{?x:', '%package a', 'Summary: a', '}', '%build'),
      data: { type: 'spec-remove-section', section: '%package', package: 'a' },
      expected: lines('%{?x:', '}', '%build'),
    },
    {
      name: 'spec-remove-section: leaves macros beyond a conditional',
      text: lines('%if 0', '%package a', 'Summary: a', '%endif', '%global x \\', ' 1', '%build'),
      data: { type: 'spec-remove-section', section: '%package', package: 'a' },
      expected: lines('%if 0', '%endif', '%global x \\', ' 1', '%build'),
    },
    {
      name: 'spec-remove-subpackage: every section of it',
      text: demo,
      data: { type: 'spec-remove-subpackage', package: 'libs' },
      expected: demo
        .replace('%package libs\nSummary: Libraries\n\n%description libs\nLibs.\n', '')
        .replace('%files libs\n/usr/lib/demo\n', ''),
    },
    {
      name: 'spec-remove-subpackage: keeps the macros that the rest uses',
      text: lines('%package a', '%global used 1', '%global unused 2', '%files a', '%build', 'echo %{?used}'),
      data: { type: 'spec-remove-subpackage', package: 'a' },
      expected: lines('%global used 1', '%build', 'echo %{?used}'),
    },
  ];
  it.each(table)('$name', ({ text, data, expected }) => {
    expect(apply(text, data)).toBe(expected);
  });
});

describe('errors of overlays', () => {
  const table: { name: string; text: string; data: SpecData; code: string; says: string[] }[] = [
    {
      name: 'add-tag without the %package',
      text: lines('Name: a', '%package libs'),
      data: { type: 'spec-add-tag', tag: 'Requires', value: 'x', package: 'lib' },
      code: 'overlay-no-match',
      says: ['no %package section for lib', 'closest: libs'],
    },
    {
      name: 'update-tag of a tag that is not there',
      text: lines('Name: a', 'BuildRequires: b'),
      data: { type: 'spec-update-tag', tag: 'BuildRequire', value: 'x' },
      code: 'overlay-no-match',
      says: ['the main package has no tag BuildRequire', 'closest: line 2: BuildRequires: b'],
    },
    {
      name: 'update-tag of a tag that another package has',
      text: lines('Name: a', '%package x', 'Group: b'),
      data: { type: 'spec-update-tag', tag: 'Group', value: 'x' },
      code: 'overlay-no-match',
      says: ['package x has it, in line 3'],
    },
    {
      name: 'remove-tag by a value that is not there',
      text: lines('Requires: foo >= 1.2', 'Requires: bar'),
      data: { type: 'spec-remove-tag', tag: 'Requires', value: 'foo >= 1.1' },
      code: 'overlay-no-match',
      says: ['Requires: foo >= 1.1', 'closest: line 1: Requires: foo >= 1.2'],
    },
    {
      name: 'append-lines to a section that is not there',
      text: lines('%files libs', '%build'),
      data: { type: 'spec-append-lines', section: '%files', package: 'lib', lines: ['x'] },
      code: 'overlay-no-match',
      says: ['no section %files of package lib', 'closest: line 1: %files libs'],
    },
    {
      name: 'prepend-lines with a package only',
      text: lines('Name: a'),
      data: { type: 'spec-prepend-lines', package: 'x', lines: ['x'] },
      code: 'overlay-invalid',
      says: ['needs a section'],
    },
    {
      name: 'search-replace that finds nothing',
      text: demo,
      data: { type: 'spec-search-replace', section: '%build', regex: '%configure\\s+--with-fob', replacement: 'x' },
      code: 'overlay-no-match',
      says: ['%build', '/%configure\\s+--with-fob/', 'closest: line 25: %configure --with-foo \\'],
    },
    {
      name: 'search-replace that changes nothing',
      text: lines('Name: a'),
      data: { type: 'spec-search-replace', regex: 'a', replacement: 'a' },
      code: 'overlay-no-match',
      says: ['nothing changes'],
    },
    {
      name: 'search-replace of a header',
      text: lines('%files libs'),
      data: { type: 'spec-search-replace', regex: '%files', replacement: 'x' },
      code: 'overlay-no-match',
      says: ['nothing changes'],
    },
    {
      name: 'a look-ahead',
      text: demo,
      data: { type: 'spec-search-replace', regex: 'a(?=b)', replacement: 'x' },
      code: 'bad-regex',
      says: ['not valid RE2'],
    },
    {
      name: 'a look-behind',
      text: demo,
      data: { type: 'spec-search-replace', regex: '(?<=a)b', replacement: 'x' },
      code: 'bad-regex',
      says: ['not valid RE2'],
    },
    {
      name: 'a back-reference',
      text: demo,
      data: { type: 'spec-search-replace', regex: '(a)\\1', replacement: 'x' },
      code: 'bad-regex',
      says: ['not valid RE2'],
    },
    {
      name: 'remove-section that is not there',
      text: demo,
      data: { type: 'spec-remove-section', section: '%biuld' },
      code: 'overlay-no-match',
      says: ['no section %biuld', 'closest: line 24: %build'],
    },
    {
      name: 'remove-section of the preamble',
      text: demo,
      data: { type: 'spec-remove-section', section: '%package' },
      code: 'overlay-no-match',
      says: ['no section %package'],
    },
    {
      name: 'remove-section with an unmatched conditional anywhere',
      text: lines('%if 0', '%check', 'x'),
      data: { type: 'spec-remove-section', section: '%check' },
      code: 'overlay-interleaved',
      says: ['%if without %endif', 'line 1: %if 0'],
    },
    {
      name: 'remove-section with content behind an outer %endif',
      text: lines('%if 0', '%check', 'x', '%endif', 'y', '%build'),
      data: { type: 'spec-remove-section', section: '%check' },
      code: 'overlay-interleaved',
      says: ['line 5: y'],
    },
    {
      name: 'remove-subpackage that is not there',
      text: demo,
      data: { type: 'spec-remove-subpackage', package: 'lib' },
      code: 'overlay-no-match',
      says: ['package lib', 'closest: libs'],
    },
    {
      name: 'remove-subpackage of the main one',
      text: demo,
      data: { type: 'spec-remove-subpackage', package: '' },
      code: 'overlay-invalid',
      says: ['main package'],
    },
  ];
  it.each(table)('$name', ({ text, data, code, says }) => {
    const error = failure(text, data);
    expect(error.code).toBe(code);
    expect(error.exit).toBe(2);
    const said = [error.message, ...error.details].join('\n');
    for (const part of says) expect(said).toContain(part);
  });
});

describe('patches', () => {
  it.each([
    [lines('Name: a'), lines('Name: a', 'Patch0: new.patch')],
    [
      lines('Name: a', 'Patch7: x', 'Patch: y', 'URL: z'),
      lines('Name: a', 'Patch7: x', 'Patch: y', 'Patch9: new.patch', 'URL: z'),
    ],
    [
      lines('Patch1: x', '%patchlist', 'y', '', '%build'),
      lines('Patch1: x', '%patchlist', 'y', 'new.patch', '', '%build'),
    ],
  ])('are listed with the next number, or in %%patchlist', (text, expected) => {
    expect(printSpec(addPatch(parseSpec(text), 'new.patch'))).toBe(expected);
  });

  it('are removed by their expanded names', () => {
    const spec = parseSpec(lines('Name: a', 'Patch0: %{name}-x.patch', 'Patch4: b.patch', '%patchlist', 'a-y.patch'));
    const removed = removePatches(spec, 'a-*.patch', (name) => name.startsWith('a-'));
    expect(printSpec(removed.spec)).toBe(lines('Name: a', 'Patch4: b.patch', '%patchlist'));
    expect(removed.names).toEqual(['a-x.patch', 'a-y.patch']);
  });
});

const tagName = fc.constantFrom('Name', 'Version', 'Requires', 'Patch0', 'Patch3', 'Summary', 'URL');
const value = fc
  .string({ unit: fc.constantFrom(...'abc %{}().-üλ'), minLength: 1, maxLength: 12 })
  .map((text) => `v${text.trim()}`);
const specLine = fc.oneof(
  fc.tuple(tagName, value).map(([name, text]) => `${name}: ${text.replace(/[{}()[\]\\]/g, '')}`),
  fc.constantFrom('', '# c', '%if 1', '%else', '%endif', '%package a', '%files', '%files a', '%build', 'make', '%{?x}'),
);
const anySpec = fc.array(specLine, { maxLength: 40 }).map((all) => lines(...all));

describe('properties', () => {
  it('a tag that was set has that value, and nothing else changed', () => {
    fc.assert(
      fc.property(anySpec, fc.stringMatching(/^[a-z0-9 .]{0,10}x$/), (text, raw) => {
        const spec = parseSpec(text);
        const before = tags(spec).filter((tag) => tag.name !== 'URL' || tag.package !== '');
        const set = parseSpec(apply(text, { type: 'spec-set-tag', tag: 'URL', value: raw }));
        expect(tagValue(set, 'URL')).toBe(raw.trim());
        const after = tags(set).filter((tag) => tag.name !== 'URL' || tag.package !== '');
        expect(after.map((tag) => [tag.name, tag.value, tag.package])).toEqual(
          before.map((tag) => [tag.name, tag.value, tag.package]),
        );
      }),
    );
  });

  it('a tag that was added is gone when it is removed', () => {
    fc.assert(
      fc.property(anySpec, (text) => {
        const added = apply(text, { type: 'spec-add-tag', tag: 'Recommends', value: 'r' });
        expect(apply(added, { type: 'spec-remove-tag', tag: 'Recommends' })).toBe(text === '\n' ? '\n' : text);
      }),
    );
  });

  it('a search and replace on the model is the same on the text without headers', () => {
    fc.assert(
      fc.property(anySpec, (text) => {
        const expected = text
          .split('\n')
          .map((line) => (/^%(package|files|build)\b/.test(line) ? line : line.replaceAll(/a+/g, 'Z')))
          .join('\n');
        if (expected === text) return;
        expect(apply(text, { type: 'spec-search-replace', regex: 'a+', replacement: 'Z' })).toBe(expected);
      }),
    );
  });

  it('an overlay on any spec throws only a WeirError, and leaves a balanced spec', () => {
    const anyOverlay: fc.Arbitrary<SpecData> = fc.oneof(
      fc.constant<SpecData>({ type: 'spec-remove-subpackage', package: 'a' }),
      fc.constant<SpecData>({ type: 'spec-remove-section', section: '%files' }),
      fc.constant<SpecData>({ type: 'spec-append-lines', section: '%files', lines: ['x'] }),
      fc.tuple(tagName, value).map(([tag, text]): SpecData => ({ type: 'spec-insert-tag', tag, value: text })),
    );
    fc.assert(
      fc.property(fc.oneof(anySpec, fc.string({ unit: 'binary', maxLength: 200 })), anyOverlay, (text, data) => {
        const before = parseSpec(text);
        try {
          const after = applySpecOverlay(before, overlay(data) as SpecOverlay);
          if (data.type.startsWith('spec-remove')) {
            expect(after.strays).toEqual([]);
            expect(after.conditionals.every((one) => one.close !== undefined)).toBe(true);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(WeirError);
        }
        expect(printSpec(before)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });
});

it('puts Unicode into a spec that is not UTF-8 without touching its other bytes', () => {
  const bytes = Buffer.from([0x23, 0xe4, 0x0a, 0x4e, 0x61, 0x6d, 0x65, 0x3a, 0x20, 0x61, 0x0a]);
  const data: SpecData = { type: 'spec-add-tag', tag: 'Summary', value: 'ü' };
  const result = applySpecOverlay(parseSpec(bytes), overlay(data) as SpecOverlay);
  expect(Buffer.from(specBytes(result))).toEqual(Buffer.concat([bytes, Buffer.from('Summary: ü\n')]));
});
