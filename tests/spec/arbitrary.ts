import fc from 'fast-check';

/** Words that a spec's structure is made of, and things that look like it. */
const words = [
  ...['%if 1', '%if 0%{?fedora}', ' %ifarch x86_64', '%ifnarch %{arm}', '%ifos linux', '%elif 2', '%elifarch i686'],
  ...['%else', '%else # c', '%endif', ' %endif', '%endif foo', '%iffy', '#%if', '%if(1)'],
  ...[
    '%package a',
    '%package -n b',
    '%Package -n %{name}-c',
    '%description',
    '%description -l de a',
    '%files',
    ' %files -n b',
  ],
  ...['%files -f x.list a', '%prep', '%build', '%install', '%check', '%conf', '%generate_buildrequires', '%patchlist'],
  ...[
    '%sourcelist',
    '%changelog',
    '%post -p <lua> a',
    '%triggerin a -- b < 1',
    '%sepolicy',
    '%end',
    '%preun -n %{?x:a b}c',
  ],
  ...[
    'Name: a',
    'name:b',
    'Version : 1',
    'Patch0: b.patch',
    'Patch: c',
    'Source9999: %{name}.tar.gz',
    'Requires(post,preun): x',
  ],
  ...[
    'Requires( post ): y',
    'Summary(de): ö',
    'BuildRequires: a, (b or c), \\',
    '  d',
    'http://x',
    'X:',
    ':',
    'URL:https://a#b',
  ],
  ...[
    '%define x \\',
    '%define y(a:b) %{-a*}',
    '%global z %{y:',
    '%global w 1',
    '%undefine w',
    '%bcond x 1',
    '%bcond_without y',
  ],
  ...[
    '%{lua:',
    'print("%package d")',
    '}',
    '%{?x:',
    '%{!?x:%package e}',
    '%{expand:%%files e}',
    '%(',
    ')',
    '%[',
    ']',
    '%{',
    '%{{',
  ],
  ...[
    '%gopkg',
    '%fontpkg -a',
    '%pyproject_extras_subpkg -n b c,d',
    '%ldconfig_scriptlets a',
    '%y -a 1',
    '%x',
    '%{y -a %{z}}',
  ],
  ...[
    '%dnl',
    '%dnl %if',
    '%dnlx',
    '# %{',
    '#',
    '',
    ' ',
    '\t',
    '\\',
    'a \\',
    '%%',
    '%',
    '%include x',
    '%{load:%{S:1}}',
    'x\r',
    '\ufeffName: x',
  ],
];

const line = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...words) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...words), fc.constantFrom(...words)).map((two) => two.join(' ')) },
);

/** Any text, most of it of what specs are made of, in an order that no spec has. */
export const nastySpec: fc.Arbitrary<string> = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\n', '\n', '\r\n', '')), { maxLength: 60 })
  .map((parts) => parts.map(([text, end]) => text + end).join(''));

/** A change to a text: at a place (0 to 1), take away some characters and put a word in. */
const mutation = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(40), fc.option(fc.constantFrom(...words)));

/** A real-shaped text with a few things broken. */
export function mutated(base: string): fc.Arbitrary<string> {
  return fc.array(mutation, { maxLength: 8 }).map((mutations) => {
    let text = base;
    for (const [place, gone, word] of mutations) {
      const at = Math.floor(place * text.length);
      text = text.slice(0, at) + (word === null ? '' : `\n${word}\n`) + text.slice(at + gone);
    }
    return text;
  });
}

/** Texts that grow with `size` and are as bad as can be for a reader that looks back or ahead. */
export const worstCases: Readonly<Record<string, (size: number) => string>> = {
  'open conditionals': (size) => '%if 1\n'.repeat(size),
  'nested conditionals': (size) => `${'%if 1\n'.repeat(size / 2)}${'%endif\n'.repeat(size / 2)}`,
  'many branches': (size) => `%if 1\n${'%elif 1\n%package b\n'.repeat(size / 2)}%endif\n`,
  'stray ends': (size) => '%endif\n'.repeat(size),
  'open braces': (size) => '%{ %( %[ \\\n%if\n'.repeat(size / 2),
  'nested braces': (size) => `${'%{?x:\n'.repeat(size / 2)}${'}\n'.repeat(size / 2)}`,
  'braces in a line': (size) => `${'%{?x:'.repeat(size)}%package b${'}'.repeat(size)}\n`,
  'brackets in a name': (size) => `A${'('.repeat(size)}:\nB${'(a'.repeat(size)}: c\nC${'()'.repeat(size)}:\n`,
  'a long name': (size) => `${'a'.repeat(size)}: b\n`,
  'long blanks': (size) => `Name:${' '.repeat(size)}x\nURL: a${' '.repeat(size)}b\n%global x a${' '.repeat(size)}b\n`,
  'long headers': (size) => `%files${' '.repeat(size)}b${' '.repeat(size)}c\nRequires${' '.repeat(size)}x\n`,
  'long continuation': (size) => `Requires: a \\\n${'b \\\n'.repeat(size)}c\n`,
  'a long list': (size) => `Requires: ${'a, '.repeat(size)}\n`,
  'many tags': (size) => 'Requires: a\nPatch: b\n'.repeat(size / 2),
  'many sections': (size) => '%check\nx\n%files b\n'.repeat(size / 3),
  'chained macros': (size) =>
    `%package b\n${Array.from({ length: size }, (_, i) => `%global m${i} %{m${i + 1}}\n`).join('')}%build\n%{m0}\n`,
  'a macro with many sections': (size) =>
    `%define m() \\\n${'%package p%1 \\\n'.repeat(size / 4)}x\n${'%m a\n'.repeat(size / 4)}`,
  'many macros with sections': (size) =>
    Array.from({ length: size / 4 }, (_, i) => `%define m${i}() %package p%1\n%m${i} a\n`).join(''),
  'many calls': (size) => '%gopkg\n'.repeat(size),
  'Lua with many sections': (size) => `%{lua:\n${'print("%package x")\n'.repeat(size / 2)}}\n`,
  'Lua with many strings': (size) => `%{lua:\n%package ${'"'.repeat(size)}${'[['.repeat(size)}}\n`,
  'guards that nest': (size) => `%files b\n${'%if 1\n# c\n'.repeat(size / 4)}%files c\n${'%endif\n'.repeat(size / 4)}`,
  'branches with sections': (size) => '%if 1\n%package b\n%else\n%package c\n%endif\n'.repeat(size / 5),
  'bare CR': (size) => '\r'.repeat(size),
  'bare percent signs': (size) => `${'%'.repeat(size)}\n`,
};

/** Runs a function and counts the characters that it looks at: one by one, by a search, or by a pattern. */
export function countLooks(run: () => unknown): number {
  let looks = 0;
  const { charCodeAt, indexOf } = String.prototype;
  const { exec, test } = RegExp.prototype;
  const matched = <Result>(pattern: RegExp, text: string, match: (text: string) => Result): Result => {
    const from = pattern.lastIndex;
    const result = match.call(pattern, text);
    // Only patterns with a lastIndex say how far they looked.
    looks += Math.max(0, (pattern.lastIndex > from ? pattern.lastIndex : text.length) - from) + 1;
    return result;
  };
  String.prototype.charCodeAt = function (this: string, index) {
    looks++;
    return charCodeAt.call(this, index);
  };
  String.prototype.indexOf = function (this: string, word, from = 0) {
    const found = indexOf.call(this, word, from);
    looks += Math.max(0, (found < 0 ? this.length : found) - from) + 1;
    return found;
  };
  RegExp.prototype.exec = function (text) {
    return matched(this, text, exec);
  };
  RegExp.prototype.test = function (text) {
    return matched(this, text, test);
  };
  try {
    run();
  } finally {
    Object.assign(String.prototype, { charCodeAt, indexOf });
    Object.assign(RegExp.prototype, { exec, test });
  }
  return looks;
}
