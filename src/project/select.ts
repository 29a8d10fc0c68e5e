import { didYouMean, WeirError } from '../base/errors.ts';
import { compileGlob } from '../base/glob.ts';
import { byName } from '../base/order.ts';
import type { ResolvedComponent } from './model/component.ts';
import type { Project } from './model/project.ts';

/** The components that a command is for. A component that is selected several ways counts once. */
export interface Selection {
  /** Exact names. */
  readonly names: readonly string[];
  /** Globs on names; each must match. */
  readonly patterns: readonly string[];
  /** Names of component groups. */
  readonly groups: readonly string[];
  readonly all: boolean;
}

type Searched = Pick<Project, 'components' | 'groups'>;

/** Whether a selection is empty. */
export function isEmptySelection(selection: Selection): boolean {
  const { names, patterns, groups, all } = selection;
  return !all && names.length + patterns.length + groups.length === 0;
}

/**
 * The components of a selection, sorted by name; none if the selection is empty.
 * @throws WeirError `invalid-glob`, or `unknown-component`, `unknown-group`, `no-match`, each with the nearest name
 */
export function selectComponents(project: Searched, selection: Selection): ResolvedComponent[] {
  const chosen = new Set<ResolvedComponent>();
  if (selection.all) for (const component of project.components.values()) chosen.add(component);
  for (const name of selection.names) chosen.add(findComponent(project, name));
  for (const pattern of selection.patterns) {
    if (pattern === '') {
      throw new WeirError('no-match', 'an empty pattern matches no component', {
        hint: 'check for an unset shell variable',
        exit: 2,
      });
    }
    const matches = compileGlob(pattern);
    const found = [...project.components.values()].filter(({ name }) => name === pattern || matches(name));
    if (found.length === 0) throw unmatched(project, pattern);
    for (const component of found) chosen.add(component);
  }
  const groups = new Set(selection.groups);
  for (const group of groups) if (!project.groups.has(group)) throw unknownGroup(project, group);
  if (groups.size > 0) {
    for (const component of project.components.values()) {
      if (component.groups.some((group) => groups.has(group))) chosen.add(component);
    }
  }
  return [...chosen].sort(byName);
}

/** A component by its name. @throws WeirError `unknown-component` with the nearest name */
export function findComponent(project: Pick<Project, 'components'>, name: string): ResolvedComponent {
  const component = project.components.get(name);
  if (component !== undefined) return component;
  throw new WeirError('unknown-component', `the project has no component ${name}`, {
    hint: didYouMean(name, project.components.keys()) ?? 'weir component list shows them',
    exit: 2,
  });
}

function unmatched(project: Searched, pattern: string): WeirError {
  return new WeirError('no-match', `no component matches ${pattern}`, {
    hint: didYouMean(pattern, project.components.keys()) ?? 'weir component list shows them',
    exit: 2,
  });
}

function unknownGroup(project: Searched, group: string): WeirError {
  return new WeirError('unknown-group', `the project has no component group ${group}`, {
    hint: didYouMean(group, project.groups.keys()) ?? `the groups: ${[...project.groups.keys()].join(', ') || 'none'}`,
    exit: 2,
  });
}
