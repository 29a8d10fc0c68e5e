import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { applySpecOverlay } from '../../src/overlay/apply.ts';
import { nameMatcher } from '../../src/overlay/files.ts';
import { addPatch, removePatches } from '../../src/overlay/patch-list-edits.ts';
import type { Overlay } from '../../src/project/model/overlay.ts';
import { parseSpec, printSpec } from '../../src/spec/parse.ts';
import { patches } from '../../src/spec/query.ts';
import { type OverlayData, overlay } from './fixture.ts';

type SpecData = Extract<OverlayData, { readonly type: `spec-${string}` }>;
type ShortOf<U, T> = U extends { readonly type: infer K } ? (T extends K ? Omit<U, 'type'> : never) : never;
type Short<T extends SpecData['type']> = ShortOf<SpecData, T>;

/** Lines as `a|b|c`; nothing is an empty file. */
const text = (short: string): string => (short === '' ? '' : `${short.split('|').join('\n')}\n`);

/** What an overlay makes of a spec, in the same short form; the code of the error where it fails. */
function outcome(short: string, data: SpecData): string {
  try {
    const spec = applySpecOverlay(
      parseSpec(text(short)),
      overlay(data) as Extract<Overlay, { readonly type: `spec-${string}` }>,
    );
    return printSpec(spec).replace(/\n$/, '').split('\n').join('|');
  } catch (error) {
    if (error instanceof WeirError && error.exit === 2) return error.code;
    throw error;
  }
}

function cases<T extends SpecData['type']>(type: T, table: readonly (readonly [string, Short<T>, string])[]): void {
  describe(type, () => {
    it.each(table)('%s, %j', (before, data, after) => {
      expect(outcome(before, { type, ...data } as unknown as SpecData)).toBe(after);
    });
  });
}

cases('spec-set-tag', [
  ['', { tag: 'Name', value: 'v' }, 'Name: v'],
  ['Other: o', { tag: 'Name', value: 'v' }, 'Other: o|Name: v'],
  ['Name: o', { tag: 'Name', value: 'v' }, 'Name: v'],
  ['nAmE:   o', { tag: 'Name', value: 'v' }, 'Name: v'],
  ['# Name: o', { tag: 'Name', value: 'v' }, '# Name: o|Name: v'],
  ['Name: o|%package -n p', { tag: 'URL', value: 'v', package: 'p' }, 'Name: o|%package -n p|URL: v'],
  ['Name: o|%package p|Group: o', { tag: 'Group', value: 'v', package: 'p' }, 'Name: o|%package p|Group: v'],
  ['Name: o', { tag: 'Group', value: 'v', package: 'p' }, 'overlay-no-match'],
  ['Name: a|Name: b', { tag: 'Name', value: 'v' }, 'Name: v|Name: v'],
]);

cases('spec-update-tag', [
  ['', { tag: 'Name', value: 'v' }, 'overlay-no-match'],
  ['Other: o', { tag: 'Name', value: 'v' }, 'overlay-no-match'],
  ['Name: o', { tag: 'Name', value: 'v' }, 'Name: v'],
  ['%if 0|NAME : o|%else|Name:|%endif', { tag: 'Name', value: 'v' }, '%if 0|Name: v|%else|Name: v|%endif'],
  ['Name: o|%package p', { tag: 'Name', value: 'v', package: 'p' }, 'overlay-no-match'],
  ['Name: o|%package p|Name: q', { tag: 'Name', value: 'v', package: 'p' }, 'Name: o|%package p|Name: v'],
  ['Name: o', { tag: 'Name', value: 'v', package: 'p' }, 'overlay-no-match'],
  ['Requires(post): a|Requires: b', { tag: 'Requires', value: 'v' }, 'Requires(post): a|Requires: v'],
  ['Requires( post , preun ): a', { tag: 'Requires(post,preun)', value: 'v' }, 'Requires(post,preun): v'],
  ['Summary(de): a|Summary: b', { tag: 'summary(DE)', value: 'v' }, 'summary(DE): v|Summary: b'],
  ['%description|Name: o', { tag: 'Name', value: 'v' }, 'overlay-no-match'],
  ['Requires: a, \\|  b|URL: u', { tag: 'Requires', value: 'v' }, 'Requires: v|URL: u'],
]);

cases('spec-remove-tag', [
  ['', { tag: 'Name' }, 'overlay-no-match'],
  ['Other: o', { tag: 'Name' }, 'overlay-no-match'],
  ['Name: o', { tag: 'Name' }, ''],
  ['Name: o', { tag: 'Name', value: 'o' }, ''],
  ['Name: oLd', { tag: 'nAME', value: 'OlD' }, ''],
  ['Name: different', { tag: 'Name', value: 'old' }, 'overlay-no-match'],
  ['Name: o|URL: u', { tag: 'Name', value: '' }, 'URL: u'],
  ['# Name: a|Name: b', { tag: 'Name' }, '# Name: a'],
  ['Name: o|%package -n p', { tag: 'Name', package: 'p' }, 'overlay-no-match'],
  ['Name: o|%package -n p|Name: q', { tag: 'Name', package: 'p' }, 'Name: o|%package -n p'],
  ['Name: o', { tag: 'Name', package: 'p' }, 'overlay-no-match'],
  ['BuildRequires: a|BuildRequires: b', { tag: 'BuildRequires', value: 'a' }, 'BuildRequires: b'],
  ['BuildRequires: a|BuildRequires: b', { tag: 'BuildRequires' }, ''],
  ['BuildRequires: a \\| b|BuildRequires: c', { tag: 'BuildRequires', value: 'a b' }, 'BuildRequires: c'],
]);

cases('spec-add-tag', [
  ['', { tag: 'Name', value: 'v' }, 'Name: v'],
  ['Name: o', { tag: 'Name', value: 'v' }, 'Name: o|Name: v'],
  ['URL: u|%package -n p', { tag: 'URL', value: 'v', package: 'p' }, 'URL: u|%package -n p|URL: v'],
  [
    'Name: a||%description|d||%package p|Requires: o',
    { tag: 'Requires', value: 'v', package: 'p' },
    'Name: a||%description|d||%package p|Requires: o|Requires: v',
  ],
  ['Name: o', { tag: 'Name', value: 'v', package: 'p' }, 'overlay-no-match'],
  ['Name: o|%files p', { tag: 'Name', value: 'v', package: 'p' }, 'overlay-no-match'],
  ['Name: o|%{?x:|%package p|}|%build', { tag: 'URL', value: 'v' }, 'Name: o|URL: v|%{?x:|%package p|}|%build'],
  [
    '%{?x:|%package p|Summary: s|%files p|}',
    { tag: 'URL', value: 'v', package: 'p' },
    '%{?x:|%package p|Summary: s|URL: v|%files p|}',
  ],
  ['Name: o|Requires: a, \\|%description', { tag: 'URL', value: 'v' }, 'Name: o|URL: v|Requires: a, \\|%description'],
  ['Name: o|%package p \\', { tag: 'URL', value: 'v', package: 'p' }, 'overlay-interleaved'],
  ['%package p \\|%if 1', { tag: 'URL', value: 'v', package: 'p' }, 'overlay-interleaved'],
  ['Name: o|%define x \\', { tag: 'URL', value: 'v' }, 'Name: o|URL: v|%define x \\'],
  ['Name: o||%fontpkg -a||%prep', { tag: 'Requires', value: 'v' }, 'Name: o|Requires: v||%fontpkg -a||%prep'],
  ['Name: o|%{?x:%package p}|Summary: s', { tag: 'URL', value: 'v' }, 'Name: o|URL: v|%{?x:%package p}|Summary: s'],
]);

cases('spec-insert-tag', [
  ['', { tag: 'Source9', value: 'v' }, 'Source9: v'],
  ['Name: a|Source0: s|URL: u', { tag: 'Source9', value: 'v' }, 'Name: a|Source0: s|Source9: v|URL: u'],
  ['Source0: s|Source1: t|URL: u', { tag: 'Source9', value: 'v' }, 'Source0: s|Source1: t|Source9: v|URL: u'],
  ['Source: s|URL: u', { tag: 'Source9', value: 'v' }, 'Source: s|Source9: v|URL: u'],
  ['source0: s|URL: u', { tag: 'SOURCE9', value: 'v' }, 'source0: s|SOURCE9: v|URL: u'],
  ['Source0: s||%fontpkg -a', { tag: 'Source9', value: 'v' }, 'Source0: s|Source9: v||%fontpkg -a'],
  [
    'Source0: s|URL: u||%if 1|Requires: r|%endif',
    { tag: 'Source9', value: 'v' },
    'Source0: s|Source9: v|URL: u||%if 1|Requires: r|%endif',
  ],
  ['Name: a|URL: u||%build', { tag: 'Vendor', value: 'v' }, 'Name: a|URL: u|Vendor: v||%build'],
  ['Patch0: p|Patch1: q|URL: u', { tag: 'Patch99', value: 'v' }, 'Patch0: p|Patch1: q|Patch99: v|URL: u'],
  [
    'Source0: s||%description|d||%package -n p|Summary: s',
    { tag: 'Requires', value: 'v', package: 'p' },
    'Source0: s||%description|d||%package -n p|Summary: s|Requires: v',
  ],
  ['Name: a', { tag: 'Requires', value: 'v', package: 'p' }, 'overlay-no-match'],
  ['Source0: s||%description|d', { tag: 'Source9', value: 'v' }, 'Source0: s|Source9: v||%description|d'],
  [
    'Source0: s|%if x|Source31: t|Source32: u|%endif|URL: u',
    { tag: 'Source9', value: 'v' },
    'Source0: s|%if x|Source31: t|Source32: u|%endif|Source9: v|URL: u',
  ],
  [
    'Source0: s|%if x|%ifarch y|Source31: t|%endif|Source32: u|%endif|URL: u',
    { tag: 'Source9', value: 'v' },
    'Source0: s|%if x|%ifarch y|Source31: t|%endif|Source32: u|%endif|Source9: v|URL: u',
  ],
  [
    'Source0: s|%if x|URL: t|%else|Source1: u|%endif|URL: u',
    { tag: 'Source9', value: 'v' },
    'Source0: s|%if x|URL: t|%else|Source1: u|%endif|Source9: v|URL: u',
  ],
  ['Source0: a, \\|  b|URL: u', { tag: 'Source9', value: 'v' }, 'Source0: a, \\|  b|Source9: v|URL: u'],
]);

cases('spec-prepend-lines', [
  ['', { lines: ['a', 'b'] }, 'a|b'],
  ['Name: x', { lines: ['a', 'b'], section: '', package: '' }, 'a|b|Name: x'],
  ['%description|d', { lines: ['# t'] }, '# t|%description|d'],
  ['Name: x', { lines: ['a'], section: '%description' }, 'overlay-no-match'],
  [
    '%description -n p|d|%description q|e',
    { lines: ['a', 'b'], section: '%description', package: 'p' },
    '%description -n p|a|b|d|%description q|e',
  ],
  [
    '%if 1|%check|x|%else|%check|y|%endif',
    { lines: ['exit 0'], section: '%check' },
    '%if 1|%check|exit 0|x|%else|%check|exit 0|y|%endif',
  ],
  ['%Check|x', { lines: ['a'], section: '%check' }, '%Check|a|x'],
  ['%files -n p|x', { lines: ['a'], section: '%files' }, 'overlay-no-match'],
  ['%gopkgfiles', { lines: ['a'], section: '%files', package: 'devel' }, 'overlay-macro-made'],
]);

cases('spec-append-lines', [
  ['', { lines: ['a', 'b'] }, 'a|b'],
  ['Name: x||%changelog|- y', { lines: ['# t'] }, 'Name: x||%changelog|- y|# t'],
  ['Name: x', { lines: ['a'], section: '%description' }, 'overlay-no-match'],
  [
    '%description -n p|d||%build|x',
    { lines: ['a'], section: '%description', package: 'p' },
    '%description -n p|d|a||%build|x',
  ],
  ['%files|x||%gopkgfiles||%changelog', { lines: ['y'], section: '%files' }, '%files|x|y||%gopkgfiles||%changelog'],
  [
    'Name: o|%files -n o|x|%files -n %{name}|y',
    { lines: ['z'], section: '%files' },
    'Name: o|%files -n o|x|z|%files -n %{name}|y|z',
  ],
  [
    '%global d %{expand:|text}|%description %{d}|%build',
    { lines: ['z'], section: '%description' },
    '%global d %{expand:|text}|%description %{d}|z|%build',
  ],
  ['%files|x|%lfs||%build', { lines: ['y'], section: '%files' }, '%files|x|%lfs|y||%build'],
  [
    '%define fl() %files std-%1|%fl arm|x||%fl x86|y',
    { lines: ['z'], section: '%files', package: 'std-arm' },
    '%define fl() %files std-%1|%fl arm|x|z||%fl x86|y',
  ],
  ['%javadoc_package|', { lines: ['z'], section: '%package', package: 'javadoc' }, 'overlay-macro-made'],
  ['%files|x', { lines: ['a'], package: 'p' }, 'overlay-invalid'],
]);

cases('spec-search-replace', [
  ['|  Name: t||  %build|  b --v=o', { regex: 'v=o', replacement: 'v=n' }, '|  Name: t||  %build|  b --v=n'],
  ['Name: t', { regex: 'v=none', replacement: '' }, 'overlay-no-match'],
  [
    '%description|o|%description -n p|o o',
    { section: '%description', package: 'p', regex: 'o', replacement: 'n' },
    '%description|o|%description -n p|n n',
  ],
  [
    '%description|o|%description p|o',
    { section: '%description', package: '', regex: 'o', replacement: 'n' },
    '%description|n|%description p|n',
  ],
  ['%description|o', { section: '%check', regex: 'o', replacement: 'n' }, 'overlay-no-match'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what a replacement may hold
  ['URL: a', { regex: 'a', replacement: '$1 ${1} \\1 $& \\n' }, 'URL: $1 ${1} \\1 $& \\n'],
  ['Name: aXb', { regex: '(?i)x', replacement: '' }, 'Name: ab'],
  ['Name: "a"b"', { regex: '(?U)".*"', replacement: 'q' }, 'Name: qb"'],
  ['Name: ab', { regex: '(?m)^Name: (?s).b$', replacement: 'q' }, 'q'],
  ['Name: äb1', { regex: '\\p{Greek}|\\pN|[[:upper:]]ame', replacement: 'q' }, 'q: äbq'],
  ['Name: ab', { regex: '(?P<first>a)(?<second>b)', replacement: 'q' }, 'Name: q'],
  ['Name: \\Qa.b', { regex: '\\Qa.b\\E', replacement: 'q' }, 'Name: \\Qq'],
  ['Name: a', { regex: 'a(?=b)', replacement: '' }, 'bad-regex'],
  ['Name: a', { regex: '(?<!a)b', replacement: '' }, 'bad-regex'],
  ['Name: a', { regex: '(a)\\1', replacement: '' }, 'bad-regex'],
  ['Name: a', { regex: '(?P=a)', replacement: '' }, 'bad-regex'],
  ['Name: a', { regex: 'a**', replacement: '' }, 'bad-regex'],
  ['Name: a', { regex: '[a', replacement: '' }, 'bad-regex'],
  ['Name: a', { regex: 'a{1001}', replacement: '' }, 'bad-regex'],
  ['%files|%gopkgfiles|x', { section: '%files', regex: '^%gopkgfiles$', replacement: '%doc x' }, '%files|%doc x|x'],
  ['Name: a|%gopkg', { regex: '%gopkg', replacement: '%package devel' }, 'Name: a|%package devel'],
  [
    '%pyproject_extras_subpkg -n b x|',
    { section: '%files', package: 'b+x', regex: 'y', replacement: '' },
    'overlay-macro-made',
  ],
]);

cases('spec-remove-section', [
  ['Name: a||%check|x||%build|y', { section: '%check' }, 'Name: a||%build|y'],
  ['%files|x|%files p|y|%files q|z', { section: '%files', package: 'p' }, '%files|x|%files q|z'],
  ['%build|y||%check|x', { section: '%check' }, '%build|y|'],
  ['%build|y', { section: '%check' }, 'overlay-no-match'],
  ['Name: a', { section: '' }, 'overlay-no-match'],
  ['%files|x|%files -n p|y', { section: '%files', package: 'p' }, '%files|x'],
  ['%post p|a|%build|b|%post p|c|%clean', { section: '%post', package: 'p' }, '%build|b|%clean'],
  ['%files|x|%gopkgfiles', { section: '%files' }, '%gopkgfiles'],
  ['%gopkgfiles', { section: '%files', package: 'devel' }, 'overlay-macro-made'],
]);

cases('spec-remove-subpackage', [
  [
    'Name: a||%description|m||%package p|Summary: s||%description p|d||%files|x||%files p|y',
    { package: 'p' },
    'Name: a||%description|m||%files|x|',
  ],
  ['Name: a|%package -n p|Summary: s|%build', { package: 'p' }, 'Name: a|%build'],
  ['Name: a', { package: 'p' }, 'overlay-no-match'],
  ['Name: a', { package: '' }, 'overlay-invalid'],
  ['Name: a|%files -n a|x', { package: 'a' }, 'overlay-invalid'],
  ['%post|a|%post p|b|%postun p|c|%files', { package: 'p' }, '%post|a|%files'],
]);

describe('numbers of patches', () => {
  it.each([
    ['Name: a', -1],
    ['Patch0: p', 0],
    ['Patch0: p|Patch1: q|Patch2: r', 2],
    ['Patch0: p|Patch5: q|Patch3: r', 5],
    ['patch0: p|PATCH1: q', 1],
    ['Patch0: p|%package d|Patch5: q', 5],
    ['Patch: p|Patch: q', 1],
    ['Patch: p|Patch: q|Patch5: r', 5],
    ['Patch: p', 0],
    ['PatchFoo: p', -1],
    ['Patch7: p|%patchlist|q|r', 9],
  ])('the highest of %s is %i', (short, highest) => {
    expect(Math.max(-1, ...patches(parseSpec(text(short))).map(({ number }) => number))).toBe(highest);
  });

  it.each([
    ['', 'Patch0: n'],
    ['Patch3: p|URL: u', 'Patch3: p|Patch4: n|URL: u'],
    ['Patch: p||%build', 'Patch: p|Patch1: n||%build'],
    ['%patchlist||%build', '%patchlist|n||%build'],
  ])('a new one in %j', (before, after) => {
    expect(printSpec(addPatch(parseSpec(text(before)), 'n'))).toBe(text(after));
  });

  it.each<[string, string, string]>([
    ['Patch0: k|Patch1: r.patch|Patch2: l', 'r.patch', 'Patch0: k|Patch2: l'],
    ['Patch0: C-1.patch|Patch1: k|Patch2: C-2.patch', 'C-*.patch', 'Patch1: k'],
    ['%patchlist|k|r.patch||%build', 'r.patch', '%patchlist|k||%build'],
    ['%patchlist|C-1.patch|k|C-2.patch|%build', 'C-?.patch', '%patchlist|k|%build'],
    ['Patch0: r.patch|%patchlist|r.patch', 'r.patch', '%patchlist'],
    ['Name: a|Patch0: a|Patch1: b', '*', 'Name: a'],
    ['Patch0: C-1|Patch1: k|%package d|Patch2: C-2|Patch3: l', 'C-*', 'Patch1: k|%package d|Patch3: l'],
    ['Source0: r.patch|Patch0: r.patch', 'r.patch', 'Source0: r.patch'],
    ['Patch0: k', 'none.patch', 'overlay-no-match'],
    ['', '*', 'overlay-no-match'],
    ['Patch0: https://x.org/%{name}/r.patch', 'r.patch', ''],
  ])('of %s without %s', (before, glob, after) => {
    let result: string;
    try {
      result = printSpec(removePatches(parseSpec(text(before)), glob, nameMatcher(glob)).spec);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      result = text(error.code);
    }
    expect(result).toBe(text(after));
  });
});

describe('unusual files', () => {
  it.each([
    ['empty', ''],
    ['without a line end', 'Name: a'],
    ['of zeros', '\0\0\0'],
    ['without a name', 'Version: 1\n'],
  ])('%s: a tag is added', (_what, before) => {
    const spec = applySpecOverlay(
      parseSpec(before),
      overlay({ type: 'spec-add-tag', tag: 'URL', value: 'v' }) as Extract<Overlay, { type: 'spec-add-tag' }>,
    );
    expect(printSpec(spec).endsWith('URL: v\n')).toBe(true);
    expect(printSpec(spec).startsWith(before)).toBe(true);
  });
});
