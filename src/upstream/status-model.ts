import type { PlainError } from '../base/errors.ts';
import type { Between } from './between.ts';
import type { OverlayFinding } from './overlay-findings.ts';

/** A commit of a dist-git. */
export interface CommitPlace {
  readonly commit: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
}

/**
 * How a component stands to its upstream. `behind`: the branch has newer commits. `ahead`: the pinned commit is newer than
 * the one asked for. `apart`: the pinned commit is not in the branch's history. `retired`: the branch has no spec any more.
 * `skipped`: it has no upstream with commits.
 */
export type FollowState = 'current' | 'behind' | 'ahead' | 'apart' | 'retired' | 'skipped' | 'failed';

export interface ComponentStatus {
  readonly component: string;
  readonly state: FollowState;
  /** The address of the dist-git. */
  readonly upstream?: string;
  readonly branch?: string;
  readonly pinned?: CommitPlace & {
    /** What names the commit. `branch`: nothing does, so it is always the newest. */
    readonly by: 'lock' | 'pin' | 'configuration' | 'snapshot' | 'branch';
  };
  readonly newest?: CommitPlace;
  /** Undefined if both are the same commit. */
  readonly between?: Between;
  /** Overlays that do not do their work on the newest commit. */
  readonly overlays: readonly OverlayFinding[];
  /** Why it was skipped. */
  readonly reason?: string;
  readonly error?: PlainError;
}

export interface StatusReport {
  /** The time asked for. */
  readonly to?: string;
  /** Sorted by name. */
  readonly components: readonly ComponentStatus[];
}
