import { relative } from 'node:path';
import { WeirError } from '../../../src/base/errors.ts';
import { loadProject } from '../../../src/project/load.ts';
import type { ResolvedComponent } from '../../../src/project/model/component.ts';
import type { Overlay } from '../../../src/project/model/overlay.ts';
import type { Project } from '../../../src/project/model/project.ts';
import { isTable } from '../../../src/toml/document.ts';
import { type Random, randomOf } from '../../fuzz/random.ts';
import { type Azldev, type Refusal, refusal, writeProject } from './run.ts';

/** A random project: its files by name. */
export type ProjectFiles = Readonly<Record<string, string>>;

/** What a tool made of a project: its components and images as plain values, or why it refuses. */
export type ProjectOutcome =
  | {
      readonly kind: 'loaded';
      readonly components: Plain;
      readonly images: Plain;
      /** Components whose spec several groups find, as far as the tool tells. */
      readonly shared: readonly string[];
    }
  | Refusal;

type Plain = Readonly<Record<string, unknown>>;

/** Makes a small project of several files. @param isNew whether azldev reads what came with 0.4 */
export function makeProject(random: Random, isNew: boolean): ProjectFiles {
  const { below, pick } = random;
  const chance = (percent: number): boolean => below(100) < percent;
  // Most projects have nothing that must be refused: only those show how values merge.
  const isDirty = chance(25);
  const choose = <T>(good: readonly T[], bad: readonly T[]): T => pick(isDirty && chance(25) ? bad : good);
  const names = ['a', 'b', 'c', 'd'];
  const commit = '0123456789abcdef0123456789abcdef01234567';
  const metadata = { category: 'azl-pruning', 'upstream-status': 'unknown' };
  const files: Record<string, string> = {};
  const text = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(text).join(', ')}]`;
    if (isTable(value)) {
      const entries = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)} = ${text(inner)}`);
      return `{ ${entries.join(', ')} }`;
    }
    return JSON.stringify(value);
  };
  const some = (choices: readonly string[]): string[] => choices.filter(() => chance(50));
  const settings = (own: boolean): string => {
    const lines: string[] = [];
    const maybe = (percent: number, key: string, value: () => unknown): void => {
      if (chance(percent)) lines.push(`${key} = ${text(value())}`);
    };
    maybe(own ? 50 : 30, 'spec', () =>
      choose<unknown>(
        [
          { type: 'local', path: 'own.spec' },
          { type: 'upstream', 'upstream-distro': { name: 'f' } },
          { type: 'upstream', 'upstream-distro': { name: 'f', version: pick(['43', '44']) } },
          { type: 'upstream', 'upstream-name': 'other' },
          { type: 'upstream', 'upstream-commit': pick(['0123456', commit]) },
          { type: '' },
        ],
        [
          { type: 'upstream', 'upstream-distro': { name: 'f', version: '45' } },
          { type: 'upstream', 'upstream-distro': { name: 'g' } },
          { type: 'upstream', 'upstream-commit': 'xyz' },
          { 'upstream-commit': 'abcdef0' },
          { path: 'own.spec' },
          { type: 'local' },
          { type: 'upstream', 'upstream-distro': { name: 'f', snapshot: '2026-01-01T00:00:00Z' } },
        ],
      ),
    );
    maybe(20, 'release', () => ({
      calculation: choose(['auto', 'manual', 'static', 'autorelease', ''], ['odd', 'Auto']),
    }));
    maybe(15, 'render', () => ({ 'skip-file-filter': chance(50) }));
    maybe(20, 'publish', () => ({
      [pick(['rpm-channel', 'srpm-channel', 'debuginfo-channel'])]: choose(['base', 'sdk', 'none', ''], ['a/b', '..']),
    }));
    maybe(15, 'packages', () => ({ [pick(['p', 'q'])]: { publish: { 'rpm-channel': pick(['base', 'sdk']) } } }));
    maybe(30, 'overlays', () => [
      choose<unknown>(
        [
          { type: 'spec-set-tag', tag: 'A', value: pick(['1', '2']), description: 'd' },
          { type: 'patch-add', source: 'p.patch' },
          { type: 'spec-append-lines', lines: ['x'], section: '%build' },
          { type: 'spec-search-replace', regex: pick(['a', '(?P<n>a)', '(?i)x{2,3}']), replacement: 'b' },
          { type: 'file-add', file: 'f', source: '../f', metadata },
        ],
        [
          { type: 'spec-search-replace', regex: pick(['(', '\\1', 'a{1001}', '(?=a)']), replacement: 'b' },
          { type: 'spec-remove-tag' },
          { type: 'file-remove', file: '*.x', tag: 'Unused' },
          { type: 'odd', file: 'x' },
          { type: 'spec-set-tag', tag: 'A', value: 1 },
          { type: 'spec-remove-tag', tag: 'A', metadata: { ...metadata, category: 'odd' } },
        ],
      ),
    ]);
    const origin = { type: 'download', uri: 'https://example.org/f' };
    maybe(15, 'source-files', () => [
      choose<unknown>(
        [
          { filename: pick(['f', 'g']), origin },
          { filename: pick(['h', 'i']), hash: 'ab'.repeat(32), 'hash-type': 'SHA256', origin },
        ],
        [
          { filename: 'f', origin: { type: 'download' } },
          { filename: 'f', hash: 'ab', 'hash-type': 'SHA256', origin },
          { filename: 'a/f', origin },
        ],
      ),
    ]);
    maybe(15, 'overlay-files', () =>
      choose([['of/*.toml'], [], ['of/one.toml'], ['none/*.toml']], [['none.toml'], ['[']]),
    );
    const build: Record<string, unknown> = {};
    if (chance(30)) build.with = some(['x', 'y']);
    if (chance(30)) build.without = some(['x', 'z']);
    if (chance(20)) build.undefines = some(['m']);
    if (chance(30)) {
      build.defines = Object.fromEntries(some(['m', 'n', 'o']).map((name) => [name, pick(['1', '2', ''])]));
    }
    if (chance(20)) {
      build.check = choose<unknown>(
        [{ skip: true, skip_reason: 'r' }, { skip: false }, { skip_reason: 's' }],
        [{ skip: true }, { skip: true, skip_reason: ' ' }],
      );
    }
    if (chance(10)) {
      build.failure = choose<unknown>([{ expected: true, 'expected-reason': 'r' }], [{ expected: true }]);
    }
    if (chance(15)) build.hints = { expensive: chance(50) };
    if (chance(15)) build['emit-upstream-provenance'] = chance(70);
    if (Object.keys(build).length > 0) lines.push(`build = ${text(build)}`);
    if (isDirty && chance(3)) lines.push('odd-key = 1');
    return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
  };
  // A name may be used once, unless the file is to be refused, or azldev merges components.
  const used = new Map<string, Set<string>>();
  const fresh = (table: string, all: readonly string[], percent: number): string[] => {
    const taken = used.get(table) ?? new Set<string>();
    used.set(table, taken);
    const merges = isNew && table === 'components';
    const found = all.filter((name) => chance(percent) && (merges || !taken.has(name) || choose([false], [true])));
    for (const name of found) taken.add(name);
    return found;
  };
  const part = (place: 'root' | 'middle' | 'last'): string => {
    const isLast = place === 'last';
    const tables: string[] = [];
    for (const name of fresh('components', names, 50)) tables.push(`[components.${name}]\n${settings(true)}`);
    if (chance(30)) tables.push(`[default-component-config]\n${settings(false)}`);
    // Every member must be defined, and the last file has all names.
    for (const name of fresh('component-groups', ['g1', 'g2', 'g3'], isLast ? 60 : 0)) {
      const members = choose(some([...(used.get('components') ?? [])]), ['none']);
      const specs = choose(
        ['s/*.spec', '**/*.spec', 's/[!x]*.spec', 's/{x,y}.spec', 's/none.spec', 's/x?.spec'],
        ['s/[', '{a'],
      );
      const lines = [
        ...(chance(60) ? [`components = ${text([members].flat())}`] : []),
        ...(chance(50) ? [`specs = ${text([specs])}`] : []),
        ...(chance(30) ? [`excluded-paths = ${text([pick(['s/y.spec', '**/x.spec', 's/**'])])}`] : []),
      ];
      const inner = settings(false);
      const defaults = inner === '' ? '' : `[component-groups.${name}.default-component-config]\n${inner}`;
      tables.push(`[component-groups.${name}]\n${lines.join('\n')}\n${defaults}`);
    }
    // The root file has this table already.
    if (place !== 'root' && chance(15)) {
      const key = 'distros.d.versions.1';
      tables.push(`[${key}]\nrelease-ver = "1"\n[${key}.default-component-config]\n${settings(false)}`);
    }
    if (chance(15)) tables.push('[default-package-config.publish]\nrpm-channel = "base"\n');
    for (const name of fresh('package-groups', ['k'], 20)) {
      tables.push(`[package-groups.${name}]\npackages = ${text(some(['p', 'q']))}\n`);
    }
    for (const name of fresh('images', ['i', 'j'], 20)) {
      const capabilities = some(['container', 'systemd', 'machine-bootable']).map((key) => [key, chance(70)]);
      const suites = chance(50) ? `[images.${name}.tests]\ntest-suites = [{ name = "${choose(['t'], ['u'])}" }]\n` : '';
      tables.push(`[images.${name}]\ncapabilities = ${text(Object.fromEntries(capabilities))}\n${isNew ? '' : suites}`);
    }
    if (isLast && !isNew) {
      tables.push(
        choose(
          [
            '[test-suites.t]\ntype = "pytest"\npytest = { working-dir = "w", test-paths = ["*.py"] }\n',
            `[test-suites.t]\ntype = "lisa"\nlisa = { test-cases = ["a"], framework = { git-url = "https://example.org/l", ref = "${commit}" } }\n`,
          ],
          [
            '[test-suites.t]\ntype = "pytest"\n',
            '[test-suites.t]\ntype = "pytest"\npytest = { install = "pyproject" }\n',
            '',
          ],
        ),
      );
    }
    return tables.join('');
  };
  const base = `[project]
default-distro = { name = "d", version = "1" }
[distros.d]
default-version = "1"
[distros.d.versions.1]
release-ver = "1"
[distros.f]
default-version = "43"
dist-git-base-uri = "https://example.org/$pkg"
[distros.f.versions.43]
[distros.f.versions.44]
`;
  const includes = choose(
    [
      ['x/*.toml', 'y/z/p.toml'],
      ['x/a.toml', 'x/n.toml', 'y/**/p.toml'],
      ['{x,y/z}/*.toml'],
      ['x/[a-m]*.toml', 'x/[!a-m]*.toml', 'y/z/?.toml'],
      ['{x,y}/**/{a,n,p}.toml', 'none/*.toml'],
    ],
    [['x/a.toml', 'x/none.toml'], ['x/a.toml', 'x/*.toml', 'y/z/p.toml'], ['**/*.toml'], ['x', 'y/z/p.toml'], ['x/[']],
  );
  files['azldev.toml'] = `includes = ${text(includes)}\n${base}${part('root')}`;
  const nested = chance(30);
  files['x/a.toml'] = `${nested ? 'includes = ["../w/*.toml"]\n' : ''}${part('middle')}`;
  if (nested) files['w/q.toml'] = part('middle');
  files['x/n.toml'] = part('middle');
  files['y/z/p.toml'] = part('last');
  const overlayFile = (word: string): string => {
    const category = choose(['azl-pruning', 'azl-branding-policy'], ['odd', 'upstream-backport']);
    const own = choose([''], ['metadata = { category = "azl-pruning", upstream-status = "unknown" }\n']);
    return `[metadata]\ncategory = "${category}"\nupstream-status = "unknown"\n[[overlays]]\ntype = "spec-set-tag"\ntag = "${word}"\nvalue = "1"\n${own}`;
  };
  for (const folder of ['', 'x/', 'y/z/', 'w/', 's/', 'y/z/s/']) {
    files[`${folder}of/one.toml`] = overlayFile('One');
    files[`${folder}of/two.toml`] = overlayFile('Two');
    if (folder !== 'y/z/s/') files[`${folder}own.spec`] = 'Name: own\n';
  }
  for (const spec of ['x', 'y', 'xy']) files[`${pick(['s', 's', 'y/z/s'])}/${spec}.spec`] = `Name: ${spec}\n`;
  return files;
}

/** What azldev makes of a project that was written to `dir`. */
export async function azldevProject(azldev: Azldev, dir: string): Promise<ProjectOutcome> {
  const listed = await azldev.run(dir, ['-O', 'json', 'component', 'list', '-a']);
  const dumped = await azldev.run(dir, ['config', 'dump', '-f', 'json']);
  const failed = [listed, dumped].find(({ code }) => code !== 0);
  if (failed !== undefined) return refusal(failed, dir);
  const components = JSON.parse(listed.stdout === '' ? '[]' : listed.stdout) as { readonly name: string }[];
  const { images = {} } = JSON.parse(dumped.stdout) as { readonly images?: Record<string, Record<string, unknown>> };
  const shown = components.map(({ name, ...rest }) => {
    const { renderedSpecDir: _, spec, ...more } = rest as Record<string, unknown> & { readonly spec?: ShownSpec };
    return [name, filled({ ...more, spec: usedSpec(spec ?? {}) }, dir)] as const;
  });
  const kept = Object.entries(images).map(
    ([name, { capabilities, tests }]) => [name, filled({ capabilities, tests }, dir)] as const,
  );
  return { kind: 'loaded', components: Object.fromEntries(shown), images: Object.fromEntries(kept), shared: [] };
}

interface ShownSpec {
  readonly type?: string;
  readonly path?: string;
  readonly upstreamName?: string;
  readonly upstreamCommit?: string;
  readonly upstreamDistro?: { readonly name?: string; readonly version?: string; readonly snapshot?: string };
}

/** A spec as it is used: azldev shows what the files say, with values that have no effect and without defaults. */
function usedSpec({ type, path, upstreamDistro = {}, ...upstream }: ShownSpec): unknown {
  if (type === 'local') return { type, path };
  if (type !== 'upstream') return {};
  const { name = 'd', snapshot } = upstreamDistro;
  const version = upstreamDistro.version ?? (name === 'd' ? '1' : '43');
  return { type, ...upstream, upstreamDistro: { name, version, snapshot } };
}

/** What Weir makes of it. */
export async function weirProject(dir: string, isNew: boolean): Promise<ProjectOutcome> {
  try {
    const project = await loadProject(dir, { env: {}, ...(isNew ? {} : { dialect: 'azldev 0.3' as const }) });
    const components = [...project.components].map(([name, one]) => [name, filled(componentOf(one), dir)] as const);
    const shared = [...project.components.values()].filter(({ groups }) => groups.length > 1).map(({ name }) => name);
    return { kind: 'loaded', components: Object.fromEntries(components), images: imagesOf(project, dir), shared };
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    const all = [error, ...error.others].map(({ message }) => message).join('; ');
    return { kind: 'refused', code: error.code, message: all };
  }
}

function componentOf({
  spec,
  overlays,
  build,
  release,
  render,
  sourceFiles,
  packages,
  publish,
  name,
}: ResolvedComponent): unknown {
  const upstream = spec?.type === 'upstream' ? spec : undefined;
  const { expensive, ...rest } = build;
  return {
    spec: upstream
      ? {
          type: 'upstream',
          upstreamName: upstream.name === name ? '' : upstream.name,
          upstreamCommit: upstream.commit,
          upstreamDistro: { ...upstream.distro, snapshot: upstream.distro.snapshot },
        }
      : spec,
    overlays: overlays.map(overlayOf),
    build: { ...rest, hints: { expensive } },
    release,
    render,
    sourceFiles,
    packages: Object.fromEntries(Object.entries(packages).map(([key, value]) => [key, { publish: value }])),
    publish,
  };
}

function overlayOf({ origin: _, metadata, ...fields }: Overlay): unknown {
  const links = (urls: readonly string[] = []): unknown[] => urls.map((url) => ({ url }));
  const file = fields.type === 'patch-add' && fields.source.endsWith(`/${fields.file}`) ? { file: '' } : {};
  return {
    ...fields,
    ...file,
    metadata: metadata && { ...metadata, commits: links(metadata.commits), bugs: links(metadata.bugs) },
  };
}

function imagesOf({ images }: Project, dir: string): Plain {
  const all = [...images].map(([name, { capabilities, testSuites }]) => {
    return [
      name,
      filled({ capabilities, tests: { testSuites: testSuites.map((each) => ({ name: each })) } }, dir),
    ] as const;
  });
  return Object.fromEntries(all);
}

/** A value without empty parts, with sorted keys and paths relative to the project. */
function filled(value: unknown, dir: string): unknown {
  if (typeof value === 'string') return value.startsWith(`${dir}/`) ? relative(dir, value) : value;
  if (Array.isArray(value)) return value.map((item) => filled(item, dir));
  if (!isTable(value)) return value;
  const entries = Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    // A macro may be empty.
    if (key === 'defines' && isTable(inner)) return Object.keys(inner).length === 0 ? [] : [[key, sorted(inner)]];
    const one = filled(inner, dir);
    const empty = one === undefined || one === '' || one === false || one === null;
    const none = (Array.isArray(one) && one.length === 0) || (isTable(one) && Object.keys(one).length === 0);
    return empty || none ? [] : [[key, one]];
  });
  return sorted(Object.fromEntries(entries));
}

function sorted(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Both outcomes of the project of a number. */
export interface ComparedProject {
  readonly number: number;
  readonly files: ProjectFiles;
  readonly azldev: ProjectOutcome;
  readonly weir: ProjectOutcome;
}

export async function compareProject(
  azldev: Azldev,
  dir: string,
  number: number,
  seed: number,
): Promise<ComparedProject> {
  const files = makeProject(randomOf(seed * 1_000_003 + number), azldev.isNew);
  await writeProject(dir, files);
  return { number, files, weir: await weirProject(dir, azldev.isNew), azldev: await azldevProject(azldev, dir) };
}

/** Known differences in how projects load. */
export const projectKinds: Readonly<Record<string, (compared: ComparedProject) => boolean>> = {
  'blank-reason': ({ files, azldev, weir }) =>
    azldev.kind === 'loaded' &&
    weir.kind === 'refused' &&
    weir.code === 'reason-missing' &&
    Object.values(files).some((text) => text.includes('"skip_reason" = " "')),
  'spec-of-two-groups': ({ azldev, weir }) => {
    if (weir.kind !== 'loaded') return false;
    if (azldev.kind === 'refused') return weir.shared.some((name) => azldev.message.includes(`component \`${name}\` `));
    return (
      differing(azldev.images, weir.images).length === 0 &&
      differing(azldev.components, weir.components).every((name) => weir.shared.includes(name))
    );
  },
};

/** The kind of a comparison; undefined for a difference that is not known. */
export function projectKindOf(compared: ComparedProject): string | undefined {
  const { azldev, weir } = compared;
  if (azldev.kind === 'refused' && weir.kind === 'refused') return 'both refuse';
  if (azldev.kind === 'loaded' && weir.kind === 'loaded') {
    if (
      differing(azldev.images, weir.images).length === 0 &&
      differing(azldev.components, weir.components).length === 0
    )
      return 'same';
  }
  return Object.keys(projectKinds).find((kind) => projectKinds[kind]!(compared));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function differing(a: Plain, b: Plain): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => !same(a[name], b[name]));
}
