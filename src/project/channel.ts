import type { PackageGroup, PackagePublish, ResolvedComponent } from './model/component.ts';
import type { Project } from './model/project.ts';

/** Whether a binary package holds debug data, judged by its name. */
export function isDebugPackage(name: string): boolean {
  return /-(debuginfo|debugsource)(-|$)/.test(name);
}

const groupIndexes = new WeakMap<Project['packageGroups'], Map<string, PackageGroup>>();

/** The package group that a binary package is in. */
export function packageGroupOf(project: Pick<Project, 'packageGroups'>, name: string): PackageGroup | undefined {
  let index = groupIndexes.get(project.packageGroups);
  if (index === undefined) {
    index = new Map();
    for (const group of project.packageGroups.values()) for (const one of group.packages) index.set(one, group);
    groupIndexes.set(project.packageGroups, index);
  }
  return index.get(name);
}

/**
 * The channel that a binary package is published to, or undefined if it is not published. The strongest setting wins:
 * the component's `packages` table, the package's group, the component's `publish`, the project's
 * default-package-config. Debug packages follow the debuginfo channels only.
 * @param key asks for the other kind of channel
 */
export function channelOf(
  project: Pick<Project, 'packageGroups' | 'defaultPublish'>,
  component: Pick<ResolvedComponent, 'packages' | 'publish'>,
  name: string,
  key: keyof PackagePublish = isDebugPackage(name) ? 'debuginfoChannel' : 'rpmChannel',
): string | undefined {
  const own: PackagePublish | undefined = Object.hasOwn(component.packages, name)
    ? component.packages[name]
    : undefined;
  const channel =
    own?.[key] ?? packageGroupOf(project, name)?.publish[key] ?? component.publish[key] ?? project.defaultPublish[key];
  return channel === 'none' ? undefined : channel;
}

/** The channel that a component's source package is published to, or undefined if it is not published. */
export function sourceChannelOf(component: Pick<ResolvedComponent, 'publish'>): string | undefined {
  const channel = component.publish.srpmChannel;
  return channel === 'none' ? undefined : channel;
}
