import type { ComponentInputs } from './input-parts.ts';

/** Author and time of a commit of the project. */
export interface ProjectCommit {
  readonly commit: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  readonly author: string;
  readonly email: string;
  readonly message: string;
}

/** A component's state from a commit on. */
export interface ComponentState {
  /** Prefix of the inputs' digest; undefined if the component does not exist. */
  readonly digest?: string;
  /** Whether it had a lock. */
  readonly locked: boolean;
  /** The upstream revision: the commit, else the snapshot. */
  readonly upstream?: { readonly commit?: string; readonly snapshot?: string };
  readonly changedBy: ProjectCommit;
  /** Only if requested. */
  readonly inputs?: ComponentInputs;
}

export interface ComponentHistory {
  /** Oldest first; each differs from the previous one. */
  readonly states: readonly ComponentState[];
  /** Whether the component already existed where a shallow clone begins. */
  readonly cutOff: boolean;
}

/** Length of a prefix of a digest that tells inputs. */
export const digestLength = 16;

/** The parts of the inputs that determine the upstream revision. */
export function upstreamOf(inputs: ComponentInputs): ComponentState['upstream'] {
  const value = (name: string): string | undefined => inputs.parts.find((part) => part.name === name)?.value;
  const commit = value('upstream commit');
  if (commit !== undefined) return { commit };
  const snapshot = value('upstream snapshot');
  return snapshot === undefined || snapshot === 'the newest' ? undefined : { snapshot };
}
