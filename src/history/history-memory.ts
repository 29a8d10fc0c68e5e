import { readIfExists } from '../base/files.ts';
import type { ComponentHistory, ComponentState, ProjectCommit } from './component-state.ts';
import type { Candidates } from './history-index.ts';
import { inputsFormat } from './inputs.ts';

/** The cached states of components up to one commit. */
export interface Memory {
  readonly format: number;
  readonly head: string;
  readonly pending: 'all' | readonly string[];
  /** Names of components; null for all that ever existed. */
  readonly names: readonly string[] | null;
  readonly commits: readonly ProjectCommit[];
  readonly upstreams: readonly NonNullable<ComponentState['upstream']>[];
  /** Per component: whether it is cut off, and its states: commit, digest or '', locked, upstream or -1. */
  readonly components: Readonly<
    Record<string, readonly [cutOff: boolean, states: readonly (readonly [number, string, boolean, number])[]]>
  >;
}

const format = 1000 + inputsFormat;

export async function recall(path: string): Promise<Memory | undefined> {
  const text = await readIfExists(path);
  if (text === undefined) return undefined;
  try {
    const memory = JSON.parse(text) as Memory;
    return memory.format === format ? memory : undefined;
  } catch {
    // Written by another program, or damaged: computed again.
    return undefined;
  }
}

export function namesOf({ names }: Memory): ReadonlySet<string> | undefined {
  return names === null ? undefined : new Set(names);
}

export function knows(memory: Memory, names: ReadonlySet<string> | undefined): boolean {
  const known = namesOf(memory);
  return known === undefined || (names !== undefined && [...names].every((name) => known.has(name)));
}

/** Whether one history covers every component that the other covers. */
export function covers(memory: Memory, other: Memory): boolean {
  return knows(memory, namesOf(other));
}

export function historiesOf(memory: Memory, names: ReadonlySet<string> | undefined): Map<string, ComponentHistory> {
  const histories = new Map<string, ComponentHistory>();
  for (const [name, [cutOff, states]] of Object.entries(memory.components)) {
    if (names !== undefined && !names.has(name)) continue;
    histories.set(name, {
      cutOff,
      states: states.map(([commit, digest, locked, upstream]) => ({
        locked,
        changedBy: memory.commits[commit]!,
        ...(digest === '' ? {} : { digest }),
        ...(upstream < 0 ? {} : { upstream: memory.upstreams[upstream]! }),
      })),
    });
  }
  return histories;
}

export function pack(
  head: string,
  histories: ReadonlyMap<string, ComponentHistory>,
  names: ReadonlySet<string> | undefined,
  pending: Candidates,
): Memory {
  const commits = new Map<string, { readonly at: number; readonly commit: ProjectCommit }>();
  const upstreams = new Map<
    string,
    { readonly at: number; readonly upstream: NonNullable<ComponentState['upstream']> }
  >();
  const commitAt = (commit: ProjectCommit): number => {
    const known = commits.get(commit.commit) ?? { at: commits.size, commit };
    commits.set(commit.commit, known);
    return known.at;
  };
  const upstreamAt = (upstream: ComponentState['upstream']): number => {
    if (upstream === undefined) return -1;
    const key = `${upstream.commit ?? ''} ${upstream.snapshot ?? ''}`;
    const known = upstreams.get(key) ?? { at: upstreams.size, upstream };
    upstreams.set(key, known);
    return known.at;
  };
  const components = Object.fromEntries(
    [...histories].map(([name, { cutOff, states }]) => [
      name,
      [
        cutOff,
        states.map(
          ({ changedBy, digest = '', locked, upstream }) =>
            [commitAt(changedBy), digest, locked, upstreamAt(upstream)] as const,
        ),
      ] as const,
    ]),
  );
  return {
    format,
    head,
    pending: pending === 'all' ? pending : [...pending],
    names: names === undefined ? null : [...names].sort(),
    commits: [...commits.values()].map(({ commit }) => commit),
    upstreams: [...upstreams.values()].map(({ upstream }) => upstream),
    components,
  };
}
