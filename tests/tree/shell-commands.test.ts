import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { shellCommands } from '../../src/tree/shell-commands.ts';

const words = (script: string): string[] => shellCommands(script).map((command) => command.words.join(' '));

describe('the commands of a shell script', () => {
  it.each([
    ['a 1; b && c || d & e | f', ['a 1', 'b', 'c', 'd', 'e', 'f']],
    ['if [ $1 -eq 1 ]; then\n  a\nelif b; then c; else d; fi', ['[ $1 -eq 1 ]', 'a', 'b', 'c', 'd']],
    ['for x in one two $(list); do a $x; done', ['list', 'a $x']],
    ['while read line; do a; done < /etc/x', ['read line', 'a']],
    ['case "$1" in\n a|b) one ;;\n (c) two;;\n *) three\nesac\nfour', ['one', 'two', 'three', 'four']],
    ['(a; b) && { c; }', ['a', 'b', 'c']],
    ['f() {\n a\n}\nfunction g { b; }', ['a', 'b']],
    ['VAR=1 X=$(made) a b', ['made', 'a b']],
    ['VAR=`made`', ['made']],
    ['echo "a; b" \'c && d\' e\\;f', ['echo a; b c && d e;f']],
    ['a \\\n  b # c; d\n#e\nf', ['a b', 'f']],
    ['cat > /etc/x <<EOF\nnot; commands\nEOF\na', ['cat', 'a']],
    ["cat <<-'END' | b\n\tnot\n\tEND\na", ['cat', 'b', 'a']],
    ['! a; time b', ['a', 'b']],
    ['%{_sbindir}/a %{?x: y} || :', ['%{_sbindir}/a %{?x: y}', ':']],
    [`a $${'{x:-y; z}'} $((1 + 2))`, [`a $${'{x:-y; z}'} $((1 + 2))`]],
  ])('%j', (script, expected) => {
    expect(words(script)).toEqual(expected);
  });

  test('files that output goes to, but not descriptors', () => {
    expect(shellCommands('a > /etc/x 2>&1 >>y; b &> /dev/null; > z')).toEqual([
      { words: ['a'], writes: ['/etc/x', 'y'] },
      { words: ['b'], writes: ['/dev/null'] },
      { words: [], writes: ['z'] },
    ]);
  });

  test('any text ends', () => {
    const parts = fc.constantFrom(
      '$(',
      '`',
      '"',
      "'",
      '\\',
      ')',
      '}',
      '${',
      '%{',
      'case',
      ' in ',
      'esac',
      '<<X',
      '\n',
      ';;',
      ' a',
      '#',
      '>',
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 60 }), (text) => {
        expect(Array.isArray(shellCommands(text.join('')))).toBe(true);
      }),
    );
  });

  test('deeply nested substitutions are linear', () => {
    const depth = 50_000;
    expect(shellCommands(`${'$('.repeat(depth)}a${')'.repeat(depth)}`).length).toBeLessThan(100);
    expect(shellCommands(`a ${'$(('.repeat(depth)}1${'))'.repeat(depth)}`)).toHaveLength(1);
    expect(shellCommands('a "'.repeat(depth)).length).toBeGreaterThan(0);
  });
});
