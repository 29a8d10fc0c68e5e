// Which components differ between two commits of the project, and in which part.

import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { mapLimit, readIfExists } from '../base/files.ts';
import { withScratch } from '../engine/scratch.ts';
import { renderedDir } from '../overlay/render.ts';
import { type LoadOptions, loadConfiguration } from '../project/load.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';
import { renderedSpecsDir } from '../project/paths.ts';
import type { Configuration } from '../project/resolve.ts';
import { type Selection, selectComponents } from '../project/select.ts';
import { readLocks } from '../sources/component-lock.ts';
import {
  type ContentReader,
  commitOf,
  filesOf,
  findRepository,
  objectId,
  openContents,
  type Repository,
} from '../sources/repository.ts';
import { configurationOf, contextAt, type Layout, layOut, loadLaidOut, placeOf, withoutExcepted } from './at-commit.ts';
import { compareInputs } from './compare-inputs.ts';
import { fileDigests } from './file-digests.ts';
import type { ComponentInputs, InputContext } from './input-parts.ts';
import { placed } from './input-places.ts';
import { componentInputs } from './inputs.ts';

/** Stands for the working tree in place of a commit. */
export const workingTree = '.';

/** One part of a component's inputs that differs. */
export interface PartChange {
  /** `upstream commit`, `overlay 3 (spec-add-tag)`, `define NAME` … */
  readonly part: string;
  readonly change: 'added' | 'removed' | 'changed' | 'reordered';
  readonly before?: string;
  readonly after?: string;
  /** file:line relative to the project, in the later state, or in the earlier one if the part was removed. */
  readonly where?: string;
}

export interface ComponentChange {
  readonly component: string;
  readonly change: 'added' | 'removed' | 'changed' | 'unchanged';
  readonly parts: readonly PartChange[];
  /** Whether the rendered `sources`, the list of files from the lookaside, differs. */
  readonly sourcesChanged: boolean;
  /** Whether `sources` differs although the component's inputs are equal. */
  readonly drifted: boolean;
  /** Digests of the inputs. */
  readonly before?: string;
  readonly after?: string;
}

export interface ChangedReport {
  /** The commits; the working tree is `.`. */
  readonly from: string;
  readonly to: string;
  /** By name; unchanged ones only if requested, or if they drifted. */
  readonly components: readonly ComponentChange[];
}

export interface ChangedOptions {
  /** A commit of the project's git, or `.` for the working tree. */
  readonly from: string;
  readonly to: string;
  readonly selection: Selection;
  readonly unchanged?: boolean;
  /** How the project was loaded; the states at commits are loaded the same way. */
  readonly load?: LoadOptions;
}

/** One state of the project: a commit's, or the working tree's. */
interface State {
  readonly context: InputContext;
  readonly configuration: Configuration;
  /** Returns an id of the content of a component's rendered `sources`; undefined if there is none. */
  readonly renderedSources: (name: string) => Promise<string | undefined>;
}

/**
 * Compares the inputs of components in two states of the project.
 * @param scratch folder for intermediate files
 * @throws WeirError (exit 2) `no-git`, `unknown-ref`, `no-project-at`, `project-at`, and the errors of `selectComponents`
 */
export async function changedComponents(
  project: Project,
  scratch: string,
  options: ChangedOptions,
): Promise<ChangedReport> {
  const repository = await findRepository(project.root);
  if (repository === undefined) {
    throw new WeirError(
      'no-git',
      'the project is not in a git repository, so there is no other state to compare with',
      {
        where: { file: project.file },
        exit: 2,
      },
    );
  }
  const commitIn = (name: string): Promise<string> =>
    name === workingTree ? Promise.resolve(name) : commitOf(repository, name);
  const [from, to] = [await commitIn(options.from), await commitIn(options.to)];
  const contents = openContents(repository);
  try {
    return await withScratch(scratch, async (dir) => {
      const open = (name: string, commit: string, folder: string): Promise<State> =>
        commit === workingTree
          ? workingState(repository, project, options.load)
          : committedState(
              { repository, contents, project, load: options.load ?? {} },
              name,
              commit,
              join(dir, folder),
            );
      const [before, after] = await Promise.all([open(options.from, from, 'from'), open(options.to, to, 'to')]);
      return { from, to, components: await compareStates(before, after, options) };
    });
  } finally {
    contents.close();
  }
}

interface Place {
  readonly repository: Repository;
  readonly contents: ContentReader;
  readonly project: Project;
  readonly load: LoadOptions;
}

async function committedState(
  { repository, contents, project, load }: Place,
  name: string,
  commit: string,
  dir: string,
): Promise<State> {
  const place = placeOf(project, repository.top, renderedSpecsDir(project));
  const whole = await filesOf(repository, commit);
  const tree = withoutExcepted(whole, place);
  const layout: Layout = { top: dir, written: new Map() };
  await layOut(layout, await configurationOf(tree, contents));
  const configuration = await loadLaidOut(layout, place, name, load);
  const loaded = configuration.project;
  const rendered = relative(dir, renderedSpecsDir(loaded));
  return {
    context: await contextAt(layout, loaded, tree, contents),
    configuration,
    renderedSources: (component) => Promise.resolve(whole.get(`${rendered}/${renderedDir(component)}/sources`)?.oid),
  };
}

async function workingState(repository: Repository, project: Project, load: LoadOptions = {}): Promise<State> {
  const rendered = renderedSpecsDir(project);
  return {
    context: { project, locks: await readLocks(project), files: fileDigests() },
    configuration: await loadConfiguration(project.root, load),
    renderedSources: async (component) => {
      const path = join(rendered, renderedDir(component), 'sources');
      // Most do not exist, which is faster to find out this way.
      return (await readIfExists(path)) === undefined ? undefined : objectId(await readFile(path), repository);
    },
  };
}

async function compareStates(before: State, after: State, options: ChangedOptions): Promise<ComponentChange[]> {
  const [old, now] = [before.context.project, after.context.project];
  const chosen = selectComponents(
    {
      components: new Map([...old.components, ...now.components]),
      groups: new Map([...old.groups, ...now.groups]),
    },
    options.selection,
  );
  const named = new Set(options.selection.names);
  const changes = await mapLimit(chosen, 64, ({ name }) => compareComponent(name, before, after));
  return changes.filter(
    ({ component, change, drifted }) =>
      change !== 'unchanged' || drifted || options.unchanged === true || named.has(component),
  );
}

async function compareComponent(name: string, before: State, after: State): Promise<ComponentChange> {
  const inputsIn = ({ context }: State): Promise<ComponentInputs> | undefined => {
    const component: ResolvedComponent | undefined = context.project.components.get(name);
    return component === undefined ? undefined : componentInputs(component, context);
  };
  const [old, now] = await Promise.all([inputsIn(before), inputsIn(after)]);
  const [oldSources, newSources] = await Promise.all([before.renderedSources(name), after.renderedSources(name)]);
  const sourcesChanged = oldSources !== newSources;
  const change =
    old === undefined ? 'added' : now === undefined ? 'removed' : old.digest === now.digest ? 'unchanged' : 'changed';
  return {
    component: name,
    change,
    parts: change === 'changed' ? placedChanges(old!, before, now!, after) : [],
    sourcesChanged,
    drifted: change === 'unchanged' && sourcesChanged && isSettled(now!),
    ...(old === undefined ? {} : { before: old.digest }),
    ...(now === undefined ? {} : { after: now.digest }),
  };
}

function placedChanges(old: ComponentInputs, before: State, now: ComponentInputs, after: State): PartChange[] {
  const wanted = new Set(partChanges(old, now).map(({ part }) => part));
  const places = (inputs: ComponentInputs, { configuration, context }: State): ComponentInputs => {
    const { component: name } = inputs;
    const component = context.project.components.get(name)!;
    return placed(inputs, configuration, component, context.locks?.get(name), { wanted });
  };
  return partChanges(places(old, before), places(now, after));
}

/** Whether the inputs determine the sources; the newest commit of a branch can change any day. */
function isSettled(inputs: ComponentInputs): boolean {
  return !inputs.parts.some(({ name, value }) => name === 'upstream snapshot' && value === 'the newest');
}

/** The difference between two states of a component, one row per part. */
export function partChanges(before: ComponentInputs, after: ComponentInputs): PartChange[] {
  const { added, removed, changed, reordered } = compareInputs(before, after);
  const value = <K extends string>(key: K, text: string | undefined): { [P in K]?: string } =>
    text === undefined ? {} : ({ [key]: text } as { [P in K]?: string });
  return [
    ...changed.map(
      ({ name, before: old, after: now }): PartChange => ({
        part: name,
        change: 'changed',
        ...value('before', old.value),
        ...value('after', now.value),
        ...value('where', now.where),
      }),
    ),
    ...added.map(
      ({ name, value: after, where }): PartChange => ({
        part: name,
        change: 'added',
        ...value('after', after),
        ...value('where', where),
      }),
    ),
    ...removed.map(
      ({ name, value: before, where }): PartChange => ({
        part: name,
        change: 'removed',
        ...value('before', before),
        ...value('where', where),
      }),
    ),
    ...(reordered ? [{ part: 'order of overlays', change: 'reordered' } as const] : []),
  ];
}

/** A part that changed in one line. */
export function describePart({ part, change, before, after, where }: PartChange): string {
  const at = where === undefined ? '' : ` [${where}]`;
  const values =
    change === 'changed'
      ? before === undefined && after === undefined
        ? ''
        : `: ${before ?? '…'} → ${after ?? '…'}`
      : (after ?? before) === undefined
        ? ''
        : `: ${after ?? before}`;
  return `${change} ${part}${values}${at}`;
}

/** The changes, with components that changed in the same way under one heading. */
export function changedText(report: ChangedReport): string {
  const stories = new Map<string, { readonly heading: string; readonly lines: string[]; readonly names: string[] }>();
  for (const { component, change, parts, sourcesChanged, drifted } of report.components) {
    const lines = parts.map((part) => `  ${describePart(part)}`);
    const sources = drifted ? ', rendered sources drifted' : sourcesChanged ? ', rendered sources changed' : '';
    const heading = `${change}${sources}`;
    const key = [heading, ...lines].join('\n');
    const story = stories.get(key) ?? { heading, lines, names: [] };
    story.names.push(component);
    stories.set(key, story);
  }
  if (stories.size === 0) return 'no component changed';
  return [...stories.values()]
    .map(({ heading, lines, names }) => [`${listed(names)}: ${heading}`, ...lines].join('\n'))
    .join('\n');
}

function listed(names: readonly string[]): string {
  if (names.length <= 5) return names.join(', ');
  return `${names.slice(0, 3).join(', ')} and ${names.length - 3} more components`;
}
