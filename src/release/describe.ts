import { relative } from 'node:path';
import { errorJson, WeirError } from '../base/errors.ts';
import { byName, compareText } from '../base/order.ts';
import { channelOf } from '../project/channel.ts';
import type { ResolvedComponent, SpecSource } from '../project/model/component.ts';
import type { Image } from '../project/model/image.ts';
import type { Project } from '../project/model/project.ts';

/** Short description of a component's spec source. */
export function specOrigin(project: Pick<Project, 'root'>, spec: SpecSource | undefined): string {
  if (spec === undefined) return 'nowhere';
  if (spec.type === 'local') return `local ${relative(project.root, spec.path)}`;
  const version = spec.distro.version === undefined ? '' : ` ${spec.distro.version}`;
  return `${spec.distro.name}${version}${spec.commit === undefined ? '' : ` @${spec.commit.slice(0, 12)}`}`;
}

/** A row of a component list. */
export interface ComponentRow {
  readonly name: string;
  readonly spec: string;
  readonly overlays: number;
  /** Channel of the package named like the component, or undefined if it is not published. */
  readonly channel: string | undefined;
  readonly groups: readonly string[];
}

/** The components, sorted by name. */
export function componentRows(
  project: Project,
  components: Iterable<ResolvedComponent> = project.components.values(),
): ComponentRow[] {
  return [...components]
    .map((component) => ({
      name: component.name,
      spec: specOrigin(project, component.spec),
      overlays: component.overlays.length,
      channel: channelOf(project, component, component.name),
      groups: component.groups,
    }))
    .sort(byName);
}

/** A row of an overlay list. */
export interface OverlayRow {
  readonly component: string;
  /** Position in the order of application, from 1. */
  readonly number: number;
  readonly type: string;
  readonly category: string | undefined;
  readonly upstreamStatus: string | undefined;
  readonly description: string;
  /** file:line, relative to the project. */
  readonly place: string;
}

/** The overlays of components, in order of application. */
export function overlayRows(project: Pick<Project, 'root'>, components: readonly ResolvedComponent[]): OverlayRow[] {
  return components.flatMap((component) =>
    component.overlays.map((overlay, index) => ({
      component: component.name,
      number: index + 1,
      type: overlay.type,
      category: overlay.metadata?.category,
      upstreamStatus: overlay.metadata?.upstreamStatus,
      description: overlay.description,
      place: `${relative(project.root, overlay.origin.file)}:${overlay.origin.line}`,
    })),
  );
}

/** Kind and formats of an image's definition. */
export function imageShape(image: Image): { readonly kind: string; readonly formats: readonly string[] } {
  const definition = image.definition;
  if (definition === undefined) return { kind: 'undefined', formats: [] };
  return definition.type === 'weir' ? definition : { kind: 'kiwi', formats: [] };
}

/** Summary of the project: counts and names. */
export function projectSummary(project: Project) {
  const components = [...project.components.values()];
  const overlays = components.flatMap((component) => component.overlays);
  return {
    file: project.file,
    dialect: project.dialect,
    files: project.files.length,
    description: project.project.description,
    release: project.release && {
      version: project.release.version,
      snapshot: project.release.snapshot,
      channels: project.release.channels.map((channel) => channel.name),
      architectures: project.release.architectures,
    },
    components: {
      total: components.length,
      bySource: countBy(components, ({ spec }) =>
        spec?.type === 'upstream' ? spec.distro.name : (spec?.type ?? 'none'),
      ),
    },
    overlays: {
      total: overlays.length,
      byType: countBy(overlays, (overlay) => overlay.type),
      byCategory: countBy(overlays, (overlay) => overlay.metadata?.category ?? 'none'),
    },
    groups: project.groups.size,
    images: [...project.images.keys()].sort(),
    inputs: project.seed === undefined ? [...project.distros.keys()] : [`seed (${project.seed.suite})`],
    toolbox: project.toolbox.root ?? project.toolbox.suite,
    signing: project.signing.key ?? 'development key',
  };
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Record<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || compareText(a, b)));
}

/** Converts maps to objects, so that JSON contains them. */
export function plainValue(value: unknown): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, inner]) => [String(key), plainValue(inner)]));
  if (Array.isArray(value)) return value.map(plainValue);
  if (value instanceof WeirError) return errorJson(value).error;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainValue(inner)]));
}
