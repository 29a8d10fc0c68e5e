import { basename, extname } from 'node:path';
import { byKey } from '../base/order.ts';
import { originOf, problem, suggestion } from '../toml/document.ts';
import type { Problems } from '../toml/problems.ts';
import type { Collected, GroupEntry } from './collect.ts';
import { pathMatcher } from './glob.ts';
import { globIn } from './include.ts';
import { defined, filled } from './merge.ts';
import type { ComponentGroup, ResolvedComponent } from './model/component.ts';
import { metadataOf } from './overlay.ts';

/** What groups set for a component. */
export interface Member {
  /** Names of the groups, sorted. */
  readonly groups: string[];
  /** The spec file that a group's globs found. */
  readonly spec?: string;
  /** The first group whose globs found it, or the pattern of overlay files that did. */
  readonly foundBy?: Pick<GroupEntry, 'document' | 'path'>;
  /** The component's folder, if a pattern of overlay files found it. */
  readonly dir?: string;
}

/** Members of all groups by name. Problems are `duplicate-name`, `unknown-component` and `invalid-glob`. */
export function membersOf(collected: Collected, problems: Problems): Map<string, Member> {
  const members = new Map<string, Member>();
  const groups = [...collected.groups].toSorted(byKey);
  for (const [groupName, group] of groups) {
    for (const [spec, at] of problems.attempt(() => specsOf(group)) ?? []) {
      const name = basename(spec, extname(spec));
      const before = members.get(name);
      if (before?.spec !== undefined && before.spec !== spec) {
        const path = [...group.path, 'specs', at];
        problems.add(
          problem(group.document, path, 'duplicate-name', `two specs are named ${basename(spec)}`, {
            component: name,
            details: [before.spec, spec],
            hint: 'exclude one with excluded-paths',
          }),
        );
        continue;
      }
      members.set(name, { groups: [...(before?.groups ?? []), groupName], spec, foundBy: before?.foundBy ?? group });
    }
    for (const name of group.raw.components ?? []) {
      const before = members.get(name) ?? { groups: [] };
      if (!before.groups.includes(groupName)) before.groups.push(groupName);
      members.set(name, before);
    }
  }
  // Only now are the components of all groups' globs known.
  for (const [, group] of groups) {
    for (const [index, name] of (group.raw.components ?? []).entries()) {
      if (collected.components.has(name) || members.get(name)?.spec !== undefined) continue;
      members.delete(name);
      problems.check(() => {
        const hint = suggestion(name, collected.components.keys()) ?? `add a table [components.${name}]`;
        const at = [...group.path, 'components', index];
        throw problem(group.document, at, 'unknown-component', `unknown component "${name}"`, { hint });
      });
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

/** The component groups, with the components that their globs found. Problems are `overlay-metadata`. */
export function groupsOf(
  collected: Collected,
  components: ReadonlyMap<string, ResolvedComponent>,
  problems: Problems,
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
    const { metadata: said } = raw;
    const metadata = said && problems.attempt(() => metadataOf(document, [...path, 'metadata'], said));
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
