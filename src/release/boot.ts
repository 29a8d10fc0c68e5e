import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { closest, WeirError } from '../base/errors.ts';
import { exists, readIfExists } from '../base/files.ts';
import { inStage } from '../base/progress.ts';
import { type BootImage, type BootReport, bootCheck, type MachineOptions } from '../boot/check.ts';
import { bootInteractive, type ConsoleOptions } from '../boot/console.ts';
import type { ImageRecord } from './images.ts';
import { toolboxStage, type Workspace } from './workspace.ts';

/** Finds a disk that was built. @throws WeirError `no-image`, `not-bootable` */
export async function bootableImage(
  workspace: Workspace,
  name: string,
): Promise<{ readonly image: BootImage; readonly record: ImageRecord }> {
  const dir = join(workspace.out, 'images', name);
  const text = await readIfExists(join(dir, 'image.json'));
  if (text === undefined) {
    const near = closest(name, workspace.project.images.keys())[0];
    const known = workspace.project.images.has(name);
    throw new WeirError('no-image', known ? `image ${name} is not built yet` : `there is no image ${name}`, {
      where: { file: dir },
      hint: known || near === undefined ? 'weir build makes it' : `did you mean ${near}?`,
      exit: known ? 1 : 2,
    });
  }
  const record = JSON.parse(text) as ImageRecord;
  for (const format of ['qcow2', 'raw', 'vhd'] as const) {
    const path = join(dir, `${name}.${format}`);
    if (await exists(path)) return { image: { path, format, arch: workspace.arch }, record };
  }
  throw new WeirError('not-bootable', `image ${name} is a ${record.kind}: it has no disk to start`, {
    where: { file: dir },
    exit: 2,
  });
}

/** Starts the very image a user would get and asks it how it is; see `bootCheck`. */
export async function checkImage(
  workspace: Workspace,
  name: string,
  options: MachineOptions & { readonly install?: string; readonly verifyPackages?: boolean } = {},
): Promise<BootReport> {
  const { image, record } = await bootableImage(workspace, name);
  const toolbox = await toolboxStage(workspace, 'boot');
  const root = join(workspace.out, 'repo', workspace.release.version, record.snapshot);
  const installed = new Set(record.packages.map((pkg) => pkg.name));
  const wanted = options.install ?? (await somethingToInstall(workspace, installed));
  return inStage(workspace.progress, `boot ${name}`, async (stage) => {
    stage.update('starting');
    const report = await bootCheck(toolbox, image, {
      ...options,
      folder: join(workspace.out, 'boot', name),
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
      summary: `${report.ok ? 'well' : `${report.failures.length} failures`}, ${report.accelerator.why}`,
      cached: false,
    };
  });
}

/** A package that a component builds, published and not in the image: what a user would install next. */
async function somethingToInstall(workspace: Workspace, installed: ReadonlySet<string>): Promise<string> {
  const record = JSON.parse(await readFile(join(workspace.out, 'release.json'), 'utf8')) as {
    readonly components: readonly { readonly name: string }[];
  };
  const found = record.components.find(
    (component) => !installed.has(component.name) && !component.name.startsWith('weir-'),
  );
  if (found === undefined) {
    throw new WeirError('nothing-to-install', 'every component is in the image already', {
      hint: 'name a package with --install',
      exit: 2,
    });
  }
  return found.name;
}

/** Runs an image on the terminal. @returns QEMU's exit code */
export async function runImage(workspace: Workspace, name: string, options: ConsoleOptions): Promise<number> {
  const { image } = await bootableImage(workspace, name);
  return bootInteractive(await toolboxStage(workspace, 'boot'), image, options);
}
