import { basename, dirname } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { compareText } from '../base/order.ts';
import { type DiskInputs, noteGlob } from '../toml/disk-inputs.ts';
import { originOf, problem } from '../toml/document.ts';
import type { Origin, TomlPath } from '../toml/place.ts';
import type { Problems } from '../toml/problems.ts';
import { type Collected, type ComponentEntry, isSpecified } from './collect.ts';
import { discover } from './discover.ts';
import { defaultVersion, referenceOf, type SaidAt, versionOf } from './distro.ts';
import { expandGlob, mayMatchNothing } from './glob.ts';
import { tablesOf, whoSaid } from './inherit.ts';
import { emptyLayer, type Layer, mergeLayers, type OverlayFiles } from './layer.ts';
import { type Member, membersOf } from './members.ts';
import { defined, filled } from './merge.ts';
import type {
  BuildConfig,
  ComponentPublish,
  DistroReference,
  ReleaseCalculation,
  ResolvedComponent,
  SpecSource,
} from './model/component.ts';
import type { Overlay } from './model/overlay.ts';
import { archiveConflict, readOverlayFile } from './overlay.ts';
import { placeholder } from './placeholder.ts';
import { testReferenceOf } from './tests.ts';

/** A component to resolve: its entry under `[components]`, and what groups set for it. */
interface Subject {
  readonly name: string;
  readonly entry: ComponentEntry | undefined;
  readonly member: Member;
}

/**
 * Every component with what it inherits, in this order: the version of the project's default distro, the project's
 * default-component-config, its groups by name, itself.
 * Problems are `conflicting-conditional`, `unknown-component`, `invalid-spec-source`, `unknown-distro`, `unknown-version`,
 * `overlay-files-not-found`, `overlay-archive`, and those of overlay files and of references to tests.
 */
export function componentsOf(collected: Collected, problems: Problems): Map<string, ResolvedComponent> {
  const members = membersOf(collected, problems);
  const components = new Map<string, ResolvedComponent>();
  // Without the layer that all inherit from, every component would fail for the same reason.
  const resolve = problems.attempt(() => makeResolver(collected, problems));
  if (resolve === undefined) return components;
  const none: Member = { groups: [] };
  const add = (name: string, entry: ComponentEntry | undefined): void => {
    const component = problems.attempt(() => resolve({ name, entry, member: members.get(name) ?? none }));
    if (component !== undefined) components.set(name, component);
  };
  for (const [name, entry] of collected.components) add(name, entry);
  for (const [name] of members) if (!collected.components.has(name)) add(name, undefined);
  for (const [name, { dir, document, path }] of discover(collected, problems)) {
    if (collected.components.has(name) || members.has(name)) continue;
    members.set(name, { groups: [], dir, foundBy: { document, path } });
    add(name, undefined);
  }
  return components;
}

/** The layer that every component inherits from, whatever its groups. */
function baseLayer(collected: Collected): Layer {
  return mergeLayers(defaultVersion(collected)?.layer ?? emptyLayer, collected.defaults, isSpecified(collected));
}

/** The publish channels that every component inherits; they hold for packages of unknown components, too. */
export function inheritedPublish(collected: Collected): ComponentPublish {
  return baseLayer(collected).publish;
}

type Shared = Omit<ResolvedComponent, 'name' | 'spec' | 'origin' | 'tests' | 'specified'>;

/** A function that resolves one component. What components share is computed once: thousands set nothing themselves. */
function makeResolver(collected: Collected, problems: Problems): (subject: Subject) => ResolvedComponent {
  const specified = isSpecified(collected);
  const base = baseLayer(collected);
  const inherited = new Map<string, { readonly layer: Layer; readonly shared: Shared }>();
  const overlayFiles = new Map<string, readonly Overlay[]>();
  const versions = new Map<string, string>();

  const inheritedBy = (groups: readonly string[]): { readonly layer: Layer; readonly shared: Shared } => {
    const key = groups.join('\0');
    let found = inherited.get(key);
    if (found === undefined) {
      const layer = groups.reduce(
        (merged, name) => mergeLayers(merged, collected.groups.get(name)!.layer, specified),
        base,
      );
      found = { layer, shared: sharedOf(layer, groups) };
      inherited.set(key, found);
    }
    return found;
  };

  const upstream = (subject: Subject, reference: DistroReference): DistroReference => {
    const key = `${reference.name}\0${reference.version ?? ''}`;
    let version = versions.get(key);
    if (version === undefined) {
      version = versionOf(collected, reference, (part) =>
        placeOf(collected, subject, ['spec', 'upstream-distro', part]),
      ).name;
      versions.set(key, version);
    }
    return { ...reference, version };
  };

  return (subject) => {
    const { name, entry, member } = subject;
    const { layer: below, shared } = inheritedBy(member.groups);
    const layer = mergeLayers(below, entry?.layer ?? emptyLayer, specified);
    checkConditionals(collected, subject, layer, problems);
    const origin: Origin =
      entry === undefined
        ? originOf(member.foundBy!.document, member.foundBy!.path)
        : originOf(entry.document, ['components', name]);
    const spec = specOf(collected, subject, layer, (reference) => upstream(subject, reference));
    const plain = layer === below ? shared : sharedOf(layer, member.groups);
    const others = (entry?.documents ?? []).map((document) => document.path).filter((path) => path !== origin.file);
    const tests = (layer.tests ?? []).flatMap(({ document, path, raw }) => {
      return problems.check(() => testReferenceOf(collected, document, path, raw)) ?? [];
    });
    const component = {
      ...plain,
      tests,
      name,
      spec,
      origin,
      ...(specified ? { specified: true as const } : {}),
      ...(others.length === 0 ? {} : { alsoIn: others }),
    };
    const added = filesOf(collected, overlayFiles, subject, layer.overlayFiles ?? [], problems);
    if (added.length > 0) component.overlays = [...plain.overlays, ...added];
    checkArchives(component, subject);
    return component;
  };
}

/** Where the value of a component at a path is set: in its own table, or in the one that it inherits the value from. */
function placeOf(collected: Collected, { name, entry, member }: Subject, path: TomlPath): SaidAt {
  const table = whoSaid(tablesOf(collected, name, member.groups), path);
  if (table !== undefined) {
    const shared = table.level === 'component' ? {} : { inherited: true };
    return { document: table.document, path: [...table.path, ...path], ...shared };
  }
  return { document: (entry ?? member.foundBy!).document, path: ['components', name, ...path] };
}

/**
 * rpmbuild accepts both options, and each spec treats that differently: `%bcond` takes the opposite of its default. azldev
 * has no rule against it, so its projects load with a warning.
 */
function checkConditionals(
  collected: Collected,
  { name, member }: Subject,
  { build }: Layer,
  problems: Problems,
): void {
  const { with: on = [], without: off = [] } = build;
  const both = off.find((conditional) => on.includes(conditional));
  if (both === undefined) return;
  const said = tablesOf(collected, name, member.groups).flatMap(({ document, path, raw }) =>
    (['with', 'without'] as const).flatMap((key) => {
      const index = raw.build?.[key]?.indexOf(both) ?? -1;
      return index < 0 ? [] : [{ document, path: [...path, 'build', key, index], key }];
    }),
  );
  const last = said.at(-1)!;
  const other = said.findLast(({ key }) => key !== last.key)!;
  const { file, line } = originOf(other.document, other.path);
  const error = problem(
    last.document,
    last.path,
    'conflicting-conditional',
    `build conditional "${both}" is both enabled and disabled`,
    {
      component: name,
      hint: `it is also in "${other.key}" (${basename(file)}:${line}): remove it from one of the two`,
    },
  );
  if (last.document.reasons === 'required') throw error;
  problems.warn(error);
}

function sharedOf(layer: Layer, groups: readonly string[]): Shared {
  return {
    overlays: layer.overlays,
    build: buildOf(layer),
    release: { calculation: (filled(layer.calculation) ?? 'auto') as ReleaseCalculation },
    render: { skipFileFilter: layer.skipFileFilter },
    sourceFiles: layer.sourceFiles ?? [],
    packages: layer.packages,
    publish: layer.publish,
    groups,
    ...(layer.upstreamNames === undefined ? {} : { upstreamNames: layer.upstreamNames }),
  };
}

function buildOf({ build }: Layer): BuildConfig {
  return {
    with: build.with ?? [],
    without: build.without ?? [],
    defines: build.defines ?? {},
    undefines: build.undefines ?? [],
    emitUpstreamProvenance: build['emit-upstream-provenance'] ?? false,
    check: defined({ skip: build.check?.skip ?? false, skipReason: filled(build.check?.skip_reason) }),
    failure: defined({
      expected: build.failure?.expected ?? false,
      expectedReason: filled(build.failure?.['expected-reason']),
    }),
    expensive: build.hints?.expensive ?? false,
  };
}

function specOf(
  collected: Collected,
  subject: Subject,
  layer: Layer,
  upstream: (reference: DistroReference) => DistroReference,
): SpecSource | undefined {
  const { name, member } = subject;
  const raw = layer.spec;
  const isLocal = member.spec !== undefined || raw.type !== 'upstream';
  if (isLocal && filled(raw['upstream-commit']) !== undefined) {
    const { document, path, inherited } = placeOf(collected, subject, ['spec', 'upstream-commit']);
    // A local component may inherit the commit of an upstream, which does not concern it.
    if (inherited !== true) {
      throw problem(document, path, 'invalid-spec-source', '"upstream-commit" is only valid for upstream specs', {
        component: name,
        hint: 'the component has no upstream of its own and inherits none: remove the commit, or the file if it is a pin',
      });
    }
  }
  if (member.spec !== undefined) {
    if (filled(raw.path) !== undefined && raw.path !== member.spec) {
      const { document, path } = placeOf(collected, subject, ['spec', 'path']);
      throw problem(document, path, 'invalid-spec-source', 'the component has two specs', {
        component: name,
        details: [raw.path ?? '', `${member.spec} (from the specs of group ${member.groups.join(', ')})`],
        hint: 'exclude one with excluded-paths',
      });
    }
    return { type: 'local', path: member.spec };
  }
  if (raw.type === 'local') return { type: 'local', path: raw.path ?? '' };
  if (raw.type !== 'upstream') return undefined;
  const reference = raw['upstream-distro'] ?? {};
  const distro = filled(reference.name) === undefined ? collected.project['default-distro'] : undefined;
  const wanted = referenceOf({ ...reference, ...(distro === undefined ? {} : { name: distro.name ?? '' }) });
  if (wanted.name === '') {
    const { document, path, inherited } = placeOf(collected, subject, ['spec', 'type']);
    throw problem(document, path, 'unknown-distro', 'missing upstream distro of the spec', {
      ...(inherited === true ? {} : { component: name }),
      hint: 'add upstream-distro = { name = "…" } to the spec, or default-distro to [project]',
    });
  }
  const used = upstream(wanted);
  return defined({
    type: 'upstream' as const,
    name: filled(raw['upstream-name']) ?? name,
    distro: used,
    commit: filled(raw['upstream-commit']),
    dist: layer.build['emit-upstream-provenance'] === true ? fedoraDist(collected, used) : undefined,
  });
}

/** The dist tag of a numbered Fedora; undefined for any other distro, and for rawhide. */
function fedoraDist({ distros }: Collected, { name, version = '' }: DistroReference): string | undefined {
  const number = distros.get(name)?.versions.get(version)?.raw['release-ver'] ?? '';
  return name.toLowerCase() === 'fedora' && /^\d+$/.test(number) ? `.fc${number}` : undefined;
}

function filesOf(
  collected: Collected,
  cache: Map<string, readonly Overlay[]>,
  subject: Subject,
  patterns: readonly OverlayFiles[],
  problems: Problems,
): readonly Overlay[] {
  if (patterns.length === 0) return [];
  const { name: component, entry, member } = subject;
  const home = entry?.document.dir ?? member.dir ?? dirname(member.spec!);
  const own = patterns.map(({ pattern, dir }) => ({
    // The name of a component has no wildcards.
    pattern: dir === undefined ? pattern : pattern.replace(placeholder, component),
    dir: dir ?? home,
    optional: pattern.includes(placeholder) || mayMatchNothing(pattern),
  }));
  const key = own.map(({ pattern, dir }) => `${dir}\0${pattern}`).join('\0');
  const before = cache.get(key);
  if (before !== undefined) return before;
  const { document, path } = placeOf(collected, subject, ['overlay-files']);
  const files = new Set<string>();
  for (const [index, { pattern, dir, optional }] of own.entries()) {
    const at = [...path, index];
    const matches = globHere(document.inputs, pattern, dir, (message) =>
      problem(document, at, 'invalid-glob', message, { component }),
    );
    if (matches.length === 0 && !optional) {
      throw problem(document, at, 'overlay-files-not-found', `overlay file "${pattern}" not found`, {
        component,
        hint: `the path is relative to ${dir}`,
      });
    }
    const order = (file: string): string => `${basename(file)}\0${file}`;
    for (const file of matches.toSorted((a, b) => compareText(order(a), order(b)))) files.add(file);
  }
  const { reasons, inputs, specified = false } = document;
  const reading = { reasons, problems, specified, ...(inputs === undefined ? {} : { inputs }) };
  const overlays = [...files].flatMap(
    (file) => problems.attempt(() => readOverlayFile(file, component, reading)) ?? [],
  );
  cache.set(key, overlays);
  return overlays;
}

function globHere(
  inputs: DiskInputs | undefined,
  pattern: string,
  dir: string,
  failed: (message: string) => Error,
): readonly string[] {
  try {
    return noteGlob(inputs, pattern, dir, expandGlob(pattern, dir));
  } catch (error) {
    if (error instanceof WeirError && error.code === 'invalid-glob') throw failed(error.message);
    throw error;
  }
}

function checkArchives(component: ResolvedComponent, { name, entry, member }: Subject): void {
  if (component.overlays.length + component.sourceFiles.length === 0) return;
  const conflict = archiveConflict(component.overlays, component.sourceFiles);
  if (conflict === undefined) return;
  const { document } = entry ?? member.foundBy!;
  throw problem(document, ['components', name], 'overlay-archive', conflict.message, {
    component: name,
    ...(conflict.overlay === undefined ? {} : { overlay: `"${conflict.overlay.description}"` }),
    hint: conflict.hint,
  });
}
