import { join } from 'node:path';
import {
  componentKeys,
  cvesOfOverlays,
  cvesOfPatches,
  patchNames,
  specVersion,
} from '../../advisory/match/component-keys.ts';
import type { Shipped } from '../../advisory/match/matcher.ts';
import { readIfExists } from '../../base/files.ts';
import { compareText } from '../../base/order.ts';
import { renderedDir } from '../../overlay/render.ts';
import type { ResolvedComponent } from '../../project/model/component.ts';
import type { Project } from '../../project/model/project.ts';
import { renderedSpecsDir } from '../../project/paths.ts';
import { parseNevra } from '../../repo/metadata.ts';
import { formatEvr } from '../../rpm/version.ts';
import { constraintEvr } from '../../seed/control.ts';
import { compareDebianVersions } from '../../seed/debian-version.ts';
import { parseSpec, type Spec } from '../../spec/parse.ts';
import type { ReleaseRecord } from '../record-schema.ts';

/** The components and packages of a release, for matching with feeds. */
export interface ShippedList {
  /** Sorted by component. */
  readonly shipped: readonly Shipped[];
  /** Packages that cannot be compared with feeds, with the reason. */
  readonly notChecked: readonly string[];
}

/**
 * What the last release built ships: components by their upstream names and versions, packages of the seed by their Debian source
 * packages. Without a release, the components of the project with the versions of their rendered specs.
 */
export async function shippedBy(project: Project, release: ReleaseRecord | undefined): Promise<ShippedList> {
  const components =
    release === undefined ? [...project.components.keys()] : release.components.map(({ name }) => name);
  const built = new Map(release?.components.map((each) => [each.name, each]));
  const shipped: Shipped[] = [];
  const withoutVersion: string[] = [];
  for (const name of components) {
    const component = project.components.get(name);
    const spec = await renderedSpecOf(project, name);
    const each = shippedComponent(name, component, spec, built.get(name));
    if (each === undefined) withoutVersion.push(name);
    else shipped.push(each);
  }
  const names = new Set(components);
  const debian = release === undefined ? [] : debianSources(release).filter(({ component }) => !names.has(component));
  const notChecked = [
    ...(withoutVersion.length === 0
      ? []
      : [`${withoutVersion.length} components without a known version: ${someOf(withoutVersion)}`]),
    ...(release === undefined
      ? ['packages that no component builds: no release was built yet']
      : unknownOrigin(release)),
  ];
  return { shipped: [...shipped, ...debian].sort((a, b) => compareText(a.component, b.component)), notChecked };
}

async function renderedSpecOf(project: Project, name: string): Promise<Spec | undefined> {
  const file = join(renderedSpecsDir(project), renderedDir(name), `${name}.spec`);
  const text = await readIfExists(file).catch(() => undefined);
  return text === undefined ? undefined : parseSpec(text);
}

function shippedComponent(
  name: string,
  component: ResolvedComponent | undefined,
  spec: Spec | undefined,
  built: ReleaseRecord['components'][number] | undefined,
): Shipped | undefined {
  const keys = componentKeys(component ?? { name, spec: undefined }, spec);
  const version =
    built === undefined ? (spec === undefined ? undefined : specVersion(spec)) : upstreamVersion(built.version);
  if (version === undefined) return undefined;
  const epoch = parseNevra(built?.packages[0] ?? '')?.epoch ?? 0;
  // What is patched only in the project is not yet shipped.
  const overlays = (component?.overlays ?? []).filter(
    (overlay) =>
      built === undefined ||
      built.overlays.some(({ type, description }) => type === overlay.type && description === overlay.description),
  );
  const files = built === undefined ? (spec === undefined ? [] : patchNames(spec)) : Object.keys(built.sources);
  return {
    ...{ component: name, kind: 'component', version, keys },
    evr: built === undefined ? version : `${epoch === 0 ? '' : `${epoch}:`}${built.version}`,
    handled: new Map([...cvesOfPatches(files), ...cvesOfOverlays(overlays)]),
  };
}

/** `1.2-3.fc43` without its release. */
function upstreamVersion(text: string): string {
  return text.slice(0, text.lastIndexOf('-'));
}

/** The Debian source packages of a release; of several versions the lowest. */
function debianSources(release: ReleaseRecord): Shipped[] {
  const versions = new Map<string, string>();
  for (const { debian } of release.channels.flatMap((channel) => channel.packages)) {
    const [source, version] = debian?.split(' ') ?? [];
    if (source === undefined || version === undefined) continue;
    const known = versions.get(source);
    if (known === undefined || compareDebianVersions(version, known) < 0) versions.set(source, version);
  }
  return [...versions].map(([source, version]) => ({
    ...{ component: source, kind: 'debian', version, evr: constraintEvr(version), keys: [`debian:${source}`] },
    handled: new Map(),
  }));
}

/** Packages of RPM repositories: their builds have fixes of their own, which feeds of upstream do not know. */
function unknownOrigin(release: ReleaseRecord): string[] {
  const components = new Set(release.components.map(({ name }) => name));
  const others = release.channels
    .flatMap((channel) => channel.packages)
    .filter(({ origin, debian }) => origin !== 'seed' && debian === undefined && !components.has(origin));
  const origins = [...new Set(others.map(({ origin }) => origin))].sort();
  return others.length === 0 ? [] : [`${others.length} packages of RPM repositories: ${someOf(origins)}`];
}

/** The first names of a list, and how many more there are. */
export function someOf(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

/** The EVR of a fixed version of a feed, to be compared with ours by rpm's rules; undefined if it is none. */
export function evrOfFixed({ kind }: Pick<Shipped, 'kind'>, fixed: string | undefined): string | undefined {
  if (fixed === undefined) return undefined;
  if (kind === 'debian') return constraintEvr(fixed);
  const version = fixed.replaceAll(/[^A-Za-z0-9._+~^]/g, '.');
  return /^[A-Za-z0-9]/.test(version) ? formatEvr({ epoch: 0, version }) : undefined;
}
