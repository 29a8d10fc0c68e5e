import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse, stringify } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { formatError, WeirError } from '../../src/base/errors.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import { resolvedTables } from '../../src/project/resolve.ts';
import { printTables } from '../../src/project/toml.ts';
import { plain } from '../../src/project/trace.ts';
import { distros, folder } from './fixture.ts';

// A whole project on disk, damaged in one of its files: the load ends in a project, or in errors that name a file.

const files = {
  'azldev.toml': `includes = ["parts/*.toml"]
${distros}
[resources.rpm-repo-sets.s]
template = "azl-standard"
base-uri = "https://example.org/"
gpg-key = "k.asc"
[default-component-config]
overlay-files = ["o/*.overlay.toml"]
[component-groups.g]
components = ["bash"]
specs = ["specs/**/*.spec"]
[test-suites.t]
type = "pytest"
pytest = { working-dir = "t", test-paths = ["a"] }
`,
  'parts/bash.toml': `[components.bash]
build = { with = ["a"], defines = { x = "1" }, check = { skip = true, skip_reason = "r" } }
packages.bash-doc.publish = { rpm-channel = "none" }
[[components.bash.overlays]]
type = "spec-search-replace"
regex = "a(b)"
replacement = '''
c'''
metadata = { category = "azl-pruning", upstream-status = "unknown" }
[[components.bash.source-files]]
filename = "a.tar"
origin = { type = "download", uri = "https://example.org/a" }
`,
  'parts/o/x.overlay.toml': `[metadata]
category = "upstream-backport"
upstream-status = "upstreamed"
commits = [{ url = "https://example.org/1" }]
[[overlays]]
type = "patch-add"
source = "x.patch"
`,
  'specs/own/own.spec': '',
};
type Name = Exclude<keyof typeof files, 'specs/own/own.spec'>;
const names = ['azldev.toml', 'parts/bash.toml', 'parts/o/x.overlay.toml'] as const satisfies readonly Name[];

async function outcome(dir: string, permissive: boolean): Promise<string[]> {
  try {
    const configuration = await loadConfiguration(dir, { env: {}, permissive });
    const tables = resolvedTables(configuration);
    const text = printTables(tables, { origins: true, root: configuration.project.root });
    expect(parse(text)).toEqual(plain(tables));
    return ['loads'];
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    for (const each of [error, ...error.others]) {
      expect(each.exit).toBe(2);
      if (each.code !== 'more-errors') expect(each.where?.file?.startsWith(dir)).toBe(true);
    }
    expect(formatError(error)).toMatch(/^error: /);
    return [error, ...error.others].map(({ code }) => code);
  }
}

/** Writes one file of the project anew, and says how the load ends. */
async function damaged(dir: string, name: Name, content: string | Uint8Array, permissive = false): Promise<string[]> {
  writeFileSync(join(dir, name), content);
  try {
    return await outcome(dir, permissive);
  } finally {
    writeFileSync(join(dir, name), files[name]);
  }
}

/** Every table of a tree with one of its keys, arrays as tables of their indexes. */
function* places(value: unknown): Generator<readonly [table: Record<string, unknown>, key: string]> {
  if (typeof value !== 'object' || value === null || value instanceof Date) return;
  for (const [key, inner] of Object.entries(value)) {
    yield [value as Record<string, unknown>, key];
    yield* places(inner);
  }
}

function exchange(
  root: Record<string, unknown>,
  { at, value, how }: { readonly at: number; readonly value: unknown; readonly how: string },
): void {
  const all = [...places(root)];
  const [table, key] = all[at % Math.max(1, all.length)] ?? [root, 'x'];
  if (how === 'set' || Array.isArray(table)) table[key] = structuredClone(value);
  else if (how === 'copy') table[`${key}2`] = structuredClone(table[key]);
  else {
    if (how === 'rename') table[String(value)] = table[key];
    delete table[key];
  }
}

const junk = fc.oneof(
  fc.constantFrom(
    '"',
    "'",
    '"""',
    "'''",
    '[',
    ']',
    '[[',
    ']]',
    '{',
    '}',
    '=',
    '.',
    ',',
    '\n',
    '\r',
    '\r\n',
    '#',
    '\t',
    '\0',
  ),
  fc.constantFrom('\uFEFF', '\\', '\\u0000', '\\uD800', '\u2028', '\x7F', '-', '+', '_', '1', '0x', '1e999'),
  fc.constantFrom('true', 'inf', '-nan', '99999999999999999999', '-9223372036854775809', '2026-01-01', '07:32:00'),
  fc.constantFrom(
    '2026-02-30T25:61:61Z',
    '__proto__',
    'constructor',
    'toString',
    '..',
    '/',
    '*',
    '**',
    '(?=',
    '\\p{L}',
  ),
  fc.constantFrom(...names.flatMap((name) => files[name].split('\n'))),
  fc.string({ maxLength: 6, unit: 'binary' }),
);
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.nat({ max: 12 }),
  insert: fc.array(junk, { maxLength: 1 }),
});

describe('a damaged project', () => {
  it('loads, or fails with a file name', async () => {
    const dir = folder(files);
    expect(await outcome(dir, false)).toEqual(['loads']);
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (name, edits, permissive) => {
          const text = edits.reduce((before, { at, length, insert }) => {
            const from = Math.floor(at * before.length);
            return before.slice(0, from) + insert.join('') + before.slice(from + length);
          }, files[name] as string);
          for (const code of await damaged(dir, name, text, permissive)) {
            outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
          }
        },
      ),
      { numRuns: 300 },
    );
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining(['loads', 'toml-syntax', 'unknown-key']));
  }, 600_000);

  it('loads or fails with a file name if values are swapped', async () => {
    const dir = folder(files);
    const values: unknown[] = [
      ...['', ' ', 'a', '/a', '../a', 'a/b', '*', '[', '(', 'x.tar.gz', 'bash', 'fedora', '43', 'spec-remove-tag'],
      ...['local', 'upstream', 'custom', 'overlay', 'lisa', 'kiwi', 'https://example.org/', 'a'.repeat(40)],
      ...['2026-01-02', true, false, 0, -1, 1.5, [], {}, [''], ['a', 'a'], [{}], { a: 1 }, { type: 'local' }],
      { name: 'x', set: 's' },
    ];
    const change = fc.record({
      at: fc.nat(),
      value: fc.constantFrom(...values),
      how: fc.constantFrom('set', 'drop', 'rename', 'copy'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (name, changes, permissive) => {
          const root = parse(files[name]) as Record<string, unknown>;
          for (const one of changes) exchange(root, one);
          await damaged(dir, name, stringify(root), permissive);
        },
      ),
      { numRuns: 400 },
    );
    // Each value once in each place: by chance alone, not all that can be wrong would be there at each run.
    const outcomes = new Set<string>();
    for (const name of names) {
      for (let at = 0; at < [...places(parse(files[name]))].length; at++) {
        for (const value of values) {
          const root = parse(files[name]) as Record<string, unknown>;
          exchange(root, { at, value, how: 'set' });
          for (const code of await damaged(dir, name, stringify(root))) outcomes.add(code);
        }
      }
    }
    expect([...outcomes].sort()).toEqual([
      'circular-include',
      'include-not-found',
      'invalid-glob',
      'invalid-repository',
      'invalid-spec-source',
      'invalid-test-suite',
      'invalid-value',
      'loads',
      'missing-key',
      'overlay-field',
      'overlay-files-not-found',
      'overlay-metadata',
      'overlay-regex',
      'reason-missing',
      'source-file',
      'unknown-component',
      'unknown-distro',
      'unknown-key',
      'unknown-repository',
      'unknown-version',
      'wrong-type',
    ]);
  }, 600_000);

  it('loads or fails with a file name if bytes are not text', async () => {
    const dir = folder(files);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.uint8Array({ maxLength: 200 }), async (name, bytes) => {
        await damaged(dir, name, bytes);
      }),
      { numRuns: 100 },
    );
    const half = Buffer.concat([
      Buffer.from('[components.a]\nbuild.with = ["'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"]\n'),
    ]);
    expect(await damaged(dir, 'parts/bash.toml', half)).toEqual(['toml-syntax']);
  }, 600_000);

  it.each<[string, string]>([
    ['arrays', `includes = ${'['.repeat(100_000)}`],
    ['arrays that end', `includes = ${'['.repeat(50_000)}${']'.repeat(50_000)}`],
    ['inline tables', `components = ${'{a='.repeat(50_000)}1${'}'.repeat(50_000)}`],
    ['keys', `${'a.'.repeat(100_000)}a = 1`],
    ['keys of a component', `components.${'a.'.repeat(20_000)}a = 1`],
    ['headers', `[${'a.'.repeat(100_000)}a]`],
    ['tables of tables', Array.from({ length: 500 }, (_, depth) => `[[${'a.'.repeat(depth)}a]]`).join('\n')],
    ['a long line', `x = "${'a'.repeat(2_000_000)}`],
    ['many errors', Array.from({ length: 3000 }, (_, index) => `k${index} = ${index}`).join('\n')],
    ['a glob of stars', `includes = ["${'**/'.repeat(60)}x.toml"]`],
    ['a glob of stars and folders', `includes = ["${'**/*/'.repeat(30)}x.toml"]`],
    ['a glob of choices', `includes = ["${'{a,b}'.repeat(30)}*.toml"]`],
    ['a glob of groups', `includes = ["${'+(a|b*)'.repeat(12)}c*.toml"]`],
    [
      'a regex that is large',
      `[[components.a.overlays]]\ntype = "spec-search-replace"\nregex = "${'(a{1,500}){1,500}'.repeat(4)}"`,
    ],
    [
      'a regex with many groups',
      `[[components.a.overlays]]\ntype = "spec-search-replace"\nregex = "${'(a*)*'.repeat(2000)}"`,
    ],
  ])(
    'by %s without end does too',
    async (_what, text) => {
      const deep = { [`parts/${'d/'.repeat(25)}f.toml`]: '' };
      const end = await damaged(folder({ ...files, ...deep }), 'parts/bash.toml', `${text}\n`);
      expect(end.length).toBeGreaterThan(0);
    },
    30_000,
  );

  it('reports a missing file and a folder in its place', async () => {
    const dir = folder({ ...files, 'azldev.toml': 'includes = ["a.toml"]\n', 'a.toml/x': '' });
    expect(await outcome(dir, false)).toEqual(['include-not-found']);
    const linked = folder(files);
    rmSync(join(linked, 'parts/bash.toml'));
    expect(await outcome(linked, false)).toEqual(['unknown-component']);
  });
});
