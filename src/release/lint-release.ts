import { inStage } from '../base/progress.ts';
import { fails, type LintReport } from '../lint/rule.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { buildRelease } from './build.ts';
import { plannedChecks, runChecks } from './lint.ts';
import type { Release } from './record.ts';

/** Lint results of an image, over all its formats and targets. */
export interface ImageCheck {
  /** Number of rules checked. */
  readonly rules: number;
  /** Rules that failed or could not be checked, with their findings. */
  readonly broken: readonly string[];
  readonly warnings: readonly string[];
}

export interface CheckedRelease {
  readonly release: Release;
  readonly checks: ReadonlyMap<string, ImageCheck>;
  readonly ok: boolean;
}

/** Builds every image from one snapshot and lints each for its targets. */
export async function checkedRelease(workspace: Workspace): Promise<CheckedRelease> {
  const release = await buildRelease(workspace);
  const checks = await inStage(workspace.progress, 'check', async (stage) => {
    const result = new Map<string, ImageCheck>();
    for (const { record } of release.images) {
      const planned = await plannedChecks(workspace, record.name);
      result.set(record.name, summed(await runChecks(workspace, release.toolbox, planned, stage.update)));
    }
    const rules = [...result.values()].reduce((sum, check) => sum + check.rules, 0);
    return { result, summary: `${result.size} images checked against ${rules} rules`, cached: false };
  });
  return { release, checks, ok: [...checks.values()].every(({ broken }) => broken.length === 0) };
}

/**
 * Sums up the reports on all files of an image. As in `image lint`, a rule that could not be checked counts as broken, and so
 * does an image without any rule.
 */
export function summed(reports: readonly LintReport[]): ImageCheck {
  const broken: string[] = [];
  const warnings: string[] = [];
  let rules = 0;
  for (const { target, format, verdicts } of reports) {
    rules += verdicts.length;
    for (const verdict of verdicts) {
      const { rule, status, findings } = verdict;
      if (status === 'holds') continue;
      const found = findings.map(({ where, message }) => (where === undefined ? message : `${where}: ${message}`));
      const said = `${rule} (${target}, ${format}): ${found.join('; ')}`;
      (fails(verdict) ? broken : warnings).push(said);
    }
  }
  if (rules === 0) broken.push('not checked: no rule applies');
  return { rules, broken, warnings };
}
