import { expect, it } from 'vitest';
import { shownLine, shownText } from '../../src/base/foreign-text.ts';
import { codeSpan, htmlText, tableCell } from '../../src/base/markdown.ts';
import { table } from '../../src/cli/program.ts';
import { statusDetails } from '../../src/upstream/words.ts';

const evil = 'a\u001b[2Jb\u202ec\u009bd\u0007';
const shown = 'a\\u{1b}[2Jb\\u{202e}c\\u{9b}d\\u{7}';

it('control characters and changes of the direction of writing are shown', () => {
  expect(shownText(`${evil}\n\tä 語`)).toBe(`${shown}\n\tä 語`);
  expect(shownLine(`  x\r\n${evil} `)).toBe(`x ${shown}`);
});

it('no table and no Markdown has any', () => {
  expect(table(['H'], [[evil]], '')).toBe(`H\n${shown}`);
  expect(codeSpan(evil)).toBe(`\`${shown}\``);
  expect(htmlText(evil)).toBe(shown);
  expect(tableCell(evil)).toBe(shown.replaceAll('\\', '\\\\'));
});

it('the details of a status have none', () => {
  const between = {
    relation: 'newer',
    commits: [{ id: 'a'.repeat(40), time: 0, subject: evil }],
    files: { added: [], removed: [], changed: [] },
    retired: evil,
    cves: [],
  } as const;
  const text = statusDetails({ components: [{ component: 'a', state: 'retired', overlays: [], between }] });
  expect(text).toContain(`retired  ${shown}`);
  expect(text).toContain(`1970-01-01 ${shown}`);
});
