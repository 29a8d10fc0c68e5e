import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../../base/errors.ts';
import { exists } from '../../base/files.ts';
import { inStage } from '../../base/progress.ts';
import { type BootImage, type BootReport, bootCheck, type MachineOptions } from '../../boot/boot-check.ts';
import { cloudSeedCommandLine, writeCloudSeed } from '../../boot/cloud-seed.ts';
import { bootInteractive, type ConsoleOptions } from '../../boot/console.ts';
import { withScratch } from '../../engine/scratch.ts';
import { toolboxStage, type Workspace } from '../../workspace/workspace.ts';
import { builtImage, builtRelease, imageFolder, snapshotPath } from '../published.ts';
import type { ImageRecord, ReleaseRecord } from '../record-schema.ts';
import { diskFormats } from './image-record.ts';

/** Finds a built disk image. @throws WeirError `no-image`, `bad-record`, `not-bootable` */
export async function bootableImage(
  workspace: Workspace,
  name: string,
): Promise<{ readonly image: BootImage; readonly record: ImageRecord }> {
  const record = await builtImage(workspace, name);
  const dir = imageFolder(workspace, name);
  for (const format of diskFormats) {
    const path = join(dir, `${name}.${format}`);
    if (await exists(path)) return { image: { path, format, arch: workspace.arch }, record };
  }
  throw new WeirError('not-bootable', `image ${name} is of kind ${record.kind} and has no disk to boot`, {
    where: { file: dir },
    exit: 2,
  });
}

/** Options that the boot room does not handle itself. */
export interface SeedOptions {
  /** Folder with cloud-init's user-data and meta-data. */
  readonly cloudSeed?: string;
}

/** Adds a disk for cloud-init to the options, if requested. @param folder where to write the disk */
async function withCloudSeed<T extends MachineOptions & SeedOptions>(
  workspace: Workspace,
  options: T,
  folder: string,
): Promise<T> {
  if (options.cloudSeed === undefined) return options;
  const disk = join(folder, 'cidata.img');
  await mkdir(folder, { recursive: true });
  await writeCloudSeed(await toolboxStage(workspace, 'core'), options.cloudSeed, disk);
  const words = [options.extraCommandLine, cloudSeedCommandLine].filter((word) => word !== undefined);
  return { ...options, disks: [...(options.disks ?? []), disk], extraCommandLine: words.join(' ') };
}

/** Boots the exact image that a user gets and checks it; see `bootCheck`. */
export async function checkImage(
  workspace: Workspace,
  name: string,
  options: MachineOptions & SeedOptions & { readonly install?: string; readonly verifyPackages?: boolean } = {},
): Promise<BootReport> {
  const { image, record } = await bootableImage(workspace, name);
  const toolbox = await toolboxStage(workspace, 'boot');
  // As a machine sees it: the repository of the last release, also if the image is older.
  const release = await builtRelease(workspace);
  const root = join(workspace.out, snapshotPath(release));
  const installed = new Set(record.packages.map((pkg) => pkg.name));
  const wanted = options.install ?? somethingToInstall(release, installed);
  const folder = join(workspace.out, 'boot', name);
  const machine = await withCloudSeed(workspace, options, folder);
  return inStage(workspace.progress, `boot ${name}`, async (stage) => {
    stage.update('starting');
    const report = await bootCheck(toolbox, image, {
      ...machine,
      folder,
      install: {
        folder: root,
        package: wanted,
        repositories: workspace.release.channels.map((channel) => ({
          id: `weir-${channel.name}`,
          path: `${channel.name}/${workspace.arch}`,
        })),
      },
    });
    for (const note of report.notes) stage.note(note);
    return {
      result: report,
      summary: `${report.ok ? 'ok' : `${report.failures.length} failures`}, ${report.accelerator.why}`,
      cached: false,
    };
  });
}

/** A published package of a component that is not in the image: something that a user might install. */
function somethingToInstall({ components }: ReleaseRecord, installed: ReadonlySet<string>): string {
  const found = components.find((component) => !installed.has(component.name) && !component.name.startsWith('weir-'));
  if (found === undefined) {
    throw new WeirError('nothing-to-install', 'the image already contains every component', {
      hint: 'name a package: --install NAME',
      exit: 2,
    });
  }
  return found.name;
}

/** Runs an image on the terminal. @returns QEMU's exit code */
export async function runImage(
  workspace: Workspace,
  name: string,
  options: ConsoleOptions & SeedOptions,
): Promise<number> {
  const { image } = await bootableImage(workspace, name);
  const toolbox = await toolboxStage(workspace, 'boot');
  return withScratch(workspace.engine.scratch, async (folder) =>
    bootInteractive(toolbox, image, await withCloudSeed(workspace, options, folder)),
  );
}
