import { mkdir, stat } from 'node:fs/promises';
import { WeirError } from '../../base/errors.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { type ContainerFacts, containerFacts } from './container-facts.ts';
import { type DiskFacts, diskFacts } from './disk-facts.ts';
import { packageReader, withDisk } from './open-disk.ts';
import { withImages } from './open-layout.ts';
import { checkRules, type LintReport, passes, type Rule, type Target, type Verdict } from './rule.ts';
import { azureRules } from './rules/azure.ts';
import { bootRules } from './rules/boot.ts';
import { containerOnlyRules } from './rules/container.ts';
import { leftoverRules } from './rules/leftovers.ts';
import { partitionRules } from './rules/partitions.ts';
import { osRelease, rootRules } from './rules/root.ts';

/** Rules for disks, in the order in which reports have them. */
export const diskRules: readonly Rule<DiskFacts>[] = [
  ...partitionRules,
  ...bootRules,
  ...rootRules,
  ...azureRules,
  ...leftoverRules,
];

/** Rules for container images. */
export const containerRules: readonly Rule<ContainerFacts>[] = [...containerOnlyRules, osRelease, ...leftoverRules];

/** Every rule once, as a list of them shows it. */
export function allRules(): Pick<Rule<never>, 'id' | 'appliesTo' | 'why'>[] {
  const byId = new Map([...diskRules, ...containerRules].map(({ id, appliesTo, why }) => [id, { id, appliesTo, why }]));
  return [...byId.values()];
}

/**
 * Checks a disk (raw, qcow2, VHD) or a folder with an OCI layout by what is in it; nothing is mounted, nothing written.
 * @param target what a disk is checked for; a container image is always checked as one
 * @param scratch a folder of its own
 * @returns one report for a disk, one a platform for a container image
 * @throws WeirError `no-file`, `unknown-format`, `wrong-target`
 */
export async function lintArtefact(
  toolbox: Toolbox,
  path: string,
  target: Exclude<Target, 'container'>,
  scratch: string,
): Promise<LintReport[]> {
  await mkdir(scratch, { recursive: true });
  const isFolder = (await stat(path)).isDirectory();
  if (!isFolder) {
    return withDisk(toolbox, path, scratch, async (disk, readers) => {
      const verdicts = await checkRules(diskRules, diskFacts(disk, readers), target);
      return [report(path, disk.format, target, verdicts)];
    });
  }
  if (target !== 'generic') {
    throw new WeirError('wrong-target', `a container image cannot be checked for ${target}`, {
      where: { file: path },
      hint: 'leave --for out',
      exit: 2,
    });
  }
  return withImages(path, scratch, async (image) => {
    const facts = containerFacts(image, packageReader(toolbox, scratch));
    return report(
      `${path} ${image.name}`.trim(),
      'oci',
      'container',
      await checkRules(containerRules, facts, 'container'),
    );
  });
}

function report(subject: string, format: string, target: Target, verdicts: readonly Verdict[]): LintReport {
  return { subject, format, target, ok: passes(verdicts), verdicts };
}
