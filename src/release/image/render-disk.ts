import { basename } from 'node:path';
import type { Engine } from '../../engine/action.ts';
import { withScratch } from '../../engine/scratch.ts';
import { readBlobText } from '../../engine/store.ts';
import type { VmFormat } from '../../image/disk-formats.ts';
import { makeVm } from '../../image/vm.ts';
import type { WeirImage } from '../../project/model/image.ts';
import type { Tree } from '../../tree/tree.ts';
import type { Rendered, RenderSource } from './render-source.ts';

/** Writes a bootable disk in each of the image's formats. */
export async function renderDisk(
  { workspace, toolbox, image, tree, uuidSeed }: RenderSource,
  { formats, disk, kernel, selinux }: Extract<WeirImage, { kind: 'disk' }>,
  dir: string,
): Promise<Rendered> {
  const { engine, clock, arch } = workspace;
  // The packages' default is enforcing. The kernel uses the last value of a repeated parameter.
  const modes = { enforcing: [], permissive: ['enforcing=0'], disabled: ['selinux=0'] } as const;
  const commandLine = [...(await packagedCommandLine(engine, tree)), ...modes[selinux], ...kernel.commandLine];
  const { store } = engine;
  const { files, digests, ...details } = await withScratch(engine.scratch, (work) =>
    makeVm(
      { toolbox, store, tree, out: dir, work },
      {
        name: image.name,
        arch,
        formats: formats.filter((format): format is VmFormat => format !== 'oci' && format !== 'wsl'),
        commandLine,
        size: disk.size,
        espSize: disk.espSize,
        rootLabel: disk.rootLabel,
        ...(disk.ownBootLoader === true && disk.espMount !== undefined ? { espFolder: disk.espMount } : {}),
        ...(disk.bootTimeout === undefined ? {} : { bootTimeout: disk.bootTimeout }),
        selinux: selinux !== 'disabled',
        uuidSeed,
        epoch: clock,
      },
    ),
  );
  const known = Object.entries(digests).map(
    ([format, digest]) => [basename(files[format as VmFormat]!), digest] as const,
  );
  return { details, digests: new Map(known) };
}

/** Kernel parameters that packages add, one file each. */
async function packagedCommandLine({ store }: Engine, tree: Tree): Promise<string[]> {
  const words: string[] = [];
  for (const entry of tree.entries) {
    if (entry.kind !== 'file' || !/^\/usr\/lib\/kernel\/cmdline(\.d\/[^/]+\.conf)?$/.test(entry.path)) continue;
    const text = await readBlobText(store, entry.digest);
    for (const line of text.split('\n'))
      if (!line.startsWith('#')) words.push(...line.split(/\s+/).filter((word) => word !== ''));
  }
  return words;
}
