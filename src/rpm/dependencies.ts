import { comparisonBits, scriptletTags, usesBits } from './tags.ts';
import type { Dependencies, Dependency, DependencyUse, RpmSpec } from './types.ts';
import { formatEvr } from './version.ts';

const kinds = [
  'provides',
  'requires',
  'conflicts',
  'obsoletes',
  'recommends',
  'suggests',
  'supplements',
  'enhances',
] as const satisfies readonly (keyof Dependencies)[];

/** Instruction sets as in `Provides: name(x86-64)`; source: `%_isa` of rpm's platforms. */
const instructionSets: Readonly<Record<string, string>> = {
  x86_64: 'x86-64',
  aarch64: 'aarch-64',
  i686: 'x86-32',
  armv7hl: 'armv7hl-32',
  ppc64le: 'ppc-64',
  s390x: 's390-64',
  riscv64: 'riscv-64',
};

/** `name(x86-64)` and the like; undefined for architectures without one (`noarch`). */
export function isaName(name: string, arch: string): string | undefined {
  const isa = instructionSets[arch];
  return isa === undefined ? undefined : `${name}(${isa})`;
}

/** `name >= 1-0`, as within a rich dependency. */
export function written(dependency: Dependency): string {
  return dependency.flags === '' ? dependency.name : `${dependency.name} ${dependency.flags} ${dependency.evr}`;
}

/** The flag bits of a dependency in a header. */
export function dependencyBits(dependency: Dependency): number {
  const uses: readonly DependencyUse[] = dependency.uses ?? (dependency.pre === true ? ['pre'] : []);
  return comparisonBits(dependency.flags) | usesBits(uses);
}

/**
 * A package's dependencies including those that rpmbuild adds; each list is sorted by name, version and flags, without
 * duplicates. Dependencies found by inspecting files (sonames, interpreters) are up to the caller.
 */
export function packageDependencies(spec: RpmSpec): Dependencies {
  const evr = formatEvr({ epoch: spec.epoch ?? 0, version: spec.version, release: spec.release });
  const provides: Dependency[] = [...(spec.provides ?? []), { name: spec.name, flags: '=', evr }];
  const requires: Dependency[] = [...(spec.requires ?? []), ...interpreters(spec)];
  const isa = isaName(spec.name, spec.arch);
  if (isa !== undefined) provides.push({ name: isa, flags: '=', evr });
  const files = spec.files ?? [];
  if (files.some((file) => file.flags?.config !== undefined && file.kind !== 'directory')) {
    const config: Dependency = { name: `config(${spec.name})`, flags: '=', evr, uses: ['config'] };
    provides.push(config);
    requires.push(config);
  }
  if (spec.ownerRequires === true) {
    for (const file of files) {
      const uses: DependencyUse[] = ['pre', 'postun'];
      if ((file.user ?? 'root') !== 'root') requires.push({ name: `user(${file.user})`, flags: '', uses });
      if ((file.group ?? 'root') !== 'root') requires.push({ name: `group(${file.group})`, flags: '', uses });
    }
  }
  const lists = { ...spec, provides, requires };
  requires.push(
    ...features(
      spec,
      kinds.map((kind) => lists[kind] ?? []),
    ),
  );
  return Object.fromEntries(kinds.map((kind) => [kind, tidy(lists[kind] ?? [])])) as unknown as Dependencies;
}

function interpreters(spec: RpmSpec): Dependency[] {
  const found: Dependency[] = [];
  const add = (program: string, uses: readonly DependencyUse[]): void => {
    if (!program.startsWith('<')) found.push({ name: program, flags: '', uses });
  };
  for (const { kind, interpreter } of spec.scriptlets ?? []) add(interpreter[0]!, ['interp', scriptletTags[kind].use]);
  for (const { interpreter } of spec.fileTriggers ?? []) add(interpreter[0]!, ['interp']);
  return found;
}

/** The `rpmlib(…)` features needed to install the package, with the rpm versions that introduced them. */
function features(spec: RpmSpec, lists: readonly (readonly Dependency[])[]): Dependency[] {
  const all = lists.flat();
  const scripts = [...(spec.scriptlets ?? []), ...(spec.fileTriggers ?? [])];
  const files = spec.files ?? [];
  const mentions = (mark: string): boolean =>
    all.some((dependency) => (dependency.evr ?? (isRich(dependency) ? dependency.name : '')).includes(mark));
  const wanted: (readonly [boolean, string, string])[] = [
    [scripts.some((script) => script.interpreter[0] === '<lua>'), 'BuiltinLuaScripts', '4.2.2-1'],
    [mentions('^'), 'CaretInVersions', '4.15.0-1'],
    [files.some((file) => file.capabilities !== undefined), 'FileCaps', '4.6.1-1'],
    [files.length > 0, 'LargeFiles', '4.12.0-1'],
    [true, 'PayloadIsZstd', '5.4.18-1'],
    [all.some(isRich), 'RichDependencies', '4.12.0-1'],
    [scripts.some((script) => script.interpreter.length > 1), 'ScriptletInterpreterArgs', '4.0.3-1'],
    [mentions('~'), 'TildeInVersions', '4.10.0-1'],
  ];
  return wanted
    .filter(([needed]) => needed)
    .map(([, feature, evr]) => ({ name: `rpmlib(${feature})`, flags: '<=', evr, uses: ['rpmlib'] }));
}

function isRich(dependency: Dependency): boolean {
  return dependency.name.startsWith('(');
}

function tidy(list: readonly Dependency[]): Dependency[] {
  const unique = new Map(list.map((item) => [`${item.name}\0${item.evr ?? ''}\0${dependencyBits(item)}`, item]));
  return [...unique.values()].sort(
    (a, b) =>
      compareBytes(a.name, b.name) || compareBytes(a.evr ?? '', b.evr ?? '') || dependencyBits(a) - dependencyBits(b),
  );
}

/** Compares texts by their UTF-8 bytes, as rpm's `strcmp` does. */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
