import type { WeirError } from '../../base/errors.ts';
import { readIfExists, writeIfChanged } from '../../base/files.ts';
import { byKey, byName } from '../../base/order.ts';
import { badLock, isTexts, lockTables, placeInLock } from '../../toml/lock-file.ts';
import type { DebPackage } from '../../toolbox/apt.ts';
import { debLineOf, parseDebLine } from '../../toolbox/toolbox-lock.ts';

/** The packages that meet a requirement which the fixed seed does not meet. */
export interface Answer {
  /** Debian packages; the first gives the version. */
  readonly debs: readonly string[];
  /** Whether an empty RPM must provide it. */
  readonly alias: boolean;
}

/** The packages that a project's builds requested in addition to the fixed seed. */
export interface Asked {
  /** Digest of the fixed seed's packages; the rest is valid only for these. */
  readonly seed: string;
  /** Requirement as a build wrote it → the packages that meet it. */
  readonly answers: ReadonlyMap<string, Answer>;
  /** Debian package found → itself and its dependencies outside the fixed seed; empty for a package of the fixed seed. */
  readonly closures: ReadonlyMap<string, readonly string[]>;
  /** By name: every package of a closure. */
  readonly packages: ReadonlyMap<string, DebPackage>;
}

export function nothingAsked(seed: string): Asked {
  return { seed, answers: new Map(), closures: new Map(), packages: new Map() };
}

/** Reads one set of `seed-asked.lock`; undefined if there is none. @throws WeirError `bad-lock` (exit 2) with the place */
export async function readAsked(path: string, set: string): Promise<Asked | undefined> {
  return (await readAll(path)).get(set);
}

async function readAll(path: string): Promise<Map<string, Asked>> {
  const text = await readIfExists(path);
  return text === undefined ? new Map() : parseAsked(text, path);
}

/** Parses the sets of a lock file. @throws WeirError `bad-lock` (exit 2) with the place */
export function parseAsked(text: string, file: string): Map<string, Asked> {
  const sets = new Map<string, Asked>();
  for (const [name, table] of lockTables(text, file)) {
    const { seed } = table;
    const list = (key: string): readonly string[] => {
      const value = table[key];
      if (isTexts(value)) return value;
      throw badLock(`[${name}] ${key} must be a list of strings`, { file });
    };
    if (typeof seed !== 'string') throw badLock(`[${name}] seed must be a string`, { file });
    const invalid = (line: string): WeirError => badLock(`invalid lock entry: ${line}`, placeInLock(text, line, file));
    const packages = new Map(
      list('packages').map((line) => {
        const deb = parseDebLine(line);
        if (deb === undefined) throw invalid(line);
        return [deb.name, deb];
      }),
    );
    const closures = new Map(
      list('closures').map((line) => {
        const [, root, members] = /^(\S+):((?: \S+)*)$/.exec(line) ?? [];
        const names = members?.split(' ').filter((each) => each !== '');
        if (root === undefined || names === undefined || names.some((each) => !packages.has(each))) throw invalid(line);
        return [root, names];
      }),
    );
    const answers = new Map(
      list('answers').map((line) => {
        const [, wanted, debs, alias] = /^(.+): (\S+(?: \S+)*?)( \(alias\))?$/.exec(line) ?? [];
        const names = debs?.split(' ');
        if (wanted === undefined || names?.every((each) => closures.has(each)) !== true) throw invalid(line);
        return [wanted, { debs: names, alias: alias !== undefined }];
      }),
    );
    sets.set(name, { seed, answers, closures, packages });
  }
  return sets;
}

/** Writes one set of the file and keeps the others. */
export async function writeAsked(path: string, set: string, asked: Asked): Promise<void> {
  const sets = (await readAll(path)).set(set, asked);
  await writeIfChanged(path, printAsked(sets));
}

/** The text of the file: sorted, so that it does not depend on the order of requests. */
export function printAsked(sets: ReadonlyMap<string, Asked>): string {
  const quoted = (lines: readonly string[]): string[] => lines.map((line) => `  ${JSON.stringify(line)},`);
  const lines = [
    '# What builds asked for besides the seed, by which Debian packages it is met, and these packages:',
    '# name, version, architecture, bytes, SHA-256, path on any mirror.',
    'version = 1',
  ];
  for (const [name, { seed, answers, closures, packages }] of [...sets].sort(byKey)) {
    lines.push('', `[${name}]`, `seed = "${seed}"`, 'answers = [');
    const each = [...answers].sort(byKey);
    lines.push(...quoted(each.map(([key, { debs, alias }]) => `${key}: ${debs.join(' ')}${alias ? ' (alias)' : ''}`)));
    lines.push(']', 'closures = [');
    lines.push(...quoted([...closures].sort(byKey).map(([root, names]) => `${[`${root}:`, ...names].join(' ')}`)));
    lines.push(']', 'packages = [', ...quoted([...packages.values()].sort(byName).map(debLineOf)), ']');
  }
  return `${lines.join('\n')}\n`;
}
