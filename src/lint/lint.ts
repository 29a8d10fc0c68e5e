import { mkdir, open, stat } from 'node:fs/promises';
import { fileReader } from '../archive/read-at.ts';
import { WeirError } from '../base/errors.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type ContainerFacts, containerFacts } from './container-facts.ts';
import { type DiskFacts, diskFacts } from './disk-facts.ts';
import { isArchive, withArchive } from './open-archive.ts';
import { packageReader, withDisk } from './open-disk.ts';
import { withImages } from './open-layout.ts';
import { checkRules, type LintReport, notCheckable, passes, type Rule, type Target, type Verdict } from './rule.ts';
import { azureRules } from './rules/azure.ts';
import { bootRules } from './rules/boot.ts';
import { containerOnlyRules, noLabels } from './rules/container.ts';
import { kubernetesRules } from './rules/kubernetes.ts';
import { leftoverRules } from './rules/leftovers.ts';
import { partitionRules } from './rules/partitions.ts';
import { osRelease, rootRules, rpmDatabase } from './rules/root.ts';
import { wslOnlyRules } from './rules/wsl.ts';
import { type WslFacts, wslFacts } from './wsl-facts.ts';

/** Rules for disks, in report order. */
export const diskRules: readonly Rule<DiskFacts>[] = [
  ...partitionRules,
  ...bootRules,
  ...rootRules,
  ...azureRules,
  ...kubernetesRules,
  ...leftoverRules,
];

/** Rules for container images. */
export const containerRules: readonly Rule<ContainerFacts>[] = [...containerOnlyRules, osRelease, ...leftoverRules];

/** Rules for WSL images. */
export const wslRules: readonly Rule<WslFacts>[] = [
  ...wslOnlyRules,
  osRelease,
  rpmDatabase,
  noLabels,
  ...leftoverRules,
];

/** Every rule once, for the list of rules. */
export function allRules(): Pick<Rule<never>, 'id' | 'appliesTo' | 'why'>[] {
  const byId = new Map(
    [...diskRules, ...containerRules, ...wslRules].map(({ id, appliesTo, why }) => [id, { id, appliesTo, why }]),
  );
  return [...byId.values()];
}

/**
 * Lints a disk (raw, qcow2, VHD, VHDX), a WSL image or an OCI layout folder by its content; mounts and writes nothing.
 * @param target target of a disk; other kinds are their own targets
 * @param scratch a folder for exclusive use
 * @returns one report; for a container image one per platform
 * @throws WeirError `no-file`, `unknown-format`, `wrong-target`
 */
export async function lintArtefact(
  toolbox: Toolbox,
  path: string,
  target: Exclude<Target, 'container' | 'wsl'>,
  scratch: string,
): Promise<LintReport[]> {
  await mkdir(scratch, { recursive: true });
  const info = await stat(path);
  // Reading a pipe would not end.
  if (info.isFIFO() || info.isSocket() || info.isCharacterDevice()) throw notCheckable(path, 'not a regular file');
  const isFolder = info.isDirectory();
  const first = isFolder ? Buffer.alloc(0) : await firstBytes(path);
  if (!isFolder && !isArchive(path, first)) {
    return withDisk(toolbox, path, scratch, async (disk, readers) => {
      const verdicts = await checkRules(diskRules, diskFacts(disk, readers), target);
      return [report(path, disk.format, target, verdicts)];
    });
  }
  if (target !== 'generic') {
    const kind = isFolder ? 'a container image' : 'a WSL image';
    throw new WeirError('wrong-target', `${kind} cannot be checked for ${target}`, {
      where: { file: path },
      hint: 'remove --for',
      exit: 2,
    });
  }
  const packages = packageReader(toolbox, scratch);
  if (!isFolder) {
    return withArchive(path, first, scratch, async (archive) => {
      const verdicts = await checkRules(wslRules, wslFacts(archive, packages), 'wsl');
      return [report(path, 'wsl', 'wsl', verdicts)];
    });
  }
  return withImages(path, scratch, async (image) => {
    const verdicts = await checkRules(containerRules, containerFacts(image, packages), 'container');
    return { ...report(path, 'oci', 'container', verdicts), image: image.name };
  });
}

async function firstBytes(path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    return fileReader(handle.fd)(0, 512);
  } finally {
    await handle.close();
  }
}

function report(file: string, format: string, target: Target, verdicts: readonly Verdict[]): LintReport {
  return { file, format, target, ok: passes(verdicts), verdicts };
}
