import { basename, dirname } from 'node:path';
import { WeirError } from '../base/errors.ts';
import type { Collected, ComponentEntry, GroupEntry } from './collect.ts';
import { defined, filled } from './defined.ts';
import { defaultVersion, referenceOf, versionOf } from './distro.ts';
import { originOf, problem, suggestion } from './document.ts';
import { expandGlob, isGlob, pathMatcher } from './glob.ts';
import { globIn } from './include.ts';
import { emptyLayer, type Layer, mergeLayers } from './layer.ts';
import type {
  BuildConfig,
  ComponentGroup,
  DistroReference,
  Origin,
  Overlay,
  ReleaseCalculation,
  ResolvedComponent,
  SpecSource,
} from './model.ts';
import { archiveWithoutSource, metadataOf, readOverlayFile } from './overlay.ts';

/** A group with the spec files that its globs found. */
interface Member {
  readonly groups: string[];
  readonly spec?: string;
  readonly foundBy?: GroupEntry;
}

/**
 * Every component with what it inherits, in this order: the version of the project's default distro, the project's
 * default-component-config, its groups by name, itself.
 * @throws WeirError (exit 2) `unknown-component`, `invalid-spec-source`, `unknown-distro`, `unknown-version`,
 *   `overlay-files-not-found`, `overlay-archive`, and those of overlay files
 */
export function componentsOf(collected: Collected): Map<string, ResolvedComponent> {
  const members = membership(collected);
  const resolver = makeResolver(collected);
  const components = new Map<string, ResolvedComponent>();
  for (const [name, entry] of collected.components) {
    components.set(name, resolver(name, entry, members.get(name)));
  }
  for (const [name, member] of members) {
    if (!collected.components.has(name)) components.set(name, resolver(name, undefined, member));
  }
  return components;
}

function membership(collected: Collected): Map<string, Member> {
  const members = new Map<string, Member>();
  const groups = [...collected.groups].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [groupName, group] of groups) {
    for (const [spec, at] of specsOf(group)) {
      const name = basename(spec).replace(/\.spec$/, '');
      const before = members.get(name);
      if (before?.spec !== undefined && before.spec !== spec) {
        throw problem(
          group.document,
          [...group.path, 'specs', at],
          'duplicate-name',
          `two specs are named ${name}.spec`,
          {
            component: name,
            details: [before.spec, spec],
            hint: 'leave one out by excluded-paths',
          },
        );
      }
      members.set(name, { groups: [...(before?.groups ?? []), groupName], spec, foundBy: before?.foundBy ?? group });
    }
    for (const name of group.raw.components ?? []) {
      const before = members.get(name) ?? { groups: [] };
      if (!before.groups.includes(groupName)) before.groups.push(groupName);
      members.set(name, before);
    }
  }
  // Only now is it known which components the globs of all groups bring.
  for (const [, group] of groups) {
    for (const [index, name] of (group.raw.components ?? []).entries()) {
      if (collected.components.has(name) || members.get(name)?.spec !== undefined) continue;
      const hint = suggestion(name, collected.components.keys()) ?? `add a table [components.${name}]`;
      const at = [...group.path, 'components', index];
      throw problem(group.document, at, 'unknown-component', `there is no component "${name}"`, { hint });
    }
  }
  return members;
}

function specsOf(group: GroupEntry): Map<string, number> {
  const excluded = (group.raw['excluded-paths'] ?? []).map((pattern) => pathMatcher(pattern, group.document.dir));
  const specs = new Map<string, number>();
  for (const [index, pattern] of (group.raw.specs ?? []).entries()) {
    for (const spec of globIn(group.document, [...group.path, 'specs', index], pattern)) {
      if (!excluded.some((matches) => matches(spec)) && !specs.has(spec)) specs.set(spec, index);
    }
  }
  return specs;
}

type Shared = Omit<ResolvedComponent, 'name' | 'spec' | 'origin'>;

/** A function that resolves one component; what components share (thousands say nothing themselves) is made once. */
function makeResolver(
  collected: Collected,
): (name: string, entry: ComponentEntry | undefined, member: Member | undefined) => ResolvedComponent {
  const base = mergeLayers(defaultVersion(collected)?.layer ?? emptyLayer, collected.defaults);
  const inherited = new Map<string, { readonly layer: Layer; readonly shared: Shared }>();
  const overlayFiles = new Map<string, readonly Overlay[]>();
  const versions = new Map<string, string>();
  const none: Member = { groups: [] };

  const inheritedBy = (groups: readonly string[]): { readonly layer: Layer; readonly shared: Shared } => {
    const key = groups.join('\0');
    let found = inherited.get(key);
    if (found === undefined) {
      const layer = groups.reduce((merged, name) => mergeLayers(merged, collected.groups.get(name)!.layer), base);
      found = { layer, shared: sharedOf(layer, groups) };
      inherited.set(key, found);
    }
    return found;
  };

  const upstream = (
    name: string,
    entry: ComponentEntry | undefined,
    member: Member,
    reference: DistroReference,
  ): DistroReference => {
    const key = `${reference.name}\0${reference.version ?? ''}`;
    let version = versions.get(key);
    if (version === undefined) {
      const { document } = entry ?? member.foundBy!;
      version = versionOf(collected, reference, document, ['components', name, 'spec', 'upstream-distro']).name;
      versions.set(key, version);
    }
    return { ...reference, version };
  };

  return (name, entry, member = none) => {
    const { layer: below, shared } = inheritedBy(member.groups);
    const own = entry?.layer ?? emptyLayer;
    const layer = mergeLayers(below, own);
    const origin: Origin =
      entry === undefined
        ? originOf(member.foundBy!.document, member.foundBy!.path)
        : originOf(entry.document, ['components', name]);
    const spec = specOf(collected, name, layer, entry, member, (reference) => upstream(name, entry, member, reference));
    const plain = layer === below ? shared : sharedOf(layer, member.groups);
    const dir = entry?.document.dir ?? dirname(member.spec!);
    const added = filesOf(overlayFiles, name, layer, dir, entry, member);
    const component = { ...plain, name, spec, origin };
    if (added.length > 0) component.overlays = [...plain.overlays, ...added];
    checkArchives(component, entry, member);
    return component;
  };
}

function sharedOf(layer: Layer, groups: readonly string[]): Shared {
  return {
    overlays: layer.overlays,
    build: buildOf(layer),
    release: { calculation: (filled(layer.calculation) ?? 'auto') as ReleaseCalculation },
    render: { skipFileFilter: layer.skipFileFilter },
    sourceFiles: layer.sourceFiles,
    packages: layer.packages,
    publish: layer.publish,
    groups,
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
  name: string,
  layer: Layer,
  entry: ComponentEntry | undefined,
  member: Member,
  upstream: (reference: DistroReference) => DistroReference,
): SpecSource | undefined {
  const raw = layer.spec;
  if (member.spec !== undefined) {
    if (filled(raw.path) !== undefined && raw.path !== member.spec) {
      const { document } = entry ?? member.foundBy!;
      throw problem(
        document,
        ['components', name, 'spec', 'path'],
        'invalid-spec-source',
        'two specs claim the component',
        {
          component: name,
          details: [raw.path ?? '', `${member.spec} (by the specs of group ${member.groups.join(', ')})`],
          hint: 'leave one out by excluded-paths',
        },
      );
    }
    return { type: 'local', path: member.spec };
  }
  if (raw.type === 'local') return { type: 'local', path: raw.path ?? '' };
  if (raw.type !== 'upstream') return undefined;
  const reference = raw['upstream-distro'] ?? {};
  const distro = filled(reference.name) === undefined ? collected.project['default-distro'] : undefined;
  const wanted = referenceOf({ ...reference, ...(distro === undefined ? {} : { name: distro.name ?? '' }) });
  if (wanted.name === '') {
    const { document } = entry ?? member.foundBy!;
    const at = ['components', name, 'spec', 'upstream-distro'];
    throw problem(document, at, 'unknown-distro', 'which distro the spec comes from is not said', {
      component: name,
      hint: 'add upstream-distro = { name = "…" } to the spec, or default-distro to [project]',
    });
  }
  return defined({
    type: 'upstream' as const,
    name: filled(raw['upstream-name']) ?? name,
    distro: upstream(wanted),
    commit: filled(raw['upstream-commit']),
  });
}

function filesOf(
  cache: Map<string, readonly Overlay[]>,
  name: string,
  layer: Layer,
  dir: string,
  entry: ComponentEntry | undefined,
  member: Member,
): readonly Overlay[] {
  const patterns = layer.overlayFiles ?? [];
  if (patterns.length === 0) return [];
  const key = [dir, ...patterns].join('\0');
  const before = cache.get(key);
  if (before !== undefined) return before;
  const { document } = entry ?? member.foundBy!;
  const at = ['components', name, 'overlay-files'];
  const files = new Set<string>();
  for (const pattern of patterns) {
    const matches = globHere(pattern, dir, (message) =>
      problem(document, at, 'invalid-glob', message, { component: name }),
    );
    if (matches.length === 0 && !isGlob(pattern)) {
      throw problem(document, at, 'overlay-files-not-found', `there is no overlay file "${pattern}"`, {
        component: name,
        hint: `the path is relative to ${dir}`,
      });
    }
    const order = (path: string): string => `${basename(path)}\0${path}`;
    for (const file of matches.toSorted((a, b) => (order(a) < order(b) ? -1 : 1))) files.add(file);
  }
  const overlays = [...files].flatMap((file) => readOverlayFile(file, name, document.reasons));
  cache.set(key, overlays);
  return overlays;
}

function globHere(pattern: string, dir: string, failed: (message: string) => Error): string[] {
  try {
    return expandGlob(pattern, dir);
  } catch (error) {
    if (error instanceof WeirError && error.code === 'invalid-glob') throw failed(error.message);
    throw error;
  }
}

function checkArchives(component: ResolvedComponent, entry: ComponentEntry | undefined, member: Member): void {
  if (component.overlays.length === 0) return;
  const replaced = component.sourceFiles.filter((file) => file.origin.type === 'overlay').map((file) => file.filename);
  const missing = archiveWithoutSource(component.overlays, replaced);
  if (missing === undefined) return;
  const { document } = entry ?? member.foundBy!;
  throw problem(
    document,
    ['components', component.name],
    'overlay-archive',
    `an overlay changes ${missing.archive}, which is no source file with origin "overlay"`,
    { component: component.name, overlay: `"${missing.overlay.description}"`, hint: missing.hint },
  );
}

/** The component groups, with the components that their globs brought. */
export function groupsOf(
  collected: Collected,
  components: ReadonlyMap<string, ResolvedComponent>,
): Map<string, ComponentGroup> {
  const byGroup = new Map<string, string[]>();
  for (const component of components.values()) {
    for (const group of component.groups) {
      const names = byGroup.get(group);
      if (names === undefined) byGroup.set(group, [component.name]);
      else names.push(component.name);
    }
  }
  const groups = new Map<string, ComponentGroup>();
  for (const [name, { raw, document, path }] of collected.groups) {
    const metadata = raw.metadata === undefined ? undefined : metadataOf(document, [...path, 'metadata'], raw.metadata);
    groups.set(
      name,
      defined({
        name,
        description: filled(raw.description),
        metadata,
        components: (byGroup.get(name) ?? []).sort(),
        specs: raw.specs ?? [],
        excludedPaths: raw['excluded-paths'] ?? [],
        origin: originOf(document, path),
      }),
    );
  }
  return groups;
}
