import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { didYouMean, WeirError } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import { inStage } from '../base/progress.ts';
import { withScratch } from '../engine/scratch.ts';
import { lintArtefact } from '../lint/lint.ts';
import type { LintReport, Target } from '../lint/rule.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type ProjectWorkspace, toolboxStage } from '../workspace/workspace.ts';
import { builtImage, imageFolder } from './published.ts';

/** The lint targets. */
export const lintTargets = ['generic', 'azure-gen1', 'azure-gen2', 'kubernetes'] as const satisfies readonly Target[];

export type LintTarget = (typeof lintTargets)[number];

/**
 * Lints a built image of the project in all its formats (for Azure only the VHD, if there is one), or a file or folder by its
 * path. It checks the artefact, not the definition.
 * @param target by default the platforms in the image's definition, else `generic`
 * @throws WeirError `no-image`, `nothing-to-check`, and the errors of `builtImage` and `lintArtefact`
 */
export async function lintImage(
  workspace: ProjectWorkspace,
  subject: string,
  target?: LintTarget,
): Promise<LintReport[]> {
  // Check the name before fetching anything.
  const checks = await plannedChecks(workspace, subject, target);
  const toolbox = await toolboxStage(workspace, 'core');
  return inStage(workspace.progress, 'lint', async (stage) => {
    const result = await runChecks(workspace, toolbox, checks, stage.update);
    const rules = result.reduce((sum, { verdicts }) => sum + verdicts.length, 0);
    return { result, summary: `${rules} rules checked`, cached: false };
  });
}

/** One artefact and one target to check it for. */
export interface PlannedCheck {
  readonly path: string;
  readonly target: LintTarget;
}

/** The checks of `lintImage`. @throws WeirError `no-image`, `nothing-to-check` */
export async function plannedChecks(
  workspace: ProjectWorkspace,
  subject: string,
  target?: LintTarget,
): Promise<PlannedCheck[]> {
  const checks: PlannedCheck[] = [];
  for (const each of target === undefined ? targetsOf(workspace, subject) : [target]) {
    for (const path of await artefacts(workspace, subject, each)) checks.push({ path, target: each });
  }
  if (checks.length === 0) {
    throw new WeirError('nothing-to-check', `${subject} has no file to check`, {
      hint: 'lint supports disks (raw, qcow2, vhd, vhdx), container images and WSL images',
    });
  }
  return checks;
}

export async function runChecks(
  { engine }: Pick<ProjectWorkspace, 'engine'>,
  toolbox: Toolbox,
  checks: readonly PlannedCheck[],
  update: (text: string) => void,
): Promise<LintReport[]> {
  const result: LintReport[] = [];
  for (const { path, target } of checks) {
    update(path);
    const reports = await withScratch(engine.scratch, async (scratch) =>
      // The sandbox does not contain the target of a symlink.
      lintArtefact(toolbox, await realpath(path), target, scratch),
    );
    result.push(...reports);
  }
  return result;
}

function targetsOf(workspace: ProjectWorkspace, subject: string): readonly LintTarget[] {
  const definition = workspace.project.images.get(subject)?.definition;
  const platforms = definition?.type === 'weir' && definition.kind === 'disk' ? definition.platforms : [];
  return platforms.length === 0 ? ['generic'] : platforms;
}

async function artefacts(workspace: ProjectWorkspace, subject: string, target: string): Promise<string[]> {
  const { images } = workspace.project;
  if (!images.has(subject)) {
    if (await exists(subject)) return [subject];
    throw new WeirError('no-image', `${subject} is neither an image of the project nor a file`, {
      hint: didYouMean(subject, images.keys()) ?? 'run: weir image list',
      exit: 2,
    });
  }
  const record = await builtImage(workspace, subject);
  const folder = imageFolder(workspace, subject);
  if (record.kind === 'container') return [join(folder, 'oci')];
  const disks = record.files.map(({ path }) => path).filter((path) => /\.(raw|qcow2|vhd|vhdx|wsl)$/.test(path));
  const vhds = disks.filter((path) => path.endsWith('.vhd'));
  return (target.startsWith('azure-') && vhds.length > 0 ? vhds : disks).map((path) => join(folder, path));
}
