import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipBy } from '../../image/gzip.ts';
import { addOciImage, writeOciIndex } from '../../image/oci.ts';
import type { WeirImage } from '../../project/model/image.ts';
import { sourceName } from '../../repo/metadata.ts';
import { debianArch } from '../../toolbox/apt.ts';
import type { Rendered, RenderSource } from './render-source.ts';

/** Writes an OCI layout with one image to `oci/`. */
export async function renderContainer(
  { workspace, toolbox, image, packages, tree }: RenderSource,
  { container }: Extract<WeirImage, { kind: 'container' }>,
  dir: string,
): Promise<Rendered> {
  const { engine, clock, arch, project, release } = workspace;
  const sources = new Map(packages.map((pkg) => [pkg.name, sourceName(pkg)]));
  const layout = join(dir, 'oci');
  await mkdir(layout);
  const made = await addOciImage(engine.store, layout, tree, {
    architecture: debianArch(arch),
    settings: container,
    annotations: {
      'org.opencontainers.image.title': image.name,
      'org.opencontainers.image.version': release.version,
      ...(image.description === undefined ? {} : { 'org.opencontainers.image.description': image.description }),
      ...(project.lifecycle === undefined ? {} : { 'org.opencontainers.image.vendor': project.lifecycle.name }),
    },
    sourceOf: (name) => sources.get(name) ?? name,
    epoch: clock,
    gzip: gzipBy(toolbox),
  });
  const { names = [] } = container;
  await writeOciIndex(layout, names[0] ?? `${image.name}:${release.version}`, [made.manifest]);
  const layers = made.layers.map(({ title, descriptor: { digest, size } }) => ({ title, digest, size }));
  return {
    details: { manifest: made.manifest.digest, layers, ...(names.length === 0 ? {} : { names }) },
    digests: new Map(),
  };
}
