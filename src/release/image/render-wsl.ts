import { gzipBy } from '../../image/gzip.ts';
import { makeWsl } from '../../image/wsl.ts';
import type { WeirImage } from '../../project/model/image.ts';
import type { Rendered, RenderSource } from './render-source.ts';

/** Writes a `.wsl` file. */
export async function renderWsl(
  { workspace, toolbox, image, tree, osRelease }: RenderSource,
  { wsl }: Extract<WeirImage, { kind: 'wsl' }>,
  dir: string,
): Promise<Rendered> {
  const { engine, clock, arch } = workspace;
  const made = await makeWsl(engine.store, tree, dir, {
    name: image.name,
    arch,
    friendlyName: osRelease.PRETTY_NAME ?? image.name,
    ...wsl,
    epoch: clock,
    gzip: gzipBy(toolbox),
  });
  return { details: { defaultName: made.defaultName }, digests: new Map([[made.file, made.digest]]) };
}
