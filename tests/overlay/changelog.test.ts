import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changelogItems, entryTime, formatEntry, magicComments } from '../../src/overlay/changelog.ts';

const entry = (message: string, evr?: string): string =>
  formatEntry({
    time: 1_700_000_000,
    author: 'A B <a@b.example>',
    items: changelogItems(message),
    ...(evr === undefined ? {} : { evr }),
  });

// The expected values are what rpmautospec 0.8.5 makes of the same messages.
describe('a commit in a changelog', () => {
  it.each<[string, string[]]>([
    ['Update to 1.2', ['Update to 1.2']],
    ['\n\n- Update to 1.2\n', ['Update to 1.2']],
    ['Update to 1.2\nand rebuild\n', ['Update to 1.2 and rebuild']],
    ['Update\n\nSome prose that explains.\n- no item\n', ['Update']],
    ['Update\n\n- one\n- two\n  goes on\n\nSigned-off-by: A\n', ['Update', 'one', 'two goes on']],
    ['Update\n\n...goes on\nhere\n- one\n', ['Update goes on here', 'one']],
    ['Update\n\n… goes on\n\n- not any more\n', ['Update goes on']],
    ['Update\n\n....\n', ['Update ']],
    ['Use %{name} at 100%', ['Use %%{name} at 100%%']],
    ['-\n\n...goes on\n', ['goes on']],
    ['-\nnot this\n', ['']],
    ['', ['']],
  ])('%j is %j', (message, items) => {
    expect(changelogItems(message)).toEqual(items);
  });

  it('has day, author and version in its header, and lines of 75 characters', () => {
    expect(entry('Update', '1:1.2-3')).toBe('* Tue Nov 14 2023 A B <a@b.example> - 1:1.2-3\n- Update');
    expect(
      entry(`${'word '.repeat(14)}hyphenated-word and so on\n\n- https://example.org/${'x'.repeat(80)}\n- a -- b--c`),
    ).toBe(`* Tue Nov 14 2023 A B <a@b.example>
- word word word word word word word word word word word word word word
  hyphenated-word and so on
- https://example.org/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
  xxxxxxxxxxxxxxxxxxxxxxxxxxx
- a -- b--c`);
  });

  it('breaks after the hyphen of a word', () => {
    expect(entry(`${'word '.repeat(13)}hyphenated-word`)).toBe(`* Tue Nov 14 2023 A B <a@b.example>
- word word word word word word word word word word word word word
  hyphenated-word`);
    expect(entry(`${'word '.repeat(12)}hyphenated-word`)).toBe(`* Tue Nov 14 2023 A B <a@b.example>
- word word word word word word word word word word word word hyphenated-
  word`);
  });

  it('has no line that is too long, and loses no character', () => {
    const words = fc.array(
      fc.oneof(fc.string({ maxLength: 100 }), fc.constantFrom('a-b', '--', '-', 'e-mail', '\t', 'é…')),
    );
    fc.assert(
      fc.property(words, (parts) => {
        const items = changelogItems(`x ${parts.join(' ')}`);
        const text = formatEntry({ time: 0, author: 'A <a@b>', items });
        const [, ...lines] = text.split('\n');
        for (const line of lines) expect([...line].length).toBeLessThanOrEqual(75);
        const plain = (value: string): string => value.replace(/\s/g, '');
        expect(plain(lines.join(''))).toBe(plain(items.map((item) => `-${item}`).join('')));
      }),
    );
  });
});

it.each<[string, boolean, number]>([
  ['Update', false, 0],
  ['Update\n\n[skip changelog]', true, 0],
  ['Update\n  [ skip   changelog , bump release: 5 ]  \n', true, 5],
  ['[bump release 3]\n[bump release:7]', false, 7],
  ['Update [skip changelog]', false, 0],
  ['[skip-changelog]', false, 0],
])('the magic comments of %j', (message, skipChangelog, bumpRelease) => {
  expect(magicComments(message)).toEqual({ skipChangelog, bumpRelease });
});

it('reads the day of an entry', () => {
  expect(entryTime('* Tue Nov 14 2023 A B <a@b.example> - 1-2')).toBe(Date.UTC(2023, 10, 14) / 1000);
  expect(entryTime('* Fri Jan  5 2001 A')).toBe(Date.UTC(2001, 0, 5) / 1000);
  expect(entryTime('- Tue Nov 14 2023')).toBeUndefined();
});
