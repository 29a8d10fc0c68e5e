import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../../../src/base/errors.ts';
import { applyOverlays } from '../../../src/overlay/apply.ts';
import { readEntry, readTree } from '../../../src/overlay/files.ts';
import { loadProject } from '../../../src/project/load.ts';
import { overlayTypes } from '../../../src/project/model/overlay.ts';
import { parseSpec, specBytes } from '../../../src/spec/parse.ts';
import { tags } from '../../../src/spec/query.ts';
import { type Random, randomOf } from '../../fuzz/random.ts';
import { type Azldev, type Refusal, refusal, writeProject } from './run.ts';

/** A random component: its files and its overlays, in the keys of the format. */
export interface OverlayCase {
  readonly spec: string | Uint8Array;
  /** Further files beside the spec. */
  readonly files: Readonly<Record<string, string>>;
  readonly overlays: readonly Readonly<Record<string, string | readonly string[]>>[];
}

/** What a tool made of a component: the files, or why it refuses. */
export type Outcome =
  | { readonly kind: 'files'; readonly spec: string; readonly files: Readonly<Record<string, string>> }
  | Refusal;

const plainFiles: Readonly<Record<string, string>> = {
  'p0.patch': '--- a/x\n+++ b/x\n',
  'p1.patch': 'one\n',
  'p2.patch': 'two\n',
  'conf/a.conf': 'one\ntwo\n',
  'conf/b.conf': 'two\nthree\n',
  'notes.txt': 'one\n',
  'x\\x2dy.mount': 'unit\n',
};

/** Makes a random component from a spec. */
export function makeCase(random: Random, spec: string | Uint8Array): OverlayCase {
  const { below, pick } = random;
  const parsed = parseSpec(spec);
  const named = parsed.sections.filter((one) => one.header >= 0 && one.maker === undefined);
  const packages = [...new Set(named.map((one) => one.package))].filter((name) => name !== '');
  const words = parsed.lines.flatMap(({ text }) => text.match(/[A-Za-z]{3,}/g) ?? []).slice(0, 400);
  const known = tags(parsed);
  const some = <T>(values: readonly T[], other: T): T => (values.length > 0 && below(100) < 85 ? pick(values) : other);
  const sometimes = (percent: number, fields: Record<string, string>): Record<string, string> =>
    below(100) < percent ? fields : {};
  const inPackage = (percent: number): Record<string, string> =>
    sometimes(percent, { package: some(packages, pick(['none', 'devel'])) });
  const word = (): string => some(words, 'zzz');
  const section = (): Record<string, string> => {
    const one = some(named, undefined);
    if (one === undefined) return { section: pick(['%build', '%check', '%pre', '%Files', 'build', '%package']) };
    return { section: one.name, ...(one.package === '' || below(8) === 0 ? {} : { package: one.package }) };
  };
  const lines = (): string[] =>
    pick([['added'], ['one', 'two'], [''], ['a\n'], ['%if 1', 'x', '%endif'], ['# note'], ['Tag: value'], ['a', '']]);
  const regex = (): string =>
    pick([
      word(),
      `^${word()}`,
      `${word()}$`,
      `(?i)${word()}`,
      `${word().slice(0, 2)}.*`,
      `[${word()}]+`,
      `(${word()})|(x)`,
      '^',
      '\\s+$',
      'a{2}',
      '\\bmake\\b',
      '(?P<n>[0-9]+)\\.',
      '(?=x)',
      '.',
    ]);
  const glob = (): string =>
    pick([
      '*',
      '*.patch',
      '**/*',
      'conf/*',
      'conf/**',
      'p[01].patch',
      'p{0,2}.patch',
      '*.spec',
      'notes.txt',
      'p0.patch',
      'none',
      'x\\x2dy.mount',
      '../x',
      'conf/../notes.txt',
      './notes.txt',
      '**',
    ]);
  const make = (): Record<string, string | string[]> => {
    const type = pick(overlayTypes);
    const tag = some(known, undefined);
    const name = tag?.name ?? pick(['Requires', 'BuildRequires', 'Source7', 'Patch99', 'Nothing', 'Epoch', 'Source']);
    const spelled = pick([name, name, name, name.toLowerCase(), name.toUpperCase()]);
    const value = pick(['x', 'x y', 'a: b', '%{name}', tag?.value || 'v', (tag?.value || 'v').toUpperCase()]);
    const scope = tag !== undefined && tag.package !== '' ? { package: tag.package } : inPackage(10);
    switch (type) {
      case 'spec-add-tag':
      case 'spec-insert-tag':
      case 'spec-set-tag':
      case 'spec-update-tag':
        return { type, tag: spelled, value, ...scope };
      case 'spec-remove-tag':
        return { type, tag: spelled, ...sometimes(50, { value }), ...scope };
      case 'spec-prepend-lines':
      case 'spec-append-lines':
        return { type, lines: lines(), ...(below(8) === 0 ? {} : section()) };
      case 'spec-search-replace':
        return {
          type,
          regex: regex(),
          replacement: pick(['', 'y', '$1', '$' + '{n}', 'a\nb', '%%', '\\1']),
          ...(below(2) === 0 ? {} : section()),
        };
      case 'spec-remove-section':
        return { type, ...section() };
      case 'spec-remove-subpackage':
        return { type, package: some(packages, 'none') };
      case 'patch-add':
        return {
          type,
          source: pick(['extra.patch', 'p0.patch', 'none.patch']),
          ...sometimes(40, { file: pick(['new.patch', 'p0.patch', 'sub/new.patch']) }),
        };
      case 'patch-remove':
        return { type, file: pick(['p0.patch', 'p1.patch', '*.patch', 'p[12].patch', 'none.patch', '*']) };
      case 'file-prepend-lines':
        return { type, file: glob(), lines: lines() };
      case 'file-search-replace':
        return {
          type,
          file: glob(),
          regex: pick(['one', '^t', '(?m)^t', 'o$', 'three|two', '\n', '(?s)o.*o', 'none']),
          replacement: pick(['', 'X', '$0', 'a\nb']),
        };
      case 'file-add':
        return {
          type,
          file: pick(['new.txt', 'notes.txt', 'sub/new.txt', 'conf/c.conf', '../x', 'new.spec', 'a b']),
          source: pick(['extra.patch', 'none']),
        };
      case 'file-remove':
        return { type, file: glob() };
      case 'file-rename':
        return { type, file: glob(), replacement: pick(['renamed', 'p1.patch', 'a/b', 'x.spec']) };
    }
  };
  const overlays = Array.from({ length: 1 + (below(4) === 0 ? below(3) : 0) }, make);
  return { spec, files: plainFiles, overlays };
}

const quoted = (value: string | readonly string[]): string => JSON.stringify(value);

/** The project of a case. */
export function projectOf({ spec, files, overlays }: OverlayCase): Record<string, string | Uint8Array> {
  const tables = overlays.map((overlay) => {
    const fields = Object.entries(overlay).map(([key, value]) => `${key} = ${quoted(value)}\n`);
    return `[[components.demo.overlays]]\ndescription = "random"\n${fields.join('')}`;
  });
  const named = Object.entries(files).map(([name, content]) => [`src/${name}`, content] as const);
  return {
    'azldev.toml': `[project]
default-distro = { name = "d", version = "1" }
[distros.d]
default-version = "1"
[distros.d.versions.1]
release-ver = "1"
[components.demo]
spec = { type = "local", path = "src/demo.spec" }
${tables.join('').replaceAll('source = "', 'source = "extra/')}`,
    'src/demo.spec': spec,
    ...Object.fromEntries(named),
    'extra/extra.patch': 'extra\n',
    'extra/p0.patch': 'other\n',
  };
}

/** What azldev makes of a case that was written to `dir`. */
export async function azldevOutcome(azldev: Azldev, dir: string): Promise<Outcome> {
  const out = join(dir, 'prepared');
  const result = await azldev.run(dir, [
    ...['component', 'prepare-sources', '-p', 'demo', '-o', out],
    ...['--force', '--without-git', '--skip-lock-validation'],
  ]);
  if (result.code !== 0) return refusal(result, dir);
  const files: Record<string, string> = {};
  let spec = '';
  for (const [name, entry] of await readTree(out)) {
    if (entry.kind !== 'disk') continue;
    const text = (await readFile(entry.path)).toString('latin1');
    if (name === 'demo.spec') spec = text;
    else files[name] = text;
  }
  return { kind: 'files', spec: withoutHeader(spec), files };
}

/** What Weir makes of it. */
export async function weirOutcome(dir: string): Promise<Outcome> {
  try {
    const project = await loadProject(dir, { env: {} });
    const component = project.components.get('demo')!;
    const specPath = join(dir, 'src/demo.spec');
    const { spec, files } = await applyOverlays({ component, filesDir: join(dir, 'src'), specPath });
    const found: Record<string, string> = {};
    for (const [name, entry] of files) {
      if (entry.kind !== 'link') found[name] = Buffer.from(await readEntry(entry)).toString('latin1');
    }
    return { kind: 'files', spec: Buffer.from(specBytes(spec)).toString('latin1'), files: found };
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return { kind: 'refused', code: error.code, message: error.message };
  }
}

/** azldev's notice on top of a spec, which Weir words differently. */
function withoutHeader(spec: string): string {
  return spec.replace(/^# This spec file has been modified by azldev[^\n]*\n#[^\n]*\n\n/, '');
}

/** One case with both outcomes. */
export interface Compared {
  readonly number: number;
  readonly made: OverlayCase;
  readonly azldev: Outcome;
  readonly weir: Outcome;
}

/** Runs both tools on the case of a number. @param specOf the spec to start from */
export async function compareCase(
  azldev: Azldev,
  dir: string,
  number: number,
  seed: number,
  specOf: (random: Random) => Promise<string | Uint8Array>,
): Promise<Compared> {
  const random = randomOf(seed * 1_000_003 + number);
  const made = makeCase(random, await specOf(random));
  await writeProject(dir, projectOf(made));
  return { number, made, weir: await weirOutcome(dir), azldev: await azldevOutcome(azldev, dir) };
}
