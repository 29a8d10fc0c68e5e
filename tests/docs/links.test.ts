import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const home = join(import.meta.dirname, '..', '..');
const pages = globSync(['*.md', 'docs/*.md'], { cwd: home }).sort();
const read = (page: string): string => readFileSync(join(home, page), 'utf8');

/** Code of a page: blocks (fenced or indented) line by line, and what stands between backticks. */
function codeOf(page: string): string[] {
  const code: string[] = [];
  let fenced = false;
  for (const line of read(page).split('\n')) {
    if (/^\s*```/.test(line)) fenced = !fenced;
    else if (fenced || /^ {4}/.test(line)) code.push(line.trim());
    else code.push(...[...line.matchAll(/`([^`]+)`/g)].map((match) => match[1]!));
  }
  return code;
}

/** The words after `weir`, without a comment and without what a pipe or the next command brings. */
function weirCommands(page: string): string[][] {
  return codeOf(page)
    .map((code) => /(?:^|[\s;&|]|\.\/)weir(?= )([^#;&|>]*)/.exec(code)?.[1]?.trim())
    .filter((words) => words !== undefined && /^[a-z-]/.test(words))
    .map((words) => words!.split(/\s+/));
}

const helps = new Map<string, string>();

/** What `weir WORDS --help` prints; the error where there is no such command. */
function helpOf(words: readonly string[]): string {
  const key = words.join(' ');
  let text = helps.get(key);
  if (text === undefined) {
    const argv = ['--disable-warning=ExperimentalWarning', join(home, 'src/cli/main.ts'), ...words, '--help'];
    text = execFileSync(process.execPath, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    helps.set(key, text);
  }
  return text;
}

/** Names that a help text lists under `Commands:`. */
function commandsIn(help: string): string[] {
  const list = help.split('\nCommands:\n')[1]?.split('\n\n')[0] ?? '';
  return [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map((match) => match[1]!);
}

function optionsIn(help: string): string[] {
  return [...help.matchAll(/^ {2}(?:(-[A-Za-z]), )?(--[a-z-]+)/gm)].flatMap((match) => [match[1] ?? '', match[2]!]);
}

/** Why `weir WORDS` is nothing that Weir has; undefined where it is. */
function wrongWith(words: readonly string[]): string | undefined {
  const path: string[] = [];
  const options = new Set(optionsIn(helpOf([])));
  let known = commandsIn(helpOf([]));
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--') break;
    if (word.startsWith('-')) {
      const name = word.split('=')[0]!;
      if (!options.has(name)) return `weir ${path.join(' ')} has no option ${name}`;
      if (['-C', '--directory', '--profile', '--config-file', '--color'].includes(name)) at++;
    } else if (path[0] === 'cve' && /^CVE-/.test(word)) {
      // Short for `weir cve show`.
      known = [];
    } else if (known.length > 0 && !known.includes(word)) {
      return `weir ${path.join(' ')} has no command ${word}`;
    } else if (known.length > 0 && word !== 'help') {
      path.push(word);
      const help = helpOf(path);
      for (const option of optionsIn(help)) options.add(option);
      known = commandsIn(help);
    }
  }
  return undefined;
}

describe.each(pages)('%s', (page) => {
  const text = read(page);

  test('its links lead somewhere', () => {
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)|\b(?:src|srcset|href)="([^"\s]+)"/g)].map(([, a, b]) => a ?? b!);
    const inside = targets.filter((target) => !/^(https?:|mailto:|#)/.test(target));
    const lost = inside.filter((target) => !existsSync(join(home, dirname(page), target.split('#')[0]!)));
    expect(lost).toEqual([]);
  });

  test('the files that it names exist', () => {
    const paths = codeOf(page).filter(
      (code) => /^(src|seed|distro|tests|docs)\/[\w./-]+$/.test(code) && !code.includes('…'),
    );
    const lost = paths.filter((path) => !/[A-Z]{3}/.test(path) && !existsSync(join(home, path)));
    expect(lost).toEqual([]);
  });

  test('its commands are those that Weir has', () => {
    const wrong = weirCommands(page).map(wrongWith);
    expect(wrong.filter((why) => why !== undefined)).toEqual([]);
  }, 120_000);
});

test('a command or an option that Weir has not is found', () => {
  expect(wrongWith(['build', '--image', 'vm-base', '--json'])).toBeUndefined();
  expect(wrongWith(['-C', 'distro', 'build'])).toBeUndefined();
  expect(wrongWith(['bake'])).toContain('bake');
  expect(wrongWith(['build', '--imagine'])).toContain('--imagine');
});

test('the pages show commands at all', () => {
  expect(weirCommands('README.md').length).toBeGreaterThan(3);
});

test('documented error codes exist', () => {
  const sources = globSync('src/**/*.ts', { cwd: home }).map(read).join('\n');
  const codes = [...read('docs/errors.md').matchAll(/^\| (`.*?) \|/gm)]
    .flatMap((row) => [...row[1]!.matchAll(/`([a-z-]+)`/g)])
    .map((match) => match[1]!);
  expect(codes.length).toBeGreaterThan(30);
  expect(codes.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
});
