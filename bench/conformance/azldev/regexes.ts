import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../../../src/base/errors.ts';
import { applySpecOverlay } from '../../../src/overlay/apply.ts';
import { parseSpec, type Spec, specBytes } from '../../../src/spec/parse.ts';
import { type Random, randomOf } from '../../fuzz/random.ts';
import { type Azldev, writeProject } from './run.ts';

/** A random regular expression, sometimes an invalid one. */
export function makeRegex({ below, pick }: Random): string {
  const atom = (depth: number): string => {
    if (depth > 0 && below(4) === 0) {
      const inner = sequence(depth - 1);
      return pick([`(${inner})`, `(?:${inner})`, `(?i:${inner})`, `(?P<n${below(99)}>${inner})`, `(?s-i:${inner})`]);
    }
    if (below(60) === 0) {
      return pick([
        '\\K',
        '\\1',
        '(?=a)',
        '(',
        ')',
        '[b-a]',
        '\\C',
        '[[:odd:]]',
        '[',
        '(?<n>a)',
        '\\p{Odd}',
        '(?P=n)',
        '\\8',
        '*',
      ]);
    }
    return pick([
      ...['a', 'b', 'c', 'x', 'Z', '1', ' ', 'é', 'ß', 'k', '\\.', '.', '-', '/', 'ab', 'make', 's'],
      ...[
        '\\d',
        '\\D',
        '\\w',
        '\\W',
        '\\s',
        '\\S',
        '\\pL',
        '\\p{Lu}',
        '\\PL',
        '\\p{Greek}',
        '[[:alpha:]]',
        '[[:^digit:]]',
      ],
      ...['[abc]', '[^abc]', '[a-f0-9]', '[\\d-]', '[é]', '[^\\w]', '[]a]', '\\b', '\\B', '^', '$', '\\A', '\\z'],
      ...['\\x41', '\\x{e9}', '\\t', '\\Qa.b\\E', '\\101', '[[:word:]]', '\\pN', '\\p{Latin}', '[\\pL.]', '\\x{17f}'],
    ]);
  };
  const repeated = (depth: number): string => {
    const often = pick(['', '', '', '', '', '*', '+', '?', '*?', '+?', '{2}', '{1,3}', '{0,}', '{,2}']);
    return atom(depth) + (below(80) === 0 ? pick(['**', '{1001}', '{2,1}', '{']) : often);
  };
  const sequence = (depth: number): string => {
    const one = (): string => Array.from({ length: 1 + below(3) }, () => repeated(depth)).join('');
    return below(6) === 0 ? `${one()}|${one()}` : one();
  };
  return `${pick(['', '', '', '', '(?i)', '(?s)', '(?m)', '(?U)', '(?im)'])}${sequence(2)}`;
}

/** Text that every expression is tried on. The last lines are not UTF-8. */
const lines = [
  'make abc -C src/ab1 x',
  'Zebra a.b K 123',
  'aaa bbb ab ab abab',
  'tab\there  two',
  'caf\u00e9 stra\u00dfe \u03b1\u03b2 \u212a \u017f',
  'x=[a]{2} (b) c^ $d \\e A',
].map((line) => Buffer.from(line));
const odd = [Buffer.from('caf\xe9 ab \xff1', 'latin1'), Buffer.from('a\xc3(b \xe2\x82 c', 'latin1')];

const replacement = '<R>';

/** The lines after replacing, as Latin-1; undefined if the expression is refused or changes nothing. */
export type Replaced = string | undefined;

export interface ComparedRegex {
  readonly regex: string;
  readonly azldev: Replaced;
  readonly weir: Replaced;
}

const packageName = (index: number): string => `p${index}`;

function specOf(count: number, isOdd: boolean): Buffer {
  const body = Buffer.concat([...lines, ...(isOdd ? odd : [])].flatMap((line) => [line, Buffer.from('\n')]));
  const parts = Array.from({ length: count }, (_, index) => [
    Buffer.from(`%description -n ${packageName(index)}\n`),
    body,
  ]);
  return Buffer.concat([Buffer.from('Name: demo\nVersion: 1\nRelease: 1\n'), ...parts.flat()]);
}

function overlayOf(regex: string, index: number) {
  const section = { section: '%description', package: packageName(index) };
  return { type: 'spec-search-replace' as const, regex, replacement, ...section };
}

function bodies(spec: Spec, count: number): string[] {
  const text = Buffer.from(specBytes(spec)).toString('latin1');
  return text.split(/^%description -n p\d+\n/m).slice(1, count + 1);
}

/** What both tools make of many random expressions. */
export async function compareRegexes(
  azldev: Azldev,
  dir: string,
  from: number,
  count: number,
  seed: number,
): Promise<ComparedRegex[]> {
  const isOdd = (from / count) % 4 === 3;
  const regexes = Array.from({ length: count }, (_, index) => makeRegex(randomOf(seed * 1_000_003 + from + index)));
  const ours = regexes.map((regex) => {
    try {
      const overlay = { ...overlayOf(regex, 0), description: '', origin: { file: '', line: 1 } };
      return bodies(applySpecOverlay(parseSpec(specOf(1, isOdd)), overlay), 1)[0];
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      return undefined;
    }
  });
  const ask = async (some: readonly string[]): Promise<readonly string[] | undefined> => {
    const overlays = some.map((regex, index) => {
      const fields = Object.entries(overlayOf(regex, index)).map(
        ([key, value]) => `${key} = ${JSON.stringify(value)}\n`,
      );
      return `[[components.demo.overlays]]\n${fields.join('')}`;
    });
    await writeProject(dir, {
      'azldev.toml': `[project]\ndefault-distro = { name = "d", version = "1" }\n[distros.d.versions.1]\nrelease-ver = "1"\n[components.demo]\nspec = { type = "local", path = "src/demo.spec" }\n${overlays.join('')}`,
      'src/demo.spec': specOf(some.length, isOdd),
    });
    const out = join(dir, 'out');
    const options = ['-o', out, '--force', '--without-git', '--skip-lock-validation'];
    const { code } = await azldev.run(dir, ['component', 'prepare-sources', '-p', 'demo', ...options]);
    return code === 0 ? bodies(parseSpec(await readFile(join(out, 'demo.spec'))), some.length) : undefined;
  };
  const halved = async (some: readonly string[]): Promise<readonly Replaced[]> => {
    if (some.length === 0) return [];
    const found = await ask(some);
    if (found !== undefined || some.length === 1) return found ?? [undefined];
    const middle = some.length >> 1;
    return [...(await halved(some.slice(0, middle))), ...(await halved(some.slice(middle)))];
  };
  const theirs: Replaced[] = [];
  const changing = regexes.flatMap((_, index) => (ours[index] === undefined ? [] : [index]));
  const found = await halved(changing.map((index) => regexes[index]!));
  for (const [at, index] of changing.entries()) theirs[index] = found[at];
  for (const [index, regex] of regexes.entries()) {
    if (ours[index] === undefined) theirs[index] = (await ask([regex]))?.[0];
  }
  return regexes.map((regex, index) => ({ regex, azldev: theirs[index], weir: ours[index] }));
}

/** Known differences between regular expressions. */
export const regexKinds: Readonly<Record<string, (compared: ComparedRegex) => boolean>> = {};

export function regexKindOf(compared: ComparedRegex): string | undefined {
  const { azldev, weir } = compared;
  if (azldev === undefined && weir === undefined) return 'both refuse';
  if (azldev !== undefined && weir !== undefined && azldev.trimEnd() === weir.trimEnd()) return 'same';
  return Object.keys(regexKinds).find((kind) => regexKinds[kind]!(compared));
}
