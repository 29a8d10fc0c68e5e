import { isoTime } from '../base/time.ts';
// The history of components as a report: how often each was changed and by whom, and for one component, what each commit changed.

import { relative } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { compareText } from '../base/order.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import { readLocks } from '../sources/component-lock.ts';
import { changesUpTo, findRepository, headOf } from '../sources/repository.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { describePart, type PartChange, partChanges } from './component-changes.ts';
import type { ComponentHistory, ComponentState } from './component-state.ts';
import { fileDigests } from './file-digests.ts';
import { componentHistories } from './history.ts';
import type { ComponentInputs, InputContext, InputPart } from './input-parts.ts';
import { componentInputs } from './inputs.ts';

/** A commit of the project that changed a component. */
export interface HistoryEntry {
  /** Undefined for uncommitted changes. */
  readonly commit?: string;
  /** ISO 8601, in UTC. */
  readonly date?: string;
  readonly author?: string;
  readonly email?: string;
  readonly subject?: string;
  readonly change: 'added' | 'changed' | 'removed';
  readonly parts: readonly PartChange[];
}

export interface HistoryRow {
  readonly component: string;
  /** Commits that changed its inputs. */
  readonly changes: number;
  /** Commits to the file that defines it. */
  readonly tomlCommits: number;
  /** Whether that file defines other components too. */
  readonly tomlShared: boolean;
  /** Its deviations from upstream's spec: overlays, build options, source files … */
  readonly customizations: readonly { readonly name: string; readonly value?: string; readonly where?: string }[];
  /** Time of the last change, ISO 8601. */
  readonly last?: string;
  /** Whether a shallow clone begins after the component was added, so that there are more commits than are known. */
  readonly cutOff: boolean;
  /** Newest first; only if one component was requested. */
  readonly commits?: readonly HistoryEntry[];
}

/**
 * Reports on components, the most changed first.
 * @throws WeirError `no-git` (exit 2), `git-failed`
 */
export async function historyReport(
  workspace: Pick<ProjectWorkspace, 'project' | 'engine' | 'cache' | 'progress'>,
  components: readonly ResolvedComponent[],
): Promise<HistoryRow[]> {
  const { project, engine, cache } = workspace;
  const one = components.length === 1;
  const names = new Set(components.map(({ name }) => name));
  // All components are computed and cached for the next time; for a few, that is not worth it.
  const all = names.size === project.components.size;
  const histories = await componentHistories(project, {
    scratch: engine.scratch,
    ...(one ? { withInputs: true } : { cache }),
    names: all && !one ? undefined : names,
  });
  if (histories === undefined) {
    throw new WeirError('no-git', 'the project has no history: it is not in a git repository, or has no commit', {
      where: { file: project.file },
      exit: 2,
    });
  }
  const touched = await commitsByFile(workspace.project.root);
  const context: InputContext = { project, locks: await readLocks(project), files: fileDigests() };
  const definitions = new Map<string, number>();
  for (const { origin } of project.components.values()) {
    definitions.set(origin.file, (definitions.get(origin.file) ?? 0) + 1);
  }
  const rows: HistoryRow[] = [];
  for (const component of components) {
    const inputs = await componentInputs(component, context);
    const states = digestChanges(histories.get(component.name));
    const last = states.at(-1)?.changedBy.time;
    rows.push({
      component: component.name,
      changes: states.length,
      tomlCommits: touched(component.origin.file),
      tomlShared: (definitions.get(component.origin.file) ?? 0) > 1,
      customizations: inputs.parts.filter(isCustomization).map(({ digest: _, ...part }) => part),
      ...(last === undefined ? {} : { last: isoTime(last) }),
      cutOff: histories.get(component.name)?.cutOff === true,
      ...(one ? { commits: entries(states, inputs) } : {}),
    });
  }
  return rows.sort((a, b) => b.changes - a.changes || compareText(a.component, b.component));
}

/** States whose inputs differ from the previous ones; a lock that was added without a change does not count. */
function digestChanges(history: ComponentHistory | undefined): ComponentState[] {
  const states = history?.states ?? [];
  return states.filter((state, index) => state.digest !== states[index - 1]?.digest);
}

function entries(states: readonly ComponentState[], now: ComponentInputs): HistoryEntry[] {
  const found: HistoryEntry[] = states.map((state, index): HistoryEntry => {
    const { commit, time, author, email, message } = state.changedBy;
    const before = states[index - 1]?.inputs;
    return {
      ...{ commit, date: isoTime(time), author, email, subject: message.split('\n')[0] ?? '' },
      ...difference(before, state.inputs),
    };
  });
  const last = states.at(-1)?.inputs;
  if (last?.digest !== now.digest) found.push(difference(last, now));
  return found.reverse();
}

function difference(
  before: ComponentInputs | undefined,
  after: ComponentInputs | undefined,
): Pick<HistoryEntry, 'change' | 'parts'> {
  if (after === undefined) return { change: 'removed', parts: [] };
  if (before === undefined) return { change: 'added', parts: [] };
  return { change: 'changed', parts: partChanges(before, after) };
}

/** Parts that every component has, whatever its configuration. */
const plain =
  /^(name|spec source|spec file|spec folder .*|distro version|dist-git.*|upstream (distro|snapshot|commit))$/;

function isCustomization({ name, value }: InputPart): boolean {
  return !plain.test(name) && !(name === 'release.calculation' && value === 'auto');
}

/** How many commits of the first-parent history changed a file. @param root folder of the project */
async function commitsByFile(root: string): Promise<(file: string) => number> {
  const repository = await findRepository(root);
  const head = repository === undefined ? undefined : await headOf(repository);
  if (repository === undefined || head === undefined) return () => 0;
  const counts = new Map<string, number>();
  for (const { changes } of await changesUpTo(repository, head)) {
    for (const path of changes.keys()) if (path.endsWith('.toml')) counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  return (file) => counts.get(relative(repository.top, file)) ?? 0;
}

/** The changes of each commit, newest first. */
export function storyText(row: HistoryRow, commits: readonly HistoryEntry[]): string {
  const lines = commits.flatMap(({ commit, date, author, subject, change, parts }) => [
    commit === undefined
      ? `not committed yet: ${change}`
      : `${commit.slice(0, 12)} ${date?.slice(0, 10)} ${author}: ${subject}`,
    ...(commit !== undefined && change !== 'changed' ? [`  ${change}`] : []),
    ...parts.map((part) => `  ${describePart(part)}`),
  ]);
  if (row.cutOff) lines.push('earlier changes are unknown: the clone is shallow (run git fetch --unshallow)');
  if (lines.length === 0) return `no commit has ${row.component}`;
  return lines.join('\n');
}
